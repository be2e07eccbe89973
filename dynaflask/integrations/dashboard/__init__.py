"""A dashboard (needs no extra package): one page for the operators of an app.

app.register_blueprint(Dashboard(authorize=is_operator), url_prefix="/dashboard")
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import os
import secrets
import typing as t

import flask
import jinja2
import werkzeug.wrappers
from flask.typing import ResponseReturnValue

from dynaflask.exceptions import ConfigurationError
from dynaflask.integrations.dashboard import formats
from dynaflask.integrations.dashboard import sections
from dynaflask.integrations.dashboard.activity import SLOT_SECONDS
from dynaflask.integrations.dashboard.activity import SLOTS
from dynaflask.integrations.dashboard.activity import WINDOW_SECONDS
from dynaflask.integrations.dashboard.activity import Activity
from dynaflask.integrations.dashboard.checks import Checks
from dynaflask.operations.counters import counters_of
from dynaflask.registry.context import current_app
from dynaflask.registry.context import registry_of

if t.TYPE_CHECKING:
    from dynaflask.registry.registry import Registry

__all__ = ["Dashboard"]

# Key in `app.extensions`.
STATE = "dynamo_dashboard"

#: Called in a request of the page. True shows the page. A response, such as a redirect to the login, is sent instead.
#: Any other value is a 403.
Authorize = cabc.Callable[[], t.Any]


class Dashboard(flask.Blueprint):
    """A blueprint with one page: what an app and its tenants do to DynamoDB.

    The page names all tenants of the app. It is for the program's operators alone.

    From its registration on, it keeps counts of the app's operations of the last five minutes, in each process. One
    object may be registered with several apps: each has its own counts.

    Args:
        authorize: Returns True if the current request may see the page. It runs before anything is read. Any other
            value is a 403, unless it is a response, which is sent instead.

    Raises:
        ConfigurationError: ``authorize`` is no function.
    """

    def __init__(self, *, authorize: Authorize) -> None:
        if not callable(authorize):
            raise ConfigurationError(
                "Dashboard(authorize=...) takes a function that returns True if the current request may see the page,"
                f" not {authorize!r}. The page names all tenants of the app: show it to operators only."
            )
        super().__init__("dynamo_dashboard", __name__)
        self._authorize = authorize
        # Without strict slashes, the prefix alone is the address of the page, too.
        self.add_url_rule("/", endpoint="show", view_func=self._show, strict_slashes=False)
        self.record(lambda state: _watch(t.cast("flask.Flask", state.app)))

    def _show(self) -> ResponseReturnValue:
        app = current_app()
        allowed = app.ensure_sync(self._authorize)()
        if isinstance(allowed, werkzeug.wrappers.Response):
            return t.cast("flask.Response", allowed)
        # Not any true value: a coroutine is one, and so is a user without rights.
        if allowed is not True:
            flask.abort(403)
        nonce = secrets.token_urlsafe(16)
        page = _environment().get_template("dashboard.html").render(_values(app, nonce=nonce))
        # Streamed in one piece: what adds to pages of HTML, such as Flask-DebugToolbar, leaves it alone. The policy of
        # this page would let it load neither its script nor its styles.
        return flask.Response(iter([page]), headers=_headers(nonce))


class State(t.NamedTuple):
    """What the dashboards of one app keep.

    Attributes:
        activity: The operations of the last minutes.
        checks: The checks of the tables.
    """

    activity: Activity
    checks: Checks


def _watch(app: flask.Flask) -> None:
    if STATE not in app.extensions:
        state = app.extensions[STATE] = State(Activity(app), Checks())
        counters_of(app).append(state.activity)


def _values(app: flask.Flask, *, nonce: str) -> dict[str, t.Any]:
    state: State = app.extensions[STATE]
    registry = registry_of(app)
    window = state.activity.read()
    tenant = flask.request.args.get("tenant") or None
    result = state.checks.run(app, tenant=tenant)
    return {
        "app": app.name,
        "process": os.getpid(),
        "nonce": nonce,
        "window": window,
        "chart": window.series(),
        "tenant": tenant,
        "tenants": sections.tenants(registry, window),
        "model_calls": sections.model_calls(window),
        "throttles": sections.throttles(window),
        "result": result,
        "worst": sections.worst(window),
        "advice": _advice(registry),
        "destinations": sections.destinations(registry, () if tenant else result.checks),
        "pool": registry.pool.stats(),
    }


def _advice(registry: Registry) -> t.Any:
    """The newest advice; ``None`` if the app does not record its operations."""
    log = registry.recorder.advice_log
    return None if log is None else log.logged()[: -sections.MAX_ADVICE - 1 : -1]


def _headers(nonce: str) -> dict[str, str]:
    """No script, nothing from elsewhere, no frame around the page, and no copy in a cache."""
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


@functools.cache
def _environment() -> jinja2.Environment:
    # Not the app's: its delimiters, filters and context processors may be others, and its escaping may be off.
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__name__),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=formats.duration,
        line=formats.line,
        milliseconds=formats.milliseconds,
        number=formats.number,
        size=formats.size,
    )
    environment.globals.update(
        bar_path=formats.bar_path, slots=SLOTS, slot_seconds=SLOT_SECONDS, window_seconds=WINDOW_SECONDS
    )
    return environment
