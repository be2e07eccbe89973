"""The app that a helper works on."""

from __future__ import annotations

import flask

from dynaflask.registry.context import current_app
from dynaflask.registry.context import registry_of


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
        app = current_app()
    registry_of(app)
    return app
