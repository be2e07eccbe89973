"""Spans and durations of OpenTelemetry, on standard output. A real site sends them to a collector."""

from __future__ import annotations

from flask import Flask
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from dynaflask.integrations import opentelemetry


def add_to(app: Flask) -> None:
    """Trace the requests of a site, and the calls of each."""
    resource = Resource.create({"service.name": app.name})
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
    meter_provider = MeterProvider([PeriodicExportingMetricReader(ConsoleMetricExporter())], resource=resource)
    providers = {"tracer_provider": tracer_provider, "meter_provider": meter_provider}
    FlaskInstrumentor().instrument_app(app, **providers)
    opentelemetry.instrument(app, tracer_provider=tracer_provider, meter_provider=meter_provider)
