"""What a record keeps of a call until it is read. An operation has 26 fields, and most of them are never read."""

from __future__ import annotations

import typing as t

from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import Source
from dynaflask.operations.outcome import Line
from dynaflask.operations.outcome import finished_operation

# The operations that can be kept: their request and their result are for one item of one table.
ONE_ITEM = frozenset({"GetItem", "PutItem", "UpdateItem", "DeleteItem"})

# What `OperationRecorder.keep` keeps: neither a key nor an item. It is a plain tuple: an object of a class would take
# twice as long to make. The parts: operation, table, ConsistentRead, whether there is an item, ConsumedCapacity,
# request id, retries, and source, host, seconds, end and line as `finished_operation` takes them.
KeptCall = tuple[str, str, t.Any, bool, t.Any, str | None, int, Source, str | None, float, float, Line]
Entry = Operation | KeptCall


def operation_of(entry: Entry, *, route: str | None) -> Operation:
    """The operation of an entry of a record.

    Args:
        entry: The entry.
        route: The field of `Operation`: the endpoint of the request that has the record.
    """
    if type(entry) is Operation:
        return entry
    call = t.cast("KeptCall", entry)
    name, table, is_consistent, has_item, consumed, request_id, retries, source, host, seconds, ended_at, line = call
    metadata = {"RequestId": request_id, "RetryAttempts": retries}
    params = {"TableName": table, "ConsistentRead": is_consistent}
    result = {"ConsumedCapacity": consumed, "ResponseMetadata": metadata, **({"Item": None} if has_item else {})}
    return finished_operation(
        name, params, result, source, host=host, route=route, seconds=seconds, ended_at=ended_at, line=line
    )
