"""What a record keeps of a call until it is read. An operation has 26 fields, and most of them are never read."""

from __future__ import annotations

import time
import typing as t

from dynaflask.operations.operation import NO_LINE
from dynaflask.operations.operation import NOTHING
from dynaflask.operations.operation import Line
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import Source
from dynaflask.operations.operation import finished_operation
from dynaflask.operations.requests import Json

# The operations that can be kept: their request and their result are for one item of one table.
ONE_ITEM = frozenset({"GetItem", "PutItem", "UpdateItem", "DeleteItem"})


# A plain tuple: a class would take as long again to make. Its parts are in the order of the arguments here.
KeptCall = tuple[str, str, t.Any, bool, t.Any, str | None, int, Source, float, float, Line]
Entry = Operation | KeptCall


def kept_call(  # noqa: PLR0917 - names take twice the time
    name: str, params: Json, result: Json, source: Source, seconds: float, line: Line = NO_LINE
) -> KeptCall:
    """What a record keeps of a successful call: neither a key nor an item.

    Args:
        name: Name of the operation, one of `ONE_ITEM`.
        params: Parameters of the operation.
        result: Result as botocore returns it.
        source: Where the call comes from.
        seconds: The field ``duration_seconds``.
        line: The fields ``caller`` and ``key_hash``.
    """
    metadata = result.get("ResponseMetadata", NOTHING)
    return (
        name,
        params["TableName"],
        params.get("ConsistentRead"),
        "Item" in result,
        result.get("ConsumedCapacity"),
        metadata.get("RequestId"),
        metadata.get("RetryAttempts", 0),
        source,
        seconds,
        time.time(),
        line,
    )


def operation_of(entry: Entry, *, route: str | None) -> Operation:
    """The operation of an entry of a record.

    Args:
        entry: The entry.
        route: The field of `Operation`: the endpoint of the request that has the record.
    """
    if type(entry) is Operation:
        return entry
    call = t.cast("KeptCall", entry)
    name, table, is_consistent, has_item, consumed, request_id, retries, source, seconds, ended_at, line = call
    metadata = {"RequestId": request_id, "RetryAttempts": retries}
    params = {"TableName": table, "ConsistentRead": is_consistent}
    result = {"ConsumedCapacity": consumed, "ResponseMetadata": metadata, **({"Item": None} if has_item else {})}
    return finished_operation(name, params, result, source, route=route, seconds=seconds, ended_at=ended_at, line=line)
