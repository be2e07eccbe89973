"""No call, block or context leaves a reference cycle, which would wait for the garbage collector."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import gc
import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import VersionAttribute
from pynamodb.exceptions import PutError

import dynaflask
from dynaflask.exceptions import BatchWriteError
from dynaflask.exceptions import TenantMismatch
from tests.support.models import declare_thread
from tests.support.recorder import Answer
from tests.support.recorder import Recorder
from tests.support.recorder import Request
from tests.support.recorder import plain_answer
from tests.support.settings import KEYS

REPEATS = 5

db = dynaflask.Dynamo()
Thread = declare_thread(db)


class Counted(db.Model):  # type: ignore[name-defined]
    """A model with a version, whose items need PynamoDB's further steps."""

    class Meta:
        """Its table."""

        table_name = "Counted"

    id = UnicodeAttribute(hash_key=True)
    version = VersionAttribute()


class Owned(db.Model):  # type: ignore[name-defined]
    """A model of a table that all tenants share."""

    class Meta:
        """Its table."""

        table_name = "Owned"

    tenant = dynaflask.TenantKey(hash_key=True)
    id = UnicodeAttribute(range_key=True)


def answer(request: Request) -> Answer:
    """Pages of two items. Some objects are refused, or left unprocessed, because of their subjects."""
    if "fail" in str(request.body):
        return 400, {"__type": "ValidationException", "message": "It is to fail."}
    if request.operation in {"Query", "Scan"}:
        keys = [{"forum_name": {"S": "f"}, "subject": {"S": subject}} for subject in "ab"]
        more = {} if "ExclusiveStartKey" in request.body else {"LastEvaluatedKey": keys[-1]}
        return {"Items": keys, "Count": 2, "ScannedCount": 2, **more}
    if "'unprocessed'" in str(request.body):
        return {"UnprocessedItems": request.body["RequestItems"]}
    return plain_answer(request)


def batch(*items: t.Any) -> None:
    """Save objects and delete one, in one batch."""
    with items[0].batch_write() as written:
        for item in items:
            written.save(item)
        written.delete(items[0].__class__("f", "deleted"))


def abandoned_batch() -> None:
    """Leave a batch by an error."""
    with contextlib.suppress(ZeroDivisionError), Thread.batch_write() as written:
        written.save(Thread("f", "s"))
        raise ZeroDivisionError


def unprocessed_batch() -> None:
    """Write a batch that DynamoDB leaves unprocessed."""
    with contextlib.suppress(BatchWriteError):
        batch(Thread("f", "unprocessed"))


def foreign_batch() -> None:
    """Write a batch with another tenant's object."""
    with db.tenant("acme"):
        item = Thread.get("f", "s")
    with db.tenant("globex"), contextlib.suppress(TenantMismatch):
        batch(item)


def refused_save() -> None:
    """Save an object that DynamoDB refuses."""
    with contextlib.suppress(PutError):
        Thread("f", "fail").save()


def transaction() -> None:
    """Read and write in transactions."""
    with db.transact_write() as write:
        write.save(Thread("f", "1"))
        write.update(Thread("f", "2"), actions=[Thread.views.set(1)])
        write.delete(Thread("f", "3"))
    with db.transact_get() as read:
        future = read.get(Thread, "f", "s")
    future.get()


def using() -> None:
    """Read in a block with another table."""
    with db.using(table_prefix="other-"):
        Thread.get("f", Thread.Meta.table_name)


def tenant(call: cabc.Callable[[], object]) -> cabc.Callable[[], None]:
    """A call in a block of a tenant, and then in one of another."""

    def calls() -> None:
        for name in ("acme", "globex"):
            with db.tenant(name):
                call()

    return calls


def without_tenant() -> None:
    """Read in a block without a tenant."""
    with db.without_tenant(reason="test"):
        Thread.get("f", "s")


CALLS: dict[str, cabc.Callable[[], object]] = {
    "get": lambda: Thread.get("f", "s"),
    "refresh": lambda: Thread("f", "s").refresh(),
    "save": lambda: Thread("f", "s").save(),
    "save refused": refused_save,
    "save with a version": lambda: Counted("1").save(),
    "update": lambda: Thread("f", "s").update(actions=[Thread.views.set(1)]),
    "delete": lambda: Thread("f", "s").delete(),
    "condition": lambda: Thread("f", "s").save(Thread.forum_name.does_not_exist()),
    "query": lambda: list(Thread.query("f")),
    "query abandoned": lambda: next(Thread.query("f")),
    "query never read": lambda: Thread.query("f"),
    "index": lambda: list(Thread.view_index.query(1)),
    "scan": lambda: list(Thread.scan()),
    "scan abandoned": lambda: next(Thread.scan()),
    "count": lambda: Thread.count("f"),
    "paginate": lambda: db.paginate(Thread.query, "f", per_page=2).next_cursor,
    "batch get": lambda: list(Thread.batch_get([("f", "a"), ("f", "b")])),
    "batch get abandoned": lambda: next(Thread.batch_get([("f", "a"), ("f", "b")])),
    "batch get never read": lambda: Thread.batch_get([("f", "a")]),
    "batch write": lambda: batch(Thread("f", "a"), Thread("f", "b")),
    "batch write abandoned": abandoned_batch,
    "batch write unprocessed": unprocessed_batch,
    "transaction": transaction,
    "Meta": lambda: Thread.Meta.table_name,
    "using": using,
    "without tenant": without_tenant,
    "tenant": tenant(lambda: Thread.get("f", "s")),
    "tenant's batch write": tenant(lambda: batch(Thread("f", "a"), Thread("f", "b"))),
    "tenant's batch get": tenant(lambda: list(Thread.batch_get([("f", "a")]))),
    "another tenant's batch write": foreign_batch,
    "tenant's query": tenant(lambda: list(Thread.query("f"))),
    "tenant's transaction": tenant(transaction),
    "tenant key": tenant(lambda: Owned("x", "1").save()),
}


@pytest.fixture
def app(recorder: Recorder) -> flask.Flask:
    """An app with two tenants, one of them with a table of its own."""
    recorder.answer = answer
    app = flask.Flask("app")
    app.config.from_mapping(
        {f"DYNAMODB_{name.upper()}": value for name, value in KEYS.items()},
        SECRET_KEY="secret",
        DYNAMODB_HOST=recorder.url,
        DYNAMODB_REGION="us-east-1",
        DYNAMODB_TRANSPORT="direct",
        DYNAMODB_MAX_RETRY_ATTEMPTS=0,
        DYNAMODB_TENANTS={"acme": {}, "globex": {"table_prefix": "globex-"}},
    )
    db.init_app(app)
    return app


def left_by(call: cabc.Callable[[], object]) -> dict[str, int]:
    """The types of the objects that each run of a call leaves to the garbage collector."""
    call()  # the first one makes clients and codecs
    # What the tests before have left: the end of one cycle may free another, such as a client's session.
    while gc.collect():
        pass
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(REPEATS):
            call()
        gc.collect()
        types = collections.Counter(type(garbage).__name__ for garbage in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    # Fewer objects than runs are those of another thread.
    return {name: number for name, number in types.items() if number >= REPEATS}


@pytest.mark.parametrize("call", CALLS)
def test_calls(call: str, app: flask.Flask) -> None:
    """A call, and a block around it, leave nothing to the garbage collector."""
    with app.app_context():
        assert left_by(CALLS[call]) == {}


@pytest.mark.parametrize("call", CALLS)
def test_contexts(call: str, app: flask.Flask) -> None:
    """Nor does a context in which the call was made."""

    def use() -> None:
        with app.app_context():
            CALLS[call]()

    assert left_by(use) == {}


def test_a_cycle_is_found(app: flask.Flask) -> None:
    """These tests find what a call leaves."""

    def leave_a_cycle() -> None:
        cycle = {"scope": db.registry.scope}
        cycle["itself"] = cycle  # type: ignore[assignment]

    with app.app_context():
        assert left_by(leave_a_cycle) == {"dict": REPEATS}


def test_requests_in_a_context(app: flask.Flask) -> None:
    """Flask's test client leaves the request, but no connection of a request that had a tenant of its own."""
    own_db = dynaflask.Dynamo()
    own_thread = declare_thread(own_db)
    inner = flask.Flask("inner")
    inner.config.update({name: value for name, value in app.config.items() if name.startswith("DYNAMODB_")})
    own_db.init_app(inner)
    own_db.tenant_loader(lambda: flask.request.args.get("tenant") if flask.has_request_context() else None)
    inner.add_url_rule("/", view_func=lambda: own_thread.get("f", "s").subject)

    def requests() -> None:
        for name in ("acme", "globex"):
            assert inner.test_client().get("/", query_string={"tenant": name}).status_code == 200

    with inner.app_context():
        own_thread.get("f", "s")
        assert {"Scope", "ScopeCache", "Connection"}.isdisjoint(left_by(requests))
