"""``account_config`` returns the settings of an account of its own."""

from __future__ import annotations

import flask

import dynaflask
from dynaflask.testing import account_config


def test_two_accounts(dynamo_config: dict[str, str], dynamo_server: str) -> None:
    """Two accounts on one server differ in the access key alone, which has 12 digits."""
    other = account_config(dynamo_server)
    assert {name for name in other if other[name] != dynamo_config[name]} == {"DYNAMODB_AWS_ACCESS_KEY_ID"}
    assert len(other["DYNAMODB_AWS_ACCESS_KEY_ID"]) == 12
    assert other["DYNAMODB_AWS_ACCESS_KEY_ID"].isdigit()


def test_they_are_settings(dynamo_config: dict[str, str], dynamo_server: str, db: dynaflask.Dynamo) -> None:
    """An app takes them, and reaches the server."""
    app = flask.Flask("app")
    app.config.update(dynamo_config)
    db.init_app(app)
    assert app.extensions["dynamo"].binds["default"].host == dynamo_server
    assert app.extensions["dynamo"].ping() > 0
