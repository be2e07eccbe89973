"""OpenTelemetry's instrumentation of Flask: the calls of a request are in the trace of the request."""

from __future__ import annotations

import collections.abc as cabc

import flask
import pytest
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.trace import SpanKind

from dynaflask.integrations import opentelemetry
from dynaflask.testing import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp
from tests.support.tracing import TRANSPORTS
from tests.support.tracing import Telemetry

MakeTraced = cabc.Callable[..., tuple[flask.Flask, Telemetry]]


@pytest.fixture
def make_traced(make_app: MakeApp, recorder: recorders.Recorder, thread_model: type) -> cabc.Iterator[MakeTraced]:
    """Makes an app with a view that makes two calls, and with telemetry of its own."""
    apps = []

    def make(name: str, **settings: str) -> tuple[flask.Flask, Telemetry]:
        app = make_app(name, host=recorder.url, region="us-east-1", table_prefix=f"{name}-", **KEYS, **settings)
        telemetry = Telemetry()

        @app.get("/")
        def show() -> str:
            thread_model.get("k-12345", "s")  # type: ignore[attr-defined]
            thread_model("k-12345", "s").save()
            return ""

        FlaskInstrumentor().instrument_app(app, tracer_provider=telemetry.tracer_provider)
        opentelemetry.instrument(
            app, tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider
        )
        apps.append(app)
        return app, telemetry

    yield make
    for app in apps:
        FlaskInstrumentor.uninstrument_app(app)


@pytest.mark.parametrize("with_wrapper", [False, True], ids=["alone", "with botocore's instrumentation"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_each_call_is_a_child_of_its_request(make_traced: MakeTraced, transport: str, with_wrapper: bool) -> None:
    """A request has one span, and each of its calls has exactly one, on each transport; two apps keep theirs apart."""
    traced = [make_traced(name, transport=transport) for name in ("us", "eu")]
    wrapper = traced[0][1]
    for _ in range(2):
        for app, _telemetry in traced:
            if with_wrapper:
                with wrapper.botocore_wrapper():
                    app.test_client().get("/")
            else:
                app.test_client().get("/")
    for app, telemetry in traced:
        requests = [span for span in telemetry.spans if span.kind is SpanKind.SERVER]
        calls = [span for span in telemetry.spans if span not in requests]
        assert len(requests) == 2
        assert [span.name for span in calls] == [f"GetItem {app.name}-Thread", f"PutItem {app.name}-Thread"] * 2
        parents = [span.parent and span.parent.span_id for span in calls]
        assert parents == [request.context.span_id for request in requests for _ in range(2)]
        assert {span.attributes["dynaflask.app"] for span in calls} == {app.name}
