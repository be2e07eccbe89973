"""The models of one app: by name, and what ``DYNAMODB_MODELS`` says of each."""

from __future__ import annotations

import gc
import typing as t
import weakref

import flask
import pynamodb.models
import pytest
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask import AmbiguousModel
from dynaflask import TenantKey
from dynaflask import TenantMismatch
from dynaflask import UnknownModel
from dynaflask.registry.models import AppModels
from tests.support import engines
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def models_of(app: flask.Flask) -> AppModels:
    registry: dynaflask.Registry = app.extensions["dynamo"]
    return registry.models


def declare(
    db: dynaflask.Dynamo | None,
    name: str,
    *,
    module: str,
    table_name: str | None = None,
    key: t.Any = None,
    **meta: t.Any,
) -> t.Any:
    """A model of that name in that module; without a ``db``, a subclass of ``dynaflask.Model``."""
    base = dynaflask.Model if db is None else db.Model
    namespace = {
        "__module__": module,
        "__qualname__": name,
        "Meta": type("Meta", (), {"table_name": table_name or name, **meta}),
        "key": key or UnicodeAttribute(hash_key=True),
    }
    return t.cast("t.Any", type(base))(name, (base,), namespace)


def settings_of(engine: engines.Engine) -> dict[str, str]:
    """Settings of an account of its own, as ``make_app`` takes them."""
    settings = engine.settings(engines.Account())
    return {name.removeprefix("DYNAMODB_").lower(): value for name, value in settings.items()}


class TestAppModels:
    """``registry.models``: the app's models by name."""

    def test_a_model_is_found_by_its_class_name(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A model is found by its class name, without a context."""
        assert models_of(make_app())["Thread"] is thread_model

    def test_a_model_declared_after_init_app_is_there(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A model may be declared after init_app."""
        app = make_app()
        late = declare(db, "Late", module="late")
        assert dict(models_of(app)) == {"Late": late}

    def test_two_of_one_name_are_found_by_their_full_names(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Two models of one class name are listed by their full names."""
        first, second = (declare(db, "Post", module=module) for module in ("blog", "forum"))
        assert dict(models_of(make_app())) == {"blog.Post": first, "forum.Post": second}

    def test_the_short_name_of_two_is_an_error_that_lists_both(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A class name of two models raises a LookupError that is not a KeyError, so that ``get`` does not hide it."""
        kept = [declare(db, "Post", module=module) for module in ("forum", "blog")]
        with pytest.raises(AmbiguousModel, match=f"{len(kept)} models .* 'blog.Post', 'forum.Post'") as caught:
            models_of(make_app()).get("Post")
        assert (caught.value.name, caught.value.candidates) == ("Post", ("blog.Post", "forum.Post"))

    def test_an_unknown_name_offers_the_nearest(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """An unknown name raises a KeyError whose message offers the nearest name."""
        with pytest.raises(UnknownModel, match="^The app 'app' has no model 'Tread'. Did you mean 'Thread'") as caught:
            models_of(make_app())["Tread"]
        assert (caught.value.name, models_of(make_app("b")).get("Tread")) == ("Tread", None)

    def test_a_model_declared_again_replaces_the_first(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A model that is declared again, as by a reload of its module, replaces the first."""
        kept = [declare(db, "Post", module="blog") for _ in range(2)]
        assert models_of(make_app())["Post"] is kept[1]

    def test_models_of_one_full_name_and_two_tables_stay_side_by_side(
        self, make_app: MakeApp, db: dynaflask.Dynamo
    ) -> None:
        """Models of one full name for different tables, such as a function makes, all stay."""
        kept = [declare(db, "Made", module="blog", table_name=name) for name in ("orders", "users")]
        assert models_of(make_app()).classes() == kept

    def test_a_base_without_a_table_is_none(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A base class without a table is not a model of the app."""
        kept = t.cast("t.Any", type(db.Model))("Base", (db.Model,), {"__module__": "blog"})
        assert "Base" not in models_of(make_app())
        assert kept is not None

    def test_in_is_true_for_each_name_that_can_be_looked_up(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """``in`` is true for full names, even unlisted ones; and in ``db.tables`` for every name."""
        app_models = models_of(make_app())
        full = f"{thread_model.__module__}.{thread_model.__qualname__}"
        assert app_models[full] is thread_model
        assert [name in app_models for name in ("Thread", full, "Tread")] == [True, True, False]
        with make_app("other").app_context():
            assert "Audit" in db.tables

    def test_an_app_may_be_limited_to_some_models(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """An app that was given some models has only these; the use of another raises an error that names it."""
        post = declare(db, "Post", module="blog")
        app = make_app("forum", allowed_models=[thread_model])
        assert (list(models_of(app)), list(models_of(make_app("all")))) == (
            ["Thread"],
            ["Thread", "Post"],
        )
        with app.app_context(), pytest.raises(UnknownModel, match="'forum' was not given the model blog.Post. Add it"):
            post.get("key")

    def test_a_model_of_another_dynamo_is_an_error(self, make_app: MakeApp) -> None:
        """A model of another extension object is refused with an error that says so."""
        other = models.declare_thread(dynaflask.Dynamo())
        with make_app().app_context(), pytest.raises(RuntimeError, match="Thread was declared with another Dynamo"):
            other.get("forum", "subject")

    def test_a_configured_name_that_is_no_model_is_a_warning(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A name in DYNAMODB_MODELS without a model is a warning at the first use, when all models are declared."""
        with make_app(models={"Tread": {"region": "eu-west-1"}}).app_context():
            with pytest.warns(
                UserWarning,
                match="names 'Tread', which is no model of this app with a Meta of its own. Did you mean 'Thread'",
            ):
                thread_model._get_connection()

    def test_a_configured_name_of_two_is_an_error(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A class name of two models in DYNAMODB_MODELS is an error; the full name selects one."""
        first, second = (declare(db, "Post", module=module) for module in ("blog", "forum"))
        with make_app(models={"Post": {"region": "eu-west-1"}}).app_context(), pytest.raises(AmbiguousModel):
            first._get_connection()
        with make_app("full", models={"blog.Post": {"region": "eu-west-1"}}).app_context():
            assert (first.Meta.region, second.Meta.region) == ("eu-west-1", None)

    def test_the_repr_lists_the_names(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """The repr lists the names of the app's models."""
        assert thread_model.__name__ == "Thread"
        assert repr(models_of(make_app())) == "<AppModels ['Thread']>"


class TestStaticModels:
    """Subclasses of ``dynaflask.Model``, which belong to no extension object."""

    def test_each_app_serves_it_with_any_extension_object(self, engine: engines.Engine) -> None:
        """Two apps, each with an extension object of its own, reach their own tables with one class."""
        post = declare(None, "Post", module="blog", billing_mode="PAY_PER_REQUEST")
        apps = []
        for name in ("one", "two"):
            db, app, account = dynaflask.Dynamo(), flask.Flask(name), engines.Account()
            app.config.update(engine.settings(account))
            db.init_app(app)
            with app.app_context():
                db.create_all(wait=True)
                post(name).save()
            apps.append((db, app))
        for db, app in apps:
            with app.app_context():
                assert [item.key for item in post.scan()] == [app.name]
                db.drop_all()

    def test_it_is_among_the_models_of_every_extension_object(self) -> None:
        """It is listed with the models of each extension object, which do not see each other's."""
        post = declare(None, "Post", module="blog")
        listed = []
        for name in ("one", "two"):
            db, app = dynaflask.Dynamo(), flask.Flask(name)
            own = declare(db, f"Of{name.title()}", module="blog")
            db.init_app(app)
            listed.append(models_of(app).classes() == [post, own])
        assert listed == [True, True]

    def test_an_app_may_be_limited_to_some(self, make_app: MakeApp) -> None:
        """An app that was given some models has only these; another app has all."""
        post, user = (declare(None, name, module="blog") for name in ("Post", "User"))
        limited, whole = make_app("limited", allowed_models=[post]), make_app("whole")
        assert (list(models_of(limited)), list(models_of(whole))) == (["Post"], ["Post", "User"])
        with limited.app_context(), pytest.raises(UnknownModel, match="'limited' was not given the model blog.User"):
            user.get("key")

    def test_tenants_keep_their_items_apart_in_two_apps(
        self, ministack: engines.Engine, db: dynaflask.Dynamo, make_app: MakeApp
    ) -> None:
        """With a ``TenantKey``, two tenants in each of two apps read only their own items."""
        note = declare(None, "Note", module="blog", key=TenantKey(hash_key=True), billing_mode="PAY_PER_REQUEST")
        apps = [make_app(name, **settings_of(ministack)) for name in ("one", "two")]
        for app in apps:
            with app.app_context():
                db.create_all(wait=True)
        places = [(app, tenant) for app in apps for tenant in ("acme", "globex")]
        for app, tenant in places[:-1]:
            with app.app_context(), db.tenant(tenant):
                note("inbox").save()
        found = []
        for app, tenant in places:
            with app.app_context(), db.tenant(tenant):
                found.append(note.count("inbox"))
        assert found == [1, 1, 1, 0]

    def test_one_that_is_declared_later_makes_its_table_a_shared_one(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """A model without a ``TenantKey`` is refused as soon as one with a ``TenantKey`` has its table."""
        plain = declare(db, "Plain", module="blog", table_name="Note")
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        with app.app_context(), db.tenant("acme"):
            plain._get_connection()
        late = declare(None, "Late", module="blog", table_name="Note", key=TenantKey(hash_key=True))
        with app.app_context(), db.tenant("acme"), pytest.raises(TenantMismatch, match="Plain and Late have one table"):
            plain.get("key")
        assert (late.__name__, recorder.requests) == ("Late", [])

    @pytest.mark.parametrize("bind_key", [None, "eu"], ids=["one bind", "another bind"])
    def test_one_that_is_declared_again_leaves_its_table_a_shared_one(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, bind_key: str | None
    ) -> None:
        """As long as a class with a ``TenantKey`` is in use, its table is shared, also if another has its name."""
        first = declare(None, "Note", module="blog", key=TenantKey(hash_key=True))
        again = declare(None, "Note", module="blog", bind_key=bind_key)
        second = again if bind_key is None else declare(db, "Plain", module="blog", table_name="Note")
        shared = declare(db, "Shared", module="blog", table_name="Note", tenant=False)
        settings: t.Any = {"region": "us-east-1", "binds": {"eu": {"region": "eu-west-1"}}, **KEYS}
        one, other = (make_app(name, host=recorder.url, **settings) for name in ("one", "other"))
        limited = make_app("limited", allowed_models=[again], host=recorder.url, **settings)
        assert models_of(one)["Note"] is again
        for app in (one, other):
            with app.app_context(), db.tenant("acme"):
                for model in (second, shared):
                    with pytest.raises(TenantMismatch, match="one table|the same table"):
                        model.get("globex#in")
                first.get("in")
        with limited.app_context(), db.tenant("acme"):
            again.get("in")
        assert [request.body["Key"]["key"]["S"] for request in recorder.requests] == ["acme#in", "acme#in", "in"]

    def test_the_commands_list_it(self, make_app: MakeApp) -> None:
        """``flask dynamo models`` lists it."""
        post = declare(None, "Post", module="blog")
        output = make_app(region="eu-west-1").test_cli_runner().invoke(args=["dynamo", "models"]).output
        assert post.__name__ in output

    def test_a_name_in_two_modules_is_ambiguous(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A class name in two modules is found by the full name, also if one class is a ``db.Model``."""
        static, own = declare(None, "Post", module="blog"), declare(db, "Post", module="forum")
        app_models = models_of(make_app())
        assert dict(app_models) == {"blog.Post": static, "forum.Post": own}
        with pytest.raises(AmbiguousModel, match=r"'blog\.Post', 'forum\.Post'"):
            app_models["Post"]

    def test_a_base_without_a_table_is_none(self, make_app: MakeApp) -> None:
        """A base class without a ``Meta`` is no model, and neither is ``dynaflask.Model``."""
        base = t.cast("t.Any", type(dynaflask.Model))("Base", (dynaflask.Model,), {"__module__": "blog"})
        app = make_app()
        assert models_of(app).classes() == []
        for model in (base, dynaflask.Model):
            with app.app_context(), pytest.raises(AttributeError, match="needs a Meta class with a table_name"):
                model.delete_table()

    def test_it_is_collected_with_its_last_reference(self, make_app: MakeApp) -> None:
        """A model that a function declares is no model of any app after Python has collected it."""
        post = declare(None, "Post", module="blog")
        app, reference = make_app(), weakref.ref(post)
        with app.app_context():
            assert post.Meta.table_name == "Post"
        del post
        gc.collect()
        assert (reference(), models_of(app).classes()) == (None, [])

    def test_registering_it_changes_nothing(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """``db.register`` returns it as it is: every app serves it already."""
        post = declare(None, "Post", module="blog")
        bases = post.__bases__
        assert (db.register(post), dynaflask.Dynamo().register(post)) == (post, post)
        assert (post.__bases__, models_of(make_app()).classes()) == (bases, [post])

    def test_a_model_of_pynamodb_is_not_one(self, make_app: MakeApp) -> None:
        """A model of PynamoDB that was not registered is refused."""
        plain = t.cast("t.Any", type(pynamodb.models.Model))("Plain", (pynamodb.models.Model,), {"__module__": "blog"})
        app = make_app()
        with pytest.raises(RuntimeError, match="pass a model of PynamoDB to db.register"):
            models_of(app).declaration_of(plain)
        with pytest.raises(TypeError, match="init_app"):
            make_app("other", allowed_models=[plain])

    def test_without_an_app_context_the_error_says_what_to_do(self) -> None:
        """Outside of an app context, and in an app without a registry, the error names the next step."""
        post = declare(None, "Post", module="blog")
        with pytest.raises(RuntimeError, match="Post needs the current application .* `with app.app_context"):
            post.get("key")
        with flask.Flask("bare").app_context():
            with pytest.raises(RuntimeError, match=r"Call db.init_app\(app\) where that app is made, with the one"):
                post.get("key")
