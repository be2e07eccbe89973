"""``operation_finished``: what happened, told to whoever asks."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.exceptions import GetError

from dynaflask import operation_finished
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def apps(make_app: MakeApp, recorder: recorders.Recorder) -> list[flask.Flask]:
    """Two apps in two regions."""
    return [
        make_app(name, host=recorder.url, region=region, max_retry_attempts=0, **KEYS)
        for name, region in (("us", "us-west-2"), ("eu", "eu-west-1"))
    ]


def test_the_sender_is_the_app(apps: list[flask.Flask], thread_model: t.Any) -> None:
    """Whoever follows one app hears nothing of the other, nested as they may be."""
    heard = []
    us, eu = apps

    def hear(app: flask.Flask, *, operation: t.Any) -> None:
        heard.append((app, operation.app_name))

    with operation_finished.connected_to(hear, sender=eu), us.app_context():
        thread_model.get("forum", "subject")
        with eu.app_context():
            thread_model.get("forum", "subject")
        thread_model.get("forum", "subject")
    assert heard == [(eu, "eu")]


def test_who_comes_while_a_context_lasts_is_told(apps: list[flask.Flask], thread_model: t.Any) -> None:
    """The context's connections were made before."""
    heard = []

    def hear(app: flask.Flask, *, operation: t.Any) -> None:
        heard.append(operation.name)

    with apps[0].app_context():
        thread_model.get("forum", "subject")
        with operation_finished.connected_to(hear):
            thread_model.get("forum", "subject")
        thread_model.get("forum", "subject")
    assert heard == ["GetItem"]


def test_a_failure_reaches_the_caller_after_it_was_told(
    apps: list[flask.Flask], thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """As the error that it is without listeners."""
    heard = []
    recorder.answer = lambda request: (400, {"__type": "x#ValidationException", "message": "no"})

    def hear(app: flask.Flask, *, operation: t.Any) -> None:
        heard.append(operation.error)

    with operation_finished.connected_to(hear), apps[0].app_context(), pytest.raises(GetError, match="no"):
        thread_model.get("forum", "subject")
    assert heard == ["ValidationException"]
