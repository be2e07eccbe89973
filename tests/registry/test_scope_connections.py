"""The connections of a scope: its own objects, on clients that contexts share."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import typing as t
from unittest import mock

import flask
import pynamodb.connection
import pytest

import dynaflask
from dynaflask.exceptions import TenantRequired
from dynaflask.model.codec_lookup import find_codec
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def test_the_next_context_has_connections_of_its_own_on_the_same_client(app: flask.Flask, thread_model: t.Any) -> None:
    """Two contexts have two connections and one client."""
    pairs = []
    for _ in range(2):
        with app.app_context():
            connection = thread_model._get_connection().connection
            pairs.append((connection, connection.client))
    assert pairs[0][0] is not pairs[1][0]
    assert pairs[0][1] is pairs[1][1]


def test_two_apps_have_a_connection_each(make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder) -> None:
    """In nested contexts of two apps, each call is made by the connection of its own app."""
    us, eu = (make_app(region, host=recorder.url, region=region, **KEYS) for region in ("us-east-1", "eu-west-1"))
    with us.app_context():
        table = thread_model._get_connection()
        with eu.app_context():
            assert thread_model._get_connection() is not table
            thread_model.get("forum", "subject")
        assert thread_model._get_connection() is table
        thread_model.get("forum", "subject")
    assert [request.region for request in recorder.requests] == ["eu-west-1", "us-east-1"]


def test_two_tenants_have_a_connection_each(make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """The connection of a tenant's block is that of no other tenant, and not that of the context around the block."""
    tenants = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")}
    with make_app(region="us-east-1", tenants=tenants).app_context():
        tables = [thread_model._get_connection()]
        for name in tenants:
            with db.tenant(name):
                tables.append(thread_model._get_connection())
    assert [table.table_name for table in tables] == ["Thread", "acme-Thread", "globex-Thread"]
    assert [table.connection.tenant for table in tables] == [None, "acme", "globex"]


def test_a_change_makes_new_connections(app: flask.Flask, thread_model: t.Any) -> None:
    """After a change of Meta, a model has another connection, and the program's own one still has the old table."""
    with app.app_context():
        before = thread_model._get_connection()
        thread_model.Meta.table_name = "Later"
        assert (before.table_name, thread_model._get_connection().table_name) == ("Thread", "Later")


def test_eight_threads_on_a_cold_model_make_one_client(app: flask.Flask, thread_model: t.Any) -> None:
    """Threads that use a model for the first time at once share one client."""
    barrier = threading.Barrier(8)

    def client(_: int) -> t.Any:
        with app.app_context():
            barrier.wait()
            return thread_model._get_connection().connection.client

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert len(set(map(id, pool.map(client, range(8))))) == 1


REGIONS = ("eu-west-1", "us-west-2")
TENANTS = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")}


@pytest.fixture
def apps(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> list[flask.Flask]:
    """Two apps with two tenants, whose contexts have used the model before: its first call takes the short way."""
    apps = [make_app(region, host=recorder.url, region=region, tenants=TENANTS, **KEYS) for region in REGIONS]
    for app in apps * 2:
        with app.app_context():
            thread_model.get("forum", "subject")
    recorder.requests.clear()
    return apps


def places(recorder: recorders.Recorder) -> list[tuple[str, str]]:
    """The regions and the tables of the requests."""
    return [(request.region, request.body["TableName"]) for request in recorder.requests]


def test_a_first_call_is_for_its_own_app_in_any_order(
    apps: list[flask.Flask], thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """The first call of a model in a context goes to the app of the context, also in nested contexts."""
    one, other = apps
    for app in (one, other, one):
        with app.app_context():
            thread_model.get("forum", "subject")
    with one.app_context(), other.app_context():
        thread_model.get("forum", "subject")
    assert places(recorder) == [(region, "Thread") for region in (*REGIONS, REGIONS[0], REGIONS[1])]


def test_a_first_call_in_a_tenant_s_block_is_the_tenant_s(
    apps: list[flask.Flask], db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """The first call of a context may be in a tenant's block, before or after that of the context itself."""
    for app in apps:
        with app.app_context():
            with db.tenant("acme"):
                thread_model.get("forum", "subject")
            thread_model.get("forum", "subject")
            with db.tenant("globex"):
                thread_model.get("forum", "subject")
    tables = ("acme-Thread", "Thread", "globex-Thread")
    assert places(recorder) == [(region, table) for region in REGIONS for table in tables]


def test_a_first_call_sees_what_the_context_has_changed(
    apps: list[flask.Flask], db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """A change of Meta and a block with settings count at the first call, and end with their context."""
    one, other = apps
    with one.app_context():
        thread_model.Meta.table_name = "Changed"
        thread_model.get("forum", "subject")
    with other.app_context(), db.using(region="ap-south-1"):
        thread_model.get("forum", "subject")
    for app in apps:
        with app.app_context():
            thread_model.get("forum", "subject")
    changed = [(REGIONS[0], "Changed"), ("ap-south-1", "Thread")]
    assert places(recorder) == [*changed, *((region, "Thread") for region in REGIONS)]


def test_a_change_after_the_first_call_counts_from_then_on(
    apps: list[flask.Flask], thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """What the first call has opened is not used after a change."""
    for app in apps:
        with app.app_context():
            thread_model.get("forum", "subject")
            thread_model.Meta.table_name = f"{app.name}-Changed"
            thread_model.get("forum", "subject")
    assert places(recorder) == [(region, table) for region in REGIONS for table in ("Thread", f"{region}-Changed")]


def test_a_first_call_is_for_the_tenant_of_a_later_loader(
    apps: list[flask.Flask], db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """A loader that the program registers after calls without a tenant names the tenant of the next context."""
    names = iter(["acme", "globex", None])
    db.tenant_loader(lambda: next(names))
    for app in (*apps, apps[0]):
        with app.app_context():
            thread_model.get("forum", "subject")
    tables = ("acme-Thread", "globex-Thread", "Thread")
    assert places(recorder) == list(zip((*REGIONS, REGIONS[0]), tables, strict=True))


def test_a_first_call_without_a_tenant_is_refused_where_one_is_required(
    make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """In an app that requires a tenant, calls of another app and calls without a tenant on purpose open nothing."""
    free, strict = (
        make_app(region, host=recorder.url, region=region, require_tenant=is_required, **KEYS)
        for region, is_required in zip(REGIONS, (False, True), strict=True)
    )
    for _ in range(2):
        with free.app_context():
            thread_model.get("forum", "subject")
        with strict.app_context():
            with db.without_tenant(reason="test"):
                thread_model.get("forum", "subject")
            with pytest.raises(TenantRequired):
                thread_model.get("forum", "subject")
    assert [request.region for request in recorder.requests] == list(REGIONS * 2)


def test_a_first_call_of_a_class_that_shares_a_meta_is_checked_by_itself(
    make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """A class that shares its base's table is on the table of its own app; both have one connection in a context."""

    class Reply(thread_model):
        pass

    apps = [make_app(region, host=recorder.url, region=region, **KEYS) for region in REGIONS]
    for app in apps * 2:
        with app.app_context():
            for model in (thread_model, Reply):
                model.get("forum", "subject")
            assert Reply._get_connection() is thread_model._get_connection()
    assert places(recorder) == [(region, "Thread") for region in REGIONS * 2 for _ in range(2)]


def test_a_first_call_outlives_no_context(apps: list[flask.Flask], thread_model: t.Any) -> None:
    """The connection of a first call is refused after the end of its context, and the next context has another."""
    tables = []
    for app in apps * 2:
        with app.app_context():
            thread_model.get("forum", "subject")
            tables.append(thread_model._get_connection())
    assert len(set(map(id, tables))) == len(tables)
    for table in tables:
        with pytest.raises(RuntimeError, match="has ended"):
            table.get_item("forum", "subject")


def test_a_first_call_passes_an_init_that_is_patched_later(
    apps: list[flask.Flask], thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """PynamoDB's ``__init__`` may be patched after the table was opened: each app's connection passes it."""
    init, seen = pynamodb.connection.Connection.__init__, []

    def patched(connection: t.Any, *args: t.Any, **options: t.Any) -> None:
        seen.append(options["region"])
        init(connection, *args, **options)

    for app in apps:
        with app.app_context(), mock.patch.object(pynamodb.connection.Connection, "__init__", patched):
            thread_model.get("forum", "subject")
    assert seen == [*REGIONS]
    assert places(recorder) == [(region, "Thread") for region in REGIONS]


def test_a_first_call_of_a_kept_scope_is_refused_after_its_context(
    apps: list[flask.Flask], thread_model: t.Any
) -> None:
    """A scope that the program keeps opens no table later, neither outside of contexts nor in another app's."""
    with apps[0].app_context():
        kept = apps[0].extensions["dynamo"].scope
    for context in (contextlib.nullcontext(), apps[1].app_context()):
        with context, pytest.raises(RuntimeError, match="that has ended"):
            kept.codec_for(thread_model, find_codec)
            kept.model_table(thread_model)


def test_a_model_whose_meta_was_replaced_is_refused_at_its_next_first_call(
    apps: list[flask.Flask], thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Meta that the program puts in place of another counts for no app until db.register has seen it."""
    with apps[0].app_context():
        thread_model.get("forum", "subject")
    monkeypatch.setattr(thread_model, "Meta", type("Meta", (), {"table_name": "Another"}))
    for app in apps:
        with app.app_context(), pytest.raises(RuntimeError, match=r"db\.register"):
            thread_model.get("forum", "subject")


def test_a_class_of_another_extension_is_refused_although_its_table_is_open(
    apps: list[flask.Flask], thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """That an app has opened a table for a model says nothing of another class with the same Meta."""
    other: t.Any = dynaflask.Dynamo().Model

    class Foreign(other, thread_model):
        pass

    for app in apps:
        with app.app_context(), pytest.raises(RuntimeError, match="another Dynamo"):
            Foreign.get("forum", "subject")
    assert recorder.requests == []
