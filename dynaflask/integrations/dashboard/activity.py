"""The operations of an app in the last minutes, in this process: counts, durations, and the worst ones.

Activity     the minutes, as slots of some seconds
  Slot         what ended in these seconds
    Counts       sums and durations of the operations that are counted together
"""

from __future__ import annotations

import collections
import dataclasses
import math
import threading
import time
import typing as t

from dynaflask.client.process import ProcessLocal
from dynaflask.operations.caller import find_caller
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS
from dynaflask.operations.operation import Operation
from dynaflask.operations.usage import OTHERS

SLOTS = 30
SLOT_SECONDS = 10
WINDOW_SECONDS = SLOTS * SLOT_SECONDS
# Of tenants, of models with their operations, of throttled resources and of routes, in each slot. What comes after
# that is counted together.
MAX_KEYS = 500
# Each bucket of durations is about a tenth longer than the one before.
BUCKETS_PER_E = 10
SHORTEST_SECONDS = 1e-6

K = t.TypeVar("K")
Clock = t.Callable[[], float]


class Call(t.NamedTuple):
    """The operations of a model that are counted together.

    Attributes:
        model: Name of the model, or of the table or the bind for a call without a model.
        operation: Name of the operation.
    """

    model: str
    operation: str


class Throttle(t.NamedTuple):
    """The throttled attempts that are counted together.

    Attributes:
        reason: DynamoDB's reason, or its error code if it gave no reason.
        resource: ARN of the table or index, or the name of the table.
    """

    reason: str
    resource: str


OTHER_CALLS: t.Final = Call(OTHERS, OTHERS)
OTHER_THROTTLES: t.Final = Throttle(OTHERS, OTHERS)


@dataclasses.dataclass(slots=True)
class Counts:
    """Sums over operations, and how many took how long.

    Attributes:
        calls: Number of calls that were sent.
        read_units: Read capacity units.
        write_units: Write capacity units.
        throttles: Number of calls that failed because DynamoDB throttled them.
        refusals: Number of calls that the tenant's limit refused. Nothing was sent.
        errors: Number of failed calls by error code.
        durations: Number of calls by bucket of their duration.
    """

    calls: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    throttles: int = 0
    refusals: int = 0
    errors: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    durations: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter)

    @property
    def units(self) -> float:
        """Read and write units together."""
        return self.read_units + self.write_units

    def add(self, operation: Operation) -> None:
        """Count an operation."""
        if operation.is_refused:
            self.refusals += 1
            return
        self.calls += 1
        self.read_units += operation.read_units
        self.write_units += operation.write_units
        self.throttles += operation.is_throttled
        if operation.error is not None:
            self.errors[operation.error] += 1
        seconds = max(operation.duration_seconds, SHORTEST_SECONDS)
        self.durations[math.floor(math.log(seconds) * BUCKETS_PER_E)] += 1

    def merge(self, other: Counts) -> None:
        """Add the sums of other operations."""
        for field in dataclasses.fields(self):
            # A Counter adds up in place, too.
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def percentile(self, share: float) -> float:
        """The duration in seconds, to a tenth of it, that this share of the calls did not exceed; 0 without calls.

        Args:
            share: Such as 0.95.
        """
        rest = share * self.durations.total()
        for bucket, count in sorted(self.durations.items()):
            rest -= count
            if rest <= 0:
                return math.exp((bucket + 0.5) / BUCKETS_PER_E)
        return 0.0


class Slot:
    """The operations that ended within some seconds.

    Args:
        number: Number of the slot on the clock.

    Attributes:
        number: Number of the slot on the clock.
        tenants: Counts by tenant.
        calls: Counts by model and operation.
        throttles: Number of throttled calls by reason and resource.
        slowest: The slowest operation of each model, operation and route.
        costliest: The one with the most units.
    """

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.tenants: dict[str | None, Counts] = {}
        self.calls: dict[Call, Counts] = {}
        self.throttles: collections.Counter[Throttle] = collections.Counter()
        self.slowest: dict[tuple[str, str | None], Operation] = {}
        self.costliest: dict[tuple[str, str | None], Operation] = {}

    def add(self, operation: Operation) -> None:
        """Count an operation, in the thread that made it."""
        _entry(self.tenants, operation.tenant, OTHERS).add(operation)
        if operation.is_refused:
            return
        call = Call(operation.model or operation.table or operation.bind_key, operation.operation)
        _entry(self.calls, call, OTHER_CALLS).add(operation)
        if operation.is_throttled:
            reasons = operation.throttling_reasons or ((operation.error or "", operation.table or operation.bind_key),)
            for reason in reasons:
                throttle = Throttle(*reason)
                is_known = throttle in self.throttles or len(self.throttles) < MAX_KEYS
                self.throttles[throttle if is_known else OTHER_THROTTLES] += 1
        self.keep(self.slowest, operation, operation.duration_seconds, "duration_seconds")
        self.keep(self.costliest, operation, operation.units, "units")

    @staticmethod
    def keep(kept: dict[tuple[str, str | None], Operation], operation: Operation, value: float, name: str) -> None:
        """Keep an operation, if it is the worst of its kind."""
        key = (operation.label, operation.route)
        worst = kept.get(key)
        if value <= (getattr(worst, name) if worst is not None else 0) or (worst is None and len(kept) >= MAX_KEYS):
            return
        # The walk over the stack is for those that are kept.
        kept[key] = operation if operation.caller is not None else operation._replace(caller=find_caller())

    def merge(self, other: Slot) -> None:
        """Add what another slot has."""
        for tenant, counts in other.tenants.items():
            _entry(self.tenants, tenant, OTHERS).merge(counts)
        for call, counts in other.calls.items():
            _entry(self.calls, call, OTHER_CALLS).merge(counts)
        self.throttles += other.throttles
        for operation in other.slowest.values():
            self.keep(self.slowest, operation, operation.duration_seconds, "duration_seconds")
        for operation in other.costliest.values():
            self.keep(self.costliest, operation, operation.units, "units")


class _Slots:
    """The slots of one process."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        # Protects the last slot. Those before it do not change any more.
        self.lock = threading.Lock()
        self.slots: collections.deque[Slot] = collections.deque(maxlen=SLOTS)


class Window(t.NamedTuple):
    """What an :class:`Activity` has seen.

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


class Activity:
    """The operations on items of one app in the last five minutes. A forked child starts with none.

    Args:
        clock: Returns the time in seconds.
    """

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._state = ProcessLocal(lambda: _Slots(clock()))
        # The time starts here, not at the first operation.
        self._state.get()

    def receive(self, _: object, *, operation: Operation) -> None:
        """Count an operation: a receiver of ``operation_finished``."""
        if operation.operation not in DATA_PLANE_OPERATIONS:
            return
        state = self._state.get()
        with state.lock:
            number = int(self._clock() // SLOT_SECONDS)
            if not state.slots or state.slots[-1].number < number:
                state.slots.append(Slot(number))
            state.slots[-1].add(operation)

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


def _entry(counts: dict[K, Counts], key: K, others: K) -> Counts:
    """The counts of a key, made at first use, or those of all others if there are too many."""
    if key not in counts and len(counts) >= MAX_KEYS:
        key = others
    return counts.setdefault(key, Counts())
