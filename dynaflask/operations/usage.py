"""Usage of an app in this process: calls and consumed capacity, by tenant, model and operation.

Meter                counts the operations of an app
  TenantLRU            holds one value per tenant, up to a number of tenants
    TenantCounters       counts the operations of one tenant
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import dataclasses
import operator
import os
import threading
import typing as t

from dynaflask.operations.operation import Operation

V = t.TypeVar("V")

MAX_TENANTS = 10_000
OTHERS = "*"


class UsageKey(t.NamedTuple):
    """The calls that are counted together.

    Attributes:
        tenant: Tenant that the calls were made for; ``None`` for no tenant, ``"*"`` for all tenants above the limit.
        model: Name of the model; ``None`` for calls without one.
        operation: Name of the operation.
    """

    tenant: str | None
    model: str | None
    operation: str

    def __str__(self) -> str:
        """The key as a string: ``tenant/model/operation``. Neither a model nor an operation contains a slash."""
        return "/".join(field or "" for field in self)


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """Sums over calls. ``jsonify`` makes an object of it, with these names.

    Attributes:
        calls: Number of calls.
        errors: Number of calls that failed.
        throttles: Number of calls that failed because DynamoDB throttled them.
        retries: Number of attempts after the first of each call.
        read_units: Read capacity units consumed.
        write_units: Write capacity units consumed.
        seconds: Total duration.
        refusals: Number of further calls that the tenant's limit refused. Nothing was sent.
    """

    calls: int = 0
    errors: int = 0
    throttles: int = 0
    retries: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    seconds: float = 0.0
    refusals: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*map(operator.add, _numbers(self), _numbers(other)))


class TenantLRU(t.Generic[V]):
    """One value per tenant, made at first use. Above ``max_tenants`` the least recently used is evicted.

    A forked child starts empty.

    Args:
        make: Makes the value of a tenant.
        max_tenants: Largest number of values to keep, at least 2.
        on_evict: Called with each evicted tenant and value, outside of the lock.
    """

    def __init__(
        self, make: t.Callable[[str | None], V], *, max_tenants: int, on_evict: t.Callable[[str | None, V], object]
    ) -> None:
        self._make = make
        self._max_tenants = max_tenants
        self._on_evict = on_evict
        # By process id, with one entry. The lock protects the dict beside it.
        self._states: dict[int, tuple[threading.Lock, collections.OrderedDict[str | None, V]]] = {}

    def __getitem__(self, tenant: str | None) -> V:
        lock, values = self._state()
        evicted = None
        with lock:
            value = values.get(tenant)
            if value is not None:
                values.move_to_end(tenant)
                return value
            value = values[tenant] = self._make(tenant)
            if len(values) > self._max_tenants:
                evicted = values.popitem(last=False)
        # on_evict may use this object, and the lock is not reentrant.
        if evicted is not None:
            self._on_evict(*evicted)
        return value

    def values(self) -> list[V]:
        """All values."""
        lock, values = self._state()
        with lock:
            return list(values.values())

    def pop_all(self) -> list[V]:
        """Remove and return all values."""
        lock, values = self._state()
        with lock:
            removed = list(values.values())
            values.clear()
        return removed

    def _state(self) -> tuple[threading.Lock, collections.OrderedDict[str | None, V]]:
        # The child of a fork has one thread. A lock that another thread of the parent held stays locked there for
        # ever, so that the process is checked before the lock is taken. A hook of os.register_at_fork would not do:
        # uWSGI forks in C and runs none by default.
        pid = os.getpid()
        state = self._states.get(pid)
        if state is None:
            # Two threads of a child may come here at once: setdefault() is atomic, and both get the same state.
            state = self._states.setdefault(pid, (threading.Lock(), collections.OrderedDict()))
            self._states = {pid: state}
        return state


class TenantCounters:
    """The counts of one tenant.

    Args:
        tenant: The tenant.
    """

    def __init__(self, tenant: str | None) -> None:
        self._tenant = tenant
        # Protects the counts: `+` on them is a read and a write, and a call of another thread may end in between.
        self._lock = threading.Lock()
        self._is_open = True
        # The numbers of a Usage, which is only made for a reader: one is counted for each call.
        self._counts: dict[tuple[str | None, str], tuple[float, ...]] = {}

    def add(self, model: str | None, operation: str, numbers: tuple[float, ...]) -> bool:
        """Add to the counts.

        Args:
            model: Name of the model.
            operation: Name of the operation.
            numbers: The fields of a `Usage` in their order.

        Returns:
            True if the numbers were added; False if the counters are closed.
        """
        key = (model, operation)
        with self._lock:
            if self._is_open:
                self._counts[key] = tuple(map(operator.add, self._counts.get(key, NOTHING), numbers))
            return self._is_open

    def read(self, *, close: bool = False) -> dict[UsageKey, Usage]:
        """The counts.

        Args:
            close: Let no later call add to them.
        """
        with self._lock:
            self._is_open = self._is_open and not close
            counts = dict(self._counts)
        return {UsageKey(self._tenant, *key): Usage(*numbers) for key, numbers in counts.items()}  # type: ignore[arg-type]


class Meter:
    """Counts the operations of an app in this process. A forked child starts at zero.

    Args:
        max_tenants: Largest number of tenants to count separately. Tenants above it, those without a call for the
            longest time, are counted together as ``"*"``.
    """

    def __init__(self, *, max_tenants: int = MAX_TENANTS) -> None:
        # One place is for "*", and one for the tenant that is being counted.
        self._counters = TenantLRU(TenantCounters, max_tenants=max(2, max_tenants), on_evict=self._merge_evicted)

    def add(self, operation: Operation) -> None:
        """Count an operation."""
        numbers = (
            not operation.is_refused,
            operation.error is not None and not operation.is_refused,
            operation.is_throttled,
            operation.retries,
            operation.read_units,
            operation.write_units,
            operation.duration_seconds,
            operation.is_refused,
        )
        self._add(operation.tenant, operation.model, operation.operation, numbers)

    def read(self, *, reset: bool = False) -> dict[UsageKey, Usage]:
        """The counts so far.

        Args:
            reset: Start again at zero. Each call is in the counts of exactly one reset.
        """
        all_counters = self._counters.pop_all() if reset else self._counters.values()
        return {key: usage for counters in all_counters for key, usage in counters.read(close=reset).items()}

    def _add(self, tenant: str | None, model: str | None, operation: str, numbers: tuple[float, ...]) -> None:
        # Another thread may evict or reset the counters after they are looked up. They are closed then, and take
        # nothing: look up the new ones.
        while not self._counters[tenant].add(model, operation, numbers):
            pass

    def _merge_evicted(self, _: str | None, counters: TenantCounters) -> None:
        for key, usage in counters.read(close=True).items():
            self._add(OTHERS, key.model, key.operation, _numbers(usage))


def summed(usage: cabc.Mapping[UsageKey, Usage], by: str) -> dict[str | None, Usage]:
    """The usage, summed by one field of the keys.

    Args:
        usage: The usage by key.
        by: ``"tenant"``, ``"model"`` or ``"operation"``.

    Raises:
        ValueError: The keys have no such field.
    """
    if by not in UsageKey._fields:
        raise ValueError(f"usage(by={by!r}): use one of {', '.join(map(repr, UsageKey._fields))}.")
    sums: dict[str | None, Usage] = collections.defaultdict(Usage)
    for key, counts in usage.items():
        sums[getattr(key, by)] += counts
    return dict(sums)


def _numbers(usage: Usage) -> tuple[float, ...]:
    # dataclasses.astuple() copies deeply, which is slow.
    return tuple(getattr(usage, name) for name in Usage.__slots__)


NOTHING: t.Final = _numbers(Usage())
