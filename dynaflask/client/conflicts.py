"""Calls that DynamoDB refuses because of another transaction, made again: ``DYNAMODB_RETRY_CONFLICTS``.

DynamoDB does not wait for a transaction that is changing an item: it refuses any other write of the item, and any other
transaction that has the item. A refused call has written nothing, and can be made again. botocore does not repeat it,
except after TransactionInProgressException.
"""

from __future__ import annotations

import time
import typing as t
import uuid

from botocore.exceptions import ClientError
from pynamodb.constants import CLIENT_REQUEST_TOKEN
from pynamodb.constants import TRANSACT_WRITE_ITEMS

from dynaflask.client.backoff import backoff_delay
from dynaflask.operations.error_codes import TRANSACTION_CONFLICTS
from dynaflask.operations.error_codes import reason_codes

Json = dict[str, t.Any]


def call_until_free(
    call: t.Callable[[str, Json], Json],
    operation_name: str,
    params: Json,
    *,
    retries: int,
    seconds: float | None = None,
) -> Json:
    """Make a call, and make it again after a conflict with a transaction.

    Args:
        call: Makes the call once.
        operation_name: Name of the operation.
        params: Its parameters. A transaction gets a token, which all calls share: if the response of one is lost, the
            next one does not write a second time.
        retries: Number of further calls.
        seconds: Time after which no further call is made, or None.

    Raises:
        ClientError: The error of the last call.
    """
    if operation_name == TRANSACT_WRITE_ITEMS:
        params.setdefault(CLIENT_REQUEST_TOKEN, str(uuid.uuid4()))
    started = time.monotonic()
    for attempt in range(1, retries + 1):
        try:
            return call(operation_name, params)
        except ClientError as error:
            delay = backoff_delay(attempt)
            is_late = seconds is not None and time.monotonic() + delay - started >= seconds
            if is_late or not is_conflict(error):
                raise
        time.sleep(delay)
    return call(operation_name, params)


def is_conflict(error: ClientError) -> bool:
    """True if another transaction is the only reason of an error.

    Args:
        error: The error of a call, as PynamoDB translates it.
    """
    codes = reason_codes(error)
    return bool(codes) and codes <= TRANSACTION_CONFLICTS
