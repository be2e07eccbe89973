"""An app in its context, for the tests of a connection."""

from __future__ import annotations

import typing as t

import flask
import pytest

from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def app_in_context(make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[flask.Flask]:
    """An app, in a context, whose calls the recorder answers."""
    app = make_app(host=recorder.url, region="us-east-1", max_retry_attempts=0, table_prefix="test-", **KEYS)
    with app.app_context():
        yield app
