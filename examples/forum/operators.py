"""The forum's operators, and the dashboard of a site for them."""

from __future__ import annotations

import hmac

from flask import Flask
from flask import Response
from flask import current_app
from flask import request

from dynaflask.integrations.dashboard import Dashboard


def add_dashboard(app: Flask) -> None:
    """Add the dashboard to an app, if it has a password for it."""
    if app.config["FORUM_OPERATOR_PASSWORD"]:
        app.register_blueprint(Dashboard(authorize=is_operator), url_prefix="/dashboard")


def is_operator() -> bool | Response:
    """True if the request has the operators' password; else the response that lets a browser ask for it."""
    password = current_app.config["FORUM_OPERATOR_PASSWORD"]
    typed = request.authorization.password if request.authorization else None
    if password and typed is not None and hmac.compare_digest(typed.encode(), password.encode()):
        return True
    headers = {"WWW-Authenticate": 'Basic realm="Forum", charset="UTF-8"'}
    return Response("Only for operators: log in with any name and their password.", 401, headers, mimetype="text/plain")
