"""Dropped objects are collected: apps with all that is theirs, contexts, and models that functions declare."""

from __future__ import annotations

import collections.abc as cabc
import gc
import os
import pathlib
import threading
import time
import typing as t
import weakref

import flask
import pynamodb.models
import pytest
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from tests.support import models
from tests.support.recorder import Recorder

pytestmark = pytest.mark.unmeasured

APPS = 400
APPS_PER_ACCOUNT = 10
OPEN_FILES = pathlib.Path("/proc/self/fd")

WAIT_SECONDS = 60

db = dynaflask.Dynamo()
pool = dynaflask.Registry.pool
Thread = models.declare_thread(db)


class Note(db.Model):  # type: ignore[name-defined]
    """A second model."""

    class Meta:
        """Its table."""

        table_name = "Note"

    id = UnicodeAttribute(hash_key=True)


def declare_local() -> t.Any:
    """Declare a model inside a function."""

    class Local(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Local"

        id = UnicodeAttribute(hash_key=True)

    return Local


def make_app(server: Recorder, number: int) -> flask.Flask:
    """Make an app that shares its account, and so its client, with a few others."""
    app = flask.Flask(f"app-{number}")
    app.config.from_mapping(
        DYNAMODB_HOST=server.url,
        DYNAMODB_REGION="us-west-2",
        DYNAMODB_AWS_ACCESS_KEY_ID=f"key-{number // APPS_PER_ACCOUNT}",
        DYNAMODB_AWS_SECRET_ACCESS_KEY="secret",
        DYNAMODB_TABLE_PREFIX=f"{number}-",
    )
    db.init_app(app)
    return app


def use(app: flask.Flask) -> list[t.Any]:
    """Use the app in a context, and return the objects of the context."""
    with app.app_context():
        Thread.Meta.tags = {"a": "b"}
        Thread.get("f", "s")
        with db.using(table_prefix="other-"):
            Note.get("1")
        objects = [db.registry.scope, db.connection, db.tables["Plain"], db.registry.meta(Note)]
        return [*objects, *(model._get_connection() for model in (Thread, Note))]


def alive(references: cabc.Iterable[weakref.ref[t.Any]]) -> list[t.Any]:
    """The objects that still exist after a garbage collection."""
    # The first one closes the clients of dropped apps. Only then is a client with a direct transport, which refers to
    # it, without a reference from outside.
    gc.collect()
    gc.collect()
    return [target for target in (reference() for reference in references) if target is not None]


def open_files() -> int:
    """The number of open files and sockets of the process; 0 if the system does not tell."""
    return len(os.listdir(OPEN_FILES)) if OPEN_FILES.exists() else 0


def becomes_true(claim: t.Callable[[], bool]) -> bool:
    """Wait until the claim is true: the server's threads end a moment after their clients."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not claim() and time.monotonic() < deadline:
        time.sleep(0.01)
    return claim()


def test_apps(recorder: Recorder) -> None:
    """After hundreds of apps there is no app, registry, scope, connection, client, thread or open file of theirs."""
    use(make_app(recorder, 0))
    gc.collect()
    threads, files, clients = threading.active_count(), open_files(), pool.stats().clients
    references: list[weakref.ref[t.Any]] = []
    for number in range(APPS):
        app = make_app(recorder, number)
        references += map(weakref.ref, [app, app.extensions["dynamo"], *use(app)])
    del app
    assert alive(references) == []
    assert len(recorder.requests) == 2 * (1 + APPS)
    assert pool.stats().clients == clients
    assert becomes_true(lambda: open_files() <= files)
    assert becomes_true(lambda: threading.active_count() <= threads)


def test_dedicated_clients(recorder: Recorder) -> None:
    """A client of an app's own is collected with the app."""
    references = []
    for number in range(20):
        app = make_app(recorder, number)
        with app.app_context():
            db.client.list_tables()
            references.append(weakref.ref(db.client))
    del app
    assert alive(references) == []


def test_contexts(recorder: Recorder) -> None:
    """A scope is collected after its context, even if that ended with an error or in a thread."""
    app = make_app(recorder, 0)
    references: list[weakref.ref[t.Any]] = []

    def use_app() -> None:
        references.extend(map(weakref.ref, use(app)))

    for _ in range(100):
        use_app()
        thread = threading.Thread(target=use_app)
        thread.start()
        thread.join()
        with pytest.raises(ZeroDivisionError), app.app_context(), db.using(region="eu-west-1"):
            references.append(weakref.ref(db.registry.scope))
            raise ZeroDivisionError
    assert alive(references) == []


def test_models(recorder: Recorder) -> None:
    """A model that a function declares is collected after its use, and is no longer a model of the app."""
    app = make_app(recorder, 0)
    references: list[weakref.ref[t.Any]] = []
    for _ in range(100):
        model = declare_local()
        with app.app_context():
            model.get("1")
        references.append(weakref.ref(model))
    del model
    assert alive(references) == []
    assert sorted(app.extensions["dynamo"].models) == ["Note", "Thread"]


def test_registered_models(recorder: Recorder) -> None:
    """A registered model is collected after its use."""
    app = make_app(recorder, 0)

    class Plain(pynamodb.models.Model):
        class Meta:
            table_name = "Plain"

        id = UnicodeAttribute(hash_key=True)

    db.register(Plain)
    with app.app_context():
        Plain.get("1")
    reference = weakref.ref(Plain)
    del Plain
    assert alive([reference]) == []
