"""Sentry (``pip install "dynaflask[sentry]"``): a span and a breadcrumb for each call of an app.

from dynaflask.integrations import sentry

sentry.instrument(app)
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import time
import typing as t

import flask

from dynaflask.extras import required_extra
from dynaflask.operations.span_attributes import describe
from dynaflask.operations.span_attributes import error_attributes
from dynaflask.operations.span_attributes import result_attributes
from dynaflask.operations.tracing import FinishedCall
from dynaflask.registry.context import registry_of

with required_extra("sentry", reason="dynaflask.integrations.sentry is for Sentry"):
    import sentry_sdk
    import sentry_sdk.traces

__all__ = ["instrument", "uninstrument"]

ORIGIN = "auto.db.dynaflask"
CATEGORY = "dynamodb"
# The integrations that would trace what botocore does for a call: boto3, and the standard library's HTTP client.
REPLACED: t.Final = frozenset({"boto3", "stdlib"})
# Sentry keeps ten parts of a breadcrumb's data, the first ones. Its message has the operation and the table.
BREADCRUMB: t.Final = (
    "dynaflask.app",
    "dynaflask.tenant",
    "dynaflask.bind",
    "dynaflask.model",
    "aws.dynamodb.index_name",
    "cloud.region",
    "server.address",
    "db.response.status_code",
    "error.type",
    "aws.request_id",
)


class QuietClient:
    """A client of Sentry without the integrations that would make a second span. All else is the other client's.

    Args:
        client: The other client.
    """

    def __init__(self, client: t.Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._client, name)

    def get_integration(self, name_or_class: t.Any) -> t.Any:
        """An integration of the other client, or ``None``."""
        name = getattr(name_or_class, "identifier", name_or_class)
        return None if name in REPLACED else self._client.get_integration(name_or_class)


class SentryTracer:
    """Makes a span and a breadcrumb of each call, if Sentry is initialised."""

    modules = frozenset({"sentry_sdk.integrations.boto3"})

    @staticmethod
    def start() -> tuple[float, t.Any]:
        """Start of a call: the time in seconds since 1970 and, if Sentry streams spans, the span."""
        parent = sentry_sdk.traces.get_current_span()
        # `active=False`: nothing can be inside the span. Without a parent, each call would be a trace of its own.
        span = None if parent is None else sentry_sdk.traces.start_span("DynamoDB", active=False)
        return time.time(), span

    @staticmethod
    def finish(started: tuple[float, t.Any], call: FinishedCall) -> None:
        """Make the breadcrumb of a call, and finish its span.

        Args:
            started: Result of `start`.
            call: The call.
        """
        start, span = started
        described = describe(call)
        attributes = {**described.span, **error_attributes(call), **result_attributes(call)}
        sentry_sdk.add_breadcrumb(
            type="query",
            category=CATEGORY,
            message=described.name,
            level="error" if call.is_error else "info",
            data={name: attributes[name] for name in BREADCRUMB if name in attributes},
        )
        if span is not None:
            _finish_streamed(span, call, described.name, attributes)
        elif (parent := sentry_sdk.get_current_span()) is not None:
            child = parent.start_child(op="db", name=described.name, origin=ORIGIN, start_timestamp=start)
            for name, value in attributes.items():
                child.set_data(name, value)
            if call.is_error:
                child.set_status("internal_error")
            child.finish(end_timestamp=start + call.duration_seconds)

    @contextlib.contextmanager
    def silence(self) -> cabc.Iterator[None]:
        """A block in which Sentry's integration of boto3 does nothing."""
        client = QuietClient(sentry_sdk.get_client())
        with sentry_sdk.new_scope() as scope:
            scope.set_client(t.cast("t.Any", client))
            yield


def instrument(app: flask.Flask) -> None:
    """Trace the calls of an app, from its next app context on.

    The app's calls leave out Sentry's own integration of boto3: each call has one span. It still traces calls of other
    apps, and calls on clients of the program. Call ``sentry_sdk.init`` before or after.

    Args:
        app: The app, after ``init_app``.

    Raises:
        RuntimeError: The app is not initialised.
    """
    registry_of(app).recorder.set_tracer(SentryTracer())


def uninstrument(app: flask.Flask) -> None:
    """Undo `instrument`; nothing for an app that is not traced.

    Args:
        app: The app.
    """
    registry_of(app).recorder.remove_tracer(SentryTracer)


def _finish_streamed(span: t.Any, call: FinishedCall, name: str, attributes: dict[str, t.Any]) -> None:
    span.name = name
    span.set_attributes({"sentry.op": "db", "sentry.origin": ORIGIN, **attributes})
    span.status = "error" if call.is_error else "ok"
    span.end()
