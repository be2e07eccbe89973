"""Create, drop, compare and change the tables of an app's models."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import logging
import time
import typing as t

from pynamodb.exceptions import TableError

from dynaflask.operations.error_codes import BACKUPS_UNAVAILABLE
from dynaflask.operations.error_codes import TABLE_EXISTS
from dynaflask.operations.error_codes import TABLE_NOT_FOUND
from dynaflask.operations.error_codes import code_of
from dynaflask.tables.describe import actual_schema
from dynaflask.tables.difference import Difference
from dynaflask.tables.schema import Json
from dynaflask.tables.schema_diff import compare
from dynaflask.tables.schema_diff import completions
from dynaflask.tables.table import Models
from dynaflask.tables.table import Table
from dynaflask.tables.table import account_of
from dynaflask.tables.table import find_tables

if t.TYPE_CHECKING:
    from dynaflask.registry.registry import Registry

POLL_SECONDS = 1
# DescribeTable is eventually consistent: for some seconds after CreateTable it may not find the new table.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
MAX_MISSING_POLLS = 60
# States that a table does not leave by itself.
FINAL_STATES = frozenset({"ARCHIVED", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"})

logger = logging.getLogger("dynaflask.tables")

# A model whose module is not imported is unknown; a subclass of PynamoDB's own Model is none of the app's.
NO_MODELS = (
    "This app has no models. Import their modules in the app factory, and derive them from dynaflask.Model, not from"
    " pynamodb.models.Model."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """The state of one table.

    Attributes:
        table: The table.
        state: DynamoDB's ``TableStatus``, such as ``"ACTIVE"``; ``None`` if the table does not exist.
        items: Approximate number of items. DynamoDB updates it about every six hours.
        size_bytes: Approximate size, updated as often.
        differences: Where the table differs from what its models declare.
        is_protected: True if the table has deletion protection.
        account: Number of the AWS account of the table; ``None`` if the table does not exist.
    """

    table: Table
    state: str | None
    items: int
    size_bytes: int
    differences: list[Difference]
    is_protected: bool = False
    account: str | None = None


def create_all(
    registry: Registry, *, bind_key: str | None = None, models: Models | None = None, wait: bool = False
) -> None:
    """Create those tables of an app's models that do not exist.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Limits the call to the tables of models on this bind.
        models: Limits the call to the tables of these models.
        wait: Return when the tables are ready for use.

    Raises:
        TableError: DynamoDB refused.
    """
    if models is None and not registry.models.classes():
        logger.warning(NO_MODELS)
    create(find_tables(registry, bind_key=bind_key, models=models), wait=wait)


def create(tables: cabc.Iterable[Table], *, wait: bool = False) -> list[Table]:
    """Create those of the tables that do not exist.

    Args:
        tables: Tables as `find_tables` returns them.
        wait: Return when all of them are ready for use, also those that existed.

    Returns:
        The tables that this call created.

    Raises:
        ConfigurationError: No model of a table declares a hash key. No table is created.
    """
    tables = list(tables)
    # All requests before the first is sent: one of them may be refused.
    requests = [(table, table.create_request()) for table in tables if table.describe() is None]
    # Another process may create the same table after the check above: that error is no failure.
    created = [table for table, request in requests if _call_unless(TABLE_EXISTS, table, "CreateTable", request)]
    for table in created:
        # These operations refuse a table that is still being created.
        for difference in completions(table.schema):
            _apply(table, difference)
    for table in tables if wait else ():
        _wait(table)
    return created


def drop_all(
    registry: Registry, *, bind_key: str | None = None, models: Models | None = None, wait: bool = False
) -> None:
    """Delete those tables of an app's models that exist, with all of their items.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Limits the call to the tables of models on this bind.
        models: Limits the call to the tables of these models.
        wait: Return when the tables are gone.

    Raises:
        TenantMismatch: As of `drop`.
        TableError: DynamoDB refused, for example because a table has deletion protection.
    """
    drop(find_tables(registry, bind_key=bind_key, models=models), wait=wait)


def drop(tables: cabc.Iterable[Table], *, wait: bool = False) -> list[Table]:
    """Delete those of the tables that exist.

    Args:
        tables: Tables as `find_tables` returns them.
        wait: Return when they are gone.

    Returns:
        The tables that this call deleted.

    Raises:
        TenantMismatch: A table is not that of the current tenant alone. No table is deleted.
    """
    tables = list(tables)
    for table in tables:
        table.check_not_shared()
    existing = [table for table in tables if table.describe() is not None]
    # Another process may delete the same table after the check above: that error is no failure.
    deleted = [
        table for table in existing if _call_unless(TABLE_NOT_FOUND, table, "DeleteTable", {"TableName": table.name})
    ]
    for table in tables if wait else ():
        while table.describe() is not None:
            time.sleep(POLL_SECONDS)
    return deleted


def status(registry: Registry, *, bind_key: str | None = None, models: Models | None = None) -> list[Status]:
    """The state of the tables of an app's models.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Limits the call to the tables of models on this bind.
        models: Limits the call to the tables of these models.

    Raises:
        TableError: DynamoDB refused.
    """
    return [status_of(table) for table in find_tables(registry, bind_key=bind_key, models=models)]


def diff(
    registry: Registry, *, bind_key: str | None = None, models: Models | None = None, prune: bool = False
) -> dict[Table, list[Difference]]:
    """Differences between the tables and what their models declare.

    What the models do not declare is never a difference: a table may have more tags, or a stream.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Limits the call to the tables of models on this bind.
        models: Limits the call to the tables of these models.
        prune: Report global indexes that no model of this app declares, too.

    Returns:
        The differences of each table that has any.

    Raises:
        TableError: DynamoDB refused.
    """
    tables = find_tables(registry, bind_key=bind_key, models=models)
    drift = {table: _differences(table, table.describe(), prune=prune) for table in tables}
    return {table: differences for table, differences in drift.items() if differences}


def sync(
    registry: Registry,
    *,
    bind_key: str | None = None,
    models: Models | None = None,
    prune: bool = False,
    wait: bool = False,
) -> dict[Table, list[Difference]]:
    """Change tables to what their models declare, as far as DynamoDB can do so in place.

    No table is created or dropped.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Limits the call to the tables of models on this bind.
        models: Limits the call to the tables of these models.
        prune: Delete the global indexes that no model of this app declares.
        wait: Return when the last change is done.

    Returns:
        The differences that remain, because DynamoDB cannot change them in place. ``blocked_reason`` says why.

    Raises:
        TableError: DynamoDB refused. The changes before that stay.
    """
    return apply(diff(registry, bind_key=bind_key, models=models, prune=prune), wait=wait)


def apply(
    drift: cabc.Mapping[Table, cabc.Sequence[Difference]],
    *,
    wait: bool = False,
    on_change: cabc.Callable[[Table, Difference], object] = lambda table, difference: None,
) -> dict[Table, list[Difference]]:
    """Make the changes that `diff` returned, one after another, because DynamoDB takes one at a time.

    Args:
        drift: The result of `diff`.
        wait: Return when the last change is done.
        on_change: Called before each change.

    Returns:
        The differences that remain, because DynamoDB cannot change them in place.
    """
    for table, differences in drift.items():
        for difference in differences:
            if not difference.blocked_reason:
                on_change(table, difference)
                _apply(table, difference)
    for table, differences in drift.items() if wait else ():
        if not all(difference.blocked_reason for difference in differences):
            _wait(table)
    blocked = {
        table: [difference for difference in differences if difference.blocked_reason]
        for table, differences in drift.items()
    }
    return {table: differences for table, differences in blocked.items() if differences}


def status_of(table: Table) -> Status:
    """The state of one table.

    Raises:
        TableError: DynamoDB refused.
    """
    description = table.describe()
    differences = _differences(table, description, prune=False)
    description = description or {}
    return Status(
        table,
        state=description.get("TableStatus"),
        items=description.get("ItemCount", 0),
        size_bytes=description.get("TableSizeBytes", 0),
        differences=differences,
        is_protected=description.get("DeletionProtectionEnabled", False),
        account=account_of(description) if "TableArn" in description else None,
    )


def _differences(table: Table, description: Json | None, *, prune: bool) -> list[Difference]:
    actual = None if description is None else actual_schema(table, description)
    return compare(table.schema, actual, prune=prune)


def _apply(table: Table, difference: Difference) -> None:
    description = _wait(table)
    # Two operations take an ARN, the other ones a name.
    is_of_arn = difference.operation in {"TagResource", "PutResourcePolicy"}
    target = {"ResourceArn": description["TableArn"]} if is_of_arn else {"TableName": table.name}
    request = {**target, **difference.request}
    for _ in range(MAX_MISSING_POLLS):
        if _call_unless(BACKUPS_UNAVAILABLE, table, difference.operation, request):
            return
        time.sleep(POLL_SECONDS)
    table.call(difference.operation, **request)


def _call_unless(code: str, table: Table, operation: str, request: Json) -> bool:
    """Make a call. True if it succeeded, False if it failed with this error code."""
    try:
        table.call(operation, **request)
    except TableError as error:
        if code_of(error) != code:
            raise
        return False
    return True


def _wait(table: Table) -> Json:
    """Wait until a table is ready to be used or changed, and return its description.

    There is no time limit, because DynamoDB fills a new index for hours where the table is large.

    Raises:
        TableError: The table does not exist any more, or is in a state that it does not leave by itself.
    """
    missing_polls = 0
    while (description := table.describe()) is None or not _is_ready(description):
        missing_polls += description is None
        if missing_polls > MAX_MISSING_POLLS:
            table.require()
        if description is not None and description["TableStatus"] in FINAL_STATES:
            raise TableError(
                f"The {table} cannot be used: its status is {description['TableStatus']}. See the console of AWS."
            )
        time.sleep(POLL_SECONDS)
    return description


def _is_ready(description: Json) -> bool:
    indexes = description.get("GlobalSecondaryIndexes") or ()
    # The warm throughput of an active table may be changing.
    warming = ((part.get("WarmThroughput") or {}).get("Status") for part in (description, *indexes))
    return (
        description["TableStatus"] == "ACTIVE"
        and all(index.get("IndexStatus", "ACTIVE") == "ACTIVE" for index in indexes)
        and "UPDATING" not in warming
    )
