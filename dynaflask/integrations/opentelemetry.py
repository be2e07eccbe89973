"""OpenTelemetry (``pip install "dynaflask[opentelemetry]"``): a span and a duration for each call of an app.

from dynaflask.integrations import opentelemetry

opentelemetry.instrument(app)
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import time
import typing as t

import flask

from dynaflask.extras import required_extra
from dynaflask.operations.span_attributes import describe
from dynaflask.operations.span_attributes import error_attributes
from dynaflask.operations.span_attributes import result_attributes
from dynaflask.operations.tracing import FinishedCall
from dynaflask.registry.context import registry_of

with required_extra("opentelemetry", reason="dynaflask.integrations.opentelemetry is for OpenTelemetry"):
    from opentelemetry import context
    from opentelemetry import metrics
    from opentelemetry import trace
    from opentelemetry.instrumentation.utils import suppress_instrumentation

__all__ = ["instrument", "uninstrument"]

SCOPE = "dynaflask"
# https://opentelemetry.io/docs/specs/semconv/db/database-metrics/
DURATION = "db.client.operation.duration"
BUCKETS_SECONDS: t.Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)


class OpenTelemetryTracer:
    """Makes a span and a measurement of each call.

    Args:
        tracer: Makes the spans.
        meter: Measures the durations.
    """

    modules = frozenset({"opentelemetry.instrumentation.botocore"})

    def __init__(self, tracer: trace.Tracer, meter: metrics.Meter) -> None:
        self._tracer = tracer
        self._durations = meter.create_histogram(
            DURATION,
            unit="s",
            description="Duration of database client operations.",
            explicit_bucket_boundaries_advisory=BUCKETS_SECONDS,
        )

    @staticmethod
    def start() -> int:
        """Start of a call, in nanoseconds since 1970."""
        return time.time_ns()

    def finish(self, started: int, call: FinishedCall) -> None:
        """Make the span of a call. Nothing can be inside it, so that it is made at its end.

        Args:
            started: Result of `start`.
            call: The call.
        """
        name, common, attributes = describe(call)
        errors, seconds = error_attributes(call), call.duration_seconds
        # Found once: the SDK would look for it five times.
        parent = context.get_current()
        span = self._tracer.start_span(
            name,
            context=parent,
            kind=trace.SpanKind.CLIENT,
            # A copy, because a sampler may be the program's.
            attributes={**attributes, **errors, **result_attributes(call)},
            start_time=started,
        )
        if call.is_error:
            # Without the message of the error, which may have values of items.
            span.set_status(trace.StatusCode.ERROR)
        span.end(end_time=started + int(seconds * 1e9))
        # With its span, so that an exemplar refers to it.
        measured = {**common, **errors} if errors else common
        self._durations.record(seconds, measured, context=trace.set_span_in_context(span, parent))

    @contextlib.contextmanager
    def silence(self) -> cabc.Iterator[None]:
        """A block in which OpenTelemetry's instrumentations make no spans, and add no headers."""
        # The wrapper of botocore adds headers also if it makes no span, but none without a current span.
        token = context.attach(context.Context())
        try:
            with suppress_instrumentation():
                yield
        finally:
            context.detach(token)


def instrument(
    app: flask.Flask,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> None:
    """Trace the calls of an app, from its next app context on.

    If OpenTelemetry's instrumentation of botocore is installed, the app's calls leave it out: each call has one span.
    It still traces calls of other apps, and calls on clients of the program.

    Args:
        app: The app, after ``init_app``.
        tracer_provider: Provides the tracer; by default the global provider.
        meter_provider: Provides the meter; by default the global provider.

    Raises:
        RuntimeError: The app is not initialised.
    """
    tracer = OpenTelemetryTracer(
        trace.get_tracer(SCOPE, tracer_provider=tracer_provider),
        metrics.get_meter(SCOPE, meter_provider=meter_provider),
    )
    registry_of(app).recorder.set_tracer(tracer)


def uninstrument(app: flask.Flask) -> None:
    """Undo `instrument`; nothing for an app that is not traced.

    Args:
        app: The app.
    """
    registry_of(app).recorder.remove_tracer(OpenTelemetryTracer)
