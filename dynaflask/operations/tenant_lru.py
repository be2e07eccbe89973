"""One value per tenant, up to a number of tenants: the counts of a meter, the buckets of rate limits."""

from __future__ import annotations

import collections
import os
import threading
import typing as t

V = t.TypeVar("V")

MAX_TENANTS = 10_000
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
