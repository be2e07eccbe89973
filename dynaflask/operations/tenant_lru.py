"""One value per tenant, up to a number of tenants: the counts of a meter, the buckets of rate limits."""

from __future__ import annotations

import collections
import threading
import typing as t

from dynaflask.process_local import ProcessLocal

V = t.TypeVar("V")

MAX_COUNTED_TENANTS = 10_000
# Stands for all tenants that have no entry of their own.
OTHERS = "*"


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
        # The lock protects the dict beside it.
        self._state: ProcessLocal[tuple[threading.Lock, collections.OrderedDict[str | None, V]]] = ProcessLocal(
            lambda: (threading.Lock(), collections.OrderedDict())
        )

    def __getitem__(self, tenant: str | None) -> V:
        lock, values = self._state.get()
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
        lock, values = self._state.get()
        with lock:
            return list(values.values())

    def pop_all(self) -> list[V]:
        """Remove and return all values."""
        lock, values = self._state.get()
        with lock:
            removed = list(values.values())
            values.clear()
        return removed
