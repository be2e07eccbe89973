"""``History``: which migrations are applied to a table, in a table of DynamoDB beside it.

Each migration has one item for each table and tenant. The item is also the lease of the run that applies it, and says
how far that run has come.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from pynamodb.exceptions import TableError

from dynaflask.client.table_connection import TableConnection
from dynaflask.operations.error_codes import CONFLICTS
from dynaflask.operations.error_codes import TABLE_NOT_FOUND
from dynaflask.operations.error_codes import code_of
from dynaflask.registry.precedence import apply_prefix
from dynaflask.tables.manage import create
from dynaflask.tables.migrations.expressions import Placeholders
from dynaflask.tables.schema import Json
from dynaflask.tables.schema import Key
from dynaflask.tables.schema import Schema
from dynaflask.tables.table import Table

if t.TYPE_CHECKING:
    from dynaflask.client.connection import Connection
    from dynaflask.registry.registry import Registry

TABLE_NAME: t.Final = "dynaflask_migrations"
TARGET, MIGRATION = "target", "migration"
SCHEMA: t.Final = Schema((Key(TARGET, "HASH", "S"), Key(MIGRATION, "RANGE", "S")))

RUNNING: t.Final = "running"
APPLIED: t.Final = "applied"

# Between the name of a migration and the tenant. Neither contains it.
SEPARATOR: t.Final = "#"


def app_target(app_name: str) -> str:
    """The target of an app's migrations without a model."""
    return f"app:{app_name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """What the history says of one migration.

    Attributes:
        status: ``"running"`` from the first run on, ``"applied"`` at the end.
        fence: Number of runs so far. Only the last one may write.
        owner: The host and the process id of the last run.
        expires_at: End of that run's lease, in seconds of Unix time; 0 if it gave the lease back.
        positions: Where each segment continues: after a key, at its beginning (``None``), or not at all (``DONE``).
        items_read: Number of items that the migration has seen.
        items_changed: Number of items that it has changed.
        applied_at: The time of the end, in ISO 8601; ``None`` before.
    """

    status: str
    fence: int
    owner: str
    expires_at: float
    positions: tuple[Json | None, ...]
    items_read: int
    items_changed: int
    applied_at: str | None

    @classmethod
    def of_item(cls, item: Json) -> Record:
        """The record in an item of the table."""
        return cls(
            status=item["status"]["S"],
            fence=int(item["fence"]["N"]),
            owner=item["owner"]["S"],
            expires_at=float(item["expires_at"]["N"]),
            positions=tuple(position.get("M") for position in item["positions"]["L"]),
            items_read=int(item["items_read"]["N"]),
            items_changed=int(item["items_changed"]["N"]),
            applied_at=item.get("applied_at", {}).get("S"),
        )


class History:
    """The migrations of one table for one tenant.

    Args:
        connection: A connection to the place of the table.
        target: The name of the table; or ``app:`` and the name of the app, for migrations without a model.
        tenant: Tenant that the migrations run for, or None.
    """

    def __init__(self, connection: Connection, *, target: str, tenant: str | None) -> None:
        name = apply_prefix(TABLE_NAME, prefix=connection.bind.table_prefix)
        table_connection = TableConnection(name, connection=connection)
        self._table = Table(name, connection.bind, (), SCHEMA, table_connection, tenant)
        self.target = target
        self.tenant = tenant

    @classmethod
    def of_app(cls, registry: Registry) -> History:
        """The history of an app's migrations without a model."""
        connection = registry.connection
        return cls(connection, target=app_target(registry.app_name), tenant=connection.tenant)

    def create(self) -> None:
        """Create the table, if it does not exist, and wait until it can be used."""
        create([self._table], wait=True)

    def read(self, migration: str) -> Record | None:
        """The record of a migration; ``None`` if no run has begun it."""
        return self._read(self._key(migration, self.tenant))

    def read_without_tenant(self, migration: str) -> Record | None:
        """The record of a run without a tenant, over the items of all tenants."""
        return self._read(self._key(migration, None))

    def tenants_of(self, migration: str) -> list[str]:
        """The tenants that a run of a migration has begun for, on the same table."""
        placeholders = Placeholders()
        prefix = f"{migration}{SEPARATOR}"
        condition = (
            f"{placeholders.equal({TARGET: {'S': self.target}})}"
            f" AND begins_with({placeholders.name(MIGRATION)}, {placeholders.value({'S': prefix})})"
        )
        # One page: it is for a message, and names some of them.
        request = {"KeyConditionExpression": condition, "Limit": 10, **placeholders.request}
        items = self._call_if_created("Query", **request).get("Items", ())
        return [item[MIGRATION]["S"].removeprefix(prefix) for item in items]

    def update(
        self,
        migration: str,
        *,
        condition: cabc.Callable[[Placeholders], str],
        action: cabc.Callable[[Placeholders], str],
    ) -> Record | None:
        """Change the record of a migration.

        Args:
            migration: The name of the migration.
            condition: Makes the condition.
            action: Makes the update.

        Returns:
            The new record; ``None`` if the condition failed.
        """
        placeholders = Placeholders()
        try:
            response = self._table.call(
                "UpdateItem",
                TableName=self._table.name,
                Key=self._key(migration, self.tenant),
                ConditionExpression=condition(placeholders),
                UpdateExpression=action(placeholders),
                ReturnValues="ALL_NEW",
                **placeholders.request,
            )
        except TableError as error:
            if code_of(error) not in CONFLICTS:
                raise
            return None
        return Record.of_item(response["Attributes"])

    def _read(self, key: Json) -> Record | None:
        response = self._call_if_created("GetItem", Key=key)
        return Record.of_item(response["Item"]) if "Item" in response else None

    def _call_if_created(self, operation: str, **request: t.Any) -> Json:
        """The response to a read; an empty one if the table does not exist yet."""
        try:
            return self._table.call(operation, TableName=self._table.name, ConsistentRead=True, **request)
        except TableError as error:
            if code_of(error) != TABLE_NOT_FOUND:
                raise
            return {}

    def _key(self, migration: str, tenant: str | None) -> Json:
        entry = migration if tenant is None else f"{migration}{SEPARATOR}{tenant}"
        return {TARGET: {"S": self.target}, MIGRATION: {"S": entry}}
