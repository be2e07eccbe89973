"""What an app does with the calls of a connection, besides making them."""

from __future__ import annotations

import typing as t

import pytest

from dynaflask.client.call_watch import CallWatch
from tests.support.settings import MakeApp


def watch_of(app: t.Any, **options: bool) -> CallWatch:
    """The watch of an app's connections."""
    return CallWatch(app.extensions["dynamo"].recorder, **{"is_limited": False, "retries_conflicts": False} | options)


@pytest.mark.parametrize(
    ("settings", "options", "is_single", "is_light"),
    [
        ({}, {}, True, False),
        ({"meter": True}, {}, False, True),
        ({}, {"retries_conflicts": True}, False, False),
        ({}, {"is_limited": True}, False, False),
        ({"meter": True}, {"retries_conflicts": True}, False, False),
    ],
    ids=["nothing", "a meter", "retries", "a limit", "a meter and retries"],
)
def test_the_shortest_way(
    make_app: MakeApp,
    settings: dict[str, t.Any],
    options: dict[str, bool],
    is_single: bool,
    is_light: bool,
) -> None:
    """A call that nothing watches is only made; one that is only counted takes no further step before it."""
    watched, plain = make_app("watched", **settings), make_app("plain")
    watch = watch_of(watched, **options)
    assert (watch.is_single, watch.is_light) == (is_single, is_light)
    # Another app of the process has its own.
    assert watch_of(plain).is_single


def test_a_counter_that_comes_later(make_app: MakeApp) -> None:
    """A watch is the app's until it gets a counter; the other app keeps its own."""
    apps = [make_app(name) for name in ("one", "two")]
    recorders = [app.extensions["dynamo"].recorder for app in apps]
    watches = [watch_of(app) for app in apps]
    recorders[0].counters.append(t.cast("t.Any", object()))
    assert [watch.is_of(recorder) for watch, recorder in zip(watches, recorders, strict=True)] == [False, True]
