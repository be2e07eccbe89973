"""The factory: a Flask app for one site."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from flask import Flask
from flask import json
from werkzeug.exceptions import HTTPException

from examples.forum.models import db
from examples.forum.views import threads


def create_app(config: cabc.Mapping[str, t.Any] | None = None) -> Flask:
    """A site, of these settings over those of the environment: ``FORUM_DYNAMODB_HOST`` and so on."""
    app = Flask(__name__)
    app.config["DYNAMODB_HOST"] = "local"
    app.config.from_prefixed_env("FORUM")
    app.config.from_mapping(config)
    db.init_app(app)
    app.register_blueprint(threads)
    app.register_error_handler(HTTPException, as_json)
    return app


def as_json(error: HTTPException) -> t.Any:
    """An error as an API answers it, with the status and headers that it has."""
    response = t.cast("t.Any", error.get_response())
    response.data = json.dumps({"error": error.description})
    response.content_type = "application/json"
    return response
