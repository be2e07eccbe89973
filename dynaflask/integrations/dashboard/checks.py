"""Checks of the tables and binds of an app, with a limit of time: a page must not wait for a dead endpoint."""

from __future__ import annotations

import collections
import collections.abc as cabc
import dataclasses
import functools
import threading
import time
import typing as t

from dynaflask.cli.doctor.report import safe_text
from dynaflask.config.bind import Bind
from dynaflask.process_local import ProcessLocal
from dynaflask.registry import health
from dynaflask.registry.blocks import app_context_for
from dynaflask.registry.context import registry_of
from dynaflask.tables import drift
from dynaflask.tables.table import find_tables
from dynaflask.tenants.tenant import UNRESTRICTED

if t.TYPE_CHECKING:
    import flask

    from dynaflask.registry.registry import Registry
    from dynaflask.tables.drift import Status
    from dynaflask.tables.table import Table

DEADLINE_SECONDS = 4.0
# A call may have no limit of time of its own. The page then goes on without it.
GRACE_SECONDS = 1.0
# Each destination has a thread of its own, so that one that does not answer delays no other.
MAX_DESTINATIONS = 16
# Threads that wait for dead destinations go on after their page, until the timeout of the bind.
MAX_THREADS = 48
BUSY = "Too many checks of this worker still wait for an answer. Load the page again later."


@dataclasses.dataclass(slots=True)
class Check:
    """The check of one table, or of a bind without a table.

    Attributes:
        bind: The bind.
        table: The table, or ``None``.
        call: Makes the calls. It returns the state of the table, or ``None`` for a bind.
        status: The state of the table.
        error: Why the table or the bind cannot be used, as far as it is known; ``None`` if it can.
    """

    bind: Bind
    table: Table | None
    call: cabc.Callable[[], Status | None]
    status: Status | None = None
    error: str | None = None

    def run(self) -> None:
        """Make the calls. An error is a result."""
        try:
            self.status = self.call()
            self.error = None
        except Exception as error:  # noqa: BLE001 - a page shows every failure, also those of a hostile server
            self.error = safe_text(f"{type(error).__name__}: {error}", self.bind)


class Result(t.NamedTuple):
    """The result of all checks.

    Attributes:
        checks: The checks.
        error: Why there are none or not all; ``None`` if all were started.
    """

    checks: list[Check]
    error: str | None


class Checks:
    """The checks of one app.

    Args:
        seconds: Time for all checks of one page.
    """

    def __init__(self, *, seconds: float = DEADLINE_SECONDS) -> None:
        self._seconds = seconds
        self._free_threads = ProcessLocal(functools.partial(threading.BoundedSemaphore, MAX_THREADS))

    def run(self, app: flask.Flask, *, tenant: str | None) -> Result:
        """Check the tables of the app, or those of one tenant, and the binds that have no table.

        Args:
            app: The app.
            tenant: Name of the tenant; ``None`` for no tenant.
        """
        checks: list[Check] = []
        errors: list[str] = []
        deadline = time.monotonic() + self._seconds

        def run_all() -> None:
            try:
                # Only descriptions of tables are read, and no items: no tenant is needed.
                with app_context_for(app, UNRESTRICTED, tenant=tenant):
                    checks.extend(_find(registry_of(app), tenant=tenant))
                    errors.extend(self._run_all(checks, deadline))
            except Exception as error:  # noqa: BLE001 - the settings of a tenant are the program's own
                errors.append(safe_text(f"{type(error).__name__}: {error}", Bind()))

        # In a thread, too: a function of the program, which finds the settings of a tenant, has no limit of time.
        thread = self._start(run_all)
        if thread is None:
            errors.append(BUSY)
        else:
            thread.join(max(0, deadline - time.monotonic()) + GRACE_SECONDS)
            if thread.is_alive():
                errors.append(self._no_answer)
        return Result(list(checks), errors[0] if errors else None)

    @property
    def _no_answer(self) -> str:
        return f"There was no answer within {self._seconds:g} s."

    def _run_all(self, checks: list[Check], deadline: float) -> cabc.Iterator[str]:
        """Run the checks of each destination in a thread of its own, and wait for them. Yields errors."""
        groups: dict[t.Any, list[Check]] = collections.defaultdict(list)
        for check in checks:
            check.error = self._no_answer
            groups[check.bind.destination].append(check)
        threads = [
            self._start(functools.partial(_run_each, group)) for group in list(groups.values())[:MAX_DESTINATIONS]
        ]
        for thread in threads:
            if thread is None:
                yield BUSY
            else:
                thread.join(max(0, deadline - time.monotonic()))
        if len(groups) > MAX_DESTINATIONS:
            yield f"This page checks {MAX_DESTINATIONS} of {len(groups)} destinations."

    def _start(self, function: cabc.Callable[[], None]) -> threading.Thread | None:
        """Run a function in a thread; ``None`` if too many run."""
        free_threads = self._free_threads.get()
        if not free_threads.acquire(blocking=False):
            return None

        def run() -> None:
            try:
                function()
            finally:
                free_threads.release()

        # A daemon: it does not keep the process alive.
        thread = threading.Thread(target=run, name="dynaflask-dashboard", daemon=True)
        thread.start()
        return thread


def _find(registry: Registry, *, tenant: str | None) -> cabc.Iterator[Check]:
    keys = set()
    for table in find_tables(registry):
        keys.add(table.bind.key)
        yield Check(table.bind, table, functools.partial(drift.status_of, table))
    # A tenant has one destination.
    binds = registry.binds.values() if tenant is None else [registry.scope.bind()]
    for bind in binds:
        if bind.key not in keys:
            yield Check(bind, None, functools.partial(_ping, registry, bind))


def _ping(registry: Registry, bind: Bind) -> None:
    health.list_tables(registry, bind)


def _run_each(checks: list[Check]) -> None:
    for check in checks:
        check.run()
