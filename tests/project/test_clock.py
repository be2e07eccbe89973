"""All times are read from the module ``time``, so that freezegun and time-machine control them."""

from __future__ import annotations

import ast
import datetime as dt
import typing as t

import flask
import freezegun
import pytest
import time_machine

import dynaflask
from dynaflask.testing import AppTables
from tests.support.paths import PACKAGE
from tests.support.recorder import Recorder
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

PAST = dt.datetime(2001, 9, 9, 1, 46, 40, tzinfo=dt.timezone.utc)
FROZEN: dict[str, t.Callable[[], t.ContextManager[t.Any]]] = {
    "freezegun": lambda: freezegun.freeze_time(PAST),
    "time-machine": lambda: time_machine.travel(PAST, tick=False),
}
TRANSPORTS = ["stock", "botocore", "direct"]


@pytest.fixture(params=FROZEN)
def frozen(request: pytest.FixtureRequest) -> t.Callable[[], t.ContextManager[t.Any]]:
    """Stops the clock in the past, with each library."""
    return FROZEN[request.param]


def test_no_clock_is_kept() -> None:
    """A function of ``time`` is called where the time is read: freezegun replaces the functions of the module alone."""
    kept = []
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            is_import = isinstance(node, ast.ImportFrom) and node.module in {"time", "datetime"}
            is_clock = isinstance(node, ast.Attribute) and ast.unparse(node) in {
                "time.time",
                "time.monotonic",
                "time.perf_counter",
            }
            if is_import or (is_clock and id(node) not in called):
                kept.append(f"{path.name}: {ast.unparse(node)}")
    assert kept == []


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_date_of_a_signature(
    frozen: t.Any, make_app: MakeApp, recorder: Recorder, thread_model: t.Any, transport: str
) -> None:
    """Each transport signs with the date of the frozen clock, also if it has signed before."""
    app = make_app(host=recorder.url, region="eu-west-1", transport=transport, **KEYS)
    with app.app_context():
        thread_model.get("flask", "before")
        with frozen():
            thread_model.get("flask", "frozen")
        thread_model.get("flask", "after")
    before, in_the_past, after = recorder.requests
    assert in_the_past.date == "20010909"
    assert before.date == after.date != "20010909"
    assert in_the_past.headers["x-amz-date"] == "20010909T014640Z"


def test_a_frozen_test_on_the_local_server(
    frozen: t.Any, db: dynaflask.Dynamo, thread_model: t.Any, dynamo_config: dict[str, str], dynamo_server: str
) -> None:
    """Tables are created, written and read while the clock stands. The local server accepts any date."""
    app = flask.Flask("app")
    app.config.update(dynamo_config)
    db.init_app(app)
    with frozen():
        AppTables(app, server=dynamo_server).create()
        with app.app_context():
            thread_model("flask", "hello").save()
            assert [thread.subject for thread in thread_model.query("flask")] == ["hello"]


def test_the_cache_of_tenants_expires(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """Time that freezegun lets pass counts for ``DYNAMODB_TENANT_TTL_SECONDS``."""
    looked_up = []

    @db.tenant_settings
    def settings(name: str) -> dict[str, str]:
        looked_up.append(name)
        return {}

    app = make_app(region="eu-west-1", tenant_ttl_seconds=60)
    with freezegun.freeze_time() as clock:
        for seconds in (59, 2, 0):
            with app.app_context(), db.tenant("acme"):
                pass
            clock.tick(seconds)
        with app.app_context(), db.tenant("acme"):
            pass
    assert looked_up == ["acme", "acme"]


def test_a_rate_limit_ends(make_app: MakeApp, db: dynaflask.Dynamo, recorder: Recorder, thread_model: t.Any) -> None:
    """Time that freezegun lets pass fills the bucket of a tenant. While the clock stands, nothing does."""
    app = make_app(host=recorder.url, region="eu-west-1", tenants={"acme": {}}, tenant_capacity=1, **KEYS)

    def reads() -> int:
        number = len(recorder.requests)
        with pytest.raises(dynaflask.TenantLimitExceeded), app.app_context(), db.tenant("acme"):
            while True:
                thread_model.get("flask", "hello")
        return len(recorder.requests) - number

    with freezegun.freeze_time() as clock:
        assert [reads(), reads()] == [2, 0]
        clock.tick(2)
        assert [reads(), reads()] == [2, 0]
