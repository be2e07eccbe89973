"""The rows of the dashboard are few, sorted, and those of one app."""

from __future__ import annotations

import typing as t

import flask
import pytest

import dynaflask
from dynaflask.integrations import opentelemetry
from dynaflask.integrations.dashboard import sections
from dynaflask.integrations.dashboard.activity import Activity
from dynaflask.integrations.dashboard.activity import Window
from dynaflask.operations.tenant_lru import OTHERS
from tests.support import recorder as recorders
from tests.support.operations import make_operation
from tests.support.settings import KEYS
from tests.support.settings import MakeApp
from tests.support.tracing import Telemetry


def window(*fields: dict[str, t.Any]) -> Window:
    """The window of operations with these fields."""
    activity = Activity(flask.Flask("us"))
    for each in fields:
        activity.add(make_operation(**{"app_name": "us", "duration_seconds": 0.1, **each}))
    return activity.read()


def registry(app: t.Any) -> dynaflask.Registry:
    found: dynaflask.Registry = app.extensions["dynamo"]
    return found


def test_tenants_are_sorted_by_their_units(make_app: MakeApp) -> None:
    """The tenant with the most units is first. Rows have rates, shares, and the part of the limit."""
    app = make_app(tenant_capacity={"acme": 2}, **KEYS)
    rows = sections.tenants(
        registry(app), window({"read_units": 1.0}, {"tenant": "acme", "read_units": 3.0}, {"tenant": "globex"})
    )
    assert [(row.name, row.rate, row.share, row.limit, row.used) for row in rows] == [
        ("acme", 3, 0.75, 2, 1.5),
        (None, 1, 0.25, None, None),
        ("globex", 0, 0, None, None),
    ]
    assert [row.bars[-1] for row in rows] == [3, 1, 0]


def test_tenants_without_units(make_app: MakeApp) -> None:
    """Without any units, the share of each tenant is 0."""
    assert [row.share for row in sections.tenants(registry(make_app(**KEYS)), window({}))] == [0]


def test_many_tenants_have_one_row_together(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of rows, tenants are one row, also those that were not counted separately."""
    monkeypatch.setattr(sections, "MAX_SHOWN_TENANTS", 1)
    fields = [{"tenant": name, "read_units": units} for name, units in (("a", 2.0), (OTHERS, 9.0), ("b", 1.0))]
    rows = sections.tenants(registry(make_app(tenant_capacity=5, **KEYS)), window(*fields))
    assert [(row.name, row.seen.calls, row.seen.units, row.limit) for row in rows] == [
        ("a", 1, 2, 5),
        (OTHERS, 2, 10, None),
    ]


def test_a_tenants_own_limit_wins(make_app: MakeApp) -> None:
    """The limit of a tenant's settings is shown as it was looked up last. Nothing is looked up for the page."""
    app = make_app(tenants={"acme": {"tenant_capacity": 7}, "globex": {}}, tenant_capacity=5, **KEYS)
    seen = window({"tenant": "acme"}, {"tenant": "globex"})
    assert [row.limit for row in sections.tenants(registry(app), seen)] == [5, 5]
    with app.app_context():
        for name in ("acme", "globex"):
            with registry(app).dynamo.tenant(name):
                pass
    assert [row.limit for row in sections.tenants(registry(app), seen)] == [7, 5]


def test_units_since_the_start(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> None:
    """With ``DYNAMODB_METER`` a tenant has its units since the start; else they are not counted."""
    metered = make_app("us", host=recorder.url, region="us-east-1", meter=True, **KEYS)
    with metered.app_context():
        thread_model.count("flask")
    [row] = sections.tenants(registry(metered), window({}))
    assert row.total
    assert row.total.calls == 1
    [row] = sections.tenants(registry(metered), window({"tenant": "acme"}))
    assert row.total == dynaflask.Usage()
    [row] = sections.tenants(registry(make_app("eu", **KEYS)), window({}))
    assert row.total is None


def test_models_by_operation() -> None:
    """A model's operation has its calls, durations, units a call, and the most frequent errors."""
    [put, get] = sections.model_calls(
        window({}, *[{"operation": "PutItem", "write_units": n, "error": e} for n, e in ((1.0, None), (2.0, "Bad"))])
    )
    assert (put.model, put.operation, put.counts.calls, put.units, put.errors) == (
        "Thread",
        "PutItem",
        2,
        1.5,
        [("Bad", 1)],
    )
    assert put.median == put.p95 == pytest.approx(0.1, rel=0.1)
    assert get.operation == "GetItem"


def test_throttles_say_what_to_do() -> None:
    """Each reason has its number and advice."""
    throttled: dict[str, t.Any] = {"error": "ThrottlingException", "is_throttled": True}
    [row] = sections.throttles(window(throttled, throttled))
    assert row[:3] == ("ThrottlingException", "Thread", 2)
    assert "CloudWatch" in row.advice


def test_the_worst_operations_are_first() -> None:
    """The slowest operation is first, and so is the one with the most units."""
    slow, costly = {"route": "slow", "duration_seconds": 9.0}, {"route": "costly", "read_units": 9.0}
    rows = sections.worst(window({"read_units": 1.0}, slow, costly))
    assert [row.route for row in rows.slowest] == ["slow", None, "costly"]
    assert [row.route for row in rows.costliest] == ["costly", None]


def test_binds_have_the_host_and_the_transport_of_their_client(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """Before the first call a bind has what the settings say; after it, what its client has. Each app has its own."""
    settings: dict[str, t.Any] = {"host": recorder.url, "region": "us-east-1", "transport": "direct", **KEYS}
    apps = [
        make_app(name, binds={"aws": {"host": None, "region": "eu-west-1", "transport": "stock"}}, **settings)
        for name in ("us", "eu")
    ]
    us, eu = map(registry, apps)
    before = [(row.key, row.region, row.endpoint, row.transport, row.clients) for row in sections.destinations(us, [])]
    assert before == [
        ("default", "us-east-1", recorder.url, "direct", 0),
        ("aws", "eu-west-1", "AWS", "stock", 0),
    ]
    with apps[0].app_context():
        thread_model.count("flask")
    [row, _] = sections.destinations(us, [])
    assert (row.endpoint, row.clients, row.sockets) == (recorder.url.removeprefix("http://"), 1, 1)
    assert [row.clients for row in sections.destinations(eu, [])] == [0, 0]


def test_a_transport_has_its_reason(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> None:
    """A transport that is not that of the settings has the reason, with a client of botocore and without."""
    settings: dict[str, t.Any] = {"host": recorder.url, "region": "us-east-1", **KEYS}
    stock, direct = make_app("stock", transport="stock", **settings), make_app("direct", transport="direct", **settings)
    for app in (stock, direct):
        with app.app_context():
            thread_model.count("flask")
    assert [sections.destinations(registry(app), [])[0].transport for app in (stock, direct)] == ["stock", "direct"]
    client = registry(direct).client
    client.meta.events.register("before-send.dynamodb.Query", lambda **_: None)
    with direct.app_context():
        thread_model.count("flask")
    assert sections.destinations(registry(direct), [])[0].transport.startswith("botocore: ")


def test_a_traced_app_keeps_its_transport(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> None:
    """A tracer that patches botocore changes the transport of the apps that it is not made for."""
    settings = {"host": recorder.url, "region": "us-east-1", "transport": "direct", **KEYS}
    traced, other = (make_app(name, **settings) for name in ("traced", "other"))
    telemetry = Telemetry()
    opentelemetry.instrument(traced, tracer_provider=telemetry.tracer_provider)
    with telemetry.botocore_wrapper():
        for app in (traced, other):
            with app.app_context():
                thread_model.count("flask")
        transports = [sections.destinations(registry(app), [])[0].transport for app in (traced, other)]
    assert transports[0] == "direct"
    assert transports[1].startswith("botocore: ")


def test_destinations_of_blocks_are_shown(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
) -> None:
    """A destination that is no bind of the app, but of a block, a tenant or a model, has a row as well."""
    app = make_app(host=recorder.url, region="us-east-1", **KEYS)
    with app.app_context(), db.using(region="eu-west-1"):
        thread_model.count("flask")
    rows = [(row.key, row.is_bind, row.region) for row in sections.destinations(registry(app), [])]
    assert rows == [("default", True, "us-east-1"), ("default", False, "eu-west-1")]
