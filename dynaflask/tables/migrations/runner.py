"""Apply the migrations of a directory to the tables of an app, each once per table and tenant."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import os
import typing as t

from dynaflask.exceptions import MigrationError
from dynaflask.exceptions import TenantMismatch
from dynaflask.exceptions import TenantRequired
from dynaflask.registry.tenant_tables import has_own_table
from dynaflask.tables.migrations.files import Migration
from dynaflask.tables.migrations.files import read_migrations
from dynaflask.tables.migrations.history import APPLIED
from dynaflask.tables.migrations.history import History
from dynaflask.tables.migrations.history import Record
from dynaflask.tables.migrations.lease import Lease
from dynaflask.tables.migrations.lease import acquire
from dynaflask.tables.migrations.segments import ItemMigration
from dynaflask.tables.schema import Json
from dynaflask.tables.table import Table
from dynaflask.tables.table import find_one

if t.TYPE_CHECKING:
    from dynaflask.registry.registry import Registry

PENDING: t.Final = "pending"

Progress = cabc.Callable[[int], object]


@dataclasses.dataclass(frozen=True, slots=True)
class MigrationResult:
    """What a migration did.

    Attributes:
        migration: The name of the migration.
        target: The real name of the table; or ``app:`` and the name of the app, for a migration without a model.
        tenant: Tenant that it ran for, or None.
        items_read: Number of items that it has seen, also in the runs that were interrupted.
        items_changed: Number of items that it has changed; in a dry run, that it would change.
    """

    migration: str
    target: str
    tenant: str | None
    items_read: int = 0
    items_changed: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class MigrationStatus:
    """How far a migration is.

    Attributes:
        result: What it did up to now.
        status: ``"pending"``, ``"running"`` from its first run on, or ``"applied"``.
        applied_at: The time of the end, in ISO 8601; ``None`` before.
    """

    result: MigrationResult
    status: str
    applied_at: str | None

    @property
    def is_applied(self) -> bool:
        """True if there is nothing left to do."""
        return self.status == APPLIED


def migrate(
    registry: Registry,
    directory: str | os.PathLike[str] = "migrations",
    *,
    segments: int = 4,
    rate: float | None = None,
    dry_run: bool = False,
    wait: bool = False,
    lease_seconds: float = 60,
    progress: Progress = lambda count: None,
) -> list[MigrationResult]:
    """Apply all migrations of a directory that are not applied yet, in the order of their numbers.

    Args:
        registry: The app's registry, in a context of the app. In a tenant's block, they are applied for that tenant.
        directory: The directory.
        segments: See `apply_migration`.
        rate: See `apply_migration`.
        dry_run: See `apply_migration`.
        wait: See `apply_migration`.
        lease_seconds: See `apply_migration`.
        progress: See `apply_migration`.

    Returns:
        The results of those that this call applied.

    Raises:
        MigrationError: As of `read_migrations` and `apply_migration`.
    """
    results = [
        apply_migration(
            registry,
            migration,
            segments=segments,
            rate=rate,
            dry_run=dry_run,
            wait=wait,
            lease_seconds=lease_seconds,
            progress=progress,
        )
        for migration in read_migrations(registry, directory)
    ]
    return [result for result in results if result is not None]


def apply_migration(
    registry: Registry,
    migration: Migration,
    *,
    segments: int = 4,
    rate: float | None = None,
    dry_run: bool = False,
    wait: bool = False,
    lease_seconds: float = 60,
    progress: Progress = lambda count: None,
) -> MigrationResult | None:
    """Apply one migration, or continue it where an interrupted run has ended.

    An item is only changed as long as it is as it was read. If another process changes it meanwhile, it is read again,
    and ``forwards`` gets the new item.

    Args:
        registry: The app's registry, in a context of the app.
        migration: The migration.
        segments: Number of threads, each of which reads its own part of the table. A continued migration keeps its
            number.
        rate: Capacity units per second to consume at most, on average, by reads and writes together.
        dry_run: Write nothing, and count the items that would change. A migration without a model does nothing.
        wait: If another run applies the migration, wait for its end. By default this is an error.
        lease_seconds: Seconds until another run may continue this one, if it is killed.
        progress: Called with the number of items of each page.

    Returns:
        The result; ``None`` if the migration is applied already.

    Raises:
        MigrationError: Another run applies the migration, ``forwards`` failed, or DynamoDB throttled a call with all
            its attempts. The next run continues it.
        TenantRequired: Tenants share the table, and there is no tenant.
        TenantMismatch: The model or an item is another tenant's, or a table without a ``TenantKey`` is not that of the
            tenant alone.
        TableError: The table does not exist, or DynamoDB refused.
    """
    table, history = _find(registry, migration)
    if _is_applied(history, table, migration):
        return None
    items = None
    if table is not None:
        table.require()
        tenant = history.tenant if _has_tenant_key(table) else None
        items = ItemMigration(migration, table, tenant=tenant, rate=rate, dry_run=dry_run, progress=progress)
    if dry_run:
        return _count(history, migration, items, segments=segments)
    history.create()
    segments = 0 if items is None else segments
    lease = acquire(history, migration.name, seconds=lease_seconds, segments=segments, wait=wait)
    return None if lease is None else _apply(history, migration, items, lease)


def migration_status(registry: Registry, migrations: cabc.Iterable[Migration]) -> list[MigrationStatus]:
    """How far migrations are. Nothing is created or changed.

    Args:
        registry: The app's registry, in a context of the app.
        migrations: The migrations, as `read_migrations` returns them.
    """
    return [_status(registry, migration) for migration in migrations]


def _apply(history: History, migration: Migration, items: ItemMigration | None, lease: Lease) -> MigrationResult:
    with lease:
        if items is None:
            migration.forwards()
        else:
            items.run(lease, lease.record.positions)
        lease.finish()
    return _result(history, migration, lease.record)


def _count(history: History, migration: Migration, items: ItemMigration | None, *, segments: int) -> MigrationResult:
    run = _DryRun()
    if items is not None:
        items.run(run, [None] * segments)
    return MigrationResult(migration.name, history.target, history.tenant, *run.totals)


class _DryRun:
    """The run of a dry run, which records nothing."""

    def __init__(self) -> None:
        # Threads append to it, which the interpreter does in one step.
        self._counts: list[tuple[int, int]] = [(0, 0)]

    @property
    def totals(self) -> tuple[int, int]:
        """Numbers of items read and changed."""
        read, changed = map(sum, zip(*self._counts, strict=True))
        return read, changed

    def require(self) -> None:
        """Go on."""

    def save(self, segment: int, position: Json, *, items_read: int, items_changed: int) -> None:
        """Count the items of a page."""
        self._counts.append((items_read, items_changed))


def _find(registry: Registry, migration: Migration) -> tuple[Table | None, History]:
    """The table of a migration, if it has a model, and the history beside the table."""
    if migration.model is None:
        return None, History.of_app(registry)
    # Refuses a model that must not reach the table, for example without the TenantKey that another model has on it.
    opened = registry.scope.model_table(migration.model)
    table = find_one(registry, migration.model)
    principal = registry.scope.principal
    if _has_tenant_key(table) and principal.tenant is None and not principal.is_unrestricted:
        raise TenantRequired(
            f"{migration.name} changes the {table}, which tenants share, and there is no tenant. Enter one with `with"
            " db.tenant(...):`, or use `with db.without_tenant(reason=...):` for the items of all tenants at once."
        )
    # The connection of a model that belongs to no tenant is for none.
    tenant = opened.connection.tenant
    is_separated = tenant is None or _has_tenant_key(table) or has_own_table(registry.scope, migration.model, opened)
    if not is_separated:
        raise TenantMismatch(
            f"{migration.name} changes the {table}, which is not that of {tenant!r} alone: it would change each item"
            " once for each tenant. Give each tenant a table_prefix of its own. If the table belongs to no tenant, set"
            " Meta.tenant = False. To change it once for all, use `flask dynamo migrate --without-tenant`, or `with"
            " db.without_tenant(reason=...):`."
        )
    return table, History(opened.connection, target=table.name, tenant=tenant)


def _has_tenant_key(table: Table) -> bool:
    return any(model.__has_tenant_key__ for model in table.models)


def _is_applied(history: History, table: Table | None, migration: Migration) -> bool:
    """True if a migration is applied, or if a run over the items of all tenants has applied it.

    Raises:
        MigrationError: A run for all tenants and one for a single tenant would overlap.
    """
    record = history.read(migration.name)
    if record is not None or table is None or not _has_tenant_key(table):
        return record is not None and record.status == APPLIED
    if history.tenant is None:
        if tenants := history.tenants_of(migration.name):
            raise MigrationError(
                f"{migration.name} has run for single tenants of {history.target}, such as {tenants[0]!r}. Complete it"
                " with --all-tenants."
            )
        return False
    shared = history.read_without_tenant(migration.name)
    if shared is not None and shared.status != APPLIED:
        raise MigrationError(
            f"A run without a tenant has begun {migration.name} for all tenants of {history.target}. Complete it with"
            " --without-tenant."
        )
    return shared is not None


def _result(history: History, migration: Migration, record: Record) -> MigrationResult:
    return MigrationResult(migration.name, history.target, history.tenant, record.items_read, record.items_changed)


def _status(registry: Registry, migration: Migration) -> MigrationStatus:
    table, history = _find(registry, migration)
    record = history.read(migration.name)
    if record is None and history.tenant is not None and table is not None and _has_tenant_key(table):
        record = history.read_without_tenant(migration.name)
    if record is None:
        return MigrationStatus(MigrationResult(migration.name, history.target, history.tenant), PENDING, None)
    return MigrationStatus(_result(history, migration, record), record.status, record.applied_at)
