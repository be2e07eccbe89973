"""An operation: one finished call to DynamoDB, and the signal that carries it."""

from __future__ import annotations

import typing as t

import blinker

from dynaflask.operations.caller import Caller
from dynaflask.operations.requests import Json

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
READ_OPERATIONS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"})


class ThrottlingReason(t.NamedTuple):
    """Why DynamoDB throttled a call, in its own words.

    Attributes:
        reason: Code such as ``"TableWriteKeyRangeThroughputExceeded"``.
        resource: ARN of the table or index.
    """

    reason: str
    resource: str


class Source(t.NamedTuple):
    """Where the calls of a connection come from. The fields are those of `Operation`.

    Attributes:
        app_name: Name of the app.
        bind_key: Key of the bind.
        model: Name of the model, or ``None``.
        tenant: The tenant, or ``None``.
    """

    app_name: str
    bind_key: str
    model: str | None
    tenant: str | None


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
