"""The operations of one request, or of one application context without a request."""

from __future__ import annotations

import collections
import contextvars
import itertools
import typing as t
import weakref

import flask
from flask.globals import app_ctx as _app_ctx
from flask.globals import request_ctx as _request_ctx

if t.TYPE_CHECKING:
    from dynaflask.operations.kept_call import Entry

# A long-running command keeps its last operations.
MAX_OPERATIONS = 1000

# Flask types these proxies as the objects that they stand for.
app_ctx: t.Any = _app_ctx
# The ContextVar behind the proxy: each call of a recorded app looks here, and the proxy takes three times as long.
request_context: contextvars.ContextVar[t.Any] = t.cast("t.Any", _request_ctx).__wrapped__

# From Flask 3.2 on, one kind of context is with and without a request. Before, a request context has one.
_HAS_ONE_CONTEXT = hasattr(flask.ctx.AppContext, "has_request")


def current_request(app: flask.Flask | None) -> flask.Request | None:
    """The current request, if it is one of the app.

    Args:
        app: The app; ``None`` for one that no longer exists.
    """
    context = request_context.get(None)
    if context is None or context.app is not app:
        return None
    request: flask.Request | None = None if _HAS_ONE_CONTEXT and not context.has_request else context.request
    return request


_numbers: t.Final = itertools.count()
# Not by the app's id, which an app that is made later may get while a request or a context is kept.
_keys: t.Final[weakref.WeakKeyDictionary[flask.Flask, str]] = weakref.WeakKeyDictionary()


def record_key(app: flask.Flask) -> str:
    """The name of the app's record in the dict of a request or a context, which no other app finds there.

    Args:
        app: The app.
    """
    return _keys.get(app) or _keys.setdefault(app, f"_dynamo_operations_{next(_numbers)}")


def record_of(app: flask.Flask | None) -> collections.deque[Entry] | None:
    """The operations of the app's current request; without a request, those of its current application context.

    Flask runs a request of a test client inside the test's own context, if there is one. The request still has a record
    of its own. Threads that copy a request or a context share its record, and a streamed response continues it.

    Args:
        app: The app; ``None`` for one that no longer exists.

    Returns:
        The record, which is made at first use; ``None`` if the current context is not one of the app.
    """
    if app is None:
        return None
    holder: t.Any = current_request(app)
    if holder is None:
        if not flask.has_app_context() or app_ctx.app is not app:
            return None
        # Not flask.g: a program may copy all that it has to another context, perhaps to one of another tenant.
        holder = app_ctx._get_current_object()
    record: collections.deque[Entry] | None = vars(holder).get(record_key(app))
    # setdefault: threads that share the holder and come here at once get the same record.
    return (
        vars(holder).setdefault(record_key(app), collections.deque(maxlen=MAX_OPERATIONS)) if record is None else record
    )
