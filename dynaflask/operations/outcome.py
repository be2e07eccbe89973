"""The outcome of a call that has ended: what it consumed and returned, or why it failed. It becomes an `Operation`."""

from __future__ import annotations

import typing as t

from botocore.exceptions import ClientError

from dynaflask.exceptions import TenantLimitExceeded
from dynaflask.operations.caller import Caller
from dynaflask.operations.error_codes import THROTTLED
from dynaflask.operations.error_codes import code_of
from dynaflask.operations.error_codes import reason_codes
from dynaflask.operations.operation import READ_OPERATIONS
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import Source
from dynaflask.operations.operation import ThrottlingReason
from dynaflask.operations.requests import Json
from dynaflask.operations.requests import requests_by_table

NOTHING: t.Final[Json] = {}
# The fields `caller` and `key_hash` of an operation.
Line = tuple[Caller | None, int | None]
NO_LINE: t.Final[Line] = (None, None)


def finished_operation(
    name: str,
    params: Json,
    outcome: Json | BaseException,
    source: Source,
    *,
    host: str | None,
    route: str | None,
    seconds: float,
    ended_at: float,
    line: Line = NO_LINE,
) -> Operation:
    """The operation of a call that has ended.

    Args:
        name: Name of the operation.
        params: Parameters of the operation.
        outcome: Result as botocore returns it, or the error as PynamoDB's connection raises it.
        source: Where the call comes from.
        host: The field of :class:`Operation`, like the next.
        route: The field of :class:`Operation`.
        seconds: The field ``duration_seconds``.
        ended_at: End of the call, in seconds since 1970.
        line: The fields ``caller`` and ``key_hash``.
    """
    table = params.get("TableName")
    if table is not None:
        is_consistent = bool(params.get("ConsistentRead"))
    else:
        tables = requests_by_table(params)
        table = next(iter(tables)) if len(tables) == 1 else None
        is_consistent = any(part.get("ConsistentRead") for parts in tables.values() for part in parts)
    if isinstance(outcome, BaseException):
        failure, result, items = _failure_of(outcome), NOTHING, 0
        request_id, retries = _facts_of(failure.metadata)
    else:
        failure, result, items = NO_FAILURE, outcome, item_count(name, params, outcome)
        request_id, retries = response_facts(params, outcome)
    consumed, read_units, write_units = consumed_units(name, result)
    # By position: names take twice the time, and an app may ask for the operation of each call.
    return Operation(
        name,
        source.app_name,
        source.bind_key,
        source.model,
        table,
        source.tenant,
        seconds,
        read_units,
        write_units,
        retries,
        failure.error,
        failure.is_throttled,
        failure.is_refused,
        failure.throttling_reasons,
        ended_at - seconds,
        params.get("IndexName"),
        items,
        result.get("ScannedCount", 0),
        is_consistent,
        "ExclusiveStartKey" in params,
        request_id,
        host,
        route,
        *line,
        consumed,
    )


class Failure(t.NamedTuple):
    """What the error of a call says.

    Attributes:
        error: As of :class:`Operation`, like the others.
        is_throttled: DynamoDB throttled the call.
        is_refused: The tenant's limit refused the call.
        throttling_reasons: DynamoDB's reasons.
        metadata: What the response says about itself, if there was one.
    """

    error: str | None = None
    is_throttled: bool = False
    is_refused: bool = False
    throttling_reasons: tuple[ThrottlingReason, ...] = ()
    metadata: Json = NOTHING


NO_FAILURE: t.Final = Failure()


def _failure_of(error: BaseException) -> Failure:
    # PynamoDB's error has no retries and no cancellation reasons; its cause has both.
    cause = error.__cause__ if isinstance(error.__cause__, ClientError) else error
    if not isinstance(cause, ClientError):
        return Failure(type(error).__name__, is_refused=isinstance(error, TenantLimitExceeded))
    response = t.cast("dict[str, t.Any]", cause.response)
    # DynamoDB spells the name in two ways.
    details = response.get("ThrottlingReasons") or response.get("throttlingReasons") or ()
    return Failure(
        code_of(cause) or type(error).__name__,
        is_throttled=bool(reason_codes(cause) & THROTTLED),
        throttling_reasons=tuple(
            ThrottlingReason(detail.get("reason", ""), detail.get("resource", "")) for detail in details
        ),
        metadata=response.get("ResponseMetadata", NOTHING),
    )


def response_facts(params: t.Any, result: Json) -> tuple[str | None, int]:
    """AWS's id of a request that succeeded, or None; and the number of attempts after the first.

    Args:
        params: Parameters of the operation. The direct transport may have left the response there, see
            :class:`dynaflask.client.plain_requests.PlainRequest`: to decode all headers takes five times as long.
        result: Result as botocore returns it, or without ``ResponseMetadata`` if the response is with the parameters.
    """
    response = getattr(params, "response", None)
    return _facts_of(result.get("ResponseMetadata") or NOTHING) if response is None else (response.request_id, 0)


def _facts_of(metadata: Json) -> tuple[str | None, int]:
    return metadata.get("RequestId"), metadata.get("RetryAttempts", 0)


def consumed_units(name: str, result: Json) -> tuple[tuple[Json, ...], float, float]:
    """What a call consumed.

    Args:
        name: Name of the operation.
        result: Its result.

    Returns:
        The consumed capacity of each table as DynamoDB reports it; the read units; and the write units.
    """
    consumed = result.get("ConsumedCapacity")
    if not consumed:
        return (), 0.0, 0.0
    # One for each table, if the operation may be for several.
    tables = tuple(filter(None, consumed)) if isinstance(consumed, list) else (consumed,)
    read_units = write_units = 0.0
    for table in tables:
        if "ReadCapacityUnits" in table or "WriteCapacityUnits" in table:
            read_units += table.get("ReadCapacityUnits", 0.0)
            write_units += table.get("WriteCapacityUnits", 0.0)
        # If DynamoDB reports one total only, the operation tells which of them it is.
        elif name in READ_OPERATIONS:
            read_units += table.get("CapacityUnits", 0.0)
        else:
            write_units += table.get("CapacityUnits", 0.0)
    return tables, read_units, write_units


def item_count(name: str, params: Json, result: Json) -> int:
    """The field of :class:`Operation` for a successful call.

    Args:
        name: Name of the operation.
        params: Its parameters.
        result: Its result.
    """
    if name == "GetItem":
        return int("Item" in result)
    if name in {"PutItem", "UpdateItem", "DeleteItem"}:
        return 1
    if name == "BatchWriteItem":
        # What was left unprocessed is written by a later call.
        return _length(params["RequestItems"]) - _length(result.get("UnprocessedItems", {}))
    if name == "TransactGetItems":
        return sum("Item" in part for part in result.get("Responses", ()))
    if name == "BatchGetItem":
        return _length(result.get("Responses", {}))
    return len(params.get("TransactItems", ())) or t.cast("int", result.get("Count", 0))


def _length(parts: Json) -> int:
    return sum(map(len, parts.values()))
