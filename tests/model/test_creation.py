"""``Model.get_or_create``, and PynamoDB's own atomic writes, with several writers at the same time."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import typing as t

import flask
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import VersionAttribute

import dynaflask
from dynaflask import ConditionFailed
from dynaflask import TenantKey
from dynaflask.testing import count_operations
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

WRITERS = 8
PAST = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)


def make(db: dynaflask.Dynamo, engine: engines.Engine, account: engines.Account, **settings: t.Any) -> flask.Flask:
    """An app on an engine."""
    app = flask.Flask("creation")
    app.config.update(engine.settings(account), **settings)
    db.init_app(app)
    return app


def at_once(app: flask.Flask, call: t.Callable[[int], t.Any], *, times: int) -> list[t.Any]:
    """The results of calls in several threads, each in a context of its own."""

    def run(number: int) -> t.Any:
        with app.app_context():
            return call(number)

    with concurrent.futures.ThreadPoolExecutor(WRITERS) as executor:
        return list(executor.map(run, range(times)))


@pytest.fixture
def counter(db: dynaflask.Dynamo) -> t.Any:
    """A model with a version and a time to live."""

    class Counter(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Counter"
            hide_expired = True

        name = UnicodeAttribute(hash_key=True)
        kind = UnicodeAttribute(range_key=True)
        writer = NumberAttribute(null=True)
        total = NumberAttribute(default=0)
        expires = TTLAttribute(null=True)
        version = VersionAttribute()

    return Counter


@pytest.mark.parametrize("transport", ["direct", "stock"])
def test_one_of_many_creates(
    ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, counter: t.Any, transport: str
) -> None:
    """Of several callers at the same time, one creates the item. All get that item, and nothing is overwritten."""
    app = make(db, ministack, account, DYNAMODB_TRANSPORT=transport)
    with app.app_context():
        db.create_all(wait=True)
    calls = [(name, number) for number in range(WRITERS) for name in range(10)]

    def create(position: int) -> tuple[int, int, bool]:
        name, number = calls[position]
        item, is_new = counter.get_or_create(f"{name}", "views", writer=number)
        return name, item.writer, is_new

    results = at_once(app, create, times=len(calls))
    with app.app_context():
        for name in range(10):
            stored = counter.get(f"{name}", "views")
            assert {writer for each, writer, _ in results if each == name} == {stored.writer}
            assert [writer for each, writer, is_new in results if each == name and is_new] == [stored.writer]
            assert stored.version == 1


def test_the_item_is_like_one_that_was_read(
    engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, counter: t.Any
) -> None:
    """It costs one request, and the item can be changed and saved, with its version."""
    with make(db, engine, account).app_context():
        db.create_all(wait=True)
        counter("a", "views", total=5).save()
        with count_operations() as counts:
            item, is_new = counter.get_or_create("a", "views", total=7)
        assert (item.total, item.version, is_new, dict(counts.by_operation)) == (5, 1, False, {"PutItem": 1})
        item.total = 6
        item.save()
        new, is_new = counter.get_or_create("a", kind="likes")
        assert (new.total, new.version, is_new) == (0, 1, True)
        new.save()
        assert [(each.kind, each.total, each.version) for each in counter.query("a")] == [
            ("likes", 0, 2),
            ("views", 6, 2),
        ]


def test_an_expired_item_is_replaced(
    engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, counter: t.Any
) -> None:
    """For a model that hides expired items, one is as if absent."""
    with make(db, engine, account).app_context():
        db.create_all(wait=True)
        counter("a", "views", total=5, expires=PAST).save()
        item, is_new = counter.get_or_create("a", "views")
        assert (item.total, is_new, counter.get("a", "views").total) == (0, True, 0)


def test_two_apps_and_two_tenants_have_their_own(ministack: engines.Engine, db: dynaflask.Dynamo) -> None:
    """Each app, and each tenant of a shared table, creates its own item."""

    class Note(dynaflask.Model):
        class Meta:
            table_name = "Note"

        folder = TenantKey(hash_key=True)
        text = UnicodeAttribute()

    other_db = dynaflask.Dynamo()
    for name, each in (("one", db), ("other", other_db)):
        with make(each, ministack, engines.Account()).app_context():
            each.create_all(wait=True)
            for tenant in ("acme", "globex"):
                with each.tenant(tenant):
                    assert Note.get_or_create("in", text=f"{name} {tenant}")[1]
                    item, is_new = Note.get_or_create("in", text="late")
                    assert (item.text, is_new) == (f"{name} {tenant}", False)


def test_an_endpoint_without_the_item_is_an_error(
    make_app: MakeApp, recorder: recorders.Recorder, counter: t.Any
) -> None:
    """A second request could find another item, or none. So the error is raised."""
    recorder.answer = lambda request: (400, {"__type": "ConditionalCheckFailedException", "message": "no"})
    with make_app(host=recorder.url, region="eu-west-1", **KEYS).app_context(), pytest.raises(ConditionFailed):
        counter.get_or_create("a", "views")


def test_an_update_by_key_counts_exactly(
    ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, counter: t.Any
) -> None:
    """PynamoDB's update of an object that was not read is an upsert: it creates the item, and loses no addition."""
    app = make(db, ministack, account)
    with app.app_context():
        db.create_all(wait=True)

    def add(number: int) -> int:
        item = counter("a", "views")
        actions = [counter.total.add(1), counter.writer.set(counter.writer | number)]
        item.update(actions, add_version_condition=False)
        return int(item.total)

    totals = at_once(app, add, times=10 * WRITERS)
    with app.app_context():
        stored = counter.get("a", "views")
    assert sorted(totals) == list(range(1, 10 * WRITERS + 1))
    assert (stored.total, stored.version) == (10 * WRITERS, 10 * WRITERS)
