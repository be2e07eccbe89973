"""The tables of an app's models: create, drop, look at, compare and mend them. Nothing is done but by a call."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import time
import typing as t

from pynamodb.exceptions import TableError

from dynaflask.operations.error_codes import TABLE_EXISTS
from dynaflask.operations.error_codes import TABLE_NOT_FOUND
from dynaflask.tables.schema import Json
from dynaflask.tables.schema import from_description
from dynaflask.tables.schema_diff import Difference
from dynaflask.tables.schema_diff import compare
from dynaflask.tables.schema_diff import time_to_live
from dynaflask.tables.table import Models
from dynaflask.tables.table import Table
from dynaflask.tables.table import find_tables

if t.TYPE_CHECKING:
    from dynaflask.registry.registry import Registry

POLL_SECONDS = 1
# For so many polls a table that was made may not be seen yet: DynamoDB tells of it after a while.
MAX_UNSEEN = 60
# States that a table does not leave by itself.
STUCK = frozenset({"ARCHIVED", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"})


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """How one table is.

    Attributes:
        table: The table.
        state: DynamoDB's word for it, such as ``"ACTIVE"``; ``None`` where there is no such table.
        items: About how many items it has. DynamoDB counts them every six hours.
        size_bytes: About how large it is.
        differences: In what it is not as its models declare.
    """

    table: Table
    state: str | None
    items: int
    size_bytes: int
    differences: list[Difference]


def create_all(
    registry: Registry, *, bind_key: str | None = None, models: Models | None = None, wait: bool = False
) -> None:
    """Create the tables of an app's models, where they do not exist.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Only the tables of models on this bind; by default all.
        models: Only the tables of these models; by default all.
        wait: Return when the tables can be used.

    Raises:
        TableError: DynamoDB refused.
    """
    create(find_tables(registry, bind_key=bind_key, models=models), wait=wait)


def create(tables: cabc.Iterable[Table], *, wait: bool = False) -> list[Table]:
    """Create those of the tables that do not exist.

    Args:
        tables: As found by :func:`find`.
        wait: Return when all can be used.

    Returns:
        Those that were created.
    """
    tables = list(tables)
    missing = [table for table in tables if table.describe() is None]
    # Another process may be doing the same.
    there = TABLE_EXISTS
    created = [table for table in missing if _call_unless(there, table, "CreateTable", table.schema.create_request())]
    for table in created:
        if table.schema.ttl_attribute:
            # DynamoDB takes no time to live for a table that is still being created.
            _apply(table, time_to_live(table.schema.ttl_attribute))
    for table in tables if wait else ():
        _wait(table)
    return created


def drop_all(
    registry: Registry, *, bind_key: str | None = None, models: Models | None = None, wait: bool = False
) -> None:
    """Delete the tables of an app's models, where they exist, with all that is in them.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Only the tables of models on this bind; by default all.
        models: Only the tables of these models; by default all.
        wait: Return when the tables are gone.

    Raises:
        TableError: DynamoDB refused, as it does where the table is protected.
    """
    drop(find_tables(registry, bind_key=bind_key, models=models), wait=wait)


def drop(tables: cabc.Iterable[Table], *, wait: bool = False) -> list[Table]:
    """Delete those of the tables that exist.

    Args:
        tables: As found by :func:`find`.
        wait: Return when they are gone.

    Returns:
        Those that were deleted.

    Raises:
        TenantMismatch: A table has the items of several tenants, and was found for one of them.
    """
    tables = list(tables)
    for table in tables:
        table.check_not_shared()
    present = [table for table in tables if table.describe() is not None]
    present = [table for table in present if _call_unless(TABLE_NOT_FOUND, table, "DeleteTable", {})]
    for table in tables if wait else ():
        while table.describe() is not None:
            time.sleep(POLL_SECONDS)
    return present


def status(registry: Registry, *, bind_key: str | None = None, models: Models | None = None) -> list[Status]:
    """How the tables of an app's models are.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Only the tables of models on this bind; by default all.
        models: Only the tables of these models; by default all.

    Raises:
        TableError: DynamoDB refused.
    """
    return [_status(table) for table in find_tables(registry, bind_key=bind_key, models=models)]


def diff(
    registry: Registry, *, bind_key: str | None = None, models: Models | None = None, prune: bool = False
) -> dict[Table, list[Difference]]:
    """Where tables are not what their models declare. What the models leave unsaid is no difference.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Only the tables of models on this bind; by default all.
        models: Only the tables of these models; by default all.
        prune: Whether a global index that no model of this app declares is a difference.

    Returns:
        The differences of each table that has some.

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
    """Change tables to what their models declare, as far as DynamoDB can in place. No table is made or dropped.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Only the tables of models on this bind; by default all.
        models: Only the tables of these models; by default all.
        prune: Delete the global indexes that no model of this app declares.
        wait: Return when the last change is done.

    Returns:
        What is left: the differences that DynamoDB cannot change in place, with the reason.

    Raises:
        TableError: DynamoDB refused. What was changed before that stays changed.
    """
    return apply(diff(registry, bind_key=bind_key, models=models, prune=prune), wait=wait)


def apply(
    drift: cabc.Mapping[Table, cabc.Sequence[Difference]],
    *,
    wait: bool = False,
    tell: cabc.Callable[[Table, Difference], object] = lambda table, difference: None,
) -> dict[Table, list[Difference]]:
    """Make the changes that :func:`diff` found, one after another, as DynamoDB demands.

    Args:
        drift: What :func:`diff` returned.
        wait: Return when the last change is done.
        tell: Called before each change.

    Returns:
        What is left.
    """
    for table, differences in drift.items():
        for difference in differences:
            if not difference.blocked_reason:
                tell(table, difference)
                _apply(table, difference)
    for table, differences in drift.items() if wait else ():
        if not all(difference.blocked_reason for difference in differences):
            _wait(table)
    left = {table: [found for found in differences if found.blocked_reason] for table, differences in drift.items()}
    return {table: differences for table, differences in left.items() if differences}


def _status(table: Table) -> Status:
    found = table.describe()
    differences = _differences(table, found, prune=False)
    found = found or {}
    return Status(
        table, found.get("TableStatus"), found.get("ItemCount", 0), found.get("TableSizeBytes", 0), differences
    )


def _differences(table: Table, found: Json | None, *, prune: bool) -> list[Difference]:
    schema = table.schema
    if found is None:
        return compare(schema, None)
    # Each is a call of its own, and a permission of its own.
    ttl = table.call("DescribeTimeToLive", TableName=table.name) if schema.ttl_attribute else {}
    tags = list(_tags(table, found["TableArn"])) if schema.tags else None
    return compare(schema, from_description(found, ttl=ttl.get("TimeToLiveDescription"), tags=tags), prune=prune)


def _tags(table: Table, arn: str) -> cabc.Iterator[Json]:
    request = {"ResourceArn": arn}
    while True:
        page = table.call("ListTagsOfResource", **request)
        yield from page.get("Tags", ())
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def _apply(table: Table, difference: Difference) -> None:
    found = _wait(table)
    resource = (
        {"ResourceArn": found["TableArn"]} if difference.operation == "TagResource" else {"TableName": table.name}
    )
    table.call(difference.operation, **resource, **difference.request)


def _call_unless(code: str, table: Table, operation: str, request: Json) -> bool:
    """Make a call. Whether it did anything: the error of this code says that there was nothing left to do."""
    try:
        table.call(operation, TableName=table.name, **request)
    except TableError as error:
        if error.cause_response_code != code:
            raise
        return False
    return True


def _wait(table: Table) -> Json:
    """Wait until a table can be used, or changed again. How long that takes depends on how large its indexes are.

    Raises:
        TableError: There is no such table any more, or it is in a state that it does not leave.
    """
    unseen = 0
    while (found := table.describe()) is None or not _is_settled(found):
        unseen += found is None
        if unseen > MAX_UNSEEN:
            table.require()
        if found is not None and found["TableStatus"] in STUCK:
            raise TableError(f"{table!r} cannot be used: DynamoDB says that it is {found['TableStatus']}.")
        time.sleep(POLL_SECONDS)
    return found


def _is_settled(found: Json) -> bool:
    indexes = found.get("GlobalSecondaryIndexes") or ()
    return found["TableStatus"] == "ACTIVE" and all(index.get("IndexStatus", "ACTIVE") == "ACTIVE" for index in indexes)
