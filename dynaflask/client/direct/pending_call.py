"""A call that botocore makes for the direct transport, and what its handlers must know of it."""

from __future__ import annotations

import typing as t

from botocore.exceptions import BotoCoreError

from dynaflask.client.direct.head_pattern import OK
from dynaflask.client.direct.response import Response
from dynaflask.exceptions import DamagedResponse
from dynaflask.operations.block_value import BlockVariable

if t.TYPE_CHECKING:
    from dynaflask.client.direct.operation_codec import OperationCodec

FIRST_REDIRECT = 300

AttemptResult = t.Union[Response, BotoCoreError]  # noqa: UP007 - evaluated at run time, on Python 3.10


class PendingCall:
    """One call that botocore makes for the direct transport.

    Args:
        transport: Transport of the call. Handlers see calls of other transports, too: to get the credentials of one
            client, botocore may call DynamoDB with another.
        operation: Operation of the call.
        params: Parameters of the call.
        invocation_id: Invocation id, which all attempts of the call share.
        first_result: Result of attempt 1, until botocore takes it. ``None`` if botocore makes attempt 1.

    Attributes:
        attempts: Number of attempts so far.
        response: Last response.
        url: URL that the last response came from.
        other_ids: Invocation ids of calls of the client that have begun in the middle of this one.
    """

    def __init__(
        self,
        transport: object,
        operation: OperationCodec,
        params: dict[str, t.Any],
        invocation_id: str,
        first_result: AttemptResult | None,
    ) -> None:
        self.transport = transport
        self.operation = operation
        self.params = params
        self.invocation_id = invocation_id
        self.first_result = first_result
        self.attempts = 0
        self.response: Response | None = None
        self.url = ""
        self.other_ids: set[str] = set()

    @property
    def is_damaged(self) -> bool:
        """True if botocore takes the last response for a success, and it is not an intact one."""
        response = self.response
        return response is not None and response.status_code < FIRST_REDIRECT and not response.is_intact

    def check_response(self) -> None:
        """Raise if the last response is damaged.

        Raises:
            DamagedResponse: The response is interim, incomplete or damaged.
        """
        if self.response is not None and self.is_damaged:
            raise DamagedResponse(
                error=f"{self.url} sent {_fault_of(self.response)}. The request may have been applied."
            )


#: The call that the running code is part of, or None.
pending_call: BlockVariable[PendingCall | None] = BlockVariable("dynaflask_pending_call", None)


def _fault_of(response: Response) -> str:
    if response.status_code < OK:
        return f"status {response.status_code} in place of a response"
    if not response.is_complete:
        return "a response that is cut short or malformed"
    return "a response that does not match its checksum, or is not JSON"
