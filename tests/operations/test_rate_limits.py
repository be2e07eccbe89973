"""``DYNAMODB_TENANT_CAPACITY``: the capacity units per second that a tenant may use."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import typing as t

import pytest

from dynaflask import TenantLimitExceeded
from dynaflask.operations.rate_limits import TenantRateLimits
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    """The clock of a test's limits."""
    return Clock(100.0)


@pytest.fixture
def make(clock: Clock) -> cabc.Callable[[t.Any], TenantRateLimits]:
    """Makes limits on the test's clock."""
    return lambda capacity: TenantRateLimits(capacity, clock=clock)


def is_admitted(limits: TenantRateLimits, tenant: str | None) -> bool:
    """True if the tenant may make a call."""
    try:
        limits.check_limit(tenant)
    except TenantLimitExceeded:
        return False
    return True


def test_a_tenant_below_zero_is_refused(make: t.Any) -> None:
    """A call may consume more than is left; the next call is refused."""
    limits = make(10)
    limits.debit("acme", 10)
    assert is_admitted(limits, "acme")
    limits.debit("acme", 5)
    assert not is_admitted(limits, "acme")


def test_units_refill_at_a_steady_rate(make: t.Any, clock: Clock) -> None:
    """At ten units per second, five missing units take half a second."""
    limits = make(10)
    limits.debit("acme", 15)
    clock.now += 0.25
    assert not is_admitted(limits, "acme")
    clock.now += 0.25
    assert is_admitted(limits, "acme")


def test_no_more_than_a_second_is_saved(make: t.Any, clock: Clock) -> None:
    """An idle tenant saves the units of one second, however long it was idle."""
    limits = make(10)
    limits.debit("acme", 1)
    clock.now += 3600
    limits.debit("acme", 11)
    assert not is_admitted(limits, "acme")


def test_the_error_has_the_time_to_wait(make: t.Any) -> None:
    """retry_after and the header Retry-After are the seconds to wait, rounded up."""
    limits = make(10)
    limits.debit("acme", 31)
    with pytest.raises(TenantLimitExceeded) as caught:
        limits.check_limit("acme")
    assert (caught.value.tenant, caught.value.retry_after) == ("acme", 3)
    assert caught.value.get_response().headers["Retry-After"] == "3"
    assert caught.value.code == 429


def test_the_response_says_what_to_do_and_does_not_name_the_tenant(make: t.Any) -> None:
    """The body of the 429 response says when to try again, and not for which tenant."""
    limits = make(10)
    limits.debit("acme", 100)
    with pytest.raises(TenantLimitExceeded) as caught:
        limits.check_limit("acme")
    body = caught.value.get_response().get_data(as_text=True)
    assert "Too many requests for this account. Try again in 9 s." in body
    assert "acme" not in body


def test_each_tenant_has_its_own_limit(make: t.Any) -> None:
    """A tenant above its limit does not slow another tenant."""
    limits = make(10)
    limits.debit("acme", 1000)
    assert is_admitted(limits, "globex")
    assert not is_admitted(limits, "acme")


def test_a_call_without_a_tenant_has_no_limit(make: t.Any) -> None:
    """A call without a tenant is never refused."""
    limits = make(10)
    limits.debit(None, 1000)
    assert is_admitted(limits, None)


def test_tenants_may_have_different_limits(make: t.Any) -> None:
    """In a dict, None is no limit, and "*" is the limit of all tenants that it does not name."""
    limits = make({"acme": 100, "us": None, "*": 10})
    for tenant in ("acme", "us", "globex"):
        limits.debit(tenant, 50)
    assert [is_admitted(limits, tenant) for tenant in ("acme", "us", "globex")] == [True, True, False]


def test_without_a_star_other_tenants_have_no_limit(make: t.Any) -> None:
    """A dict without "*" limits only the tenants that it names."""
    limits = make({"acme": 10})
    limits.debit("globex", 1000)
    assert is_admitted(limits, "globex")


def test_no_unit_is_lost_between_threads(make: t.Any, clock: Clock) -> None:
    """The units that eight threads take are all counted."""
    limits = make(1000)
    with concurrent.futures.ThreadPoolExecutor(8) as executor:
        list(executor.map(lambda _: [limits.debit("acme", 1) for _ in range(1000)], range(8)))
    clock.now += 6.999
    assert not is_admitted(limits, "acme")
    clock.now += 0.002
    assert is_admitted(limits, "acme")


def test_the_settings_of_a_tenant_override_the_limit_of_the_app(make: t.Any) -> None:
    """Units in a tenant's own settings are its limit, and None is no limit, whatever the app sets."""
    limits = make({"acme": 100, "globex": 100})
    for tenant, own in (("acme", 10), ("globex", None), ("initech", 10)):
        limits.debit(tenant, 150, own)
    for tenant, own, seconds in (("acme", 10, 14), ("initech", 10, 14)):
        with pytest.raises(TenantLimitExceeded) as caught:
            limits.check_limit(tenant, own)
        assert caught.value.retry_after == seconds
    limits.check_limit("globex", None)


def test_a_changed_limit_applies_to_the_units_that_were_consumed(make: t.Any) -> None:
    """After a tenant's limit is raised, what it consumed before is paid for at the new rate."""
    limits = make({})
    limits.debit("acme", 110, 10)
    with pytest.raises(TenantLimitExceeded) as caught:
        limits.check_limit("acme", 100)
    assert caught.value.retry_after == 1


def test_the_limit_of_a_tenant_can_be_read(make: t.Any) -> None:
    """The limit is that of the tenant's own settings, else that of the app for the tenant, else that of all others."""
    limits = make({"acme": 5, "*": 10})
    assert [limits.units_per_second(name) for name in ("acme", "globex")] == [5, 10]
    assert limits.units_per_second("acme", None) is None
    assert limits.units_per_second("acme", 7) == 7
