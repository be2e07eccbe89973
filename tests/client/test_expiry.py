"""``Meta.hide_expired``: items whose time to live has passed are as if absent."""

from __future__ import annotations

import datetime as dt
import itertools
import time
import types
import typing as t

import flask
import pynamodb.transactions
import pytest
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.operand import Path
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import IncludeProjection
from pynamodb.indexes import KeysOnlyProjection
from werkzeug.exceptions import NotFound

import dynaflask
from dynaflask import TenantKey
from tests.support import engines

PAST = dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=1)
FUTURE = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)


class ByOwner(GlobalSecondaryIndex[t.Any]):
    """Sessions by owner."""

    class Meta:
        """With the time to live."""

        index_name = "by-owner"
        projection = IncludeProjection(["x"])

    owner = UnicodeAttribute(hash_key=True)


class ByExpiry(GlobalSecondaryIndex[t.Any]):
    """Sessions by owner, in the order in which they expire."""

    class Meta:
        """The time to live is a key."""

        index_name = "by-expiry"
        projection = KeysOnlyProjection()

    owner = UnicodeAttribute(hash_key=True)
    expires = TTLAttribute(range_key=True, attr_name="x")


def declare_session(db: dynaflask.Dynamo, *, hide_expired: t.Any = True) -> t.Any:
    """A model of sessions that expire."""

    class Session(db.Model):  # type: ignore[name-defined,misc]
        Meta = type("Meta", (), {"table_name": "Session", "hide_expired": hide_expired})
        user = UnicodeAttribute(hash_key=True)
        id = UnicodeAttribute(range_key=True)
        owner = UnicodeAttribute(default="ann")
        text = UnicodeAttribute(default="text")
        expires = TTLAttribute(null=True, attr_name="x")
        by_owner = ByOwner()
        by_expiry = ByExpiry()

    return Session


def make(db: dynaflask.Dynamo, engine: engines.Engine, account: engines.Account, **settings: t.Any) -> flask.Flask:
    """An app on an engine."""
    app = flask.Flask("expiry")
    app.config.update(engine.settings(account), SECRET_KEY="hush", **settings)
    db.init_app(app)
    return app


@pytest.fixture(params=["direct", "stock"])
def session(
    request: pytest.FixtureRequest, engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> t.Iterator[t.Any]:
    """The model, with live and expired sessions, on each engine by each transport."""
    model = declare_session(db)
    with make(db, engine, account, DYNAMODB_TRANSPORT=request.param).app_context():
        db.create_all(wait=True)
        with model.batch_write() as batch:
            for number in range(6):
                batch.save(model("flask", f"{number}", expires=[PAST, FUTURE][number % 2]))
            batch.save(model("flask", "8"))
        model("flask", "5").delete()
        yield model


def ids(items: t.Any) -> list[str]:
    """The range keys of sessions."""
    return sorted(item.id for item in items)


LIVE = ["1", "3", "8"]


class TestReads:
    """No read returns an expired item."""

    def test_get(self, session: t.Any) -> None:
        """It does not exist, also with a projection, whose items have the attributes that were asked for."""
        assert session.get("flask", "1").expires == FUTURE.replace(microsecond=0)
        assert session.get("flask", "8").text == "text"
        for options in ({}, {"consistent_read": True}, {"attributes_to_get": ["text"]}):
            with pytest.raises(session.DoesNotExist):
                session.get("flask", "0", **options)
        with pytest.raises(session.DoesNotExist):
            session.get("flask", "7")
        with pytest.raises(NotFound):
            session.get_or_404("flask", "0")
        item = session.get("flask", "1", attributes_to_get=["text"])
        assert (item.text, item.expires) == ("text", None)
        for name in ("x", session.expires, Path(["x"])):
            assert session.get("flask", "1", attributes_to_get=[name]).expires == FUTURE.replace(microsecond=0)
        assert session.get("flask", "1", attributes_to_get="text").text == "text"

    def test_refresh(self, session: t.Any) -> None:
        """An object that has expired meanwhile cannot be read again."""
        with pytest.raises(session.DoesNotExist):
            session("flask", "0").refresh()

    def test_query_and_scan(self, session: t.Any) -> None:
        """DynamoDB filters, together with the filter of the program; a limit counts live items alone."""
        assert ids(session.query("flask")) == ids(session.scan()) == LIVE
        assert ids(session.query("flask", limit=3)) == ids(session.scan(limit=3, page_size=2)) == LIVE
        assert ids(session.query("flask", session.id > "1", session.text == "text")) == ["3", "8"]
        assert ids(session.scan(session.id != "8")) == ["1", "3"]
        assert [session.first_or_404("flask").id, session.one_or_404("flask", session.id > "3").id] == ["1", "8"]

    def test_indexes(self, session: t.Any) -> None:
        """An index may have the time to live as its key: no filter is allowed there."""
        assert ids(session.by_owner.query("ann")) == ids(session.by_owner.scan()) == LIVE
        assert ids(session.by_expiry.query("ann")) == ids(session.by_expiry.scan()) == ["1", "3"]
        assert ids(session.by_expiry.query("ann", page_size=1, attributes_to_get=["id"])) == ["1", "3"]
        assert ids(session.by_expiry.query("ann", session.expires > PAST, limit=1)) == ["1"]
        with pytest.raises(ValueError, match="no index"):
            list(session._get_connection().query("ann", index_name="none")["Items"])

    def test_count(self, session: t.Any) -> None:
        """A count with a hash key counts live items. Without one, it is DynamoDB's count of the table."""
        assert (session.count("flask"), session.count("flask", limit=2)) == (3, 2)
        assert (session.by_owner.count("ann"), session.by_expiry.count("ann")) == (3, 2)
        assert session.by_expiry.count("ann", filter_condition=session.text == "none") == 0

    def test_batch_get(self, session: t.Any) -> None:
        """A batch get returns the live items of the keys."""
        keys = [("flask", f"{number}") for number in range(9)]
        assert ids(session.batch_get(keys)) == LIVE
        items = list(session.batch_get(keys, attributes_to_get=["id"]))
        assert (ids(items), {item.expires for item in items}) == (LIVE, {None})

    def test_transactions(self, session: t.Any, db: dynaflask.Dynamo) -> None:
        """In a read transaction, an expired item does not exist."""
        for reading in (db.transact_get(), pynamodb.transactions.TransactGet(db.connection)):
            self._read(session, reading)

    @staticmethod
    def _read(session: t.Any, reading: t.Any) -> None:
        with reading as transaction:
            live, expired, missing = (transaction.get(session, "flask", each) for each in ("1", "0", "7"))
        assert live.get().id == "1"
        for future in (expired, missing):
            with pytest.raises(session.DoesNotExist):
                future.get()

    def test_pages(self, session: t.Any, db: dynaflask.Dynamo, monkeypatch: pytest.MonkeyPatch) -> None:
        """A page is full, and its cursor stays valid while time passes: here, a second for each request."""
        clock = itertools.count(time.time())
        monkeypatch.setattr("dynaflask.client.expiry.time", types.SimpleNamespace(time=lambda: next(clock)))
        for query in (session.query, session.by_expiry.query):
            key, cursor, found = "flask" if query == session.query else "ann", None, []
            while cursor is not None or not found:
                page = db.paginate(query, key, per_page=1, cursor=cursor)
                found += ids(page)
                cursor = page.next_cursor
            assert found == LIVE[: len(found)]
            assert len(found) == (3 if query == session.query else 2)

    def test_large_pages(self, session: t.Any) -> None:
        """Pages that the direct transport decodes to objects have live items alone."""
        with session.batch_write() as batch:
            for number in range(40):
                text = "t" * 12_000
                batch.save(session("large", f"{number:02}", text=text, owner="bob", expires=[PAST, FUTURE][number % 2]))
        expected = [f"{number:02}" for number in range(1, 40, 2)]
        assert ids(session.query("large")) == ids(session.by_expiry.query("bob")) == expected
        assert ids(session.batch_get([("large", f"{number:02}") for number in range(40)])) == expected


class TestWrites:
    """A write sees what is in the table."""

    def test_a_condition_sees_an_expired_item(self, session: t.Any) -> None:
        """The error has the item that the condition was false for."""
        with pytest.raises(dynaflask.ConditionFailed) as caught:
            session("flask", "0").save(session.id.does_not_exist(), return_values_on_condition_failure="ALL_OLD")
        assert caught.value.item.id == "0"

    def test_a_save_makes_it_live_again(self, session: t.Any) -> None:
        """A new time to live brings an item back."""
        session("flask", "0", expires=FUTURE).save()
        assert session.get("flask", "0").id == "0"


class TestIsolation:
    """The rule is that of one model, for each app and tenant."""

    def test_another_model_of_the_table_sees_everything(
        self, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
    ) -> None:
        """Opt-in is for a model: one on the same table without it, and another app's, read expired items."""
        other_db = dynaflask.Dynamo()
        hiding, seeing, others = (
            declare_session(db),
            declare_session(db, hide_expired=False),
            declare_session(other_db, hide_expired=None),
        )
        one, other = make(db, ministack, account), make(other_db, ministack, account)
        with one.app_context():
            hiding.create_table(wait=True)
            hiding("flask", "0", expires=PAST).save()
            with other.app_context():
                assert others.get("flask", "0").id == "0"
            assert (ids(hiding.query("flask")), ids(seeing.query("flask"))) == ([], ["0"])

    def test_each_tenant_sees_its_own_live_items(
        self, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
    ) -> None:
        """With a ``TenantKey``, both rules hold, also in an index."""

        class ByTag(GlobalSecondaryIndex[t.Any]):
            class Meta:
                index_name = "by-tag"
                projection = AllProjection()

            tag = TenantKey(hash_key=True)
            folder = TenantKey(range_key=True)

        class Note(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                table_name = "Note"
                hide_expired = True

            folder = TenantKey(hash_key=True)
            id = UnicodeAttribute(range_key=True)
            tag = TenantKey(default="tag")
            expires = TTLAttribute()
            by_tag = ByTag()

        with make(db, ministack, account).app_context():
            db.create_all(wait=True)
            for number, tenant in enumerate(("acme", "globex")):
                with db.tenant(tenant):
                    Note("in", f"{number}", expires=FUTURE).save()
                    Note("in", "old", expires=PAST).save()
            for number, tenant in enumerate(("acme", "globex")):
                with db.tenant(tenant):
                    assert ids(Note.query("in")) == ids(Note.by_tag.query("tag")) == [f"{number}"]
                    assert (Note.count("in"), Note.by_tag.count("tag")) == (1, 1)
                    assert ids(Note.batch_get([("in", "0"), ("in", "1"), ("in", "old")])) == [f"{number}"]


def test_a_value_of_another_type_does_not_expire(
    engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> None:
    """DynamoDB deletes an item whose attribute is a number, and no other."""

    class Loose(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Loose"
            hide_expired = True

        id = UnicodeAttribute(hash_key=True)
        expires = TTLAttribute(null=True)

    with make(db, engine, account).app_context():
        db.create_all(wait=True)
        table = Loose._get_connection()
        table.put_item("null", attributes={"expires": {"NULL": True}})
        table.put_item("number", attributes={"expires": {"N": "1.5"}})
        assert [item.id for item in Loose.scan()] == ["null"]
        assert Loose.get("null").expires is None
        with pytest.raises(Loose.DoesNotExist):
            Loose.get("number")
