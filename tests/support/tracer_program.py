"""An app under a tracer that patches botocore and cannot be removed: which transport makes its calls, and why.

python -m tests.support.tracer_program NAME URL
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import typing as t

import botocore.client
import botocore.endpoint
import flask

import dynaflask
from tests.support import models
from tests.support.settings import KEYS


def patch_with_datadog() -> None:
    """As ``ddtrace-run`` does."""
    ddtrace: t.Any = importlib.import_module("ddtrace")
    ddtrace.tracer.enabled = False  # nothing receives the spans
    importlib.import_module("ddtrace.contrib.internal.botocore.patch").patch()


def patch_with_newrelic() -> None:
    """As ``newrelic-admin run-program`` does."""
    hooks: t.Any = importlib.import_module("newrelic.hooks.external_botocore")
    hooks.instrument_botocore_endpoint(botocore.endpoint)
    hooks.instrument_botocore_client(botocore.client)


PATCHES = {"ddtrace": patch_with_datadog, "newrelic": patch_with_newrelic}


class Lines(logging.Handler):
    """Keeps the messages of the log about transports."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        message = record.getMessage()
        if "DYNAMODB_TRANSPORT" in message:
            self.lines.append(message)


def main(name: str, url: str) -> None:
    """Make two calls, before and after the patch, and print what the health check and the log say."""
    log, logger = Lines(), logging.getLogger("dynaflask")
    logger.addHandler(log)
    logger.setLevel(logging.INFO)
    app, db = flask.Flask("forum"), dynaflask.Dynamo()
    thread = models.declare_thread(db)
    settings = {"host": url, "region": "us-east-1", "transport": "direct", **KEYS}
    app.config.from_mapping({f"DYNAMODB_{key.upper()}": value for key, value in settings.items()})
    db.init_app(app)
    transports = []
    for prepare in (lambda: None, PATCHES[name]):
        prepare()
        with app.app_context():
            thread.get("k", "s")
            thread.get("k", "s")
        transports.append(app.extensions["dynamo"].check()[0].transport)
    sys.stdout.write(f"{json.dumps({'transports': transports, 'lines': log.lines})}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
