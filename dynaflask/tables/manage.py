"""Create and drop the tables of an app's models."""

from __future__ import annotations

import collections.abc as cabc
import logging
import typing as t

from dynaflask.operations.error_codes import TABLE_EXISTS
from dynaflask.operations.error_codes import TABLE_NOT_FOUND
from dynaflask.tables.ready import call_unless
from dynaflask.tables.ready import change
from dynaflask.tables.ready import wait_until_gone
from dynaflask.tables.ready import wait_until_ready
from dynaflask.tables.schema_diff import completions
from dynaflask.tables.table import Models
from dynaflask.tables.table import Table
from dynaflask.tables.table import find_tables

if t.TYPE_CHECKING:
    from dynaflask.registry.registry import Registry

logger = logging.getLogger("dynaflask.tables")

# A model whose module is not imported is unknown; a subclass of PynamoDB's own Model is none of the app's.
NO_MODELS = (
    "This app has no models. Import their modules in the app factory, and derive them from dynaflask.Model, not from"
    " pynamodb.models.Model."
)


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
    created = [table for table, request in requests if call_unless(TABLE_EXISTS, table, "CreateTable", request)]
    for table in created:
        # These operations refuse a table that is still being created.
        for difference in completions(table.schema):
            change(table, difference)
    for table in tables if wait else ():
        wait_until_ready(table)
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
        table for table in existing if call_unless(TABLE_NOT_FOUND, table, "DeleteTable", {"TableName": table.name})
    ]
    for table in tables if wait else ():
        wait_until_gone(table)
    return deleted
