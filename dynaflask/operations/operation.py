"""An operation: one finished call to DynamoDB, and the signal that carries it."""

from __future__ import annotations

import typing as t

import blinker
from botocore.exceptions import ClientError

from dynaflask.exceptions import TenantLimitExceeded
from dynaflask.operations.caller import Caller
from dynaflask.operations.error_codes import THROTTLED
from dynaflask.operations.error_codes import code_of
from dynaflask.operations.error_codes import reason_codes
from dynaflask.operations.requests import Json
from dynaflask.operations.requests import requests_by_table

#: The operations on items, which AWS calls the data plane.
DATA_PLANE_OPERATIONS = frozenset(
    {
        "GetItem",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "Query",
        "Scan",
        "BatchGetItem",
        "BatchWriteItem",
        "TransactGetItems",
        "TransactWriteItems",
    }
)
NOTHING: t.Final[Json] = {}
READ_OPERATIONS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"})


class ThrottlingReason(t.NamedTuple):
    """Why DynamoDB throttled a call, in its own words.

    Attributes:
        reason: Code such as ``"TableWriteKeyRangeThroughputExceeded"``.
        resource: ARN of the table or index.
    """

    reason: str
    resource: str


# The fields `caller` and `key_hash` of an operation.
Line = tuple[Caller | None, int | None]
NO_LINE: t.Final[Line] = (None, None)


class Source(t.NamedTuple):
    """Where the calls of a connection come from. The fields are those of `Operation`.

    Attributes:
        app_name: Name of the app.
        bind_key: Key of the bind.
        model: Name of the model, or ``None``.
        tenant: The tenant, or ``None``.
        host: Host of the client's endpoint, or ``None``.
    """

    app_name: str
    bind_key: str
    model: str | None
    tenant: str | None
    host: str | None = None


class Operation(t.NamedTuple):
    """One finished call to DynamoDB with all its attempts. Each page of a query is an operation, and so is each batch.

    It has no values of keys and attributes.

    Attributes:
        operation: Name of the operation in DynamoDB's API, such as ``"GetItem"``.
        app_name: Name of the app.
        bind_key: Key of the bind in ``DYNAMODB_BINDS``, or ``"default"``.
        model: Name of the model class, for a transaction the first one; ``None`` for a call without a model.
        table: Real name of the table; ``None`` for a call to several tables or to none.
        tenant: Tenant that the call was made for, or ``None``.
        duration_seconds: Time from the start of the first attempt to the end of the last, including the waits.
        read_units: Read capacity units that the call consumed, as DynamoDB reports them.
        write_units: Write capacity units that the call consumed.
        retries: Number of attempts after the first, as botocore reports them.
        error: Error code of DynamoDB, or the name of the exception class for any other error; ``None`` on success.
        is_throttled: True if DynamoDB throttled the last attempt.
        is_refused: True if the tenant's limit refused the call, and nothing was sent.
        throttling_reasons: DynamoDB's reasons for throttling the last attempt.
        started_at: Start of the call, in seconds since 1970 as of `time.time`.
        index_name: Name of the index that was read, or ``None``.
        item_count: Number of items that the call returned or wrote.
        scanned_count: Number of items that a query or a scan read, before its filter.
        is_consistent: True if the call asked for a strongly consistent read.
        is_next_page: True if the call continues a query or a scan.
        request_id: AWS's id of the request, or ``None`` without a response.
        host: Host of the client's endpoint, with its port if it has one; ``None`` if there was no client yet.
        route: Flask endpoint of the request in which the app made the call; ``None`` outside of its requests.
        caller: Line of the program that made the call; ``None`` if the app does not record lines.
        key_hash: Tells apart the keys that ``GetItem`` reads, in this process alone; ``None`` if the app does not
            record lines. The key cannot be found from it.
        consumed_capacity: Consumed capacity of each table, as DynamoDB reports it.
    """

    operation: str
    app_name: str
    bind_key: str
    model: str | None
    table: str | None
    tenant: str | None
    duration_seconds: float
    read_units: float = 0.0
    write_units: float = 0.0
    retries: int = 0
    error: str | None = None
    is_throttled: bool = False
    is_refused: bool = False
    throttling_reasons: tuple[ThrottlingReason, ...] = ()
    started_at: float = 0.0
    index_name: str | None = None
    item_count: int = 0
    scanned_count: int = 0
    is_consistent: bool = False
    is_next_page: bool = False
    request_id: str | None = None
    host: str | None = None
    route: str | None = None
    caller: Caller | None = None
    key_hash: int | None = None
    consumed_capacity: tuple[Json, ...] = ()

    @property
    def attempts(self) -> int:
        """Number of attempts that DynamoDB answered, at least one; 0 for a refused call."""
        return 0 if self.is_refused else self.retries + 1

    @property
    def units(self) -> float:
        """Read and write units together."""
        return self.read_units + self.write_units

    @property
    def label(self) -> str:
        """What was called: ``"Thread.GetItem"``, with the table or the bind in place of a missing model."""
        return f"{self.model or self.table or self.bind_key}.{self.operation}"


#: Signal: a call has ended, with or without success. The sender is the app; ``operation`` is the
#: `dynaflask.Operation`.
operation_finished: t.Final = blinker.Namespace().signal("operation-finished")


def finished_operation(
    name: str,
    params: Json,
    outcome: Json | BaseException,
    source: Source,
    *,
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
    else:
        failure, result, items = NO_FAILURE, outcome, item_count(name, params, outcome)
    consumed, read_units, write_units = consumed_units(name, result)
    metadata = failure.metadata or result.get("ResponseMetadata") or NOTHING
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
        metadata.get("RetryAttempts", 0),
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
        metadata.get("RequestId"),
        source.host,
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
