"""The connections of a scope: its own objects, on clients that contexts share."""

from __future__ import annotations

import concurrent.futures
import threading
import typing as t

import flask

import dynaflask
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
