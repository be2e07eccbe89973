"""The app that a helper works on, and its registry."""

from __future__ import annotations

import typing as t

import flask

from dynaflask.registry.context import EXTENSION
from dynaflask.registry.registry import Registry


def find_app(app: flask.Flask | None = None) -> flask.Flask:
    """The app, or by default the current one.

    Args:
        app: The app.

    Raises:
        RuntimeError: There is no app, or it does not use dynaflask.
    """
    if app is None:
        if not flask.has_app_context():
            raise RuntimeError("There is no current app here. Name the app under test: `app=app`.")
        app = t.cast("t.Any", flask.current_app)._get_current_object()
    if EXTENSION not in app.extensions:
        raise RuntimeError(f"The app {app.name!r} is not initialised. Call db.init_app(app) first.")
    return app


def registry_of(app: flask.Flask) -> Registry:
    """The registry of an app."""
    return t.cast("Registry", app.extensions[EXTENSION])
