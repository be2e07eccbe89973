"""What an app's calls consumed in this process, by tenant, model and operation.

Usage            counts, read at once
  Meter            an app's counts
    TenantLRU        something for each tenant, for so many of them
      Tally            a tenant's counts
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import operator
import threading
import typing as t
import weakref

from dynaflask.forks import in_child
from dynaflask.operations.operation import Operation

V = t.TypeVar("V")

MAX_TENANTS = 10_000
OTHERS = "*"


class UsageKey(t.NamedTuple):
    """Whose calls are counted together.

    Attributes:
        tenant: Whom they were made for; ``None`` for nobody, ``"*"`` for those that were too many to keep apart.
        model: The model's name; ``None`` for calls without one.
        operation: The operation's name.
    """

    tenant: str | None
    model: str | None
    operation: str


class Usage(t.NamedTuple):
    """What calls came to.

    Attributes:
        calls: How many there were.
        errors: How many of them failed.
        throttles: How many failed because they were throttled.
        retries: How many attempts there were after the first ones.
        read_units: The read capacity units that they consumed.
        write_units: The write capacity units.
        seconds: How long they took.
    """

    calls: int = 0
    errors: int = 0
    throttles: int = 0
    retries: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: t.Any) -> Usage:
        return Usage(*map(operator.add, self, other))


class TenantLRU(t.Generic[V]):
    """A value for each tenant, made when it is first asked for. Finding it again takes no lock.

    Of more tenants than ``most``, those are let go that were not asked for lately.

    Args:
        make: Makes a tenant's value.
        most: How many to keep at most.
        on_evict: Told of each tenant and value that is no longer kept.
    """

    def __init__(
        self, make: t.Callable[[str | None], V], *, most: int, on_evict: t.Callable[[str | None, V], None]
    ) -> None:
        self._make = make
        self._most_of_an_age = (most + 1) // 2
        self._let_go = on_evict
        self.clear()
        _all.add(self)

    def __getitem__(self, tenant: str | None) -> V:
        value = self._young.get(tenant)
        return self._renew(tenant) if value is None else value

    def clear(self) -> None:
        """Begin anew, without a word to anybody."""
        # Also with a new lock: in a forked child, the old one may be held by a thread that is not there.
        # Guards the two dicts while one of them changes.
        self._lock = threading.Lock()
        self._young: dict[str | None, V] = {}
        self._old: dict[str | None, V] = {}

    def take(self) -> list[tuple[str | None, V]]:
        """All there is; none of it is kept."""
        with self._lock:
            young, old, self._young, self._old = self._young, self._old, {}, {}
        return [*young.items(), *old.items()]

    def items(self) -> list[tuple[str | None, V]]:
        """All there is."""
        with self._lock:
            return [*self._young.items(), *self._old.items()]

    def _renew(self, tenant: str | None) -> V:
        # Two generations in place of a list by last use: whoever is found in the younger one leaves no mark.
        aged: dict[str | None, V] = {}
        with self._lock:
            if len(self._young) >= self._most_of_an_age:
                aged, self._old, self._young = self._old, self._young, {}
            value = self._young.get(tenant)
            if value is None:
                value = self._old.pop(tenant, None) or aged.pop(tenant, None) or self._make(tenant)
                self._young[tenant] = value
        for gone, its_value in aged.items():
            self._let_go(gone, its_value)
        return value


# No data of an app: it is only so that a forked child finds them all.
_all: weakref.WeakSet[TenantLRU[t.Any]] = weakref.WeakSet()


@in_child
def _begin_anew() -> None:
    for per_tenant in list(_all):
        per_tenant.clear()


class TenantCounters:
    """A tenant's counts. One thread at a time adds to them.

    Args:
        tenant: Whose.
    """

    def __init__(self, tenant: str | None) -> None:
        self._tenant = tenant
        # Guards the counts of this tenant, while a call is added to them.
        self._lock = threading.Lock()
        self._is_open = True
        self._counts: dict[UsageKey, Usage] = {}

    def add(self, model: str | None, operation: str, usage: Usage) -> bool:
        """Add to the counts; whether they are still the ones to add to."""
        key = UsageKey(self._tenant, model, operation)
        with self._lock:
            if self._is_open:
                self._counts[key] = self._counts.get(key, NOTHING) + usage
            return self._is_open

    def read(self, *, last: bool = False) -> dict[UsageKey, Usage]:
        """The counts. With ``last``, nothing is added to them any more."""
        with self._lock:
            self._is_open = not last
            return dict(self._counts)


class Meter:
    """Counts an app's operations in this process. A forked child begins with none.

    Args:
        max_tenants: How many tenants to keep apart; those beyond, the ones without a call for longest, are counted
            together as ``"*"``.
    """

    def __init__(self, *, max_tenants: int = MAX_TENANTS) -> None:
        self._tallies = TenantLRU(TenantCounters, most=max_tenants, on_evict=self._merge_evicted)

    def add(self, operation: Operation) -> None:
        """Count an operation."""
        usage = Usage(
            calls=1,
            errors=operation.error is not None,
            throttles=operation.is_throttled,
            retries=operation.retries,
            read_units=operation.read_units,
            write_units=operation.write_units,
            seconds=operation.duration_seconds,
        )
        self._add(operation.tenant, operation.model, operation.name, usage)

    def read(self, *, reset: bool = False) -> dict[UsageKey, Usage]:
        """The counts so far.

        Args:
            reset: Begin anew. No call is lost, and none is counted twice.
        """
        tallies = self._tallies.take() if reset else self._tallies.items()
        return {key: usage for _, tally in tallies for key, usage in tally.read(last=reset).items()}

    def _add(self, tenant: str | None, model: str | None, operation: str, usage: Usage) -> None:
        # A tally that was let go meanwhile takes no more.
        while not self._tallies[tenant].add(model, operation, usage):
            pass

    def _merge_evicted(self, _: str | None, tally: TenantCounters) -> None:
        for key, usage in tally.read(last=True).items():
            self._add(OTHERS, key.model, key.operation, usage)


def summed(usage: cabc.Mapping[UsageKey, Usage], by: str) -> dict[str | None, Usage]:
    """Counts, summed up by one part of their keys.

    Args:
        usage: The counts.
        by: ``"tenant"``, ``"model"`` or ``"operation"``.

    Raises:
        ValueError: A key has no such part.
    """
    if by not in UsageKey._fields:
        raise ValueError(f"usage(by={by!r}): it is one of {', '.join(map(repr, UsageKey._fields))}.")
    sums: dict[str | None, Usage] = collections.defaultdict(Usage)
    for key, counts in usage.items():
        sums[getattr(key, by)] += counts
    return dict(sums)


NOTHING: t.Final = Usage()
