"""What tracers cost per call: watchers for ``operations.py``. Each takes an app, and traces it within its block."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import time
import typing as t

import flask


class Dropping:
    """An exporter of OpenTelemetry that drops the spans, so that only the work of the app is measured."""

    def export(self, spans: t.Any) -> t.Any:
        """Drop spans."""
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415 - may not be installed

        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Do nothing."""

    def force_flush(self, timeout_millis: int = 0) -> bool:
        """Do nothing."""
        return True


@contextlib.contextmanager
def tracer_provider() -> cabc.Iterator[t.Any]:
    """A provider that exports in batches, as in production, to nowhere."""
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - may not be installed
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(t.cast("t.Any", Dropping())))
    yield provider
    provider.shutdown()


@contextlib.contextmanager
def opentelemetry_span(app: flask.Flask) -> cabc.Iterator[None]:
    """``dynaflask.integrations.opentelemetry``, with its span and its histogram."""
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - may not be installed
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415

    from dynaflask.integrations import opentelemetry  # noqa: PLC0415

    with tracer_provider() as provider:
        meters = MeterProvider([InMemoryMetricReader()])
        opentelemetry.instrument(app, tracer_provider=provider, meter_provider=meters)
        yield
        opentelemetry.uninstrument(app)
        meters.shutdown()


@contextlib.contextmanager
def opentelemetry_left_out(app: flask.Flask) -> cabc.Iterator[None]:
    """``dynaflask.integrations.opentelemetry`` in a request that is not sampled, as most are."""
    from opentelemetry import trace  # noqa: PLC0415 - may not be installed

    parent = trace.SpanContext(trace_id=1, span_id=2, is_remote=True, trace_flags=trace.TraceFlags.get_default())
    with opentelemetry_span(app), trace.use_span(trace.NonRecordingSpan(parent)):
        yield


@contextlib.contextmanager
def opentelemetry_sdk(app: flask.Flask) -> cabc.Iterator[cabc.Callable[[], None]]:
    """OpenTelemetry's SDK alone: the least that a span and its duration take, with the attributes of a GetItem."""
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - may not be installed
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415
    from opentelemetry.trace import SpanKind  # noqa: PLC0415
    from opentelemetry.trace import set_span_in_context  # noqa: PLC0415

    with tracer_provider() as provider:
        tracer, meters = provider.get_tracer("benchmark"), MeterProvider([InMemoryMetricReader()])
        durations = meters.get_meter("benchmark").create_histogram("db.client.operation.duration", unit="s")
        common = {
            "db.system.name": "aws.dynamodb",
            "db.operation.name": "GetItem",
            "db.collection.name": "Thread",
            "dynaflask.app": app.name,
            "dynaflask.bind": "default",
            "server.address": "localhost",
            "server.port": 8000,
        }
        more = {
            "cloud.region": "eu-west-1",
            "dynaflask.model": "Thread",
            "aws.request_id": "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123",
            "aws.dynamodb.table_names": ("Thread",),
        }
        attributes = {**common, **more}

        def add_span() -> None:
            started = time.time_ns()
            span = tracer.start_span("GetItem Thread", kind=SpanKind.CLIENT, attributes=attributes, start_time=started)
            span.end(end_time=started + 1_000_000)
            durations.record(0.001, common, context=set_span_in_context(span))

        yield add_span
        meters.shutdown()


@contextlib.contextmanager
def opentelemetry_wrapper(app: flask.Flask) -> cabc.Iterator[None]:
    """OpenTelemetry's own instrumentation of botocore, which patches botocore for the whole process."""
    from opentelemetry.instrumentation.botocore import BotocoreInstrumentor  # noqa: PLC0415 - may not be installed

    with tracer_provider() as provider:
        BotocoreInstrumentor().instrument(tracer_provider=provider)
        yield
        BotocoreInstrumentor().uninstrument()


@contextlib.contextmanager
def sentry_breadcrumb(app: flask.Flask) -> cabc.Iterator[None]:
    """``dynaflask.integrations.sentry`` without a transaction: a breadcrumb for each call."""
    import sentry_sdk  # noqa: PLC0415 - may not be installed

    from dynaflask.integrations import sentry  # noqa: PLC0415

    with sentry_sdk.isolation_scope(), sentry_sdk.new_scope() as scope:
        scope.set_client(sentry_sdk.Client(default_integrations=False, auto_enabling_integrations=False))
        sentry.instrument(app)
        yield
        sentry.uninstrument(app)
