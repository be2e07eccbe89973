"""``db.Model``: PynamoDB's model, which answers for the current app."""

from __future__ import annotations

import gc
import typing as t
import unittest.mock

import flask
import pynamodb.models
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import KeysOnlyProjection
from pynamodb.models import MetaModel

import dynaflask
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def apps(make_app: MakeApp, recorder: recorders.Recorder) -> list[flask.Flask]:
    """Two apps, in two regions, whose requests go to the recorder."""
    return [
        make_app(region, host=recorder.url, region=region, table_prefix=f"{region}-", **KEYS)
        for region in ("us-west-2", "eu-west-1")
    ]


class TestModel:
    """A model that inherits from ``db.Model``."""

    def test_one_model_goes_to_each_apps_destination(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A class that is declared once reaches each app's own table."""
        for app in apps:
            with app.app_context():
                thread_model("forum", "subject").save()
        seen = [(request.region, request.body["TableName"]) for request in recorder.requests]
        assert seen == [("us-west-2", "us-west-2-Thread"), ("eu-west-1", "eu-west-1-Thread")]

    def test_it_is_pynamodbs(self, thread_model: t.Any) -> None:
        """Code that checks for a PynamoDB model accepts it."""
        assert issubclass(thread_model, pynamodb.models.Model)
        assert isinstance(thread_model, MetaModel)

    def test_a_model_without_meta_is_an_error_at_use(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A call raises an AttributeError that names the model, as in PynamoDB."""

        class Bare(db.Model):  # type: ignore[name-defined,misc]
            key = UnicodeAttribute(hash_key=True)

        with make_app().app_context(), pytest.raises(AttributeError, match="Bare needs a Meta class with a table_name"):
            Bare.get("key")

    def test_a_model_without_a_table_name_is_an_error_at_use(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A Meta without a table_name is allowed for a base class. A call raises an AttributeError."""

        class Base(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                region = "us-east-1"

            key = UnicodeAttribute(hash_key=True)

        with make_app().app_context(), pytest.raises(AttributeError, match="Base.Meta needs a table_name"):
            Base.get("key")

    def test_removed_options_raise_pynamodbs_warning(self, db: dynaflask.Dynamo) -> None:
        """An option that PynamoDB has removed raises PynamoDB's warning."""
        with pytest.warns(UserWarning, match="no longer supported"):
            type(db.Model)("Old", (db.Model,), {"Meta": type("Meta", (), {"session_cls": None}), "__module__": "old"})

    def test_a_subclass_without_meta_shares_its_parents_table(
        self, apps: list[flask.Flask], thread_model: t.Any
    ) -> None:
        """A subclass without a Meta uses its parent's connection and Meta."""

        class Sticky(thread_model):  # type: ignore[misc]
            until = NumberAttribute(null=True)

        with apps[0].app_context():
            assert Sticky._get_connection() is thread_model._get_connection()
            thread_model.Meta.table_name = "Mine"
            assert Sticky.Meta.table_name == "Mine"

    def test_an_index_that_a_subclass_adds_later_is_known(self, apps: list[flask.Flask], thread_model: t.Any) -> None:
        """A subclass may declare an index after the parent's table was first used."""
        with apps[0].app_context():
            thread_model._get_connection()

            class UntilIndex(GlobalSecondaryIndex[t.Any]):
                class Meta:
                    projection = KeysOnlyProjection()

                until = NumberAttribute(hash_key=True)

            class Sticky(thread_model):  # type: ignore[misc]
                until = NumberAttribute(null=True)
                until_index = UntilIndex()

            assert Sticky.until_index.count(7) == 0
            assert thread_model.view_index.count(7) == 0

    def test_a_subclass_may_be_garbage_collected(self, apps: list[flask.Flask], thread_model: t.Any) -> None:
        """A subclass that was declared in a function and collected leaves the table unchanged."""
        type(thread_model)("Gone", (thread_model,), {"__module__": __name__})
        gc.collect()
        with apps[0].app_context():
            assert thread_model.exists()

    def test_its_declaration_shows_its_full_name(self, thread_model: t.Any) -> None:
        """The declaration's repr names the module and the class."""
        shown = repr(thread_model.__declaration__)
        assert shown == "<DeclaredMeta of tests.support.models.declare_thread.<locals>.Thread>"

    def test_several_models_may_share_a_table(
        self, apps: list[flask.Flask], db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """In a single-table design, each model has its own connection and schema."""

        class User(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                table_name = "app"

            key = UnicodeAttribute(hash_key=True)

        class Order(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                table_name = "app"

            key = UnicodeAttribute(hash_key=True)
            number = NumberAttribute(range_key=True)

        with apps[0].app_context():
            User("u").save()
            Order("u", 1).save()
        assert [set(request.body["Item"]) for request in recorder.requests] == [{"key"}, {"key", "number"}]

    def test_a_replaced_meta_is_refused(self, apps: list[flask.Flask], thread_model: t.Any) -> None:
        """A Meta assigned to the class would have no effect, so that a call raises an error."""
        thread_model.Meta = type("Meta", (), {"table_name": "Other"})
        with apps[0].app_context(), pytest.raises(RuntimeError, match="has a Meta that db.register has not seen"):
            thread_model.get("forum", "subject")


def test_prefixed_operations_work_on_an_engine(
    engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """Get, batch get, index query, transaction and count go to the prefixed table."""
    app = flask.Flask("app")
    app.config.from_mapping(engine.settings(account))
    db.init_app(app)
    with app.app_context():
        db.create_all(wait=True)
        with db.transact_write() as transaction:
            transaction.save(thread_model("forum", "one", views=3))
        assert thread_model.get("forum", "one").views == 3
        assert [thread.subject for thread in thread_model.batch_get([("forum", "one"), ("forum", "two")])] == ["one"]
        assert [thread.subject for thread in thread_model.view_index.query(3)] == ["one"]
        assert thread_model.count("forum") == 1
        assert (
            db.connection.describe_table(f"{account.table_prefix}Thread")["TableName"]
            == f"{account.table_prefix}Thread"
        )
        db.drop_all(wait=True)


class TestPatches:
    """A test that patches a method of PynamoDB's ``Model`` gets its return value, and sees PynamoDB's arguments."""

    CALLS: t.ClassVar[dict[str, t.Any]] = {
        "query": lambda model: model.query("a", limit=1),
        "scan": lambda model: model.scan(limit=1),
        "count": lambda model: model.count("a", consistent_read=True),
        "get": lambda model: model.get("a", "b", consistent_read=True),
        "batch_get": lambda model: model.batch_get([("a", "b")]),
        "batch_write": lambda model: model.batch_write(auto_commit=False),
        "save": lambda model: model("a", "b").save(),
        "update": lambda model: model("a", "b").update([]),
        "delete": lambda model: model("a", "b").delete(),
        "refresh": lambda model: model("a", "b").refresh(),
    }

    @pytest.mark.parametrize("name", CALLS)
    def test_the_patch_decides(self, apps: list[flask.Flask], thread_model: t.Any, name: str) -> None:
        """The model returns what the patch returns, with the arguments of the call."""
        with apps[0].app_context():
            with unittest.mock.patch(f"pynamodb.models.Model.{name}", return_value=["x"]) as patched:
                assert self.CALLS[name](thread_model) == ["x"]
        expected = unittest.mock.Mock()
        self.CALLS[name](unittest.mock.Mock(**{name: expected, "return_value": unittest.mock.Mock(**{name: expected})}))
        assert patched.call_args == expected.call_args

    def test_the_patch_of_an_index_decides(self, apps: list[flask.Flask], thread_model: t.Any) -> None:
        """The queries of an index go through the model's."""
        with apps[0].app_context(), unittest.mock.patch("pynamodb.models.Model.query", return_value=["x"]):
            assert thread_model.view_index.query(1) == ["x"]
