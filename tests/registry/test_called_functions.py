"""Functions that Flask, PynamoDB and Python call on their own, and patches: each call stays in its app and tenant."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import gc
import logging
import threading
import typing as t
from unittest import mock

import flask
import pynamodb.connection
import pynamodb.connection.base
import pynamodb.models
import pytest
from pynamodb.signals import post_dynamodb_send
from pynamodb.signals import pre_dynamodb_send

from dynaflask import TenantMismatch
from dynaflask.integrations.logging import ContextFilter
from dynaflask.operations.operation import operation_finished
from tests.support import two_apps
from tests.support.recorder import Answer
from tests.support.recorder import Request
from tests.support.two_apps import World

pytestmark = pytest.mark.unmeasured

TRANSPORTS = ("direct", "botocore", "stock")
CAPACITY = {"TableName": "Thread", "CapacityUnits": 1.0}
#: How a request ends, and what is called on the way, in order. All of it saves an item.
REQUESTS = {
    "": ["view", "after this request", "after request", "teardown request", "teardown context"],
    "before": ["before request", "404", "after request", "teardown request", "teardown context"],
    "abort": ["view", "404", "after this request", "after request", "teardown request", "teardown context"],
    "fail": ["view", "500", "after this request", "after request", "teardown request", "teardown context"],
}


class TestHooksOfARequest:
    """All that Flask calls for a request acts for the request's tenant, in its app."""

    @pytest.fixture
    def called(self, world: World) -> list[str]:
        """The names of the functions that were called, each of which has saved an item."""
        world.db.tenant_loader(lambda: flask.request.args.get("tenant") if flask.has_request_context() else None)
        names: list[str] = []
        for app in (world.one, world.two):
            add_hooks(app, lambda name: (names.append(name), world.Thread("forum", name).save()))
        return names

    @pytest.mark.parametrize("end", REQUESTS)
    @pytest.mark.parametrize("around", ["nothing", "own app", "other app"])
    def test_any_end(self, world: World, called: list[str], end: str, around: str) -> None:
        """However it ends, and whatever block is around it."""
        outer = {"nothing": None, "own app": world.two, "other app": world.one}[around]
        with contextlib.ExitStack() as stack:
            if outer is not None:
                stack.enter_context(outer.app_context())
                stack.enter_context(world.db.tenant("globex"))
            world.two.test_client().get("/", query_string={"tenant": "acme", "end": end})
            # Flask runs a request in a pushed context of its app, which is torn down later.
            expected = REQUESTS[end][: -1 if around == "own app" else None]
            assert called == expected
            assert world.sent() == ["two acme-Thread"] * len(expected)
            if outer is not None:
                world.Thread("forum", "around").save()
                assert world.sent() == [f"{outer.name} globex-Thread"]


class TestReceiversOfSignals:
    """A receiver of a signal, in the middle of a call, may make calls of its own."""

    @pytest.mark.parametrize("transport", TRANSPORTS)
    @pytest.mark.parametrize(
        "signal", [pre_dynamodb_send, post_dynamodb_send, operation_finished], ids=["pre", "post", "finished"]
    )
    def test_calls_of_a_receiver(self, transport: str, signal: t.Any) -> None:
        """They go where the receiver says, and the call around them stays at its own place."""
        with two_apps.two_apps(transport=transport) as world:
            busy = threading.Lock()

            def receive(*_: t.Any, **__: t.Any) -> None:
                if busy.acquire(blocking=False):
                    with busy_until_end(busy), world.two.app_context(), world.db.tenant("globex"):
                        world.Thread("forum", "receiver").save()

            with world.one.app_context(), world.db.tenant("acme"), signal.connected_to(receive):
                item = world.Thread("forum", "subject")
                for call in (item.save, item.refresh, lambda: list(world.Thread.query("forum")), item.delete):
                    call()
                    assert sorted(world.sent()) == ["one acme-Thread", "two globex-Thread"]
                item.save()

    def test_what_is_observed(self) -> None:
        """Signals and log lines of a call have its app and its tenant, and are the same with each transport."""
        observed = {}
        for transport in TRANSPORTS:
            with two_apps.two_apps(transport=transport, slow_seconds=1e-9, costly_units=0.5) as world:
                world.answer = answer
                with observing(world) as events:
                    for app, tenant in (("one", "acme"), ("two", "acme"), ("one", "north"), ("two", "globex")):
                        with getattr(world, app).app_context(), world.db.tenant(tenant):
                            # The first call of each operation is made by botocore.
                            for _ in range(2):
                                for call in calls(world):
                                    start = len(events)
                                    call()
                                    assert {event[1:3] for event in events[start:]} == {(app, tenant)}
                observed[transport] = (events, world.sent())
        assert observed["direct"] == observed["botocore"] == observed["stock"]
        assert {event[0] for event in observed["stock"][0]} == {"pre", "post", "finished", "log"}


class TestFinalizers:
    """Python calls ``__del__`` in any context. What it uses stays in its own, or is refused."""

    def test_in_a_context_of_the_other_app(self, world: World) -> None:
        """Kept results and tables go to their own place, an object is refused."""
        done: list[str] = []

        class Holder:
            def __init__(self) -> None:
                self.item, self.results = world.Thread.get("forum", "subject"), world.Thread.query("forum")
                self.cycle = self

            def __del__(self) -> None:
                with pytest.raises(TenantMismatch):
                    self.item.save()
                done.append(next(self.results).subject)

        with world.one.app_context(), world.db.tenant("acme"):
            Holder()
            with world.two.app_context(), world.db.tenant("acme"):
                gc.collect()
                world.Thread("forum", "subject").save()
        assert done == ["subject"]
        assert world.sent() == ["one acme-Thread", "one acme-Thread", "two acme-Thread"]


def test_patches_that_come_and_go(world: World) -> None:
    """While another thread patches PynamoDB's classes, and takes the patches back, each call goes to its own place."""
    marks = Marks(world)
    threads = [threading.Thread(target=marks.work, args=place) for place in PLACES]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for owner, name in PATCHED:
            with patched(owner, name):
                threads[0].join(0.001)
    assert marks.wrong == []
    assert len(world.sent()) == len(PLACES) * CALLS_OF_A_THREAD


class Marks:
    """Each place has a number, which its items have.

    Attributes:
        wrong: What had the number of another place.
    """

    def __init__(self, world: World) -> None:
        self.world, self.wrong = world, list[t.Any]()
        self._numbers = {place: number for number, place in enumerate(PLACES)}
        world.answer = self._answer

    def work(self, app: str, tenant: str) -> None:
        """Make calls for a tenant of an app."""
        thread = self.world.Thread
        with getattr(self.world, app).app_context(), self.world.db.tenant(tenant):
            for _ in range(CALLS_OF_A_THREAD // 4):
                item = thread.get("forum", "subject")
                item.save()
                item.update([thread.views.set(1)])
                item.refresh()
                if item.views != self._numbers[app, tenant]:
                    self.wrong.append((app, tenant, item.views))

    def _answer(self, request: Request) -> Answer:
        prefix, dash, _ = str(request.body["TableName"]).partition("-")
        number = {"N": str(self._numbers[request.access_key_id.partition("-")[0], prefix if dash else "north"])}
        if request.operation == "PutItem" and request.body["Item"]["views"] != number:
            self.wrong.append(request)
        item = {**two_apps.ITEM, "views": number}
        return {"GetItem": {"Item": item}, "UpdateItem": {"Attributes": item}}.get(request.operation, {})


CALLS_OF_A_THREAD = 160
#: The places of the threads: apps and tenants.
PLACES = [(app, tenant) for app in ("one", "two") for tenant in ("acme", "globex", "north")]
#: What tests patch.
PATCHED: list[tuple[type, str]] = [
    (pynamodb.models.Model, "get"),
    (pynamodb.models.Model, "serialize"),
    (pynamodb.models.Model, "deserialize"),
    (pynamodb.models.Model, "_get_save_args"),
    (pynamodb.connection.Connection, "get_item"),
    (pynamodb.connection.Connection, "put_item"),
    (pynamodb.connection.Connection, "dispatch"),
    (pynamodb.connection.Connection, "_make_api_call"),
    (pynamodb.connection.TableConnection, "get_item"),
    (pynamodb.connection.TableConnection, "update_item"),
    (pynamodb.connection.base.MetaTable, "get_identifier_map"),
]


def patched(owner: type, name: str) -> t.Any:
    """A patch of a method that calls the method."""
    method = vars(owner)[name]
    function = getattr(method, "__func__", method)

    def call(*args: t.Any, **options: t.Any) -> t.Any:
        return function(*args, **options)

    return mock.patch.object(owner, name, classmethod(call) if isinstance(method, classmethod) else call)


@contextlib.contextmanager
def busy_until_end(busy: threading.Lock) -> cabc.Iterator[None]:
    """Release a lock at the end."""
    try:
        yield
    finally:
        busy.release()


def add_hooks(app: flask.Flask, save: cabc.Callable[[str], t.Any]) -> None:
    """Add a view and each kind of function that Flask calls around it."""

    @app.before_request
    def before() -> None:
        if flask.request.args["end"] == "before":
            save("before request")
            flask.abort(404)

    @app.get("/")
    def view() -> str:
        save("view")

        @flask.after_this_request
        def after_this(response: flask.Response) -> flask.Response:
            save("after this request")
            return response

        if flask.request.args["end"] == "abort":
            flask.abort(404)
        if flask.request.args["end"] == "fail":
            raise ZeroDivisionError
        return ""

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        save("after request")
        return response

    app.register_error_handler(404, lambda error: (save("404"), ("", 404))[1])
    app.register_error_handler(ZeroDivisionError, lambda error: (save("500"), ("", 500))[1])
    app.teardown_request(lambda error: save("teardown request"))
    app.teardown_appcontext(lambda error: save("teardown context"))


def answer(request: Request) -> Answer:
    """An item, and a consumed capacity."""
    content: dict[str, t.Any] = {"ConsumedCapacity": CAPACITY}
    if request.operation == "GetItem":
        content["Item"] = two_apps.ITEM
    if request.operation == "UpdateItem":
        content["Attributes"] = two_apps.ITEM
    return content if request.operation in CALLED else two_apps.plain_answer(request)


CALLED = {"GetItem", "PutItem", "UpdateItem", "DeleteItem"}


def calls(world: World) -> list[cabc.Callable[[], t.Any]]:
    """A call of each operation with a fast path, and some without one."""
    thread = world.Thread

    def write() -> None:
        with thread.batch_write() as batch:
            batch.save(thread("forum", "subject"))

    return [
        lambda: thread.get("forum", "subject"),
        lambda: thread("forum", "subject").save(),
        lambda: thread("forum", "subject").update([thread.views.set(1)]),
        lambda: thread("forum", "subject").delete(),
        lambda: thread("forum", "subject").refresh(),
        lambda: thread.count("forum"),
        write,
    ]


@contextlib.contextmanager
def observing(world: World) -> cabc.Iterator[list[tuple[t.Any, ...]]]:
    """What receivers of signals and handlers of logs get: the kind, the app, the tenant, and more."""
    events: list[tuple[t.Any, ...]] = []

    def here() -> tuple[str, str | None]:
        return flask.current_app.name, world.db.current_tenant

    def pre(sender: t.Any, operation_name: str, table_name: str, **_: t.Any) -> None:
        events.append(("pre", *here(), operation_name, table_name))

    def post(sender: t.Any, operation_name: str, table_name: str, **_: t.Any) -> None:
        events.append(("post", *here(), operation_name, table_name))

    def finished(sender: flask.Flask, operation: t.Any, **_: t.Any) -> None:
        assert here() == (sender.name, operation.tenant)
        events.append(("finished", sender.name, operation.tenant, operation.operation, operation.table))

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            fields = t.cast("t.Any", record)
            events.append(("log", fields.app, fields.tenant, record.name, record.levelname))

    handler, logger = Handler(), logging.getLogger("dynaflask.slow")
    handler.addFilter(ContextFilter())
    logger.addHandler(handler)
    try:
        with (
            pre_dynamodb_send.connected_to(pre),
            post_dynamodb_send.connected_to(post),
            operation_finished.connected_to(finished),
        ):
            yield events
    finally:
        logger.removeHandler(handler)
