"""What ended within some seconds: counts, durations, and the worst operations.

Slot       the operations of some seconds
  Totals     sums over the operations of a tenant
  Counts     sums, durations and the worst of a model, an operation and a route
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t
from math import exp
from math import floor
from math import log

from dynaflask.operations.caller import find_caller
from dynaflask.operations.operation import Operation
from dynaflask.operations.tenant_lru import OTHERS

# Of tenants, of calls and of throttled resources, in each slot. What comes after that is counted together.
MAX_KEYS = 500
# Each bucket of durations is about a tenth longer than the one before.
BUCKETS_PER_E = 10
SHORTEST_SECONDS = 1e-6
K = t.TypeVar("K")
V = t.TypeVar("V")


class CallKey(t.NamedTuple):
    """The calls that are counted together.

    Attributes:
        model: Name of the model, or of the table or the bind for a call without a model.
        operation: Name of the operation.
        route: Flask endpoint of the request; ``None`` outside of requests.
    """

    model: str
    operation: str
    route: str | None


class Throttle(t.NamedTuple):
    """The throttled calls that are counted together.

    Attributes:
        reason: DynamoDB's reason, or its error code if it gave no reason.
        resource: ARN of the table or index, or the name of the table.
    """

    reason: str
    resource: str


OTHER_CALLS: t.Final = CallKey(OTHERS, OTHERS, None)
OTHER_THROTTLES: t.Final = Throttle(OTHERS, OTHERS)


@dataclasses.dataclass(slots=True)
class Totals:
    """Sums over the operations of one tenant.

    Attributes:
        calls: Number of calls that were sent.
        units: Read and write capacity units.
        throttles: Number of calls that failed because DynamoDB throttled them.
        refusals: Number of calls that the tenant's limit refused. Nothing was sent.
    """

    calls: int = 0
    units: float = 0.0
    throttles: int = 0
    refusals: int = 0

    def merge(self, other: Totals) -> None:
        """Add the sums of other operations."""
        self.calls += other.calls
        self.units += other.units
        self.throttles += other.throttles
        self.refusals += other.refusals


@dataclasses.dataclass(slots=True)
class Counts:
    """The operations of one key: sums, how many took how long, and the worst.

    Attributes:
        calls: Number of calls that were sent.
        units: Read and write capacity units.
        errors: Number of failed calls by error code.
        durations: Number of calls by bucket of their duration.
        slowest: The slowest operation.
        costliest: The operation with the most units, if any had some.
        most_seconds: The duration of the slowest.
        most_units: The units of the costliest.
    """

    calls: int = 0
    units: float = 0.0
    errors: dict[str, int] = dataclasses.field(default_factory=dict)
    durations: dict[int, int] = dataclasses.field(default_factory=dict)
    slowest: Operation | None = None
    costliest: Operation | None = None
    most_seconds: float = -1.0
    most_units: float = 0.0

    def add(self, operation: Operation, units: float) -> None:
        """Count an operation, in the thread that made it.

        Args:
            operation: The operation.
            units: Its units.
        """
        seconds = operation.duration_seconds
        self.add_success(seconds, units)
        if operation.error is not None:
            self.errors[operation.error] = self.errors.get(operation.error, 0) + 1
        is_slowest, is_costliest = seconds > self.most_seconds, units > self.most_units
        if is_slowest or is_costliest:
            if operation.caller is None:
                # The walk over the stack is for those that are kept.
                operation = operation._replace(caller=find_caller())
            if is_slowest:
                self.slowest, self.most_seconds = operation, seconds
            if is_costliest:
                self.costliest, self.most_units = operation, units

    def add_success(self, seconds: float, units: float) -> None:
        """Count a successful call that is neither the slowest nor the costliest.

        Args:
            seconds: Its duration.
            units: Its units.
        """
        self.calls += 1
        self.units += units
        # Not `max()`, which takes longer than the logarithm.
        shown = seconds if seconds > SHORTEST_SECONDS else SHORTEST_SECONDS
        bucket, durations = floor(log(shown) * BUCKETS_PER_E), self.durations
        durations[bucket] = durations.get(bucket, 0) + 1

    def merge(self, other: Counts) -> None:
        """Add what other operations have."""
        self.calls += other.calls
        self.units += other.units
        _add(self.errors, other.errors)
        _add(self.durations, other.durations)
        if other.most_seconds > self.most_seconds:
            self.slowest, self.most_seconds = other.slowest, other.most_seconds
        if other.most_units > self.most_units:
            self.costliest, self.most_units = other.costliest, other.most_units

    def percentile(self, share: float) -> float:
        """The duration in seconds, to a tenth of it, that this share of the calls did not exceed; 0 without calls.

        Args:
            share: Such as 0.95.
        """
        rest = share * self.calls
        for bucket, count in sorted(self.durations.items()):
            rest -= count
            if rest <= 0:
                return exp((bucket + 0.5) / BUCKETS_PER_E)
        return 0.0


class Slot:
    """The operations that ended within some seconds.

    Args:
        number: Number of the slot on the clock.

    Attributes:
        number: Number of the slot on the clock.
        tenants: Sums by tenant.
        counts: Counts by model, operation and route.
        throttles: Number of throttled calls by reason and resource.
    """

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.tenants: dict[str | None, Totals] = {}
        self.counts: dict[CallKey, Counts] = {}
        self.throttles: dict[Throttle, int] = {}

    def add(self, operation: Operation) -> None:
        """Count an operation, in the thread that made it."""
        tenant = self.tenants.get(operation.tenant) or _entry(self.tenants, operation.tenant, Totals, others=OTHERS)
        if operation.is_refused:
            tenant.refusals += 1
            return
        units = operation.read_units + operation.write_units
        tenant.calls += 1
        tenant.units += units
        # Equal to its CallKey, and made in half the time.
        key: t.Any = (operation.model or operation.table or operation.bind_key, operation.operation, operation.route)
        counts = self.counts.get(key) or _entry(self.counts, CallKey(*key), Counts, others=OTHER_CALLS)
        counts.add(operation, units)
        if operation.is_throttled:
            tenant.throttles += 1
            reasons = operation.throttling_reasons or ((operation.error or "", operation.table or operation.bind_key),)
            for reason in reasons:
                self._count_throttle(Throttle(*reason), 1)

    def add_success(self, tenant: str | None, key: t.Any, seconds: float, units: float) -> bool:
        """Count a successful call.

        Args:
            tenant: The tenant.
            key: A `CallKey`, or its fields.
            seconds: The duration.
            units: The units.

        Returns:
            False if nothing was counted: the slot keeps the operation, or has no entry for it.
        """
        try:
            totals, counts = self.tenants[tenant], self.counts[key]
        except KeyError:
            return False
        if seconds > counts.most_seconds or units > counts.most_units:
            return False
        totals.calls += 1
        totals.units += units
        counts.add_success(seconds, units)
        return True

    def merge(self, other: Slot) -> None:
        """Add what another slot has."""
        for tenant, totals in other.tenants.items():
            _entry(self.tenants, tenant, Totals, others=OTHERS).merge(totals)
        for key, counts in other.counts.items():
            _entry(self.counts, key, Counts, others=OTHER_CALLS).merge(counts)
        for throttle, count in other.throttles.items():
            self._count_throttle(throttle, count)

    def _count_throttle(self, throttle: Throttle, count: int) -> None:
        if throttle not in self.throttles and len(self.throttles) >= MAX_KEYS:
            throttle = OTHER_THROTTLES
        self.throttles[throttle] = self.throttles.get(throttle, 0) + count


def _entry(entries: dict[K, V], key: K, make: cabc.Callable[[], V], *, others: K) -> V:
    """The entry of a key, made at first use, or that of all others if there are too many."""
    entry = entries.get(key)
    if entry is None:
        key = key if len(entries) < MAX_KEYS else others
        entry = entries.setdefault(key, make())
    return entry


def _add(counts: dict[K, int], others: cabc.Mapping[K, int]) -> None:
    for key, count in others.items():
        counts[key] = counts.get(key, 0) + count
