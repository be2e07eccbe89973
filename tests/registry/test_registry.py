"""What one app owns: its binds, its models by name, and the door to its connections."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask import AmbiguousModel
from dynaflask import UnknownBind
from dynaflask import UnknownModel
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def registry_of(app: flask.Flask) -> dynaflask.Registry:
    registry: dynaflask.Registry = app.extensions["dynamo"]
    return registry


def declare(db: dynaflask.Dynamo, name: str, *, module: str, table_name: str | None = None) -> t.Any:
    """A model of that name in that module."""
    namespace = {
        "__module__": module,
        "__qualname__": name,
        "Meta": type("Meta", (), {"table_name": table_name or name}),
        "key": UnicodeAttribute(hash_key=True),
    }
    return t.cast("t.Any", type(db.Model))(name, (db.Model,), namespace)


class TestModels:
    """``registry.models``: the app's models by name."""

    def test_a_model_is_found_by_its_class_name(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """The lookup needs no context."""
        assert registry_of(make_app()).models["Thread"] is thread_model

    def test_a_model_declared_after_init_app_is_there(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """The order of imports does not matter."""
        app = make_app()
        late = declare(db, "Late", module="late")
        assert dict(registry_of(app).models) == {"Late": late}

    def test_two_of_one_name_are_found_by_their_full_names(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Both are usable."""
        first, second = (declare(db, "Post", module=module) for module in ("blog", "forum"))
        assert dict(registry_of(make_app()).models) == {"blog.Post": first, "forum.Post": second}

    def test_the_short_name_of_two_is_an_error_that_lists_both(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """It is a LookupError and no KeyError, so that no ``get`` takes it for a missing model."""
        kept = [declare(db, "Post", module=module) for module in ("forum", "blog")]
        with pytest.raises(AmbiguousModel, match=f"{len(kept)} models .* 'blog.Post', 'forum.Post'") as caught:
            registry_of(make_app()).models.get("Post")
        assert (caught.value.name, caught.value.candidates) == ("Post", ("blog.Post", "forum.Post"))

    def test_an_unknown_name_offers_the_nearest(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """UnknownModel is a KeyError that can be read."""
        with pytest.raises(UnknownModel, match="^The app 'app' has no model 'Tread'. Did you mean 'Thread'") as caught:
            registry_of(make_app()).models["Tread"]
        assert (caught.value.name, registry_of(make_app("b")).models.get("Tread")) == ("Tread", None)

    def test_a_model_declared_again_takes_its_place(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """As after a reload of its module."""
        kept = [declare(db, "Post", module="blog") for _ in range(2)]
        assert registry_of(make_app()).models["Post"] is kept[1]

    def test_models_of_one_full_name_and_two_tables_stay_side_by_side(
        self, make_app: MakeApp, db: dynaflask.Dynamo
    ) -> None:
        """As a function makes them, one for each table."""
        kept = [declare(db, "Made", module="blog", table_name=name) for name in ("orders", "users")]
        registry = registry_of(make_app())
        assert registry.models.classes() == kept

    def test_a_base_without_a_table_is_none(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Abstract classes are no models of an app."""
        kept = t.cast("t.Any", type(db.Model))("Base", (db.Model,), {"__module__": "blog"})
        assert "Base" not in registry_of(make_app()).models
        assert kept is not None

    def test_what_can_be_had_is_in_it(self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """By a full name as well, which is not among those that it lists; a table that no model has, by any."""
        registry = registry_of(make_app())
        full = f"{thread_model.__module__}.{thread_model.__qualname__}"
        assert registry.models[full] is thread_model
        assert [name in registry.models for name in ("Thread", full, "Tread")] == [True, True, False]
        with make_app("other").app_context():
            assert "Audit" in db.tables

    def test_an_app_may_be_limited_to_some(self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """It has these alone, and says so when another is used."""
        post = declare(db, "Post", module="blog")
        app = make_app("forum", given=[thread_model])
        assert (list(registry_of(app).models), list(registry_of(make_app("all")).models)) == (
            ["Thread"],
            ["Thread", "Post"],
        )
        with app.app_context(), pytest.raises(UnknownModel, match="'forum' was not given the model blog.Post. Add it"):
            post.get("key")

    def test_a_model_of_another_dynamo_is_an_error(self, make_app: MakeApp) -> None:
        """Two extension objects are a mistake that is named."""
        other = models.declare_thread(dynaflask.Dynamo())
        with make_app().app_context(), pytest.raises(RuntimeError, match="Thread was declared with another Dynamo"):
            other.get("forum", "subject")

    def test_a_configured_name_that_is_no_model_is_a_warning(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """DYNAMODB_MODELS is checked at the first use, when all models are declared."""
        with make_app(models={"Tread": {"region": "eu-west-1"}}).app_context():
            with pytest.warns(
                UserWarning,
                match="names 'Tread', which is no model of this app with a Meta of its own. Did you mean 'Thread'",
            ):
                thread_model._get_connection()

    def test_a_configured_name_of_two_is_an_error(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Which of them was meant is not guessed; the full name settles it."""
        first, second = (declare(db, "Post", module=module) for module in ("blog", "forum"))
        with make_app(models={"Post": {"region": "eu-west-1"}}).app_context(), pytest.raises(AmbiguousModel):
            first._get_connection()
        with make_app("full", models={"blog.Post": {"region": "eu-west-1"}}).app_context():
            assert (first.Meta.region, second.Meta.region) == ("eu-west-1", None)


class TestBinds:
    """``registry.binds``, and what is reached through them."""

    def test_the_binds_are_there_without_a_context(self, make_app: MakeApp) -> None:
        """The default one is first."""
        binds = registry_of(make_app(region="us-east-1", binds={"eu": {"region": "eu-west-1"}})).binds
        assert [(key, bind.region) for key, bind in binds.items()] == [("default", "us-east-1"), ("eu", "eu-west-1")]

    def test_one_pattern_serves_connections(self, make_app: MakeApp) -> None:
        """The map, the getter and the default give one object each in a context."""
        app = make_app(binds={"eu": {}})
        registry = registry_of(app)
        with app.app_context():
            assert registry.connections["eu"] is registry.get_connection("eu")
            assert registry.connection is registry.get_connection() is registry.connections["default"]
            assert (list(registry.connections), len(registry.connections)) == (["default", "eu"], 2)
            assert "us" not in registry.connections

    def test_an_unknown_bind_lists_the_known(self, make_app: MakeApp) -> None:
        """The map, the getters and the client agree."""
        app = make_app(binds={"eu": {}})
        registry = registry_of(app)
        with app.app_context():
            for use in (registry.get_connection, registry.get_client, registry.connections.__getitem__):
                with pytest.raises(UnknownBind, match="use one of 'default', 'eu'"):
                    use("us")
            assert registry.connections.get("us") is None

    def test_connections_need_a_context_of_this_app(self, make_app: MakeApp) -> None:
        """Another app's context is not taken for this one's."""
        us, eu = make_app("us"), make_app("eu")
        for context in (None, eu.app_context()):
            if context:
                context.push()
            with pytest.raises(RuntimeError, match="the registry of the app 'us', used outside"):
                registry_of(us).connection  # noqa: B018
        eu.app_context()
        assert context is not None
        context.pop()

    def test_clients_need_none(self, make_app: MakeApp) -> None:
        """They belong to the app, in a context or not."""
        app = make_app(region="us-east-1", binds={"eu": {"region": "eu-west-1"}}, **KEYS)
        registry = registry_of(app)
        assert registry.get_client("eu").meta.region_name == "eu-west-1"
        with app.app_context():
            assert registry.client is registry.get_client("default")

    def test_a_block_changes_the_client_that_is_given(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """registry.client is the one of the block's bind."""
        app = make_app(region="us-east-1", binds={"eu": {"region": "eu-west-1"}}, **KEYS)
        with app.app_context(), db.using("eu", region="eu-north-1"):
            assert registry_of(app).client.meta.region_name == "eu-north-1"
            assert registry_of(app).get_client("default").meta.region_name == "us-east-1"

    def test_the_clients_of_a_closed_registry_come_anew(self, make_app: MakeApp) -> None:
        """close() lets go, any number of times, and the next use begins again."""
        registry = registry_of(make_app(region="us-east-1", **KEYS))
        registry.get_client()
        registry.close()
        registry.close()
        assert registry.client.meta.region_name == "us-east-1"

    def test_two_apps_keep_apart(self, make_app: MakeApp) -> None:
        """Neither the binds nor the connections of one are seen in the other."""
        us, eu = make_app("us", region="us-west-2", binds={"x": {}}), make_app("eu", region="eu-west-1")
        assert "x" not in registry_of(eu).binds
        with us.app_context(), eu.app_context():
            assert registry_of(eu).connection.region == "eu-west-1"


class TestMeta:
    """``registry.meta(Model)``: a model's settings in an app."""

    def test_it_can_be_read_from_anywhere(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """Outside of the app's contexts it shows what the configuration comes to."""
        us, eu = make_app("us", region="us-west-2", table_prefix="us-"), make_app("eu", region="eu-west-1")
        with eu.app_context():
            meta = registry_of(us).meta(thread_model)
        assert (meta.table_name, meta.region) == ("us-Thread", "us-west-2")

    def test_in_a_context_it_is_the_contexts(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """There it is Model.Meta itself."""
        app = make_app()
        with app.app_context():
            assert registry_of(app).meta(thread_model) is thread_model.Meta

    def test_outside_it_cannot_be_changed(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A change belongs to a context."""
        with pytest.raises(RuntimeError, match="outside of an application context"):
            registry_of(make_app()).meta(thread_model).region = "eu-west-1"


class TestTables:
    """``registry.tables``: tables that no model describes."""

    def test_the_prefix_goes_in_front(self, make_app: MakeApp) -> None:
        """The name is a declared one, as a model's."""
        app = make_app(table_prefix="test-")
        with app.app_context():
            tables = registry_of(app).tables
            assert tables["Audit"].table_name == "test-Audit"
            assert tables["Audit"] is tables["Audit"]
            assert (list(tables), repr(tables)) == (["Audit"], "<LazyMapping ['Audit']>")

    def test_a_computed_prefix_is_asked_each_time(self, make_app: MakeApp) -> None:
        """A tenant that changes gets another table."""
        app = make_app(table_prefix=lambda name: f"{flask.g.tenant}-{name}")
        with app.app_context():
            names = []
            for flask.g.tenant in ("acme", "umbrella"):
                names.append(registry_of(app).tables["Audit"].table_name)
        assert names == ["acme-Audit", "umbrella-Audit"]

    def test_the_keys_are_asked_of_dynamodb_once(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """No model says what the table's keys are, so DescribeTable does."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        with app.app_context():
            for _ in range(2):
                registry_of(app).tables["Audit"].get_item("1")
        assert [request.operation for request in recorder.requests] == ["DescribeTable", "GetItem", "GetItem"]


def test_the_repr_names_the_app_and_its_binds(make_app: MakeApp) -> None:
    """And nothing else."""
    assert repr(registry_of(make_app(binds={"eu": KEYS}))) == "<Registry of 'app' binds=['default', 'eu']>"
