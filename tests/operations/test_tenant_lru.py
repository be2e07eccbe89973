"""``TenantLRU``: one value per tenant, in the process that made it."""

from __future__ import annotations

import threading
import typing as t

from dynaflask.operations.tenant_lru import TenantLRU
from tests.support import forks


def test_the_least_recently_used_is_evicted() -> None:
    """A look-up protects a value from the next eviction."""
    evicted: list[t.Any] = []
    lru = TenantLRU(lambda tenant: f"value of {tenant}", max_tenants=2, on_evict=lambda *item: evicted.append(item))
    for tenant in ("a", "b", "a", "c"):
        assert lru[tenant] == f"value of {tenant}"
    assert evicted == [("b", "value of b")]
    assert lru.values() == ["value of a", "value of c"]


def test_a_child_does_not_wait_for_a_lock_of_the_parent() -> None:
    """A fork while another thread holds the lock leaves the child an empty object with a free lock."""
    is_held, may_end = threading.Event(), threading.Event()

    def make(tenant: str | None) -> str:
        if tenant == "slow":
            is_held.set()
            may_end.wait(2 * forks.SECONDS)
        return "value"

    lru = TenantLRU(make, max_tenants=10, on_evict=lambda *_: None)
    assert lru["before"] == "value"
    holder = threading.Thread(target=lambda: lru["slow"])
    holder.start()
    assert is_held.wait(30)
    exit_code = forks.exit_code_of(lambda: lru.values() == [] and lru["after"] == "value" and lru.values() == ["value"])
    may_end.set()
    holder.join()
    assert exit_code == 0
