"""An app under Sentry's default configuration: how its calls are made, and what Sentry gets.

python -m tests.support.sentry_program URL TRANSPORT,WITH_DYNAFLASK ...

For each pair it prints a line of JSON: the spans of the calls, the breadcrumbs of an error, the warnings, and the
transport. Each has a process of its own, which is forked after the imports: they take most of the time.
"""

from __future__ import annotations

import functools
import json
import logging
import sys
import typing as t

import flask
import sentry_sdk
from sentry_sdk.transport import Transport

import dynaflask
from dynaflask.integrations import sentry
from tests.support import forks
from tests.support import models
from tests.support.settings import KEYS


class Memory(Transport):
    """Keeps the events in place of sending them."""

    def __init__(self, options: t.Any = None) -> None:
        super().__init__(options)
        self.events: list[dict[str, t.Any]] = []

    def capture_envelope(self, envelope: t.Any) -> None:
        """Keep the events of an envelope."""
        events = (item.get_event() or item.get_transaction_event() for item in envelope.items)
        self.events += [event for event in events if event is not None]


class Lines(logging.Handler):
    """Keeps the messages of the log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.lines.append(record.getMessage())


def make_app(**settings: t.Any) -> flask.Flask:
    """An app with a view that reads two items, and one that reads an item and fails."""
    app, db = flask.Flask("forum"), dynaflask.Dynamo()
    thread = models.declare_thread(db)
    app.config.from_mapping({f"DYNAMODB_{name.upper()}": value for name, value in settings.items()})
    db.init_app(app)

    @app.get("/")
    def index() -> str:
        thread.get("k-12345", "s")
        thread.get("k-12345", "s")
        return "ok"

    @app.get("/fail")
    def fail() -> str:
        thread.get("k-12345", "s")
        raise ValueError("failed")

    return app


def main(url: str, transport: str, with_dynaflask: str) -> bool:
    """Call both views, and print what Sentry got. Sentry's default configuration cannot be undone."""
    memory, log = Memory(), Lines()
    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=memory, traces_sample_rate=1.0)
    logging.getLogger("dynaflask").addHandler(log)
    app = make_app(host=url, region="us-east-1", transport=transport, **KEYS)
    if with_dynaflask == "yes":
        sentry.instrument(app)
    client = app.test_client()
    statuses = [client.get("/").status_code, client.get("/fail").status_code]
    transactions = [event for event in memory.events if event.get("type") == "transaction"]
    errors = [event for event in memory.events if "exception" in event]
    found = {
        "statuses": statuses,
        "spans": [[span["op"], span["description"], span["data"]] for span in transactions[0]["spans"]],
        "breadcrumbs": [
            [crumb["category"], crumb.get("message")] for crumb in errors[0].get("breadcrumbs", {}).get("values", [])
        ],
        "lines": log.lines,
        "transport": app.extensions["dynamo"].check()[0].transport,
    }
    sys.stdout.write(f"{json.dumps(found, default=str)}\n")
    sys.stdout.flush()
    sentry_sdk.get_client().close()
    return True


if __name__ == "__main__":
    codes = [forks.exit_code_of(functools.partial(main, sys.argv[1], *pair.split(","))) for pair in sys.argv[2:]]
    sys.exit(any(codes))
