"""``db.recorded_operations()``: each request, and each context without a request, keeps its own operations."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import contextvars
import typing as t

import flask
import pytest

import dynaflask
from dynaflask.operations import context_record
from dynaflask.operations.context_record import current_request
from dynaflask.operations.context_record import record_of
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def make(make_app: MakeApp, recorder: recorders.Recorder) -> MakeApp:
    """Makes an app that keeps its operations."""

    def make(name: str = "app", **settings: t.Any) -> flask.Flask:
        settings = {"record_operations": True, "host": recorder.url, "region": "us-east-1", **KEYS, **settings}
        return make_app(name, max_retry_attempts=0, **settings)

    return make


def names(db: dynaflask.Dynamo) -> list[str]:
    """The names of the recorded operations."""
    return [operation.operation for operation in db.recorded_operations()]


def test_a_context_keeps_its_operations(make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """The operations of a context are kept in their order, each with its line; the next context starts without any."""
    app = make()
    with app.app_context():
        assert names(db) == []
        thread_model.get("forum", "subject")
        thread_model("forum", "subject").save()
        assert names(db) == ["GetItem", "PutItem"]
        caller = db.recorded_operations()[0].caller
        assert caller is not None
        assert (caller.file, caller.function) == (__file__, "test_a_context_keeps_its_operations")
    with app.app_context():
        assert names(db) == []


def test_each_request_of_a_shared_context_has_its_own(make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """A request inside a context, as of a test client, keeps its own operations, with its route."""
    app = make()
    records: list[list[tuple[str, str | None]]] = []

    @app.get("/")
    def show() -> str:
        thread_model.get("forum", "subject")
        records.append([(operation.operation, operation.route) for operation in db.recorded_operations()])
        return ""

    with app.app_context():
        list(thread_model.query("forum"))
        for _ in range(2):
            app.test_client().get("/")
        assert records == [[("GetItem", "show")]] * 2
        assert [(operation.operation, operation.route) for operation in db.recorded_operations()] == [("Query", None)]


def test_two_apps_and_two_tenants(make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """A nested context of another app keeps its own operations, also in a request. Each operation has its tenant."""
    us, eu = make("us"), make("eu", table_prefix="eu-")
    with us.test_request_context("/"):
        with db.tenant("acme"):
            thread_model.get("forum", "subject")
        with eu.app_context(), db.tenant("globex"):
            thread_model.get("forum", "subject")
            inner = db.recorded_operations()
        with db.tenant("globex"):
            thread_model.get("forum", "subject")
        outer = db.recorded_operations()
    assert [(operation.app_name, operation.table, operation.tenant) for operation in inner] == [
        ("eu", "eu-Thread", "globex")
    ]
    assert [(operation.app_name, operation.table, operation.tenant) for operation in outer] == [
        ("us", "Thread", "acme"),
        ("us", "Thread", "globex"),
    ]


def test_a_streamed_response_continues_the_record(make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """What ``stream_with_context`` sends while it streams belongs to the record of the request."""
    app = make()
    seen: list[list[str]] = []

    @app.get("/")
    def show() -> flask.Response:
        thread_model.get("forum", "subject")

        def stream() -> cabc.Iterator[str]:
            yield "first"
            list(thread_model.query("forum"))
            seen.append(names(db))

        return flask.Response(flask.stream_with_context(stream()))

    assert app.test_client().get("/").text == "first"
    assert seen == [["GetItem", "Query"]]


def test_threads_share_the_record_of_their_context(make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """Threads that copy a context add to its record, and no operation is lost."""
    with make().test_request_context("/"), concurrent.futures.ThreadPoolExecutor(4) as executor:

        def read() -> None:
            for _ in range(5):
                thread_model.get("forum", "subject")

        futures = [executor.submit(contextvars.copy_context().run, read) for _ in range(4)]
        for future in futures:
            future.result()
        assert names(db) == ["GetItem"] * 20


def test_the_record_is_bounded(
    make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long context keeps its last operations."""
    monkeypatch.setattr(context_record, "MAX_OPERATIONS", 2)
    with make().app_context():
        thread_model("forum", "subject").save()
        thread_model.get("forum", "subject")
        list(thread_model.query("forum"))
        assert names(db) == ["GetItem", "Query"]


def test_an_object_that_is_used_in_another_app(make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """An operation that ends in the context of another app is in the record of neither."""
    us, eu = make("us"), make("eu")
    with us.app_context():
        connection = db.connection
        with eu.app_context():
            connection.list_tables()
            connection.dispatch("GetItem", {"TableName": "Thread", "Key": {"id": {"S": "1"}}})
            assert names(db) == []
        assert names(db) == []


@pytest.mark.parametrize("other", ["us", "eu"])
def test_a_program_copies_g(make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, other: str) -> None:
    """A program may copy all that ``flask.g`` has. Another tenant, and another app, have a record of their own."""
    tenants = {"acme": {}, "globex": {}}
    apps = {name: make(name, tenants=tenants) for name in ("us", "eu")}
    with apps["us"].app_context() as context, db.tenant("acme"):
        thread_model.get("forum", "subject")
        with apps[other].app_context(), db.tenant("globex"):
            for name in context.g:
                setattr(flask.g, name, context.g.get(name))
            thread_model("forum", "subject").save()
            assert [(each.tenant, each.operation) for each in db.recorded_operations()] == [("globex", "PutItem")]
        assert [(each.tenant, each.operation) for each in db.recorded_operations()] == [("acme", "GetItem")]


def test_a_context_that_is_pushed_again(make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """A worker may push one context for each of its jobs: a job does not see the operations of the one before."""
    context = make().app_context()
    for _ in range(2):
        with context:
            assert names(db) == []
            thread_model.get("forum", "subject")
            assert names(db) == ["GetItem"]


def test_outside_of_contexts_there_is_no_record(make: MakeApp) -> None:
    """Without a context there is no request and no record."""
    app = make()
    assert current_request(app) is None
    assert record_of(app) is None
    assert record_of(None) is None
