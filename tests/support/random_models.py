"""An app for the models of ``strategies``, and its server."""

from __future__ import annotations

import collections.abc as cabc
import contextlib

import flask

from tests.support import recorder as recorders
from tests.support import strategies
from tests.support.settings import KEYS


@contextlib.contextmanager
def app_and_server(**settings: object) -> cabc.Iterator[tuple[flask.Flask, recorders.Recorder]]:
    """An app with these settings, which makes no retries, and its server.

    Args:
        **settings: Settings in lower case, without the prefix.
    """
    with recorders.Recorder() as server:
        app = flask.Flask("random")
        options = {"host": server.url, "region": "us-east-1", "max_retry_attempts": 0, **KEYS, **settings}
        app.config.from_mapping({f"DYNAMODB_{key.upper()}": value for key, value in options.items()})
        strategies.db.init_app(app)
        yield app, server
