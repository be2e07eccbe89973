"""An operation: one finished call to DynamoDB, and the signal that carries it."""

from __future__ import annotations

import dataclasses
import typing as t

import blinker
from botocore.exceptions import ClientError

from dynaflask.operations.error_codes import THROTTLED
from dynaflask.operations.error_codes import TRANSACTION_CANCELED
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
READ_OPERATIONS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One finished call to DynamoDB with all its attempts. Each page of a query is an operation, and so is each batch.

    Attributes:
        name: Name of the operation in DynamoDB's API, such as ``"GetItem"``.
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
    """

    name: str
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


#: Signal: a call has ended, with or without success. The sender is the app; ``operation`` is the
#: :class:`~dynaflask.Operation`.
operation_finished: t.Final = blinker.Namespace().signal("operation-finished")


def table_of(params: Json) -> str | None:
    """The table that a call names; ``None`` if it names none, or several.

    Args:
        params: Parameters of the operation.
    """
    tables = requests_by_table(params)
    return next(iter(tables)) if len(tables) == 1 else None


def outcome_of(name: str, result: Json) -> dict[str, t.Any]:
    """The fields of :class:`Operation` that the result of a successful call determines.

    Args:
        name: Name of the operation.
        result: Result as botocore returns it.
    """
    consumed = result.get("ConsumedCapacity", ())
    units = [_units(name, table) for table in (consumed if isinstance(consumed, list) else [consumed]) if table]
    return {
        "read_units": sum(read for read, _ in units),
        "write_units": sum(write for _, write in units),
        "retries": _retries(result),
    }


def failure_of(error: BaseException) -> dict[str, t.Any]:
    """The fields of :class:`Operation` that the error of a failed call determines.

    Args:
        error: Error as PynamoDB's connection raises it.
    """
    # PynamoDB's error has no retries and no cancellation reasons; its cause has both.
    cause = error.__cause__ if isinstance(error.__cause__, ClientError) else error
    if not isinstance(cause, ClientError):
        return {"error": type(error).__name__}
    response = t.cast("dict[str, t.Any]", cause.response)
    code = response.get("Error", {}).get("Code") or type(error).__name__
    reasons = {reason.get("Code") for reason in response.get("CancellationReasons", ())}
    is_throttled = code in THROTTLED or (code == TRANSACTION_CANCELED and bool(reasons & THROTTLED))
    return {"error": code, "is_throttled": is_throttled, "retries": _retries(response)}


def _units(name: str, table: Json) -> tuple[float, float]:
    """Read and write units of a table. If DynamoDB reports one total only, the operation tells which of them it is."""
    if "ReadCapacityUnits" in table or "WriteCapacityUnits" in table:
        return table.get("ReadCapacityUnits", 0.0), table.get("WriteCapacityUnits", 0.0)
    total = table.get("CapacityUnits", 0.0)
    return (total, 0.0) if name in READ_OPERATIONS else (0.0, total)


def _retries(response: Json) -> int:
    return t.cast("int", response.get("ResponseMetadata", {}).get("RetryAttempts", 0))
