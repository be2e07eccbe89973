"""What the tests of the stream process share."""

from __future__ import annotations

import typing as t

import flask
import pytest

from tests.support import engines
from tests.support import streams
from tests.support.settings import MakeApp


@pytest.fixture
def app(make_app: MakeApp, ministack: engines.Engine, account: engines.Account) -> t.Iterator[flask.Flask]:
    """An app without tenants, in its context."""
    app = make_app(**streams.settings_of(ministack, account))
    with app.app_context():
        yield app
