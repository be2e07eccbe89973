"""Apps whose calls are traced, and patches of botocore by tracers."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

TRANSPORTS = ("direct", "botocore", "stock")


class Telemetry:
    """Providers of OpenTelemetry that keep what they get."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meter_provider = MeterProvider([self._reader])

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in order."""
        return list(self._exporter.get_finished_spans())

    @property
    def dynamo_spans(self) -> list[ReadableSpan]:
        """The spans of the integration."""
        return [span for span in self.spans if span.instrumentation_scope.name == "dynaflask"]

    @property
    def points(self) -> list[tuple[t.Any, t.Any]]:
        """The data points of the metrics."""
        data = self._reader.get_metrics_data()
        resources = [] if data is None else data.resource_metrics
        return [
            (metric, point)
            for resource in resources
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]

    @contextlib.contextmanager
    def botocore_wrapper(self) -> cabc.Iterator[None]:
        """A block in which OpenTelemetry's instrumentation of botocore is installed."""
        BotocoreInstrumentor().instrument(tracer_provider=self.tracer_provider)
        try:
            yield
        finally:
            BotocoreInstrumentor().uninstrument()
