"""``DYNAMODB_TENANT_CAPACITY``: how much of the database a tenant may use per second."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import typing as t

import pytest

from dynaflask import TenantLimitExceeded
from dynaflask.operations.rate_limits import TenantRateLimits


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of a test's limits."""
    return Clock()


@pytest.fixture
def make(clock: Clock) -> cabc.Callable[[t.Any], TenantRateLimits]:
    """Makes limits on the test's clock."""
    return lambda capacity: TenantRateLimits(capacity, clock=clock)


def is_admitted(limits: TenantRateLimits, tenant: str | None) -> bool:
    """Whether a tenant may make a call."""
    try:
        limits.check_limit(tenant)
    except TenantLimitExceeded:
        return False
    return True


def test_a_tenant_that_has_used_up_its_share_is_refused(make: t.Any) -> None:
    """The call before may use more than there was left."""
    limits = make(10)
    limits.debit("acme", 10)
    assert is_admitted(limits, "acme")
    limits.debit("acme", 5)
    assert not is_admitted(limits, "acme")


def test_units_come_back_at_a_steady_rate(make: t.Any, clock: Clock) -> None:
    """A debt of five units is paid in half a second at ten per second."""
    limits = make(10)
    limits.debit("acme", 15)
    clock.now += 0.25
    assert not is_admitted(limits, "acme")
    clock.now += 0.25
    assert is_admitted(limits, "acme")


def test_no_more_than_a_second_is_saved(make: t.Any, clock: Clock) -> None:
    """However long a tenant was quiet."""
    limits = make(10)
    limits.debit("acme", 1)
    clock.now += 3600
    limits.debit("acme", 11)
    assert not is_admitted(limits, "acme")


def test_the_error_says_when_to_come_again(make: t.Any) -> None:
    """In whole seconds, for the header, and never too early."""
    limits = make(10)
    limits.debit("acme", 31)
    with pytest.raises(TenantLimitExceeded) as caught:
        limits.check_limit("acme")
    assert (caught.value.tenant, caught.value.retry_after) == ("acme", 3)
    assert caught.value.get_response().headers["Retry-After"] == "3"
    assert caught.value.code == 429


def test_the_answer_does_not_name_the_tenant(make: t.Any) -> None:
    """It goes to whoever asked."""
    limits = make(10)
    limits.debit("acme", 100)
    with pytest.raises(TenantLimitExceeded) as caught:
        limits.check_limit("acme")
    assert "acme" not in caught.value.get_response().get_data(as_text=True)


def test_each_tenant_has_its_own(make: t.Any) -> None:
    """The others go on."""
    limits = make(10)
    limits.debit("acme", 1000)
    assert is_admitted(limits, "globex")
    assert not is_admitted(limits, "acme")


def test_nobody_has_none(make: t.Any) -> None:
    """A call without a tenant is never refused."""
    limits = make(10)
    limits.debit(None, 1000)
    assert is_admitted(limits, None)


def test_some_tenants_have_another_share(make: t.Any) -> None:
    """A star is for those that are not named, and None is no limit."""
    limits = make({"acme": 100, "us": None, "*": 10})
    for tenant in ("acme", "us", "globex"):
        limits.debit(tenant, 50)
    assert [is_admitted(limits, tenant) for tenant in ("acme", "us", "globex")] == [True, True, False]


def test_those_that_are_not_named_have_none_without_a_star(make: t.Any) -> None:
    """A dict limits whom it names."""
    limits = make({"acme": 10})
    limits.debit("globex", 1000)
    assert is_admitted(limits, "globex")


def test_no_unit_is_lost_between_threads(make: t.Any, clock: Clock) -> None:
    """What eight threads charge is paid back to the last unit."""
    limits = make(1000)
    with concurrent.futures.ThreadPoolExecutor(8) as executor:
        list(executor.map(lambda _: [limits.debit("acme", 1) for _ in range(1000)], range(8)))
    clock.now += 6.999
    assert not is_admitted(limits, "acme")
    clock.now += 0.002
    assert is_admitted(limits, "acme")
