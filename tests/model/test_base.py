"""``db.Model``, and existing PynamoDB models made app-scoped in place."""

from __future__ import annotations

import gc
import inspect
import typing as t

import flask
import pynamodb.models
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import KeysOnlyProjection
from pynamodb.models import MetaModel

import dynaflask
import dynaflask.model.base
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def declare_plain(name: str = "Legacy", *, base: t.Any = pynamodb.models.Model, **meta: t.Any) -> t.Any:
    """A model as it is written without this library."""
    meta_class = type("Meta", (), {"table_name": name, **meta})
    namespace = {"Meta": meta_class, "key": UnicodeAttribute(hash_key=True), "__module__": __name__}
    return t.cast("t.Any", type(base))(name, (base,), namespace)


@pytest.fixture
def apps(make_app: MakeApp, recorder: recorders.Recorder) -> list[flask.Flask]:
    """Two apps whose calls the recorder answers."""
    return [
        make_app(region, host=recorder.url, region=region, table_prefix=f"{region}-", **KEYS)
        for region in ("us-west-2", "eu-west-1")
    ]


class TestModel:
    """``db.Model`` is PynamoDB's model."""

    def test_one_model_goes_to_each_apps_destination(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """The class is declared once, and every app reaches its own table with it."""
        for app in apps:
            with app.app_context():
                thread_model("forum", "subject").save()
        seen = [(request.region, request.body["TableName"]) for request in recorder.requests]
        assert seen == [("us-west-2", "us-west-2-Thread"), ("eu-west-1", "eu-west-1-Thread")]

    def test_it_is_pynamodbs(self, thread_model: t.Any) -> None:
        """What asks for a PynamoDB model takes it."""
        assert issubclass(thread_model, pynamodb.models.Model)
        assert isinstance(thread_model, MetaModel)

    def test_a_model_without_meta_is_an_error_at_use(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """As in PynamoDB, it is an AttributeError that names the model."""

        class Bare(db.Model):  # type: ignore[name-defined,misc]
            key = UnicodeAttribute(hash_key=True)

        with make_app().app_context(), pytest.raises(AttributeError, match="Bare needs a Meta class with a table_name"):
            Bare.get("key")

    def test_a_model_without_a_table_name_is_an_error_at_use(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A Meta without a table_name may be a base's, and has no table."""

        class Base(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                region = "us-east-1"

            key = UnicodeAttribute(hash_key=True)

        with make_app().app_context(), pytest.raises(AttributeError, match="Base.Meta needs a table_name"):
            Base.get("key")

    def test_options_that_pynamodb_dropped_are_warned_of(self, db: dynaflask.Dynamo) -> None:
        """PynamoDB's own warning is kept."""
        with pytest.warns(UserWarning, match="no longer supported"):
            type(db.Model)("Old", (db.Model,), {"Meta": type("Meta", (), {"session_cls": None}), "__module__": "old"})

    def test_a_subclass_without_meta_shares_its_parents_table(
        self, apps: list[flask.Flask], thread_model: t.Any
    ) -> None:
        """One connection serves both, whichever is used first."""

        class Sticky(thread_model):  # type: ignore[misc]
            until = NumberAttribute(null=True)

        with apps[0].app_context():
            assert Sticky._get_connection() is thread_model._get_connection()
            thread_model.Meta.table_name = "Mine"
            assert Sticky.Meta.table_name == "Mine"

    def test_an_index_that_a_subclass_adds_later_is_known(self, apps: list[flask.Flask], thread_model: t.Any) -> None:
        """The parent's table was in use already when the subclass was declared."""
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

    def test_a_subclass_that_is_gone_is_not_asked(self, apps: list[flask.Flask], thread_model: t.Any) -> None:
        """One that was declared in a function that has returned leaves the table as it was."""
        type(thread_model)("Gone", (thread_model,), {"__module__": __name__})
        gc.collect()
        with apps[0].app_context():
            assert thread_model.exists()

    def test_its_declaration_shows_its_full_name(self, thread_model: t.Any) -> None:
        """For whoever looks with a debugger."""
        shown = repr(thread_model.__declaration__)
        assert shown == "<DeclaredMeta of tests.support.models.declare_thread.<locals>.Thread>"

    def test_several_models_may_share_a_table(
        self, apps: list[flask.Flask], db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """Single-table designs work: each model has a connection of its own."""

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

    def test_a_meta_put_in_its_place_is_refused(self, apps: list[flask.Flask], thread_model: t.Any) -> None:
        """A class whose Meta was replaced would go to the table that it had before."""
        thread_model.Meta = type("Meta", (), {"table_name": "Other"})
        with apps[0].app_context(), pytest.raises(RuntimeError, match="has a Meta that db.register has not seen"):
            thread_model.get("forum", "subject")


class TestRegister:
    """``db.register``: an existing model, made app-scoped in place."""

    def test_the_class_stays_the_same(self, apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
        """Every import of it stays valid, and so does its DoesNotExist."""
        legacy = declare_plain()
        does_not_exist = legacy.DoesNotExist
        assert db.register(legacy) is legacy
        assert legacy.DoesNotExist is does_not_exist
        assert issubclass(legacy, db.Model)

    def test_it_goes_to_each_apps_destination(
        self, apps: list[flask.Flask], db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """As if it had been a db.Model from the start."""
        legacy = db.register(declare_plain())
        for app in apps:
            with app.app_context():
                legacy("key").save()
                assert db.models["Legacy"] is legacy
        seen = [(request.region, request.body["TableName"]) for request in recorder.requests]
        assert seen == [("us-west-2", "us-west-2-Legacy"), ("eu-west-1", "eu-west-1-Legacy")]

    def test_it_is_a_decorator(self, apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
        """It gives the class back."""

        @db.register
        class Legacy(pynamodb.models.Model):
            class Meta:
                table_name = "Legacy"

            key = UnicodeAttribute(hash_key=True)

        with apps[0].app_context():
            assert Legacy.Meta.table_name == "us-west-2-Legacy"

    def test_what_pynamodb_filled_in_does_not_hide_the_apps_settings(
        self, make_app: MakeApp, db: dynaflask.Dynamo
    ) -> None:
        """PynamoDB wrote its defaults into Meta when the class was made. They are not the user's word."""
        legacy = db.register(declare_plain(region="ap-south-1"))
        with make_app(region="us-east-1", read_timeout_seconds=5).app_context():
            assert (legacy.Meta.region, legacy.Meta.read_timeout_seconds) == ("ap-south-1", 5)

    def test_it_may_have_been_used_before(
        self, apps: list[flask.Flask], db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """The connection that PynamoDB kept on the class is not used again."""
        legacy = declare_plain(host=recorder.url, region="sa-east-1", **KEYS)
        legacy("before").save()
        db.register(legacy)
        with apps[1].app_context():
            legacy.Meta.region = "eu-west-1"
            legacy("after").save()
        assert [request.region for request in recorder.requests] == ["sa-east-1", "eu-west-1"]

    def test_its_subclasses_come_along(self, apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
        """Those that exist and those that are declared later, with a Meta of their own or without."""
        base = declare_plain("Base")
        with_meta = declare_plain("WithMeta", base=base)
        without_meta = type(base)("WithoutMeta", (base,), {"__module__": __name__})
        db.register(base)
        later = declare_plain("Later", base=base)
        with apps[0].app_context():
            names = [model._get_connection().table_name for model in (base, with_meta, without_meta, later)]
        assert names == ["us-west-2-Base", "us-west-2-WithMeta", "us-west-2-Base", "us-west-2-Later"]

    def test_a_base_without_a_table_is_registered(self, apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
        """What has no Meta has none after it either, and says so when it is used."""
        base = type(pynamodb.models.Model)("Base", (pynamodb.models.Model,), {"__module__": __name__})
        table = declare_plain("Table", base=base)
        db.register(base)
        for app in apps:
            with app.app_context():
                assert table._get_connection().table_name == f"{app.name}-Table"
                with pytest.raises(AttributeError, match="Base needs a Meta class with a table_name"):
                    base._get_connection()

    def test_its_siblings_stay_plain(self, db: dynaflask.Dynamo) -> None:
        """A base that was not registered is not touched."""
        base = declare_plain("Base")
        one, other = declare_plain("One", base=base), declare_plain("Other", base=base)
        db.register(one)
        assert issubclass(one, db.Model)
        assert not issubclass(other, db.Model)
        assert inspect.isclass(other.Meta)

    def test_once_is_enough(self, db: dynaflask.Dynamo) -> None:
        """Registering again changes nothing."""
        legacy = db.register(declare_plain())
        bases = legacy.__bases__
        assert db.register(legacy).__bases__ == bases

    def test_a_model_of_another_dynamo_is_refused(self, db: dynaflask.Dynamo) -> None:
        """A class can answer to one extension object."""
        legacy = dynaflask.Dynamo().register(declare_plain())
        with pytest.raises(RuntimeError, match="Legacy is registered with another Dynamo already"):
            db.register(legacy)

    @pytest.mark.parametrize("stranger", [int, "Legacy", pynamodb.models.Model])
    def test_what_is_no_model_is_refused(self, db: dynaflask.Dynamo, stranger: t.Any) -> None:
        """PynamoDB's own base class is none either: it belongs to everybody."""
        with pytest.raises(TypeError, match="db.register takes a PynamoDB model class"):
            db.register(stranger)

    def test_the_order_of_its_bases_is_kept(self, db: dynaflask.Dynamo) -> None:
        """A mixin that stood behind PynamoDB's model does not come before it."""

        class Mixin:
            def save(self) -> None:
                """Not the one that counts."""

        class Legacy(pynamodb.models.Model, Mixin):
            class Meta:
                table_name = "Legacy"

            key = UnicodeAttribute(hash_key=True)

        db.register(Legacy)
        assert Legacy.save is not Mixin.save

    def test_a_child_may_come_without_its_parent(self, apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
        """It has the Meta that it inherits, and the parent stays plain."""
        parent = declare_plain("Parent")
        child = type(parent)("Child", (parent,), {"__module__": __name__})
        db.register(child)
        with apps[0].app_context():
            assert child._get_connection().table_name == "us-west-2-Parent"
        assert inspect.isclass(parent.Meta)

    def test_a_metaclass_of_the_users_is_kept(self, apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
        """Its later subclasses have to be registered one by one, and say so."""

        class Custom(MetaModel):
            pass

        class Legacy(pynamodb.models.Model, metaclass=Custom):
            class Meta:
                table_name = "Legacy"

            key = UnicodeAttribute(hash_key=True)

        db.register(Legacy)
        later = declare_plain("Later", base=Legacy)
        with apps[0].app_context():
            assert Legacy.exists()
            with pytest.raises(RuntimeError, match="Later has a Meta that db.register has not seen"):
                later.exists()
            assert db.register(later).exists()
            assert later.Meta.table_name == "us-west-2-Later"


class TestBatchGet:
    """``batch_get`` stays where it was made, page after page."""

    KEYS: t.ClassVar = [("forum", str(number)) for number in range(150)]

    def test_a_page_is_fetched_when_it_is_asked_for(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A page has a hundred items, and all of them come."""
        with apps[0].app_context():
            found = thread_model.batch_get(self.KEYS)
            assert recorder.requests == []
            first = next(found)
            assert len(recorder.requests) == 1
            assert sorted(thread.subject for thread in [first, *found]) == sorted(subject for _, subject in self.KEYS)
            assert len(recorder.requests) == 2

    def test_pynamodb_may_fetch_its_pages_otherwise(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any, monkeypatch: t.Any
    ) -> None:
        """It is a private method of PynamoDB's that fetches them."""
        monkeypatch.delattr(dynaflask.model.base.BatchGetAdapter, "_batch_get_page")
        with apps[0].app_context():
            assert len(list(thread_model.batch_get(self.KEYS))) == len(self.KEYS)

    def test_an_answer_without_the_table_is_pynamodbs_error(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """As it was."""
        recorder.answer = lambda request: {"Responses": {}, "UnprocessedKeys": {}}
        with apps[0].app_context(), pytest.raises(TypeError, match="'NoneType' object is not iterable"):
            list(thread_model.batch_get(self.KEYS))

    def test_it_goes_on_in_its_own_context_alone(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """In another app's no further page is fetched, from neither app."""
        with apps[0].app_context():
            found = thread_model.batch_get(self.KEYS)
            next(found)
            with apps[1].app_context(), pytest.raises(RuntimeError, match="begun in .* context of 'us-west-2'"):
                list(found)
        assert [request.region for request in recorder.requests] == ["us-west-2"]

    def test_an_attribute_of_the_programs_is_read_where_it_was_made(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, db: dynaflask.Dynamo
    ) -> None:
        """It may ask where it is, and what it is told is the same for all items of the batch."""

        class RegionAttribute(UnicodeAttribute):
            def deserialize(self, value: str) -> str:
                return f"{value} from {Post.Meta.region}"

        class Post(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                table_name = "Post"

            key = RegionAttribute(hash_key=True)

        with apps[0].app_context():
            with db.using(region="sa-east-1"):
                found = Post.batch_get(["1", "2"])
            with db.using(region="eu-north-1"):
                assert sorted(post.key for post in found) == ["1 from sa-east-1", "2 from sa-east-1"]

    def test_from_raw_data_of_the_programs_is_asked(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """For each item, where the batch was made."""

        class Raw(thread_model):  # type: ignore[misc]
            @classmethod
            def from_raw_data(cls, data: t.Any) -> t.Any:
                return data["subject"]["S"], cls.Meta.region

        for app in apps:
            with app.app_context():
                assert list(Raw.batch_get([("forum", "one")])) == [("one", app.name)]

    def test_a_batch_get_of_a_base_is_asked(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, db: dynaflask.Dynamo
    ) -> None:
        """One that comes after db.Model, with the class that it was called on; it stays where it was made, too."""

        class Named(pynamodb.models.Model):
            @classmethod
            def batch_get(cls, *args: t.Any, **kwargs: t.Any) -> t.Any:
                for found in super().batch_get(*args, **kwargs):
                    yield cls.__name__, found.key

        class Post(db.Model, Named):  # type: ignore[name-defined,misc]
            class Meta:
                table_name = "Post"

            key = UnicodeAttribute(hash_key=True)

        with apps[0].app_context():
            with db.using(region="sa-east-1"):
                found = Post.batch_get(["1"])
            assert list(found) == [("Post", "1")]
        assert [request.region for request in recorder.requests] == ["sa-east-1"]


def test_prefixed_batches_lose_nothing(
    apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """Unprocessed items come back under the real table name, and are sent again."""
    left = [1]

    def answer(request: recorders.Request) -> recorders.Answer:
        items = request.body.get("RequestItems", {})
        return {"UnprocessedItems": {name: rest[:1] for name, rest in items.items()} if left and left.pop() else {}}

    recorder.answer = answer
    with apps[0].app_context(), thread_model.batch_write() as batch:
        for number in range(3):
            batch.save(thread_model("forum", str(number)))
    assert [len(request.body["RequestItems"]["us-west-2-Thread"]) for request in recorder.requests] == [3, 1]


def test_prefixed_operations_work_on_an_engine(
    engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """get, batch get, index query, transaction and count go to the real table."""
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
        assert db.connection.list_tables()["TableNames"].count(f"{account.table_prefix}Thread") == 1
        db.drop_all(wait=True)
