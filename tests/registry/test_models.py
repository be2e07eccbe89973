"""The models of one app: by name, and what ``DYNAMODB_MODELS`` says of each."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask import AmbiguousModel
from dynaflask import UnknownModel
from dynaflask.registry.models import AppModels
from tests.support import models
from tests.support.settings import MakeApp


def models_of(app: flask.Flask) -> AppModels:
    registry: dynaflask.Registry = app.extensions["dynamo"]
    return registry.models


def declare(db: dynaflask.Dynamo, name: str, *, module: str, table_name: str | None = None) -> t.Any:
    """A model of that name in that module."""
    namespace = {
        "__module__": module,
        "__qualname__": name,
        "Meta": type("Meta", (), {"table_name": table_name or name}),
        "key": UnicodeAttribute(hash_key=True),
    }
    return t.cast("t.Any", type(db.Model))(name, (db.Model,), namespace)


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
