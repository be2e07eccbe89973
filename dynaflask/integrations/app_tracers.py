"""The tracers of an app, which the integrations of tracing libraries set."""

from __future__ import annotations

import typing as t

import flask

from dynaflask.operations.tracing import CallTracer
from dynaflask.registry.context import EXTENSION

if t.TYPE_CHECKING:
    from dynaflask.operations.recorder import OperationRecorder


def set_tracer(app: flask.Flask, tracer: CallTracer) -> None:
    """Let a tracer see the calls of an app, in place of an earlier one of its class.

    Args:
        app: The app.
        tracer: The tracer.

    Raises:
        RuntimeError: The app is not initialised.
    """
    recorder = _recorder(app)
    recorder.tracing = recorder.tracing.replace(type(tracer), tracer)


def remove_tracer(app: flask.Flask, kind: type[CallTracer]) -> None:
    """Remove the tracer of a class; nothing for an app without one.

    Args:
        app: The app.
        kind: The class.

    Raises:
        RuntimeError: The app is not initialised.
    """
    recorder = _recorder(app)
    recorder.tracing = recorder.tracing.replace(kind, None)


def _recorder(app: flask.Flask) -> OperationRecorder:
    if EXTENSION not in app.extensions:
        raise RuntimeError(f"The app {app.name!r} is not initialised. Call db.init_app(app) first.")
    return t.cast("OperationRecorder", app.extensions[EXTENSION].recorder)
