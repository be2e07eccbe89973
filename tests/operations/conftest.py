"""Fixtures of the tests of operations."""

from __future__ import annotations

import collections.abc as cabc

import flask
import pytest

from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import operation_finished
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def finished() -> cabc.Iterator[list[Operation]]:
    """The operations that the signal carried, of all apps."""
    operations: list[Operation] = []

    def receive(app: flask.Flask, *, operation: Operation) -> None:
        operations.append(operation)

    with operation_finished.connected_to(receive):
        yield operations


@pytest.fixture(params=["botocore", "direct", "stock"])
def any_transport(
    request: pytest.FixtureRequest, make_app: MakeApp, recorder: recorders.Recorder
) -> cabc.Iterator[flask.Flask]:
    """An app in a context, whose calls the recorder answers, on each transport."""
    settings = {"host": recorder.url, "region": "us-east-1", "transport": request.param, "max_retry_attempts": 1}
    app = make_app("forum", table_prefix="test-", **settings, **KEYS)
    with app.app_context():
        yield app
