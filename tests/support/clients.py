"""The client of an app's default bind: a call with it, and the app's lease of it."""

from __future__ import annotations

import flask

import dynaflask
from dynaflask.client.lease import Lease


def ping(app: flask.Flask) -> float:
    """The duration of one signed call in seconds."""
    seconds: float = app.extensions["dynamo"].ping()
    return seconds


def lease(app: flask.Flask) -> Lease:
    """The app's lease of the client."""
    registry: dynaflask.Registry = app.extensions["dynamo"]
    return registry.leases.get(registry.binds["default"])
