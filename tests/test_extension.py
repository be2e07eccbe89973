"""``Dynamo``: the extension object."""

from __future__ import annotations

import gc
import typing as t
import weakref
from unittest import mock

import flask
import pytest

import dynaflask
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import MakeApp


def test_it_takes_an_app_at_once() -> None:
    """Dynamo(app) is Dynamo().init_app(app)."""
    app = flask.Flask("app")
    db = dynaflask.Dynamo(app)
    with app.app_context():
        assert db.registry is app.extensions["dynamo"]


def test_init_app_sends_nothing(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> None:
    """Neither does pushing a context, nor reading Meta."""
    with make_app(host=recorder.url, region="us-east-1").app_context():
        assert thread_model.Meta.table_name == "Thread"
    assert recorder.requests == []


def test_init_app_leaves_the_configuration_as_it_is(db: dynaflask.Dynamo) -> None:
    """Nothing is written into app.config."""
    app = flask.Flask("app")
    before = dict(app.config)
    db.init_app(app)
    assert dict(app.config) == before


def test_a_second_call_is_an_error(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """It is said whose app it is."""
    app = make_app("forum")
    with pytest.raises(RuntimeError, match="The app 'forum' is initialised already"):
        db.init_app(app)


def test_a_stranger_in_its_place_is_an_error(db: dynaflask.Dynamo) -> None:
    """Another extension of that name is named."""
    app = flask.Flask("forum")
    app.extensions["dynamo"] = object()
    with pytest.raises(RuntimeError, match="'forum' belongs to builtins.object"):
        db.init_app(app)


def test_a_stranger_that_comes_later_is_not_taken_for_ours(make_app: MakeApp, thread_model: t.Any) -> None:
    """The model says that the app is not initialised."""
    app = make_app()
    app.extensions["dynamo"] = object()
    with app.app_context(), pytest.raises(RuntimeError, match="was not initialised"):
        thread_model._get_connection()


def test_a_wrong_setting_leaves_the_app_as_it_was(db: dynaflask.Dynamo) -> None:
    """init_app fails whole: it can be called again with better settings."""
    app = flask.Flask("app")
    app.config["DYNAMODB_REGION"] = 7.5
    with pytest.raises(dynaflask.ConfigurationError):
        db.init_app(app)
    assert "dynamo" not in app.extensions
    app.config["DYNAMODB_REGION"] = "eu-west-1"
    db.init_app(app)


def test_an_app_that_is_refused_is_left_as_it_was(db: dynaflask.Dynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the attempt is on it: what is called twice would end the second attempt's contexts twice."""
    app = flask.Flask("app")
    monkeypatch.setattr(db, "_make_registry", mock.Mock(side_effect=dynaflask.ConfigurationError))
    with pytest.raises(dynaflask.ConfigurationError):
        db.init_app(app)
    assert (app.teardown_appcontext_funcs, app.teardown_request_funcs, app.cli.commands) == ([], {}, {})


def test_an_app_that_has_served_already_is_left_as_it_was(db: dynaflask.Dynamo) -> None:
    """Flask refuses the teardown then, and there is no registry without one."""
    app = flask.Flask("app")
    app.test_client().get("/")
    with pytest.raises(AssertionError):
        db.init_app(app)
    assert "dynamo" not in app.extensions


def test_only_own_models_can_be_given(make_app: MakeApp) -> None:
    """init_app(models=...) refuses what is not a model of this object."""
    stranger = models.declare_thread(dynaflask.Dynamo())
    with pytest.raises(TypeError, match="takes subclasses of db.Model and registered models"):
        make_app(given=[stranger])


def test_one_model_is_no_list_of_models(make_app: MakeApp, thread_model: t.Any) -> None:
    """The message shows the list that was meant."""
    with pytest.raises(TypeError, match=r"takes a list of models: \[Thread\]"):
        make_app(given=thread_model)


def test_the_names_of_the_registry_stand_on_it(make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """db.connection is current_app.extensions["dynamo"].connection, and so on."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
    with make_app(region="us-east-1", binds={"eu": {}}, **keys).app_context():
        registry = flask.current_app.extensions["dynamo"]
        for name in ("binds", "client", "connection", "connections", "models", "tables"):
            assert getattr(db, name) is getattr(registry, name)
        assert db.get_connection("eu") is registry.get_connection("eu")
        assert db.get_client("eu") is registry.get_client("eu")
        assert db.meta(thread_model) is registry.meta(thread_model)


def test_another_object_than_the_apps_is_an_error(make_app: MakeApp) -> None:
    """Two extension objects are a mistake that is named."""
    with make_app("forum").app_context():
        with pytest.raises(RuntimeError, match="db.connection was used on another Dynamo than .* 'forum'"):
            dynaflask.Dynamo().connection  # noqa: B018


def test_outside_of_a_context_it_says_what_was_asked(db: dynaflask.Dynamo) -> None:
    """The error names the attribute."""
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
    """An app that nobody holds any more goes, with its registry."""
    app = make_app()
    with app.app_context():
        pass
    held = [weakref.ref(app), weakref.ref(app.extensions["dynamo"])]
    del app
    gc.collect()
    assert [reference() for reference in held] == [None, None]


def test_it_offers_its_commands(make_app: MakeApp) -> None:
    """flask dynamo is there without more ado."""
    assert "dynamo" in make_app().cli.commands
