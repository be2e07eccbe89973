"""How a model is declared, and how ``db.register`` makes an existing PynamoDB model app-scoped."""

from __future__ import annotations

import inspect
import typing as t

import flask
import pynamodb.models
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import LocalSecondaryIndex
from pynamodb.models import MetaModel

import dynaflask
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def declare_plain(name: str = "Legacy", *, base: t.Any = pynamodb.models.Model, **meta: t.Any) -> t.Any:
    """A model as it is written without dynaflask."""
    meta_class = type("Meta", (), {"table_name": name, **meta})
    namespace = {"Meta": meta_class, "key": UnicodeAttribute(hash_key=True), "__module__": __name__}
    return t.cast("t.Any", type(base))(name, (base,), namespace)


@pytest.fixture
def apps(make_app: MakeApp, recorder: recorders.Recorder) -> list[flask.Flask]:
    """Two apps, in two regions, whose requests go to the recorder."""
    return [
        make_app(region, host=recorder.url, region=region, table_prefix=f"{region}-", **KEYS)
        for region in ("us-west-2", "eu-west-1")
    ]


@pytest.mark.parametrize(
    ("name", "meant"), [("__bind_key__", "bind_key"), ("__tablename__", "table_name")], ids=["bind", "table"]
)
def test_a_name_of_flask_sqlalchemy_is_refused(db: dynaflask.Dynamo, name: str, meant: str) -> None:
    """A model that names its bind or its table in that way would go elsewhere, in each app."""
    meta = type("Meta", (), {"table_name": "Legacy"})
    for base in (db.Model, dynaflask.Model):
        with pytest.raises(TypeError, match=f"Legacy.{name} is a name of Flask-SQLAlchemy. Set {meant} in the class"):
            type(base)("Legacy", (base,), {"Meta": meta, name: "other"})


class TestRegister:
    """``db.register`` makes an existing model app-scoped, in place."""

    def test_the_class_stays_the_same(self, apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
        """Every import of the class, and its DoesNotExist, stays valid."""
        legacy = declare_plain()
        does_not_exist = legacy.DoesNotExist
        assert db.register(legacy) is legacy
        assert legacy.DoesNotExist is does_not_exist
        assert issubclass(legacy, db.Model)

    def test_it_goes_to_each_apps_destination(
        self, apps: list[flask.Flask], db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """A registered model reaches each app's own table, like a db.Model."""
        legacy = db.register(declare_plain())
        for app in apps:
            with app.app_context():
                legacy("key").save()
                assert db.models["Legacy"] is legacy
        seen = [(request.region, request.body["TableName"]) for request in recorder.requests]
        assert seen == [("us-west-2", "us-west-2-Legacy"), ("eu-west-1", "eu-west-1-Legacy")]

    def test_it_is_a_decorator(self, apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
        """``db.register`` returns the class."""

        @db.register
        class Legacy(pynamodb.models.Model):
            class Meta:
                table_name = "Legacy"

            key = UnicodeAttribute(hash_key=True)

        with apps[0].app_context():
            assert Legacy.Meta.table_name == "us-west-2-Legacy"

    def test_pynamodbs_defaults_do_not_override_the_apps_settings(
        self, make_app: MakeApp, db: dynaflask.Dynamo
    ) -> None:
        """The defaults that PynamoDB wrote into Meta do not count as the user's settings."""
        legacy = db.register(declare_plain(region="ap-south-1"))
        with make_app(region="us-east-1", read_timeout_seconds=5).app_context():
            assert (legacy.Meta.region, legacy.Meta.read_timeout_seconds) == ("ap-south-1", 5)

    def test_it_may_have_been_used_before(
        self, apps: list[flask.Flask], db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """The connection that PynamoDB keeps on the class is not used after registering."""
        legacy = declare_plain(host=recorder.url, region="sa-east-1", **KEYS)
        legacy("before").save()
        db.register(legacy)
        with apps[1].app_context():
            legacy.Meta.region = "eu-west-1"
            legacy("after").save()
        assert [request.region for request in recorder.requests] == ["sa-east-1", "eu-west-1"]

    def test_its_subclasses_come_along(self, apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
        """Existing and later subclasses are app-scoped, with or without a Meta of their own."""
        base = declare_plain("Base")
        with_meta = declare_plain("WithMeta", base=base)
        without_meta = type(base)("WithoutMeta", (base,), {"__module__": __name__})
        db.register(base)
        later = declare_plain("Later", base=base)
        with apps[0].app_context():
            names = [model._get_connection().table_name for model in (base, with_meta, without_meta, later)]
        assert names == ["us-west-2-Base", "us-west-2-WithMeta", "us-west-2-Base", "us-west-2-Later"]

    def test_a_base_without_a_table_is_registered(self, apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
        """A base class without a Meta can be registered, and raises an error if it is used."""
        base = type(pynamodb.models.Model)("Base", (pynamodb.models.Model,), {"__module__": __name__})
        table = declare_plain("Table", base=base)
        db.register(base)
        for app in apps:
            with app.app_context():
                assert table._get_connection().table_name == f"{app.name}-Table"
                with pytest.raises(AttributeError, match="Base needs a Meta class with a table_name"):
                    base._get_connection()

    def test_its_siblings_stay_unchanged(self, db: dynaflask.Dynamo) -> None:
        """Registering a class changes neither its base nor the base's other subclasses."""
        base = declare_plain("Base")
        one, other = declare_plain("One", base=base), declare_plain("Other", base=base)
        db.register(one)
        assert issubclass(one, db.Model)
        assert not issubclass(other, db.Model)
        assert inspect.isclass(other.Meta)

    def test_registering_twice_changes_nothing(self, db: dynaflask.Dynamo) -> None:
        """The second registration leaves the bases as they are."""
        legacy = db.register(declare_plain())
        bases = legacy.__bases__
        assert db.register(legacy).__bases__ == bases

    def test_a_model_of_another_dynamo_is_refused(self, db: dynaflask.Dynamo) -> None:
        """A class can be registered with one extension object."""
        legacy = dynaflask.Dynamo().register(declare_plain())
        with pytest.raises(RuntimeError, match="Legacy is registered with another Dynamo already"):
            db.register(legacy)

    @pytest.mark.parametrize("value", [int, "Legacy", pynamodb.models.Model])
    def test_only_a_pynamodb_model_can_be_registered(self, db: dynaflask.Dynamo, value: t.Any) -> None:
        """A value that is not a model, or is PynamoDB's own base class, raises a TypeError."""
        with pytest.raises(TypeError, match="db.register takes a PynamoDB model class"):
            db.register(value)

    def test_the_order_of_its_bases_is_kept(self, db: dynaflask.Dynamo) -> None:
        """A mixin that comes after PynamoDB's model stays after it."""

        class Mixin:
            def save(self) -> None:
                """Shadowed by PynamoDB's."""

        class Legacy(pynamodb.models.Model, Mixin):
            class Meta:
                table_name = "Legacy"

            key = UnicodeAttribute(hash_key=True)

        db.register(Legacy)
        assert Legacy.save is not Mixin.save

    def test_a_child_can_be_registered_without_its_parent(self, apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
        """The child uses the Meta that it inherits, and the parent is unchanged."""
        parent = declare_plain("Parent")
        child = type(parent)("Child", (parent,), {"__module__": __name__})
        db.register(child)
        with apps[0].app_context():
            assert child._get_connection().table_name == "us-west-2-Parent"
        assert inspect.isclass(parent.Meta)

    def test_the_users_metaclass_stays(self, apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
        """With a metaclass of the user's, each later subclass raises an error until it is registered."""

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


class TestKeysOfIndexes:
    """The keys of an index are within DynamoDB's limits, and in the order of its class."""

    @pytest.mark.parametrize("kind", ["hash", "range"])
    def test_two_keys_of_a_local_index_are_refused(self, db: dynaflask.Dynamo, kind: str) -> None:
        """The declaration raises a TypeError that names the index, also if an existing model is registered."""

        class Index(LocalSecondaryIndex[t.Any]):
            class Meta:
                index_name = "by-day"
                projection = AllProjection()

            forum = UnicodeAttribute(hash_key=True)
            day = UnicodeAttribute(**{f"{kind}_key": True})
            hour = UnicodeAttribute(**{f"{kind}_key": True})

        class Existing(pynamodb.models.Model):
            class Meta:
                table_name = "Existing"

            forum = UnicodeAttribute(hash_key=True)
            by_day = Index()

        message = f"The index 'by-day' of (Existing|Log) has . {kind} keys"
        with pytest.raises(TypeError, match=message):
            type(db.Model)("Log", (db.Model,), {"forum": UnicodeAttribute(hash_key=True), "by_day": Index()})
        with pytest.raises(TypeError, match=message):
            db.register(Existing)
        assert not issubclass(Existing, db.Model)

    def test_a_registered_model_gets_the_order_of_the_class(self, db: dynaflask.Dynamo) -> None:
        """PynamoDB sorts the keys of an index by name, before the model is registered."""

        class Index(GlobalSecondaryIndex[t.Any]):
            class Meta:
                index_name = "by-day"
                projection = AllProjection()

            year = UnicodeAttribute(hash_key=True)
            day = UnicodeAttribute(hash_key=True)

        class Existing(pynamodb.models.Model):
            class Meta:
                table_name = "Existing"

            forum = UnicodeAttribute(hash_key=True)
            by_day = Index()

        db.register(Existing)
        assert list(Existing.by_day.Meta.attributes) == ["year", "day"]
