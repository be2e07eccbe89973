"""The tracers of an app, which the integrations of tracing libraries set."""

from __future__ import annotations

import flask

from dynaflask.operations.tracing import CallTracer
from dynaflask.registry.context import registry_of


def set_tracer(app: flask.Flask, tracer: CallTracer) -> None:
    """Let a tracer see the calls of an app, in place of an earlier one of its class.

    Args:
        app: The app.
        tracer: The tracer.

    Raises:
        RuntimeError: The app is not initialised.
    """
    recorder = registry_of(app).recorder
    recorder.tracing = recorder.tracing.replace(type(tracer), tracer)


def remove_tracer(app: flask.Flask, kind: type[CallTracer]) -> None:
    """Remove the tracer of a class; nothing for an app without one.

    Args:
        app: The app.
        kind: The class.

    Raises:
        RuntimeError: The app is not initialised.
    """
    recorder = registry_of(app).recorder
    recorder.tracing = recorder.tracing.replace(kind, None)
