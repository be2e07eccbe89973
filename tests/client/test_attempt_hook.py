"""The hook of a context sees each attempt of botocore in that context alone."""

from __future__ import annotations

import contextvars
import typing as t

import flask
import pytest
from botocore.exceptions import EndpointConnectionError

from dynaflask.client.attempt_hook import attempt_hook
from tests.support.recorder import Recorder


def test_a_hook_sees_each_attempt(app: flask.Flask, recorder: Recorder) -> None:
    """The hook is called with the request of each attempt. Its exceptions are the results of the attempts."""
    seen = []

    def fail(request: t.Any) -> None:
        seen.append(request.url)
        raise EndpointConnectionError(endpoint_url=request.url)

    def call() -> None:
        attempt_hook.set(fail)
        with pytest.raises(EndpointConnectionError):
            app.extensions["dynamo"].client.list_tables()

    contextvars.copy_context().run(call)
    assert len(seen) > 1
    assert recorder.requests == []


def test_other_contexts_have_no_hook(app: flask.Flask, recorder: Recorder) -> None:
    """Outside of the context that set the hook, requests are sent."""
    contextvars.copy_context().run(attempt_hook.set, lambda _: 1 / 0)
    app.extensions["dynamo"].client.list_tables()
    assert len(recorder.requests) == 1


def test_a_hook_may_leave_the_request(app: flask.Flask, recorder: Recorder) -> None:
    """With ``None`` the request is sent."""

    def call() -> None:
        attempt_hook.set(lambda _: None)
        app.extensions["dynamo"].client.list_tables()

    contextvars.copy_context().run(call)
    assert len(recorder.requests) == 1
