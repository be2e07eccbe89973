"""Tracers see the calls that would bypass botocore. Without a tracer, calls take the direct transport again."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t
from unittest import mock

import botocore.client
import botocore.httpsession
import flask
import pytest
from aws_xray_sdk.core import patcher
from aws_xray_sdk.core import xray_recorder
from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.httpsession import URLLib3Session
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from pynamodb.exceptions import GetError

from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

Traced = t.Callable[[], list[tuple[str, bool]]]
Tracer = t.Callable[[], contextlib.AbstractContextManager[Traced]]
DIRECT = ("direct", None)


@contextlib.contextmanager
def opentelemetry() -> cabc.Iterator[Traced]:
    """OpenTelemetry's instrumentation. Yields a function: each traced operation, and True if it failed."""
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    BotocoreInstrumentor().instrument(tracer_provider=provider)
    try:
        yield lambda: [
            (span.attributes["rpc.method"], span.status.status_code is StatusCode.ERROR)
            for span in spans.get_finished_spans()
        ]
    finally:
        BotocoreInstrumentor().uninstrument()


def xray(module: str) -> Tracer:
    """The X-Ray SDK, which patches the libraries of a module."""

    @contextlib.contextmanager
    def tracer() -> cabc.Iterator[Traced]:
        xray_recorder.configure(sampling=False)
        with restoring_patches(), mock.patch.object(xray_recorder.emitter, "send_entity"):
            segment = xray_recorder.begin_segment("test")
            patcher.patch((module,))
            yield lambda: [(part.aws["operation"], hasattr(part, "error")) for part in segment.subsegments]
            xray_recorder.end_segment()

    return tracer


@contextlib.contextmanager
def restoring_patches() -> cabc.Iterator[None]:
    """A block that removes the patches of the X-Ray SDK at its end. The SDK itself cannot remove them."""
    methods = (BaseClient, "_make_api_call"), (Endpoint, "prepare_request"), (URLLib3Session, "send")
    with contextlib.ExitStack() as stack:
        for owner, name in methods:
            stack.enter_context(mock.patch.object(owner, name, vars(owner)[name]))
        try:
            yield
        finally:
            patcher._PATCHED_MODULES.clear()
            for module in (botocore.client, botocore.httpsession):
                vars(module).pop("_xray_enabled", None)


# The SDK opens a socket when it is imported. No X-Ray daemon receives the traces.
xray_recorder.emitter._socket.close()

TRACERS = {"opentelemetry": opentelemetry, "x-ray": xray("botocore"), "x-ray for pynamodb": xray("pynamodb")}
every_tracer = pytest.mark.parametrize("tracer", TRACERS.values(), ids=TRACERS)
OUR_OPENTELEMETRY = "Call dynaflask.integrations.opentelemetry.instrument(app), which needs no patch"
PATCHED = "botocore's BaseClient._make_api_call is patched by "
REASONS = {
    opentelemetry: f"{PATCHED}OpenTelemetry. {OUR_OPENTELEMETRY}",
    TRACERS["x-ray"]: f"{PATCHED}the X-Ray SDK",
    TRACERS["x-ray for pynamodb"]: f"{PATCHED}the X-Ray SDK",
}


@pytest.fixture
def make_direct(make_app: MakeApp, recorder: recorders.Recorder) -> MakeApp:
    """Makes an app that calls the recorder with the direct transport."""
    options = {"host": recorder.url, "region": "us-east-1", "transport": "direct", **KEYS}
    return lambda name="app", /, **settings: make_app(name, **{**options, **settings})


def transport_of(app: flask.Flask) -> tuple[str, str | None]:
    """The transport of the app's next call, and the reason if it is not the configured one."""
    transport = app.extensions["dynamo"].get_client().meta.dynaflask_transport
    return transport.mode, transport.reason


def traced_by(tracer: Tracer) -> tuple[str, str]:
    """The transport of an app's next call while a tracer is installed, with the reason, which names the tracer."""
    return "botocore", REASONS[tracer]


def read(app: flask.Flask, model: t.Any) -> str:
    """The result of one call."""
    with app.app_context():
        return str(model.get("forum", app.name).subject)


@every_tracer
def test_a_tracer_sees_the_calls_of_existing_clients(make_direct: MakeApp, thread_model: t.Any, tracer: Tracer) -> None:
    """A tracer sees the calls of existing clients while it is installed."""
    app = make_direct()
    assert [read(app, thread_model) for _ in range(2)] == ["app", "app"]
    assert transport_of(app) == DIRECT
    with tracer() as traced:
        assert [read(app, thread_model) for _ in range(2)] == ["app", "app"]
        assert (transport_of(app), traced()) == (traced_by(tracer), [("GetItem", False)] * 2)
    assert read(app, thread_model) == "app"
    assert (transport_of(app), len(traced())) == (DIRECT, 2)


@every_tracer
def test_a_tracer_sees_the_calls_of_new_clients(make_direct: MakeApp, thread_model: t.Any, tracer: Tracer) -> None:
    """A tracer sees the calls of the clients of all apps that are made while it is installed."""
    with tracer() as traced:
        apps = [make_direct(region, region=region) for region in ("us-east-1", "eu-west-1")]
        assert [read(app, thread_model) for app in apps * 2] == ["us-east-1", "eu-west-1"] * 2
        assert [transport_of(app) for app in apps] == [traced_by(tracer)] * 2
        assert traced() == [("GetItem", False)] * 4
    assert [read(app, thread_model) for app in apps * 2] == ["us-east-1", "eu-west-1"] * 2
    assert ([transport_of(app) for app in apps], len(traced())) == ([DIRECT] * 2, 4)


@every_tracer
def test_a_tracer_sees_that_a_call_failed(
    make_direct: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, tracer: Tracer
) -> None:
    """A failed call is an error for the tracer and for the caller."""
    app = make_direct()
    read(app, thread_model)
    recorder.answer = lambda request: (400, {"__type": "x#ValidationException", "message": "No."})
    with tracer() as traced, pytest.raises(GetError, match="No."):
        read(app, thread_model)
    assert traced() == [("GetItem", True)]


@every_tracer
def test_the_request_carries_the_trace(
    make_direct: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, tracer: Tracer
) -> None:
    """The trace header is in a traced request only: no template captures it."""
    app = make_direct()
    with tracer():
        read(app, thread_model)
    read(app, thread_model)
    read(app, thread_model)
    carried = ["x-amzn-trace-id" in request.headers for request in recorder.requests]
    assert carried == [True, False, False]
