"""What the tests of dumps and loads share."""

from __future__ import annotations

import time
import typing as t

import flask
import pytest

from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def fake(make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[flask.Flask]:
    """An app in whose context all calls go to the recorder."""
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context() as context:
        yield context.app


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each sleep. It does not wait: the clocks stand still, and advance by these seconds alone."""
    slept: list[float] = []
    started, monotonic_started = time.time(), time.monotonic()
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "time", lambda: started + sum(slept))
    monkeypatch.setattr(time, "monotonic", lambda: monotonic_started + sum(slept))
    return slept
