"""What the tests of tables share."""

from __future__ import annotations

import time
import typing as t

import flask
import pytest

import dynaflask
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def fake(make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[flask.Flask]:
    """An app in whose context all calls go to the recorder."""
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context() as context:
        yield context.app


@pytest.fixture
def engine_app(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> t.Iterator[flask.Flask]:
    """An app on a real engine, in its context, with a second bind in another region."""
    with engine.app(account, db, DYNAMODB_BINDS={"eu": {"region": "eu-west-1"}}) as app:
        yield app


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each sleep. It does not wait: the clocks stand still, and advance by these seconds alone."""
    slept: list[float] = []
    started, monotonic_started = time.time(), time.monotonic()
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "time", lambda: started + sum(slept))
    monkeypatch.setattr(time, "monotonic", lambda: monotonic_started + sum(slept))
    return slept
