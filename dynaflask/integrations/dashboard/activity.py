"""The operations of an app in the last minutes, in this process, as slots of some seconds."""

from __future__ import annotations

import collections
import threading
import time
import typing as t
import weakref

import flask

from dynaflask.integrations.dashboard.slot import Slot
from dynaflask.operations.context_record import current_request
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import Source
from dynaflask.process_local import ProcessLocal

SLOTS = 30
SLOT_SECONDS = 10
WINDOW_SECONDS = SLOTS * SLOT_SECONDS

Clock = t.Callable[[], float]


class _Slots:
    """The slots of one process."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        # Protects the last slot. Those before it do not change any more.
        self.lock = threading.Lock()
        self.slots: collections.deque[Slot] = collections.deque(maxlen=SLOTS)
        self._last = Slot()
        self._last_ends_at = float("-inf")

    def slot_at(self, seconds: float) -> Slot:
        """The slot of a time on the clock, or a later one. Hold the lock."""
        if seconds >= self._last_ends_at:
            number = int(seconds // SLOT_SECONDS)
            self._last, self._last_ends_at = Slot(number), (number + 1) * SLOT_SECONDS
            self.slots.append(self._last)
        return self._last


class Window(t.NamedTuple):
    """What an `Activity` has seen.

    Attributes:
        seconds: Length of the time: at most ``WINDOW_SECONDS``, and less in a young process.
        total: All slots together.
        slots: The slots, the oldest first; an empty one where nothing ended.
    """

    seconds: float
    total: Slot
    slots: list[Slot]

    def series(self, *tenants: str | None) -> list[float]:
        """Units in each slot, of these tenants or of all."""
        return [
            sum(counts.units for tenant, counts in slot.tenants.items() if not tenants or tenant in tenants)
            for slot in self.slots
        ]


def _now() -> float:
    # A function, because freezegun replaces time.monotonic in its module alone, and not where it is kept.
    return time.monotonic()


class Activity:
    """The operations on items of one app in the last five minutes. A forked child starts with none.

    Args:
        app: The app.
        clock: Returns the time in seconds; by default, that of the monotonic clock.
    """

    def __init__(self, app: flask.Flask, *, clock: Clock | None = None) -> None:
        # Not the app, which holds this object.
        self._app = weakref.ref(app)
        clock = _now if clock is None else clock
        self._clock = clock
        self._state = ProcessLocal(lambda: _Slots(clock()))
        # The time starts here, not at the first operation.
        self._state.get()

    def add(self, operation: Operation) -> None:
        """Count an operation; see `dynaflask.operations.counters.Counter`."""
        if operation.operation not in DATA_PLANE_OPERATIONS:
            return
        state = self._state.get()
        with state.lock:
            state.slot_at(self._clock()).add(operation)

    def add_success(
        self, source: Source, operation: str, seconds: float, read_units: float, write_units: float, _: int
    ) -> bool:
        """Count a successful call; see `dynaflask.operations.counters.Counter`."""
        if source.model is None:
            # The operation has its table.
            return False
        request = current_request(self._app())
        key = (source.model, operation, None if request is None else request.endpoint)
        state = self._state.get()
        with state.lock:
            return state.slot_at(self._clock()).add_success(source.tenant, key, seconds, read_units + write_units)

    def read(self) -> Window:
        """The last minutes."""
        state = self._state.get()
        now = self._clock()
        last = int(now // SLOT_SECONDS)
        newest = Slot()
        with state.lock:
            slots = {slot.number: slot for slot in state.slots if slot.number > last - SLOTS}
            if last in slots:
                newest.merge(slots[last])
                slots[last] = newest
        total = Slot()
        for slot in slots.values():
            total.merge(slot)
        window = [slots.get(number) or Slot(number) for number in range(last - SLOTS + 1, last + 1)]
        return Window(min(max(now - state.started_at, 1), WINDOW_SECONDS), total, window)
