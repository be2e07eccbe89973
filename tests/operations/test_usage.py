"""``Meter``: calls and consumed capacity, by tenant, model and operation."""

from __future__ import annotations

import concurrent.futures

import pytest

from dynaflask import Operation
from dynaflask import Usage
from dynaflask.operations.tenant_lru import OTHERS
from dynaflask.operations.usage import Meter
from dynaflask.operations.usage import TenantCounters
from tests.support.operations import make_operation


def operation_of(tenant: str) -> Operation:
    """An operation for a tenant, of half a second and one unit."""
    return make_operation(tenant=tenant, read_units=1.0, duration_seconds=0.5)


def calls(meter: Meter) -> dict[str | None, int]:
    """Number of calls by tenant."""
    return {key.tenant: usage.calls for key, usage in meter.read().items()}


class TestMeter:
    """``Meter``: counts under threads, resets and evictions."""

    def test_no_call_is_lost_between_threads(self) -> None:
        """Each call is counted once under resets, reads and evictions."""
        meter, resets = Meter(max_tenants=4), []

        def work(number: int) -> None:
            for turn in range(1000):
                meter.add(operation_of(f"tenant-{(number + turn) % 12}"))
                if turn % 10 == 0:
                    meter.read()
                if turn % 100 == 0:
                    resets.append(meter.read(reset=True))

        with concurrent.futures.ThreadPoolExecutor(8) as executor:
            list(executor.map(work, range(8)))
        resets.append(meter.read())
        usages = [usage for counts in resets for usage in counts.values()]
        assert sum(usage.calls for usage in usages) == 8000
        assert sum(usage.read_units for usage in usages) == 8000

    def test_tenants_above_the_limit_are_counted_together(self) -> None:
        """The tenants without a call for the longest time are counted as "*"."""
        meter = Meter(max_tenants=4)
        for number in range(100):
            meter.add(operation_of("regular"))
            meter.add(operation_of(f"passing-{number}"))
        counts = calls(meter)
        assert len(counts) <= 4
        assert counts["regular"] == 100
        assert sum(counts.values()) == 200
        assert counts[OTHERS] > 90

    def test_tenants_up_to_the_limit_are_counted_separately(self) -> None:
        """No tenant is counted as "*" before there are more than max_tenants."""
        meter = Meter(max_tenants=10)
        for number in range(10):
            meter.add(operation_of(f"tenant-{number}"))
        assert calls(meter) == {f"tenant-{number}": 1 for number in range(10)}

    @pytest.mark.parametrize("most", [1, 2, 3])
    def test_it_counts_with_a_limit_of_few_tenants(self, most: int) -> None:
        """No call is lost if nearly every call evicts a tenant."""
        meter = Meter(max_tenants=most)
        for number in range(20):
            meter.add(operation_of(f"tenant-{number % 7}"))
        assert sum(calls(meter).values()) == 20


def test_closed_counters_stay_closed() -> None:
    """A read of counters that were evicted does not let another thread add to them."""
    counters = TenantCounters("acme")
    counters.read(close=True)
    counters.read()
    assert not counters.add("Thread", "GetItem", (1, 0, 0, 0, 0.0, 0.0, 0.0))


def test_counts_add_up() -> None:
    """The sum of two usages is the sum of each field."""
    assert Usage(1, 0, 0, 2, 0.5, 0, 1.0) + Usage(1, 1, 1, 0, 0.5, 3, 0.5) == Usage(2, 1, 1, 2, 1.0, 3, 1.5)
