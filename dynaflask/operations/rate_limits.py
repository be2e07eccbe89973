"""Rate limits: the capacity units per second that a tenant may use, ``DYNAMODB_TENANT_CAPACITY``."""

from __future__ import annotations

import collections.abc as cabc
import threading
import time
import typing as t

from dynaflask.exceptions import TenantLimitExceeded
from dynaflask.operations.usage import MAX_TENANTS
from dynaflask.operations.usage import OTHERS
from dynaflask.operations.usage import TenantLRU

# An idle tenant saves the units of this time, and may use them at once.
BURST_SECONDS = 1

Capacity = float | cabc.Mapping[str, float | None]
Clock = t.Callable[[], float]


class TokenBucket:
    """The capacity units of one tenant. They refill at a steady rate; each call takes what it consumed, after it ended.

    The consumption of a call is not known before, so that the bucket may fall below zero. Later calls are refused
    until it is above zero again.

    Args:
        units_per_second: Rate of the refill.
        clock: Returns the time in seconds.
    """

    def __init__(self, units_per_second: float, *, clock: Clock) -> None:
        self._rate = units_per_second
        self._clock = clock
        self._max_units = self._units = units_per_second * BURST_SECONDS
        self._refilled_at = clock()
        # Protects the units and the time of the last refill: both are read and written together.
        self._lock = threading.Lock()

    def take(self, units: float) -> float:
        """Refill the bucket, and take units from it, also more than it has.

        Returns:
            Seconds until the bucket is above zero again; 0 or less if it is.
        """
        with self._lock:
            now = self._clock()
            self._units = min(self._max_units, self._units + (now - self._refilled_at) * self._rate) - units
            self._refilled_at = now
            return -self._units / self._rate


class TenantRateLimits:
    """The rate limits of an app's tenants in this process. Calls without a tenant have no limit.

    Args:
        capacity: Read and write units per second for each tenant; or a dict by tenant, ``"*"`` for all others.
        clock: Returns the time in seconds.
    """

    def __init__(self, capacity: Capacity, *, clock: Clock = time.monotonic) -> None:
        self._capacity: cabc.Mapping[str, float | None] = (
            capacity if isinstance(capacity, cabc.Mapping) else {OTHERS: capacity}
        )
        self._clock = clock
        self._buckets = TenantLRU(self._make_bucket, max_tenants=MAX_TENANTS, on_evict=lambda *_: None)

    def check_limit(self, tenant: str | None) -> None:
        """Return if a call for the tenant may be made now.

        Raises:
            TenantLimitExceeded: The last calls of the tenant consumed more than its capacity.
        """
        wait_seconds = self._take(tenant, 0)
        if tenant is not None and wait_seconds > 0:
            raise TenantLimitExceeded(tenant, wait_seconds=wait_seconds)

    def debit(self, tenant: str | None, units: float) -> None:
        """Take the units that a call consumed."""
        self._take(tenant, units)

    def _take(self, tenant: str | None, units: float) -> float:
        rate = None if tenant is None else self._rate(tenant)
        return 0 if rate is None else self._buckets[tenant].take(units)

    def _rate(self, tenant: str) -> float | None:
        return self._capacity[tenant] if tenant in self._capacity else self._capacity.get(OTHERS)

    def _make_bucket(self, tenant: str | None) -> TokenBucket:
        return TokenBucket(t.cast("float", self._rate(t.cast("str", tenant))), clock=self._clock)
