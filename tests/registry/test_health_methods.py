"""``registry.ping``, ``warm`` and ``check``: does DynamoDB answer?"""

from __future__ import annotations

import flask
import pytest

import dynaflask
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def test_a_ping_returns_its_latency(app: flask.Flask) -> None:
    """The result is the time until the response, in seconds."""
    assert 0 < app.extensions["dynamo"].ping() < 60


def test_warm_opens_a_connection_for_each_bind(make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """``warm`` makes one call per bind."""
    app = make_app(host=recorder.url, region="us-east-1", binds={"eu": {"region": "eu-west-1"}}, **KEYS)
    app.extensions["dynamo"].warm()
    assert [request.region for request in recorder.requests] == ["us-east-1", "eu-west-1"]


def test_warm_refuses_an_unknown_bind(app: flask.Flask) -> None:
    """An unknown bind key is ``UnknownBind``."""
    with pytest.raises(dynaflask.UnknownBind):
        app.extensions["dynamo"].warm("mars")
