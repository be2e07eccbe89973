"""Usage of an app in this process: calls and consumed capacity, by tenant, model and operation.

Meter              counts the operations of an app
  TenantCounters     counts the operations of one tenant
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import dataclasses
import operator
import threading
import typing as t

from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import Source
from dynaflask.operations.tenant_lru import MAX_COUNTED_TENANTS
from dynaflask.operations.tenant_lru import OTHERS
from dynaflask.operations.tenant_lru import TenantLRU


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

    def __init__(self, *, max_tenants: int = MAX_COUNTED_TENANTS) -> None:
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

    def add_success(  # noqa: PLR0917 - as of `Counter`
        self, source: Source, operation: str, seconds: float, read_units: float, write_units: float, retries: int
    ) -> bool:
        """Count a successful call; see `Counter`."""
        numbers = (1, 0, 0, retries, read_units, write_units, seconds, 0)
        self._add(source.tenant, source.model, operation, numbers)
        return True

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
