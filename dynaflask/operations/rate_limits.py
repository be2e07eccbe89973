"""How much of the database a tenant may use per second: ``DYNAMODB_TENANT_CAPACITY``."""

from __future__ import annotations

import collections.abc as cabc
import threading
import time
import typing as t

from dynaflask.exceptions import TenantLimitExceeded
from dynaflask.operations.usage import MAX_TENANTS
from dynaflask.operations.usage import OTHERS
from dynaflask.operations.usage import TenantLRU

# How many seconds' units a tenant that was quiet may use at once.
BURST_SECONDS = 1

Capacity = float | cabc.Mapping[str, float | None]
Clock = t.Callable[[], float]


class TokenBucket:
    """A tenant's units. They come back at a steady rate, and what DynamoDB says a call consumed is taken afterwards.

    A call may consume more than there is: nobody knows before. The next ones wait until that is paid back.

    Args:
        units_per_second: How fast units come back.
        clock: Gives the time, in seconds.
    """

    def __init__(self, units_per_second: float, *, clock: Clock) -> None:
        self._rate = units_per_second
        self._clock = clock
        self._most = self._units = units_per_second * BURST_SECONDS
        self._filled_at = clock()
        # Guards the units, while they are counted.
        self._lock = threading.Lock()

    def take(self, units: float) -> float:
        """Take units, as many as it may be.

        Returns:
            After how many seconds there will be any again; 0 or less if there are some.
        """
        with self._lock:
            now = self._clock()
            self._units = min(self._most, self._units + (now - self._filled_at) * self._rate) - units
            self._filled_at = now
            return -self._units / self._rate


class TenantRateLimits:
    """An app's limits, for each tenant its own, in this process. Calls that are made for nobody have none.

    Args:
        capacity: Read and write units per second; or these by tenant, ``"*"`` for those that are not named.
        clock: Gives the time, in seconds.
    """

    def __init__(self, capacity: Capacity, *, clock: Clock = time.monotonic) -> None:
        self._capacity: cabc.Mapping[str, float | None] = (
            capacity if isinstance(capacity, cabc.Mapping) else {OTHERS: capacity}
        )
        self._clock = clock
        self._buckets = TenantLRU(self._make, most=MAX_TENANTS, on_evict=lambda *_: None)

    def check_limit(self, tenant: str | None) -> None:
        """Let a call be made.

        Raises:
            TenantLimitExceeded: The tenant's last calls consumed more than its share.
        """
        wait_seconds = self._take(tenant, 0)
        if tenant is not None and wait_seconds > 0:
            raise TenantLimitExceeded(tenant, wait_seconds=wait_seconds)

    def debit(self, tenant: str | None, units: float) -> None:
        """Take what a call consumed."""
        self._take(tenant, units)

    def _take(self, tenant: str | None, units: float) -> float:
        rate = None if tenant is None else self._rate(tenant)
        return 0 if rate is None else self._buckets[tenant].take(units)

    def _rate(self, tenant: str) -> float | None:
        return self._capacity[tenant] if tenant in self._capacity else self._capacity.get(OTHERS)

    def _make(self, tenant: str | None) -> TokenBucket:
        return TokenBucket(t.cast("float", self._rate(t.cast("str", tenant))), clock=self._clock)
