"""The factory: a Flask app for one site."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from flask import Flask
from flask import has_request_context
from flask import json
from flask import request
from werkzeug.exceptions import HTTPException

from examples.forum.models import db
from examples.forum.views import add_api

TENANT_HEADER = "X-Tenant"


@db.tenant_loader
def load_tenant() -> str | None:
    """Whom a request is for: the gateway before the forum says so, of whom it has let in."""
    return request.headers.get(TENANT_HEADER) if has_request_context() else None


def create_app(config: cabc.Mapping[str, t.Any] | None = None) -> Flask:
    """A site, of these settings over those of the environment: ``FORUM_DYNAMODB_HOST`` and so on."""
    app = Flask(__name__)
    app.config.from_mapping(DYNAMODB_HOST="local", FORUM_TITLE="Forum", RESTX_ERROR_404_HELP=False)
    app.config.from_prefixed_env("FORUM")
    app.config.from_mapping(config)
    db.init_app(app)
    add_api(app)
    app.register_error_handler(HTTPException, as_json)
    return app


def as_json(error: HTTPException) -> t.Any:
    """An error as the API answers it, with the status and headers that it has."""
    response = t.cast("t.Any", error.get_response())
    response.data = json.dumps({"message": error.description})
    response.content_type = "application/json"
    return response
