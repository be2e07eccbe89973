"""The app factory: a Flask app for one site."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from flask import Flask
from flask import has_request_context
from flask import request

from examples.forum.models import db
from examples.forum.operations import add_operations
from examples.forum.operators import add_dashboard
from examples.forum.views import add_api

TENANT_HEADER = "X-Tenant"


@db.tenant_loader
def load_tenant() -> str | None:
    """The tenant of a request, from a header that the gateway in front of the forum sets after authentication."""
    return request.headers.get(TENANT_HEADER) if has_request_context() else None


def create_app(config: cabc.Mapping[str, t.Any] | None = None) -> Flask:
    """The app of a site. ``config`` wins over environment variables such as ``FORUM_DYNAMODB_HOST``."""
    app = Flask(__name__)
    app.config.from_mapping(
        DYNAMODB_HOST="local",
        DYNAMODB_ERROR_HANDLERS=True,
        DYNAMODB_JSON_ERRORS=True,
        FORUM_NAME="forum",
        FORUM_OPERATIONS=(),
        FORUM_OPERATOR_PASSWORD=None,
        FORUM_SENTRY_DSN=None,
        FORUM_TITLE="Forum",
        RESTX_ERROR_404_HELP=False,
    )
    app.config.from_prefixed_env("FORUM")
    app.config.from_mapping(config)
    # Logs, metrics and traces tell the sites apart by the name, which is a cached property of Flask.
    vars(app)["name"] = app.config["FORUM_NAME"]
    db.init_app(app)
    add_api(app)
    add_dashboard(app)
    add_operations(app)
    return app
