"""``ItemMigration``: reads a table in parallel segments, and changes its items one by one."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import contextvars
import math
import threading
import time
import typing as t

from pynamodb.exceptions import TableError
from pynamodb.pagination import RateLimiter

from dynaflask.client.backoff import backoff_delay
from dynaflask.exceptions import MigrationError
from dynaflask.model.pynamodb_internals import discriminator_attribute
from dynaflask.model.tenant_key import SEPARATOR
from dynaflask.operations.error_codes import CONFLICTS
from dynaflask.operations.error_codes import THROTTLED
from dynaflask.operations.error_codes import TRANSACTION_CANCELED
from dynaflask.operations.error_codes import code_of
from dynaflask.tables.migrations.changes import Change
from dynaflask.tables.migrations.changes import change_of
from dynaflask.tables.migrations.expressions import Placeholders
from dynaflask.tables.migrations.files import Migration
from dynaflask.tables.schema import Json
from dynaflask.tables.table import Table

# After a kill, each segment repeats at most one page.
PAGE_ITEMS = 100
# Attempts to change an item that other processes keep changing. They last about a minute.
MAX_ATTEMPTS = 20
# The position of a segment that is complete. It cannot be taken for a key, because no key is empty.
DONE: t.Final[Json] = {}


class Run(t.Protocol):
    """What a run of a migration does after a page, and before each write. A dry run does nothing."""

    def require(self) -> None:
        """Raise if the run must stop."""

    def save(self, segment: int, position: Json, *, items_read: int, items_changed: int) -> None:
        """Record where a segment continues."""


class ItemMigration:
    """Applies a migration to the items of a table.

    Args:
        migration: The migration of a model.
        table: The table.
        tenant: The tenant whose items are changed, if several tenants share the table.
        rate: Capacity units per second to consume at most, on average, by reads and writes together.
        dry_run: Write nothing.
        progress: Called with the number of items of each page, by one thread at a time.
    """

    def __init__(
        self,
        migration: Migration,
        table: Table,
        *,
        tenant: str | None,
        rate: float | None,
        dry_run: bool,
        progress: cabc.Callable[[int], object],
    ) -> None:
        self._migration = migration
        self._table = table
        self._keys = tuple(key.name for key in table.schema.keys)
        self._scan = {"TableName": table.name, **_filter(self._keys[0], tenant)}
        self._is_dry_run = dry_run
        self._progress = progress
        self._limiter = RateLimiter(math.inf if rate is None else rate)
        # Protects the rate limiter, and the program's progress function.
        self._lock = threading.Lock()
        self._is_stopped = False

    def run(self, run: Run, positions: cabc.Sequence[Json | None]) -> None:
        """Apply the migration, each segment in a thread.

        Args:
            run: The run.
            positions: Where each segment continues.
        """
        with concurrent.futures.ThreadPoolExecutor(len(positions)) as executor:
            # Each thread runs in a copy of this thread's context: its app, its scope and its blocks.
            segments = [
                executor.submit(contextvars.copy_context().run, self._migrate_segment, run, segment, positions)
                for segment in range(len(positions))
            ]
            try:
                for future in concurrent.futures.as_completed(segments):
                    future.result()
            except BaseException:
                self._is_stopped = True
                raise

    def _migrate_segment(self, run: Run, segment: int, positions: cabc.Sequence[Json | None]) -> None:
        position = positions[segment]
        while position != DONE:
            page = self._read_page(segment, len(positions), position)
            changed = sum(self._migrate_item(run, item) for item in page["Items"] if self._is_of_model(item))
            position = page.get("LastEvaluatedKey", DONE)
            self._require(run)
            run.save(segment, position, items_read=len(page["Items"]), items_changed=changed)
            with self._lock:
                self._progress(len(page["Items"]))

    def _require(self, run: Run) -> None:
        if self._is_stopped:
            raise MigrationError(f"{self._migration.name} was stopped, because another thread failed.")
        run.require()

    def _migrate_item(self, run: Run, item: Json | None) -> bool:
        """Change an item, as often as another process changes it meanwhile. True if this run changed it."""
        for attempt in range(MAX_ATTEMPTS):
            # None: another process has deleted it.
            change = None if item is None else change_of(self._migration, item, keys=self._keys)
            if change is None:
                return False
            self._require(run)
            if self._is_dry_run or self._write(change):
                return True
            time.sleep(backoff_delay(attempt))
            item = self._call("GetItem", TableName=self._table.name, Key=change.key, ConsistentRead=True).get("Item")
        raise MigrationError(
            f"{self._migration.name} could not change an item in {MAX_ATTEMPTS} attempts, because other processes keep"
            " changing it. Run it again when there is less traffic; it continues from here."
        )

    def _write(self, change: Change) -> bool:
        """Write a change. False if the item is no longer as it was read."""
        # Each item of a tenant that is written was checked when it was read; a key of an index may be a new one.
        self._table.check_tenant_keys(change.new_item)
        try:
            if change.is_move:
                self._call("TransactWriteItems", **change.move(self._table.name))
            else:
                self._call("UpdateItem", **change.update(self._table.name))
        except TableError as error:
            if code_of(error) == TRANSACTION_CANCELED:
                return self._explain_cancellation(error, change)
            if code_of(error) not in CONFLICTS:
                raise
            return False
        return True

    def _explain_cancellation(self, error: TableError, change: Change) -> t.Literal[False]:
        put, delete = (reason and reason.code for reason in t.cast("t.Any", error.cause).cancellation_reasons)
        if put == "ConditionalCheckFailed" and delete is None:
            new_key = {name: change.new_item[name] for name in self._keys}
            raise MigrationError(
                f"{self._migration.name} moves the item {change.key} to the key {new_key}, which another item has."
                " Change or delete one of the two, and run it again: it continues from here."
            ) from error
        if not {put, delete} <= CONFLICTS | {None}:
            raise error
        return False

    def _read_page(self, segment: int, total: int, position: Json | None) -> Json:
        start = {} if position is None else {"ExclusiveStartKey": position}
        request = {**self._scan, **start, "Segment": segment, "TotalSegments": total}
        page = self._call("Scan", Limit=PAGE_ITEMS, ConsistentRead=True, **request)
        self._table.check_tenant_items(page["Items"])
        return page

    def _call(self, operation: str, **request: t.Any) -> Json:
        with self._lock:
            self._limiter.acquire()
        try:
            response = self._table.call(operation, ReturnConsumedCapacity="TOTAL", **request)
        except TableError as error:
            if code_of(error) not in THROTTLED:
                raise
            raise MigrationError(
                f"{error} Run {self._migration.name} again, if need be with a lower --rate (rate=...): it continues"
                " from here."
            ) from error
        consumed = response.get("ConsumedCapacity", ())
        with self._lock:
            for each in consumed if isinstance(consumed, list) else filter(None, [consumed]):
                self._limiter.consume(each.get("CapacityUnits", 0))
        return response

    def _is_of_model(self, item: Json) -> bool:
        """True if an item is of the model, by its discriminator. Without one, all items of the table are."""
        model: t.Any = self._migration.model
        attribute = discriminator_attribute(model)
        if attribute is None:
            return True
        classes = map(attribute.get_discriminator, attribute.get_registered_subclasses(model))
        return item.get(attribute.attr_name, {}).get("S") in set(classes)


def _filter(hash_key: str, tenant: str | None) -> Json:
    if tenant is None:
        return {}
    placeholders = Placeholders()
    condition = f"begins_with({placeholders.name(hash_key)}, {placeholders.value({'S': f'{tenant}{SEPARATOR}'})})"
    return {"FilterExpression": condition, **placeholders.request}
