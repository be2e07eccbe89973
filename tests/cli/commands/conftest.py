"""An app on a real engine, for the tests of the commands."""

from __future__ import annotations

import typing as t

import flask
import pytest

import dynaflask
from tests.support import engines


@pytest.fixture
def on_engine(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> t.Iterator[flask.Flask]:
    """An app on a real engine, with a second bind in another region."""
    app = flask.Flask("app")
    app.config.from_mapping(engine.settings(account))
    app.config["DYNAMODB_BINDS"] = {"eu": {"region": "eu-west-1"}}
    db.init_app(app)
    yield app
    with app.app_context():
        db.drop_all()
