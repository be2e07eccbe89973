"""An app over each transport, for the tests of faults."""

from __future__ import annotations

import collections.abc as cabc

import flask
import pytest

import dynaflask
from tests.support.recorder import Recorder
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture(params=["stock", "botocore", "direct"])
def served(request: pytest.FixtureRequest, make_app: MakeApp, recorder: Recorder) -> flask.Flask:
    """An app that sends to the recorder, over each transport."""
    return make_app(host=recorder.url, region="eu-west-1", transport=request.param, max_retry_attempts=2, **KEYS)


@pytest.fixture
def counted(served: flask.Flask) -> cabc.Iterator[list[dynaflask.Operation]]:
    """The operations of the app."""
    operations: list[dynaflask.Operation] = []

    def add(_: flask.Flask, operation: dynaflask.Operation) -> None:
        operations.append(operation)

    with dynaflask.operation_finished.connected_to(add, sender=served), served.app_context():
        yield operations
