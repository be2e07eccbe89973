"""One call of an app to DynamoDB, as it ended."""

from __future__ import annotations

import dataclasses
import typing as t

from botocore.exceptions import ClientError

from dynaflask.operations.requests import Json
from dynaflask.operations.requests import requests_by_table

# As an error's code, and as a reason for which a transaction was cancelled.
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingException",
        "ThrottlingError",
    }
)
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
CANCELED = "TransactionCanceledException"
READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call to DynamoDB with all of its attempts, as it ended. Each page of a query is one, and each batch.

    Attributes:
        name: As DynamoDB calls it: ``"GetItem"``.
        app_name: The app's name.
        bind_key: The bind's key in ``DYNAMODB_BINDS``, or ``"default"``.
        model: The name of the model class that declares the table; of a transaction's models the first. ``None`` for a
            call that was made without a model.
        table: The table's real name; ``None`` for a call to several tables, or to none.
        tenant: Whom the call was made for.
        duration_seconds: From the first attempt to the end of the last, with the waits between them.
        read_units: The read capacity units that DynamoDB says the call consumed.
        write_units: The write capacity units.
        retries: How many attempts there were after the first, as far as botocore tells.
        error: DynamoDB's code for what went wrong, or the class of an error that is not DynamoDB's; ``None`` if all
            went well.
        is_throttled: Whether the last attempt was throttled.
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


def table_of(params: Json) -> str | None:
    """The table that a call names; ``None`` if it names none, or several.

    Args:
        params: What the operation is called with.
    """
    tables = requests_by_table(params)
    return next(iter(tables)) if len(tables) == 1 else None


def outcome_of(name: str, result: Json) -> dict[str, t.Any]:
    """What an operation's result tells of it.

    Args:
        name: The operation's name.
        result: As botocore gives it.
    """
    consumed = result.get("ConsumedCapacity", ())
    units = [_units(name, table) for table in (consumed if isinstance(consumed, list) else [consumed]) if table]
    return {
        "read_units": sum(read for read, _ in units),
        "write_units": sum(write for _, write in units),
        "retries": _retries(result),
    }


def failure_of(error: BaseException) -> dict[str, t.Any]:
    """What an operation's error tells of it.

    Args:
        error: As PynamoDB's connection raises it.
    """
    # PynamoDB's own error keeps less than its cause.
    cause = error.__cause__ if isinstance(error.__cause__, ClientError) else error
    if not isinstance(cause, ClientError):
        return {"error": type(error).__name__}
    response = t.cast("dict[str, t.Any]", cause.response)
    code = response.get("Error", {}).get("Code") or type(error).__name__
    reasons = {reason.get("Code") for reason in response.get("CancellationReasons", ())}
    is_throttled = code in THROTTLED or (code == CANCELED and bool(reasons & THROTTLED))
    return {"error": code, "is_throttled": is_throttled, "retries": _retries(response)}


def _units(name: str, table: Json) -> tuple[float, float]:
    """What was read of a table and what was written. The total is of one kind where DynamoDB does not say more."""
    if "ReadCapacityUnits" in table or "WriteCapacityUnits" in table:
        return table.get("ReadCapacityUnits", 0.0), table.get("WriteCapacityUnits", 0.0)
    total = table.get("CapacityUnits", 0.0)
    return (total, 0.0) if name in READS else (0.0, total)


def _retries(response: Json) -> int:
    return t.cast("int", response.get("ResponseMetadata", {}).get("RetryAttempts", 0))
