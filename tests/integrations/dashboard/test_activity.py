"""The dashboard's counts: the operations of the last five minutes, by tenant, and by model, operation and route."""

from __future__ import annotations

import typing as t

import flask
import pytest

from dynaflask.integrations.dashboard import activity
from dynaflask.integrations.dashboard.activity import SLOT_SECONDS
from dynaflask.integrations.dashboard.activity import WINDOW_SECONDS
from dynaflask.integrations.dashboard.activity import Activity
from dynaflask.integrations.dashboard.slot import CallKey
from dynaflask.operations.caller import Caller
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import Source
from tests.support import forks
from tests.support.clock import Clock
from tests.support.operations import make_operation

GET = CallKey("Thread", "GetItem", None)


@pytest.fixture
def clock() -> Clock:
    """The clock."""
    return Clock(1_000.0)


@pytest.fixture
def app() -> flask.Flask:
    """The app."""
    return flask.Flask("us")


@pytest.fixture
def counted(app: flask.Flask, clock: Clock) -> Activity:
    """What is counted."""
    return Activity(app, clock=clock)


def operation(name: str = "GetItem", **fields: t.Any) -> Operation:
    """An operation on threads."""
    defaults = {"app_name": "us", "table": "us-Thread", "tenant": "acme", "read_units": 0.5}
    return make_operation(name, **{**defaults, **fields})


def receive(counted: Activity, *operations: Operation) -> None:
    for each in operations:
        counted.add(each)


def test_calls_with_and_without_an_operation_are_counted_alike(clock: Clock) -> None:
    """A successful call counts the same whether the recorder has made its ``Operation`` or only its numbers."""
    calls = [("acme", 0.01, 0.5), (None, 0.02, 0.5), ("acme", 0.005, 0.5), ("acme", 0.02, 3.0), (None, 0.01, 1.0)]
    app = flask.Flask("us")
    app.add_url_rule("/", "show", lambda: "")
    full, light = Activity(app, clock=clock), Activity(app, clock=clock)
    given: list[bool] = []
    with app.test_request_context("/"):
        for turn in range(2):
            for tenant, seconds, units in calls:
                fields = {
                    "duration_seconds": seconds,
                    "read_units": units,
                    "route": "show",
                    "caller": Caller("a.py", 1, "f"),
                }
                each = operation(tenant=tenant, **fields)
                full.add(each)
                given.append(
                    light.add_success(Source("us", "default", "Thread", tenant), "GetItem", seconds, units, 0, 0)
                )
                if not given[-1]:
                    light.add(each)
            clock.now += turn * SLOT_SECONDS
    # The first of a place or of a tenant, the slowest and the costliest are kept as operations.
    assert given == [False, False, True, False, True] + [True] * 5
    assert not light.add_success(Source("us", "default", None, None), "GetItem", 0.01, 0.5, 0.0, 0)
    totals = [activity.read().total for activity in (full, light)]
    assert totals[1].tenants == totals[0].tenants
    assert totals[1].counts == totals[0].counts


def test_a_call_in_a_request_of_another_app_has_no_route(clock: Clock) -> None:
    """The route is one of the app that made the call."""
    us, eu = flask.Flask("us"), flask.Flask("eu")
    eu.add_url_rule("/", "show", lambda: "")
    counted = Activity(us, clock=clock)
    counted.add(operation())
    with eu.test_request_context("/"):
        assert counted.add_success(Source("us", "default", "Thread", "acme"), "GetItem", 0.001, 0.5, 0.0, 0)
    assert {key: counts.calls for key, counts in counted.read().total.counts.items()} == {GET: 2}


def test_calls_about_tables_are_not_counted(counted: Activity) -> None:
    """The page's own DescribeTable is not in its counts."""
    receive(counted, operation("DescribeTable"))
    assert counted.read().total.tenants == {}


def test_what_is_older_than_five_minutes_is_gone(counted: Activity, clock: Clock) -> None:
    """Each slot leaves the window by itself, and a pause is an empty slot."""
    receive(counted, operation(read_units=1.0))
    clock.now += 2 * SLOT_SECONDS
    receive(counted, operation(read_units=3.0))
    assert counted.read().series()[-3:] == [1, 0, 3]
    clock.now += WINDOW_SECONDS - SLOT_SECONDS
    window = counted.read()
    assert (window.total.tenants["acme"].units, window.series()[0], sum(window.series())) == (3, 3, 3)
    clock.now += WINDOW_SECONDS
    assert counted.read().total.tenants == {}


def test_many_slots_are_bounded(counted: Activity, clock: Clock) -> None:
    """A process that runs for long keeps the last five minutes alone."""
    for _ in range(3 * activity.SLOTS):
        receive(counted, operation())
        clock.now += SLOT_SECONDS
    assert len(counted._state.get().slots) == activity.SLOTS


def test_the_window_of_a_young_process_is_shorter(counted: Activity, clock: Clock) -> None:
    """Rates are over the life of the process, up to five minutes, and not over less than a second."""
    assert counted.read().seconds == 1
    clock.now += 30
    assert counted.read().seconds == 30
    clock.now += 3600
    assert counted.read().seconds == WINDOW_SECONDS


def test_a_series_is_of_all_or_of_some_tenants(counted: Activity) -> None:
    """A series adds up the tenants that it is asked for."""
    receive(counted, operation(), operation(tenant="globex", read_units=2.0), operation(tenant=None, read_units=8.0))
    window = counted.read()
    assert [window.series(*names)[-1] for names in ((), ("globex",), (None, "acme"))] == [10.5, 2, 8.5]


def test_the_worst_operation_of_all_slots(counted: Activity, clock: Clock) -> None:
    """The window has the worst operation of all its slots."""
    for seconds, units in ((0.1, 1.0), (0.9, 3.0), (0.5, 2.0), (0.4, 0.0)):
        receive(counted, operation(duration_seconds=seconds, read_units=units))
        clock.now += SLOT_SECONDS
    [counts] = counted.read().total.counts.values()
    assert counts.slowest
    assert counts.costliest
    assert (counts.slowest.duration_seconds, counts.costliest.units) == (0.9, 3)


def test_a_forked_child_counts_for_itself(counted: Activity) -> None:
    """A forked child starts without the parent's counts, also if a thread of the parent held the lock."""
    receive(counted, operation())

    def count() -> bool:
        receive(counted, operation(tenant="globex"))
        return list(counted.read().total.tenants) == ["globex"]

    with counted._state.get().lock:
        assert forks.exit_code_of(count) == 0
    assert list(counted.read().total.tenants) == ["acme"]
