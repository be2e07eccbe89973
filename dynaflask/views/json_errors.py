"""HTTP errors as JSON, for clients that do not prefer HTML: ``DYNAMODB_JSON_ERRORS``."""

from __future__ import annotations

import typing as t

import flask
from werkzeug.exceptions import HTTPException

from dynaflask.views.json_provider import to_json

if t.TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

HTML = "text/html"
JSON = "application/json"


def install(app: flask.Flask) -> None:
    """Register the handler on an app, unless it has one of its own for all HTTP errors.

    The app's handlers of single errors and codes take precedence.

    Args:
        app: The app.
    """
    if HTTPException not in app.error_handler_spec[None][None]:
        app.register_error_handler(HTTPException, as_json)


def as_json(error: HTTPException) -> ResponseReturnValue:
    """The response to an HTTP error, with the error's status and headers.

    Args:
        error: The error. One that was made with a response, as by ``abort(response)``, has that.
    """
    accepted = flask.request.accept_mimetypes
    # The quality of JSON comes first: a client that accepts everything is no browser.
    if error.response is not None or accepted[HTML] > accepted[JSON]:
        return error
    response = t.cast("flask.Response", error.get_response(flask.request.environ))
    body: dict[str, t.Any] = {"code": error.code, "message": error.description}
    if isinstance(errors := getattr(error, "errors", None), dict):
        body["errors"] = errors
    if (item := getattr(error, "item", None)) is not None:
        body["item"] = item
    response.data = flask.json.dumps(body, default=to_json)
    response.content_type = JSON
    return response
