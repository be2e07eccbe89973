"""Flask-Dynamo's settings: the config and the environment, as settings of a bind."""

from __future__ import annotations

import typing as t

import flask
import pytest

from dynaflask import ConfigurationError
from dynaflask.compat import flask_dynamo
from dynaflask.compat.flask_dynamo import Dynamo
from dynaflask.compat.flask_dynamo_config import read_config


def test_a_refused_app_keeps_its_config() -> None:
    """The defaults are not written into the config of an app with a wrong setting."""
    app = flask.Flask("app")
    app.config["DYNAMO_ENABLE_LOCAL"] = True
    before = dict(app.config)
    with pytest.raises(ConfigurationError):
        Dynamo(app)
    assert dict(app.config) == before


def test_a_second_init_app_does_not_mix_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key pair that the app gets after its first ``init_app`` is used without the environment's token."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "environment")
    dynamo = Dynamo(app := flask.Flask("app"))
    assert app.extensions["dynamo"].bind("default").aws_session_token == "environment"
    app.config.update(AWS_ACCESS_KEY_ID="new", AWS_SECRET_ACCESS_KEY="new")
    dynamo.init_app(app)
    bind = app.extensions["dynamo"].bind("default")
    assert (bind.aws_access_key_id, bind.aws_session_token) == ("new", None)


def test_the_environment_has_what_the_configuration_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, region and local server may come from the environment; the default region is us-east-1."""
    local = {"DYNAMO_ENABLE_LOCAL": "1", "DYNAMO_LOCAL_HOST": "localhost", "DYNAMO_LOCAL_PORT": "8000"}
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
    assert read_config({}, {}) == {"region": "us-east-1"}
    for name, value in {**local, **keys, "AWS_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(name, value)
    Dynamo(app := flask.Flask("app"))
    client = app.extensions["dynamo"].connection.meta.client
    assert (client.meta.region_name, client.meta.endpoint_url) == ("eu-west-1", "http://localhost:8000")
    assert app.extensions["dynamo"].session.get_credentials().token == "token"


def test_a_token_of_the_environment_does_not_go_with_configured_keys() -> None:
    """A token of the environment is used only with the key pair of the environment."""
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert "aws_session_token" not in read_config(keys, {"AWS_SESSION_TOKEN": "token"})
    assert read_config({}, {**keys, "AWS_SESSION_TOKEN": "token"})["aws_session_token"] == "token"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"AWS_ACCESS_KEY_ID": "key"}, "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY"),
        ({"AWS_SECRET_ACCESS_KEY": "secret"}, "AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID"),
        ({"DYNAMO_ENABLE_LOCAL": True}, "DYNAMO_ENABLE_LOCAL is set without DYNAMO_LOCAL_HOST"),
        ({"DYNAMO_ENABLE_LOCAL": True, "DYNAMO_LOCAL_HOST": "localhost"}, "without DYNAMO_LOCAL_PORT"),
        ({"DYNAMO_ENABLE_LOCAL": True, "DYNAMO_LOCAL_PORT": 8000}, "without DYNAMO_LOCAL_HOST"),
        ({"DYNAMO_TABLES": [{"TableName": "users"}, "groups"]}, r"DYNAMO_TABLES\[1\] must be a dict"),
        ({"AWS_REGION": "no region"}, "AWS_REGION must be a region"),
        ({"DYNAMO_SESSION": "no session"}, "DYNAMO_SESSION must be a botocore or boto3 session"),
        ({"DYNAMO_TABLES": [{"KeySchema": []}]}, r"DYNAMO_TABLES\[0\] must be a dict"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, t.Any], message: str) -> None:
    """The error names a wrong setting as typed, and the missing one of a pair."""
    app = flask.Flask("app")
    app.config.update(settings)
    with pytest.raises(flask_dynamo.ConfigurationError, match=message):
        Dynamo(app)
    assert flask_dynamo.ConfigurationError is ConfigurationError
