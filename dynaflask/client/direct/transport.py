"""The data operations, round botocore's machinery and on sockets of our own.

A call takes the fast lane: it writes a signed request under a letterhead, sends it once, and reads the answer. Whatever
is not a sound answer of 200 is handed to botocore as the outcome of its first attempt. From there botocore decides as
ever: which error it is, whether and when to try again, and what that costs of the token bucket. Its further attempts
take our sockets, too, and so does the first call of each operation, which teaches the letterhead.

Where someone listens to the client, or what it is asked for is not spoken here, the call is the client's own.
"""

from __future__ import annotations

import contextvars
import functools
import itertools
import types
import typing as t
import uuid
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError
from botocore.exceptions import HTTPClientError

from dynaflask.client.botocore_internals import frozen_credentials
from dynaflask.client.botocore_internals import has_proxy
from dynaflask.client.botocore_internals import socket_options
from dynaflask.client.direct.hooks import Listeners
from dynaflask.client.direct.http11 import Response
from dynaflask.client.direct.http_pool import ConnectionPool
from dynaflask.client.direct.http_pool import Origin
from dynaflask.client.direct.http_pool import closed
from dynaflask.client.direct.operation_codec import OperationCodec
from dynaflask.client.direct.operation_codec import names_an_arn
from dynaflask.client.direct.page_decoder import ItemFactory
from dynaflask.client.direct.request_template import ascii_headers
from dynaflask.client.direct.request_template import capture
from dynaflask.client.direct.request_template import request_line
from dynaflask.client.tls import hostname_checking_context
from dynaflask.forks import in_child
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS

OK = 200
SUCCESS = range(200, 300)
# Of an id, the last twelve hexadecimal digits.
ID_NUMBERS = 16**12


Outcome = t.Union[Response, BotoCoreError]  # noqa: UP007 - at run time, on Python 3.10


class PendingCall:
    """One call on its way through botocore.

    Args:
        way: Whose it is. Others' calls may be made meanwhile: credentials may come from DynamoDB, too.
        operation: What is called.
        params: What with.
        invocation_id: What all of its attempts have in common.
        outcome: What came of the first attempt, if there was one.

    Attributes:
        way: Whose it is.
        operation: What is called.
        params: What with.
        invocation_id: What all of its attempts have in common.
        outcome: What came of the first attempt, until botocore has taken it.
        attempts: How many there were.
        answer: The last answer.
        url: Where it came from.
    """

    def __init__(
        self,
        way: DirectTransport,
        operation: OperationCodec,
        params: dict[str, t.Any],
        *,
        invocation_id: str,
        outcome: Outcome | None,
    ) -> None:
        self.way = way
        self.operation = operation
        self.params = params
        self.invocation_id = invocation_id
        self.outcome = outcome
        self.attempts = 0
        self.answer: Response | None = None
        self.url = ""

    def check_integrity(self) -> None:
        """Raise if the last answer has not come as it was sent. botocore would take a part for the whole."""
        answer = self.answer
        if answer is None or answer.status_code not in SUCCESS or answer.is_intact:
            return
        if not answer.is_complete:
            raise closed(self.url, "The answer was cut short.")
        raise HTTPClientError(error="The answer is damaged: it does not match its checksum, or is no JSON.")


_pending_call: contextvars.ContextVar[PendingCall | None] = contextvars.ContextVar("dynaflask_errand", default=None)


class DirectTransport:
    """The way of a client's calls round botocore.

    Args:
        client: A client that nobody else has yet.
    """

    def __init__(self, client: t.Any) -> None:
        self._client = client
        self._operations: dict[str, OperationCodec] = {}
        self._listeners = Listeners(client, operations=DATA_PLANE_OPERATIONS)
        self._context = hostname_checking_context(client)
        self._pools: dict[str, ConnectionPool] = {}
        self._is_open = True
        self._unsupported_reason = self._find_unsupported_reason()
        service = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register_last(f"before-call.{service}", self._begin)
        # Last of all, so that it sees the request as it goes out.
        client.meta.events.register_last("before-send", self._send)

    @property
    def reason(self) -> str | None:
        """Why the next call will be botocore's; ``None`` if it will not."""
        return self._unsupported_reason or self._listeners.blocking_reason()

    @property
    def mode(self) -> str:
        """The transport of the next call: ``"direct"``, or else ``"tuned"``."""
        return "direct" if self.reason is None else "tuned"

    def __repr__(self) -> str:
        return f"<Direct mode={self.mode!r} reason={self.reason!r}>"

    def __len__(self) -> int:
        return sum(map(len, list(self._pools.values())))

    # The name by which PynamoDB calls a client.
    def _make_api_call(self, operation_name: str, params: dict[str, t.Any], make: ItemFactory | None = None) -> t.Any:
        if operation_name not in DATA_PLANE_OPERATIONS or self.reason is not None:
            return self._client._make_api_call(operation_name, params)
        operation = self._operations.get(operation_name) or self._open(operation_name)
        invocation_id = _ids.next()
        outcome = self._attempt(operation, params, invocation_id)
        if type(outcome) is Response and outcome.status_code == OK and outcome.is_intact:
            return operation.read(outcome, listeners=self._listeners, make=make)
        return self._fall_back_to_botocore(
            PendingCall(self, operation, params, invocation_id=invocation_id, outcome=outcome)
        )

    def with_item_factory(self, make: ItemFactory) -> t.Any:
        """What PynamoDB calls in a client's place, for queries and scans whose plain items become objects.

        Args:
            make: Makes an object of a plain item, and runs nothing of the program's.
        """
        return types.SimpleNamespace(_make_api_call=functools.partial(self._make_api_call, make=make))

    def close(self) -> None:
        """Close the sockets. It touches nothing but this process's own, so that a forked child may call it, too."""
        self._is_open = False
        for pool in list(self._pools.values()):
            pool.close()

    def _open(self, name: str) -> OperationCodec:
        return self._operations.setdefault(name, OperationCodec(self._client, name))

    def _attempt(self, operation: OperationCodec, params: dict[str, t.Any], invocation_id: str) -> Outcome | None:
        credentials = frozen_credentials(self._client)
        template = operation.templates.get(getattr(credentials, "account_id", None))
        body = operation.write(params) if template and credentials else None
        if template is None or body is None:
            return None
        request = template.write(body, credentials=credentials, invocation_id=invocation_id)
        try:
            return self._pool_for(template.url).send(request)
        except BotoCoreError as error:
            return error

    def _fall_back_to_botocore(self, pending: PendingCall) -> t.Any:
        token = _pending_call.set(pending)
        try:
            result = self._client._make_api_call(pending.operation.name, pending.params)
        finally:
            _pending_call.reset(token)
        pending.check_integrity()
        return result

    def _pending_call_for(self, event_name: str) -> PendingCall | None:
        pending = _pending_call.get()
        is_ours = pending is not None and pending.way is self and event_name.endswith(f".{pending.operation.name}")
        return pending if is_ours else None

    def _begin(self, context: dict[str, t.Any], event_name: str, **_: t.Any) -> None:
        pending = self._pending_call_for(event_name)
        if pending is not None:
            context["retries"] = {"invocation-id": pending.invocation_id}

    def _send(self, request: t.Any, event_name: str, **_: t.Any) -> AWSResponse | None:
        pending = self._pending_call_for(event_name)
        headers = ascii_headers(request) if pending else None
        if pending is None or headers is None:
            return None  # urllib3 sends it
        pending.attempts += 1
        outcome, pending.outcome, pending.answer = pending.outcome, None, None
        if outcome is None:
            self._capture(pending, request, headers)
            head = f"{request_line(request.url, headers)}\r\n".encode()
            outcome = self._pool_for(request.url).send(head + request.body)
        if isinstance(outcome, BotoCoreError):
            raise outcome
        pending.answer, pending.url = outcome, request.url
        return AWSResponse(request.url, outcome.status_code, t.cast("t.Any", outcome.headers), outcome)

    def _capture(self, pending: PendingCall, request: t.Any, headers: dict[str, str]) -> None:
        # The head of a further attempt is another one; a table's ARN may lead to an endpoint of its own.
        if pending.attempts > 1 or names_an_arn(pending.params):
            return
        credentials = frozen_credentials(self._client)
        template = None
        if credentials:
            template = capture(request, headers, credentials=credentials, invocation_id=pending.invocation_id)
        if template is not None:
            pending.operation.templates[getattr(credentials, "account_id", None)] = template

    def _pool_for(self, url: str) -> ConnectionPool:
        pool = self._pools.get(url)
        if pool is None:
            pool = self._pools.setdefault(url, ConnectionPool(self._origin(url)))
            if not self._is_open:
                pool.close()
        return pool

    def _origin(self, url: str) -> Origin:
        parts, config = urlsplit(url), self._client.meta.config
        is_secure = parts.scheme == "https"
        return Origin(
            url=url,
            host=t.cast("str", parts.hostname),
            port=parts.port or (443 if is_secure else 80),
            context=self._context if is_secure else None,
            connect_timeout=config.connect_timeout,
            read_timeout=config.read_timeout,
            options=socket_options(self._client),
            max_idle=config.max_pool_connections,
        )

    def _find_unsupported_reason(self) -> str | None:
        if has_proxy(self._client):
            return "it goes through a proxy"
        if self._context is None and self._client.meta.endpoint_url.startswith("https"):
            return "its TLS is set up otherwise"
        return None


class _Ids:
    """Ids as botocore gives them, one for each call: the first of a process is random, and the others count on."""

    def __init__(self) -> None:
        self._renew()
        in_child(self._renew)

    def _renew(self) -> None:
        first = str(uuid.uuid4())
        self._beginning, self._numbers = first[:-12], itertools.count(int(first[-12:], 16))

    def next(self) -> str:
        """One that no call has had."""
        return f"{self._beginning}{next(self._numbers) % ID_NUMBERS:012x}"


_ids = _Ids()
