"""The hook of a block sees each attempt of botocore in that block alone."""

from __future__ import annotations

import contextvars
import typing as t

import flask
import pytest
from botocore.exceptions import EndpointConnectionError

from dynaflask.client.attempt_hook import attempt_hook
from tests.support.recorder import Recorder
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def test_a_hook_sees_each_attempt(app: flask.Flask, recorder: Recorder) -> None:
    """The hook is called with the request of each attempt. Its exceptions are the results of the attempts."""
    seen = []

    def fail(request: t.Any) -> None:
        seen.append(request.url)
        raise EndpointConnectionError(endpoint_url=request.url)

    with attempt_hook.block(fail), pytest.raises(EndpointConnectionError):
        app.extensions["dynamo"].client.list_tables()
    assert len(seen) > 1
    assert recorder.requests == []


def test_other_code_has_no_hook(app: flask.Flask, make_app: MakeApp, recorder: Recorder) -> None:
    """Other code sends its requests: after the block, and in a task that begins in it and calls another app."""
    other = make_app("other", host=recorder.url, region="eu-west-1", **KEYS)
    with attempt_hook.block(lambda _: 1 / 0):
        context = contextvars.copy_context()
        context.run(other.extensions["dynamo"].client.list_tables)
    context.run(other.extensions["dynamo"].client.list_tables)
    app.extensions["dynamo"].client.list_tables()
    assert len(recorder.requests) == 3


def test_a_hook_may_leave_the_request(app: flask.Flask, recorder: Recorder) -> None:
    """With ``None`` the request is sent."""
    with attempt_hook.block(lambda _: None):
        app.extensions["dynamo"].client.list_tables()
    assert len(recorder.requests) == 1
