"""An app has at most one tracer of each library."""

from __future__ import annotations

import flask
import pytest

from dynaflask.integrations.app_tracers import remove_tracer
from dynaflask.integrations.app_tracers import set_tracer
from dynaflask.integrations.sentry import SentryTracer
from tests.support.settings import MakeApp


def test_an_app_keeps_its_own_tracers(make_app: MakeApp) -> None:
    """A tracer belongs to one app, until it is replaced or removed."""
    first, second = make_app("first"), make_app("second")
    for _ in range(2):
        set_tracer(first, SentryTracer())
    recorders = [app.extensions["dynamo"].recorder for app in (first, second)]
    assert [len(recorder.tracing.tracers) for recorder in recorders] == [1, 0]
    remove_tracer(first, SentryTracer)
    remove_tracer(second, SentryTracer)
    assert [len(recorder.tracing.tracers) for recorder in recorders] == [0, 0]


def test_an_app_without_the_extension_is_refused() -> None:
    """The error says what to call first."""
    with pytest.raises(RuntimeError, match=r"'plain' is not initialised. Call db.init_app\(app\) first"):
        set_tracer(flask.Flask("plain"), SentryTracer())
