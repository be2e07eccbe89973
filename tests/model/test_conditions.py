"""Conditional writes report the item that their condition was false for."""

from __future__ import annotations

import copy
import pickle
import typing as t
from unittest import mock

import flask
import pynamodb.connection
import pytest
from botocore.exceptions import ClientError
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import DeleteError
from pynamodb.exceptions import PutError
from pynamodb.exceptions import TransactWriteError
from pynamodb.exceptions import UpdateError

import dynaflask
from dynaflask import ConditionFailed
from dynaflask import TenantKey
from dynaflask import TenantMismatch
from dynaflask.model.conditions import origin_of
from dynaflask.testing import fail_next
from tests.support import engines
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

ALL_OLD = {"return_values_on_condition_failure": "ALL_OLD"}


class Global(dynaflask.Model):
    """A model that can be pickled."""

    class Meta:
        """On no table of its own."""

        table_name = "Global"

    name = UnicodeAttribute(hash_key=True)


def make(db: dynaflask.Dynamo, engine: engines.Engine, account: engines.Account, **settings: t.Any) -> flask.Flask:
    """An app on an engine."""
    app = flask.Flask("conditions")
    app.config.update(engine.settings(account), **{f"DYNAMODB_{name.upper()}": each for name, each in settings.items()})
    db.init_app(app)
    return app


@pytest.fixture(params=["direct", "stock"])
def thread(
    request: pytest.FixtureRequest,
    engine: engines.Engine,
    account: engines.Account,
    db: dynaflask.Dynamo,
    thread_model: t.Any,
) -> t.Iterator[t.Any]:
    """The model, with one thread of 3 views on each engine by each transport, in a context."""
    with make(db, engine, account, transport=request.param).app_context():
        db.create_all(wait=True)
        thread_model("forum", "one", views=3).save()
        yield thread_model


class TestWrites:
    """Each conditional write of an object."""

    @pytest.mark.parametrize(
        ("method", "error_type"), [("save", PutError), ("update", UpdateError), ("delete", DeleteError)]
    )
    def test_the_error_has_the_item(self, thread: t.Any, method: str, error_type: type[Exception]) -> None:
        """The item is an object of the model, as DynamoDB had it when the condition was false."""
        arguments = [[thread.views.add(1)]] if method == "update" else []
        with pytest.raises(ConditionFailed, match="conditional request failed") as caught:
            getattr(thread("forum", "one"), method)(*arguments, condition=thread.views == 1, **ALL_OLD)
        assert isinstance(caught.value, error_type)
        assert type(caught.value.item) is thread
        assert (caught.value.item.views, caught.value.items) == (3, [caught.value.item])
        assert caught.value.cause_response_code == "ConditionalCheckFailedException"

    def test_without_the_option_there_is_no_item(self, thread: t.Any) -> None:
        """The class of the error is the same, and the item is None; nothing else asks for it after a call that did."""
        for options, views in ((ALL_OLD, 3), ({}, None), ({"return_values_on_condition_failure": "NONE"}, None)):
            with pytest.raises(ConditionFailed) as caught:
                thread("forum", "one").save(condition=thread.views == 1, **options)
            assert getattr(caught.value.item, "views", None) == views

    def test_a_missing_item_is_none(self, thread: t.Any) -> None:
        """A condition may be false because there is no item."""
        with pytest.raises(ConditionFailed) as caught:
            thread("forum", "none").delete(condition=thread.views.exists(), **ALL_OLD)
        assert caught.value.item is None

    def test_other_errors_stay_as_they_are(self, thread: t.Any) -> None:
        """An error that is no failed condition keeps its class."""
        with fail_next("PutItem", "ValidationException"), pytest.raises(PutError) as caught:
            thread("forum", "one").save(condition=thread.views == 1, **ALL_OLD)
        assert not isinstance(caught.value, ConditionFailed)

    def test_the_item_can_be_changed_and_saved(self, thread: t.Any) -> None:
        """The item is like one that was read."""
        with pytest.raises(ConditionFailed) as caught:
            thread("forum", "one").save(condition=thread.views == 1, **ALL_OLD)
        caught.value.item.update([thread.views.add(1)], condition=thread.views == 3)
        assert thread.get("forum", "one").views == 4


class TestTransactions:
    """Each conditional operation of a transaction."""

    def test_the_items_are_in_the_order_of_the_reasons(self, thread: t.Any, db: dynaflask.Dynamo) -> None:
        """Checks come first, then deletions, writes and updates. An operation that did not fail has None."""
        for number, subject in enumerate(("check", "delete", "update")):
            thread("forum", subject, views=number).save()
        is_new = thread.views == 99
        with pytest.raises(ConditionFailed) as caught, db.transact_write() as transaction:
            transaction.update(
                thread("forum", "update"), [thread.views.add(1)], condition=is_new, return_values="ALL_OLD"
            )
            transaction.save(thread("forum", "new"))
            transaction.save(thread("forum", "one"), condition=is_new)
            transaction.delete(thread("forum", "delete"), condition=is_new, return_values="ALL_OLD")
            transaction.condition_check(thread, "forum", "check", condition=is_new, return_values="ALL_OLD")
        assert isinstance(caught.value, TransactWriteError)
        assert [getattr(item, "subject", None) for item in caught.value.items] == [
            "check",
            "delete",
            None,
            None,
            "update",
        ]
        assert caught.value.item is caught.value.items[0]
        codes = [reason and reason.code for reason in caught.value.cancellation_reasons]
        assert codes == [*["ConditionalCheckFailed"] * 2, None, *["ConditionalCheckFailed"] * 2]
        assert "ConditionalCheckFailed" in str(caught.value)

    def test_other_reasons_stay_as_they_are(self, thread: t.Any, db: dynaflask.Dynamo) -> None:
        """A transaction that failed for another reason than a condition keeps the class of its error."""
        planned = fail_next("TransactWriteItems", "TransactionCanceledException", reasons=["TransactionConflict"])
        with planned, pytest.raises(TransactWriteError) as caught, db.transact_write() as transaction:
            transaction.save(thread("forum", "one"))
        assert not isinstance(caught.value, ConditionFailed)

    def test_a_transaction_without_a_model_raises_pynamodbs_error(self, thread: t.Any, db: dynaflask.Dynamo) -> None:
        """An empty transaction is refused by DynamoDB, as before."""
        planned = fail_next("TransactWriteItems", "ValidationException")
        with planned, pytest.raises(TransactWriteError) as caught, db.transact_write():
            pass
        assert not isinstance(caught.value, ConditionFailed)


class TestSetting:
    """``DYNAMODB_RETURN_VALUES_ON_CONDITION_FAILURE``."""

    @pytest.fixture
    def bodies(self, recorder: recorders.Recorder) -> t.Callable[[], list[t.Any]]:
        """What each request asks for."""
        name = "ReturnValuesOnConditionCheckFailure"
        return lambda: [request.body.get(name) for request in recorder.requests]

    def test_it_applies_to_each_write_with_a_condition(
        self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, bodies: t.Any
    ) -> None:
        """A write without a condition cannot fail by one. A call may say otherwise."""
        thread = models.declare_thread(db)
        with make_app(host=recorder.url, region="eu-west-1", **KEYS, **ALL_OLD).app_context():
            item = thread("forum", "one")
            item.save()
            item.save(thread.views == 1)
            item.update([thread.views.add(1)], thread.views == 1)
            item.delete(thread.views == 1, return_values_on_condition_failure="NONE")
            with db.transact_write() as transaction:
                transaction.condition_check(thread, "forum", "one", condition=thread.views == 1)
                transaction.delete(item, condition=thread.views == 1, return_values="NONE")
                transaction.save(item)
        assert bodies()[:4] == [None, "ALL_OLD", "ALL_OLD", "NONE"]
        operations = [next(iter(each.values())) for each in recorder.requests[4].body["TransactItems"]]
        name = "ReturnValuesOnConditionCheckFailure"
        assert [operation.get(name) for operation in operations] == ["ALL_OLD", "NONE", None]

    def test_two_apps_have_their_own(
        self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, bodies: t.Any
    ) -> None:
        """The setting of one app does not reach another, also if its context is entered inside."""
        thread = models.declare_thread(db)
        settings = {"host": recorder.url, "region": "eu-west-1", **KEYS}
        one, other = make_app("one", **settings, **ALL_OLD), make_app("other", **settings)
        with one.app_context():
            with other.app_context():
                thread("forum", "other").save(thread.views == 1)
            thread("forum", "one").save(thread.views == 1)
            with db.using(return_values_on_condition_failure="NONE"):
                thread("forum", "one").save(thread.views == 1)
        assert bodies() == [None, "ALL_OLD", "NONE"]

    def test_another_value_is_refused(self, make_app: MakeApp) -> None:
        """Any other value of the setting than ``ALL_OLD`` and ``NONE`` is an error of ``init_app``."""
        with pytest.raises(dynaflask.ConfigurationError, match='must be "ALL_OLD" or "NONE"'):
            make_app(return_values_on_condition_failure="ALL_NEW")


class TestTenants:
    """The item is the tenant's own."""

    @pytest.fixture
    def note(self, db: dynaflask.Dynamo) -> t.Any:
        """A model whose table all tenants share."""

        class Note(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                table_name = "Note"

            folder = TenantKey(hash_key=True)
            number = NumberAttribute(default=0)

        return Note

    def test_each_tenant_gets_its_own_item(
        self, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, note: t.Any
    ) -> None:
        """Two tenants with the same key get two items, also in two apps, and the item remembers its tenant."""
        apps = [make(dynaflask.Dynamo(), ministack, account), make(db, ministack, account, **ALL_OLD)]
        apps[1].config["TESTING"] = True
        with apps[1].app_context():
            db.create_all(wait=True)
            for number, tenant in enumerate(("acme", "globex")):
                with db.tenant(tenant):
                    note("in", number=number).save()
            for number, tenant in enumerate(("acme", "globex")):
                with db.tenant(tenant), pytest.raises(ConditionFailed) as caught:
                    note("in").save(note.folder.does_not_exist())
                assert (caught.value.item.number, str(caught.value.item.folder)) == (number, "in")
                with db.tenant("globex" if tenant == "acme" else "acme"), pytest.raises(TenantMismatch):
                    caught.value.item.delete()

    def test_the_item_of_another_tenant_is_refused(
        self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, note: t.Any
    ) -> None:
        """Should an endpoint return another tenant's item, no object is made of it, and no error shows it."""
        body = {
            "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "message": "The conditional request failed",
            "Item": {"folder": {"S": "globex#in"}, "number": {"N": "42"}},
        }
        recorder.answer = lambda request: (400, body)
        with make_app(host=recorder.url, region="eu-west-1", **KEYS, **ALL_OLD).app_context(), db.tenant("acme"):
            with pytest.raises(TenantMismatch) as caught:
                note("in").save(note.folder.does_not_exist())
        assert "globex" not in str(caught.value)


def test_a_copy_keeps_the_item_and_forgets_the_context(make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """A pickled error has the item. It has no context, which decides whether a response may show the item."""
    body = {"__type": "ConditionalCheckFailedException", "message": "no", "Item": {"name": {"S": "a"}}}
    recorder.answer = lambda request: (400, body)
    app = make_app(host=recorder.url, region="eu-west-1", **KEYS)
    with app.app_context(), pytest.raises(ConditionFailed) as caught:
        Global("a").save(Global.name.does_not_exist())
    assert origin_of(caught.value) is not None
    for other in (pickle.loads(pickle.dumps(caught.value)), copy.deepcopy(caught.value)):  # noqa: S301 - our own
        assert isinstance(other, PutError)
        assert (other.item.name, str(other)) == ("a", str(caught.value))
        assert origin_of(other) is None


def test_an_error_without_a_response_has_no_item(make_app: MakeApp, thread_model: t.Any) -> None:
    """A test may let PynamoDB raise an error of its own making, in two apps."""
    cause = ClientError({"Error": {"Code": "ConditionalCheckFailedException", "Message": "no"}}, "PutItem")
    for name in ("us", "eu"):
        app = make_app(name, region="us-east-1", **KEYS)
        patch = mock.patch.object(pynamodb.connection.TableConnection, "put_item", side_effect=PutError(cause=cause))
        with app.app_context(), patch, pytest.raises(ConditionFailed) as caught:
            thread_model("forum", "subject").save(thread_model.views.does_not_exist())
        assert caught.value.item is None
