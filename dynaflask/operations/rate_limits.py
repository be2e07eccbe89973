"""Rate limits: the capacity units per second that a tenant may use, ``DYNAMODB_TENANT_CAPACITY``."""

from __future__ import annotations

import collections.abc as cabc
import enum
import threading
import time
import typing as t

from dynaflask.exceptions import TenantLimitExceeded
from dynaflask.operations.tenant_lru import MAX_COUNTED_TENANTS
from dynaflask.operations.tenant_lru import OTHERS
from dynaflask.operations.tenant_lru import TenantLRU

# An idle tenant saves the units of this time, and may use them at once.
BURST_SECONDS = 1

Capacity = float | cabc.Mapping[str, float | None]
Clock = t.Callable[[], float]


class Unset(enum.Enum):
    """A value of its own for settings where ``None`` means no limit."""

    UNSET = enum.auto()


# The tenant's own settings name no limit: that of the app applies.
UNSET: t.Final = Unset.UNSET
OwnCapacity = float | None | t.Literal[Unset.UNSET]


class TokenBucket:
    """The capacity units of one tenant. They refill at a steady rate; each call takes what it consumed, after it ended.

    The consumption of a call is not known before, so that the bucket may fall below zero. Later calls are refused
    until it is above zero again. A new bucket is full.

    Args:
        clock: Returns the time in seconds.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._units = float("inf")
        self._refilled_at = clock()
        # Protects the units and the time of the last refill: both are read and written together.
        self._lock = threading.Lock()

    def take(self, units: float, *, rate: float) -> float:
        """Refill the bucket, and take units from it, also more than it has.

        Args:
            units: Number of units to take.
            rate: Units per second of the refill. It may differ between calls, because a tenant's settings may change.

        Returns:
            Seconds until the bucket is above zero again; 0 or less if it is.
        """
        with self._lock:
            now = self._clock()
            self._units = min(rate * BURST_SECONDS, self._units + (now - self._refilled_at) * rate) - units
            self._refilled_at = now
            return -self._units / rate


class TenantRateLimits:
    """The rate limits of an app's tenants in this process. Calls without a tenant have no limit.

    Args:
        capacity: Read and write units per second for each tenant; or a dict by tenant, ``"*"`` for all others. The
            settings of a tenant may override it.
        clock: Returns the time in seconds; by default that of :func:`time.monotonic`.
    """

    def __init__(self, capacity: Capacity, *, clock: Clock | None = None) -> None:
        self._capacity: cabc.Mapping[str, float | None] = (
            capacity if isinstance(capacity, cabc.Mapping) else {OTHERS: capacity}
        )
        self._buckets = TenantLRU(
            lambda _: TokenBucket(clock=clock or _now), max_tenants=MAX_COUNTED_TENANTS, on_evict=lambda *_: None
        )

    def check_limit(self, tenant: str | None, own: OwnCapacity = UNSET) -> None:
        """Return if a call for the tenant may be made now.

        Args:
            tenant: Name of the tenant.
            own: Units per second in the tenant's own settings; ``None`` for no limit.

        Raises:
            TenantLimitExceeded: The last calls of the tenant consumed more than its capacity.
        """
        wait_seconds = self._take(tenant, 0, own)
        if tenant is not None and wait_seconds > 0:
            raise TenantLimitExceeded(tenant, wait_seconds=wait_seconds)

    def debit(self, tenant: str | None, units: float, own: OwnCapacity = UNSET) -> None:
        """Take the units that a call consumed.

        Args:
            tenant: Name of the tenant.
            units: Read and write units.
            own: As of :meth:`check_limit`.
        """
        self._take(tenant, units, own)

    def units_per_second(self, tenant: str, own: OwnCapacity = UNSET) -> float | None:
        """The limit of a tenant; ``None`` for no limit.

        Args:
            tenant: Name of the tenant.
            own: As of :meth:`check_limit`.
        """
        if own is not UNSET:
            return own
        return self._capacity[tenant] if tenant in self._capacity else self._capacity.get(OTHERS)

    def _take(self, tenant: str | None, units: float, own: OwnCapacity) -> float:
        rate = None if tenant is None else self.units_per_second(tenant, own)
        return 0 if rate is None else self._buckets[tenant].take(units, rate=rate)


def _now() -> float:
    # Looked up at each call, because freezegun replaces it.
    return time.monotonic()
