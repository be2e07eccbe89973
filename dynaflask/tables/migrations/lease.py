"""``Lease``: the right of one run to apply a migration. It expires, so that a killed run does not keep it.

Each run has a fence, a number that grows from run to run. Whatever a run writes into the history has the condition that
its fence is the last one. So a run that was suspended and continues after the end of its lease cannot record anything.
The items need no fence: a change has the condition that the item is still as it was read, and then any run makes the
same change.
"""

from __future__ import annotations

import contextvars
import logging
import os
import socket
import threading
import time
import typing as t
import uuid

from dynaflask.exceptions import MigrationError
from dynaflask.tables.migrations.expressions import Placeholders
from dynaflask.tables.migrations.history import APPLIED
from dynaflask.tables.migrations.history import RUNNING
from dynaflask.tables.migrations.history import History
from dynaflask.tables.migrations.history import Record
from dynaflask.tables.schema import Json

POLL_SECONDS = 1
# Renewals in the time of a lease, so that one that fails does not end it.
RENEWALS = 3

logger: t.Final = logging.getLogger("dynaflask.tables")


class Lease:
    """A lease that a thread renews inside of the ``with`` block. The end of the block gives it back.

    Args:
        history: The history.
        migration: The name of the migration.
        record: The record of this run.
        requested_at: When it was requested, on the monotonic clock.
        seconds: Its length.
    """

    def __init__(
        self, history: History, migration: str, record: Record, *, requested_at: float, seconds: float
    ) -> None:
        self.record = record
        self._history = history
        self._migration = migration
        self._seconds = seconds
        # On this machine's monotonic clock, from before the request: it ends here no later than for the others.
        self._valid_until = requested_at + seconds
        self._is_lost = False
        self._stop = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=[self._renew_until_stop], daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()
        try:
            self._write(lambda placeholders: f"SET {placeholders.assign({'expires_at': {'N': '0'}})}")
        except Exception:  # it must not hide the error that ended the run; and the lease ends by itself
            logger.warning(
                "The lease of %s could not be given back. It ends by itself.", self._migration, exc_info=True
            )

    def require(self) -> None:
        """Refuse to go on without the lease.

        Raises:
            MigrationError: It was lost.
        """
        if self._is_lost or time.monotonic() > self._valid_until:
            raise self._lost()

    def save(self, segment: int, position: Json, *, items_read: int, items_changed: int) -> None:
        """Record where a segment continues.

        Raises:
            MigrationError: The lease was lost.
        """

        def action(placeholders: Placeholders) -> str:
            counts = {"items_read": items_read, "items_changed": items_changed}
            added = ", ".join(
                f"{placeholders.name(name)} {placeholders.value({'N': str(count)})}" for name, count in counts.items()
            )
            return (
                f"SET {placeholders.name('positions')}[{segment}] = {placeholders.value({'M': position})} ADD {added}"
            )

        self._require_write(action)

    def finish(self) -> None:
        """Record that the migration is applied.

        Raises:
            MigrationError: The lease was lost.
        """
        values = {"status": {"S": APPLIED}, "applied_at": {"S": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}}
        self._require_write(lambda placeholders: f"SET {placeholders.assign(values)}")

    def _renew_until_stop(self) -> None:
        while not self._stop.wait(self._seconds / RENEWALS):
            requested_at = time.monotonic()
            expires_at = {"expires_at": _time_in(self._seconds)}
            try:
                record = self._write(lambda placeholders: f"SET {placeholders.assign(expires_at)}")  # noqa: B023 - now
            except Exception:  # the next renewal may succeed; if none does, require() ends the run
                logger.warning(
                    "The lease of %s could not be renewed, which is tried again.", self._migration, exc_info=True
                )
                continue
            if record is None:
                self._is_lost = True
                return
            self._valid_until = requested_at + self._seconds

    def _require_write(self, action: t.Callable[[Placeholders], str]) -> None:
        record = self._write(action)
        if record is None:
            self._is_lost = True
            raise self._lost()
        self.record = record

    def _write(self, action: t.Callable[[Placeholders], str]) -> Record | None:
        fence = {"fence": {"N": str(self.record.fence)}}
        return self._history.update(
            self._migration, condition=lambda placeholders: placeholders.equal(fence), action=action
        )

    def _lost(self) -> MigrationError:
        return MigrationError(
            f"This run of {self._migration} has lost its lease, and stopped. Nothing is lost: another run may continue"
            " it now, or run it again."
        )


def acquire(history: History, migration: str, *, seconds: float, segments: int, wait: bool = False) -> Lease | None:
    """Begin or continue a migration.

    Args:
        history: The history.
        migration: The name of the migration.
        seconds: The length of the lease.
        segments: Number of segments of a new run. A continued one keeps its own.
        wait: Wait as long as another run has the lease.

    Returns:
        The lease; ``None`` if the migration is applied.

    Raises:
        MigrationError: Another run has the lease.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
    while True:
        requested_at = time.monotonic()
        # A refused request means that there is a record: none is ever deleted.
        record = _take(history, migration, owner, seconds=seconds, segments=segments) or t.cast(
            "Record", history.read(migration)
        )
        if record.status == APPLIED:
            return None
        # Also if the request was applied, but its response was lost, and botocore's second attempt was refused.
        if record.owner == owner:
            return Lease(history, migration, record, requested_at=requested_at, seconds=seconds)
        if not wait:
            host, pid, _ = record.owner.rsplit(":", 2)
            raise MigrationError(
                f"{migration} is being applied to {history.target} by process {pid} on {host}. If that process is gone,"
                f" its lease ends in {max(record.expires_at - time.time(), 0):.0f} s; --wait (wait=True) waits for the"
                " end of the other run."
            )
        time.sleep(min(seconds, POLL_SECONDS))


def _take(history: History, migration: str, owner: str, *, seconds: float, segments: int) -> Record | None:
    def is_free(placeholders: Placeholders) -> str:
        expires_at, now = placeholders.name("expires_at"), placeholders.value({"N": f"{time.time():.3f}"})
        is_applied = placeholders.equal({"status": {"S": APPLIED}})
        return f"attribute_not_exists({expires_at}) OR ({expires_at} < {now} AND NOT {is_applied})"

    def action(placeholders: Placeholders) -> str:
        initial: Json = {
            "status": {"S": RUNNING},
            "positions": {"L": [{"NULL": True}] * segments},
            "items_read": {"N": "0"},
            "items_changed": {"N": "0"},
        }
        kept = ", ".join(
            f"{placeholders.name(name)} = if_not_exists({placeholders.name(name)}, {placeholders.value(value)})"
            for name, value in initial.items()
        )
        taken = placeholders.assign({"owner": {"S": owner}, "expires_at": _time_in(seconds)})
        return f"SET {taken}, {kept} ADD {placeholders.name('fence')} {placeholders.value({'N': '1'})}"

    return history.update(migration, condition=is_free, action=action)


def _time_in(seconds: float) -> Json:
    return {"N": f"{time.time() + seconds:.3f}"}
