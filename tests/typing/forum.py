"""A typed program. It is not run: the type checkers compare its types with those in ``assert_type``."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import flask
import pynamodb.exceptions
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.pagination import ResultIterator
from typing_extensions import assert_type

from dynaflask import ConditionFailed
from dynaflask import Dynamo
from dynaflask import Model
from dynaflask import Page
from dynaflask import Registry
from dynaflask import TenantKey

db = Dynamo()


class ByViews(GlobalSecondaryIndex["Thread"]):
    class Meta:
        projection = AllProjection()

    forum_name = UnicodeAttribute(hash_key=True)
    views = NumberAttribute(range_key=True)


class Thread(Model):
    class Meta:
        table_name = "Thread"
        bind_key = "forum"
        region = "eu-west-1"

    forum_name = UnicodeAttribute(hash_key=True)
    subject = UnicodeAttribute(range_key=True)
    views = NumberAttribute(default=0)
    by_views = ByViews()


class Base(Model):
    """A base class without a table."""

    def label(self) -> str:
        return type(self).__name__


class Note(Base):
    class Meta:
        table_name = "Note"
        tenant = False

    owner = TenantKey(hash_key=True)


def create_app() -> flask.Flask:
    app = flask.Flask(__name__)
    db.init_app(app, models=[Thread, Note])
    return app


def reads() -> None:
    assert_type(Thread.get("flask", "hello", consistent_read=True), Thread)
    assert_type(Thread.query("flask", Thread.subject.startswith("h"), index_name="by_views"), ResultIterator[Thread])
    assert_type(Thread.scan(Thread.views > 1, limit=5), ResultIterator[Thread])
    assert_type(Thread.by_views.query("flask", Thread.views > 1), ResultIterator[Thread])
    assert_type(Thread.by_views.scan(), ResultIterator[Thread])
    assert_type(Thread.batch_get([("flask", "hello")]), cabc.Iterator[Thread])
    assert_type(Thread.count("flask"), int)
    assert_type(next(Thread.query("flask")).subject, str)
    assert_type(Note.get("acme").label(), str)


def lookups() -> None:
    assert_type(Thread.get_or_404("flask", "hello", description="There is no such thread."), Thread)
    assert_type(Thread.first_or_404("flask", scan_index_forward=False), Thread)
    assert_type(Thread.one_or_404("flask", Thread.subject == "hello"), Thread)
    assert_type(db.get_or_404(Thread, "flask", "hello", consistent_read=True), Thread)
    assert_type(db.first_or_404(Thread, "flask", Thread.subject > "a", page_size=5), Thread)
    assert_type(db.one_or_404(Thread, index_name="by_views", description="There is none."), Thread)
    assert_type(Thread.get_or_create("flask", "hello", views=1), tuple[Thread, bool])


def pages() -> None:
    page = db.paginate(Thread.query, "flask", per_page=10)
    assert_type(page, Page[Thread])
    assert_type(page.items, list[Thread])
    assert_type([thread.views for thread in page], list[float])
    assert_type(db.paginate(Thread.by_views.query, "flask"), Page[Thread])
    assert_type(db.paginate(Thread.scan, filter_condition=Thread.views > 1, rate_limit=5), Page[Thread])


def writes() -> None:
    thread = Thread("flask", "hello")
    thread.save(Thread.subject.does_not_exist())
    thread.update(actions=[Thread.views.add(1)], condition=Thread.views < 10)
    thread.refresh(consistent_read=True)
    thread.delete(add_version_condition=False)
    with Thread.batch_write(auto_commit=False) as batch:
        batch.save(thread)
        batch.delete(thread)
    with db.transact_write(client_request_token="token") as transaction:
        transaction.condition_check(Thread, "flask", "hello", condition=Thread.views > 1)
        transaction.save(thread, condition=Thread.subject.does_not_exist())
        transaction.update(thread, actions=[Thread.views.set(1)])
        transaction.delete(thread)
    with db.transact_get() as reads:
        found = reads.get(Thread, "flask", "hello")
    assert_type(found.get(), Thread)


def meta_and_errors() -> None:
    assert_type(Thread.Meta.table_name, str)
    assert_type(Thread.DoesNotExist, type[pynamodb.exceptions.DoesNotExist])
    try:
        Thread.get("flask", "hello")
    except (Thread.DoesNotExist, Note.DoesNotExist):
        flask.abort(404)


def tables() -> None:
    Thread.create_table(wait=True, billing_mode="PAY_PER_REQUEST")
    assert_type(Thread.exists(), bool)
    Thread.delete_table(wait=True)
    db.create_all(models=[Thread], wait=True)


def conditional_writes() -> None:
    thread, is_new = Thread.get_or_create("flask", "hello", views=1)
    assert_type(thread, Thread)
    assert_type(is_new, bool)
    try:
        thread.save(Thread.views == 0, return_values_on_condition_failure="ALL_OLD")
        thread.update([Thread.views.add(1)], return_values_on_condition_failure="ALL_OLD")
        thread.delete(Thread.views == 0, return_values_on_condition_failure="ALL_OLD")
    except ConditionFailed as error:
        assert_type(error.item, t.Any)
        assert_type(error.items, list[t.Any])


def registry() -> None:
    assert_type(db.registry, Registry)
    assert_type(db.registry.models["Thread"], type[Model])
    assert_type(db.models["Thread"].query("flask"), ResultIterator[Model])
    assert_type(db.register(Thread), type[Thread])
    assert_type(db.Model, type[Model])


def blocks() -> None:
    with db.using("archive", region="eu-west-1"), db.tenant("acme"):
        reads()


def mistakes() -> None:
    """Each ignore is needed: the checkers fail if one is not."""
    Thread.query("flask", index="by_views")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Thread.count(limit="5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with Thread.batch_write() as batch:
        batch.save(Note("acme"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    t.cast("Thread", None).update(actions=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
