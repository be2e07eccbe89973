"""``Dynamo``: the extension object. Its part for tenants is tested in ``registry/test_tenant_methods.py``."""

from __future__ import annotations

import gc
import typing as t
import weakref
from unittest import mock

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import MakeApp


def test_it_takes_an_app_at_once() -> None:
    """Dynamo(app) has the effect of Dynamo().init_app(app)."""
    app = flask.Flask("app")
    db = dynaflask.Dynamo(app)
    with app.app_context():
        assert db.registry is app.extensions["dynamo"]


def test_init_app_sends_nothing(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> None:
    """init_app, pushing a context and reading Meta send nothing."""
    with make_app(host=recorder.url, region="us-east-1").app_context():
        assert thread_model.Meta.table_name == "Thread"
    assert recorder.requests == []


def test_init_app_leaves_the_configuration_as_it_is(db: dynaflask.Dynamo) -> None:
    """init_app does not change app.config."""
    app = flask.Flask("app")
    before = dict(app.config)
    db.init_app(app)
    assert dict(app.config) == before


def test_a_second_call_is_an_error(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """A second init_app of an app is an error that names the app."""
    app = make_app("forum")
    with pytest.raises(RuntimeError, match="The app 'forum' is initialised already"):
        db.init_app(app)


def test_another_extension_of_that_name_is_an_error(db: dynaflask.Dynamo) -> None:
    """If app.extensions["dynamo"] is not ours, the error names its class."""
    app = flask.Flask("forum")
    app.extensions["dynamo"] = object()
    with pytest.raises(RuntimeError, match="'forum' belongs to builtins.object"):
        db.init_app(app)


def test_another_extension_set_later_is_not_used(make_app: MakeApp, thread_model: t.Any) -> None:
    """If app.extensions["dynamo"] is replaced later, the app counts as not initialised."""
    app = make_app()
    app.extensions["dynamo"] = object()
    with app.app_context(), pytest.raises(RuntimeError, match="was not initialised"):
        thread_model._get_connection()


def test_a_wrong_setting_leaves_the_app_as_it_was(db: dynaflask.Dynamo) -> None:
    """After an init_app that failed, the app can be initialised with corrected settings."""
    app = flask.Flask("app")
    app.config["DYNAMODB_REGION"] = 7.5
    with pytest.raises(dynaflask.ConfigurationError):
        db.init_app(app)
    assert "dynamo" not in app.extensions
    app.config["DYNAMODB_REGION"] = "eu-west-1"
    db.init_app(app)


def test_an_app_that_is_refused_is_left_as_it_was(db: dynaflask.Dynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed init_app registers no function and no command on the app."""
    app = flask.Flask("app")
    monkeypatch.setattr(db, "_make_registry", mock.Mock(side_effect=dynaflask.ConfigurationError))
    with pytest.raises(dynaflask.ConfigurationError):
        db.init_app(app)
    assert (app.teardown_appcontext_funcs, app.teardown_request_funcs, app.cli.commands) == ([], {}, {})


def test_an_app_that_has_served_already_is_left_as_it_was(db: dynaflask.Dynamo) -> None:
    """After the first request Flask refuses a teardown function, and the app gets no registry."""
    app = flask.Flask("app")
    app.test_client().get("/")
    with pytest.raises(AssertionError):
        db.init_app(app)
    assert "dynamo" not in app.extensions


def test_only_own_models_can_be_given(make_app: MakeApp) -> None:
    """init_app(models=...) refuses a class that is not a model of this object."""
    other = models.declare_thread(dynaflask.Dynamo())
    with pytest.raises(TypeError, match="takes subclasses of dynaflask.Model or db.Model, and reg"):
        make_app(allowed_models=[other])


def test_one_model_is_no_list_of_models(make_app: MakeApp, thread_model: t.Any) -> None:
    """init_app(models=Thread) is an error that shows the list to write."""
    with pytest.raises(TypeError, match=r"takes a list of models: \[Thread\]"):
        make_app(allowed_models=thread_model)


def test_it_has_the_attributes_of_the_registry(make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """The attributes of db are those of the current app's registry."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
    with make_app(region="us-east-1", binds={"eu": {}}, **keys).app_context():
        registry = flask.current_app.extensions["dynamo"]
        for name in ("binds", "client", "connection", "connections", "models", "tables"):
            assert getattr(db, name) is getattr(registry, name)
        assert db.get_connection("eu") is registry.get_connection("eu")
        assert db.get_client("eu") is registry.get_client("eu")
        assert db.meta(thread_model) is registry.meta(thread_model)


def test_another_object_than_the_apps_is_an_error(make_app: MakeApp) -> None:
    """Use of another extension object than the app's is an error that says so."""
    with make_app("forum").app_context():
        with pytest.raises(RuntimeError, match="db.connection was used on another Dynamo than .* 'forum'"):
            dynaflask.Dynamo().connection  # noqa: B018


def test_outside_of_a_context_it_says_what_was_asked(db: dynaflask.Dynamo) -> None:
    """Outside of a context the error names the attribute that was used."""
    with pytest.raises(RuntimeError, match="db.client needs the current application"):
        db.client  # noqa: B018


def test_two_apps_have_a_registry_each(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """db.registry follows the current app."""
    us, eu = make_app("us"), make_app("eu")
    with us.app_context():
        assert db.registry is us.extensions["dynamo"]
        with eu.app_context():
            assert db.registry is eu.extensions["dynamo"]


def test_it_holds_no_app(make_app: MakeApp) -> None:
    """An app that the program drops is collected with its registry."""
    app = make_app()
    with app.app_context():
        pass
    references = [weakref.ref(app), weakref.ref(app.extensions["dynamo"])]
    del app
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_it_registers_its_commands(make_app: MakeApp) -> None:
    """init_app registers the command group ``flask dynamo``."""
    assert "dynamo" in make_app().cli.commands


def test_the_repr_names_the_models(db: dynaflask.Dynamo) -> None:
    """It has the number of models and the names of some, also of those that derive from ``dynaflask.Model``."""
    assert repr(db) == "<Dynamo with 0 models>"

    class Thread(dynaflask.Model):
        class Meta:
            table_name = "static"

        name = UnicodeAttribute(hash_key=True)

    assert repr(db) == "<Dynamo with 1 model: Thread>"
    declared = [Thread, *(models.declare_thread(db, table_name=f"t{number}") for number in range(6))]
    assert repr(db) == "<Dynamo with 7 models: Thread, Thread, Thread, Thread, Thread, ...>"
    assert len(declared) == 7
