"""Where tables differ from what their models declare, and the changes that remove the differences."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from dynaflask.tables.describe import actual_schema
from dynaflask.tables.difference import Difference
from dynaflask.tables.ready import change
from dynaflask.tables.ready import wait_until_ready
from dynaflask.tables.schema import Json
from dynaflask.tables.schema_diff import compare
from dynaflask.tables.table import Models
from dynaflask.tables.table import Table
from dynaflask.tables.table import account_of
from dynaflask.tables.table import find_tables

if t.TYPE_CHECKING:
    from dynaflask.registry.registry import Registry


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
                change(table, difference)
    for table, differences in drift.items() if wait else ():
        if not all(difference.blocked_reason for difference in differences):
            wait_until_ready(table)
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
