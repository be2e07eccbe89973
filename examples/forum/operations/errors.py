"""Reports for Sentry, with the last calls of the request. Without ``FORUM_SENTRY_DSN``, none is sent."""

from __future__ import annotations

import typing as t

import sentry_sdk
from flask import Flask

from dynaflask.integrations import sentry

# The last two would send what people wrote: the variables of each function in a traceback, and the bodies of requests.
OPTIONS: t.Final[dict[str, t.Any]] = {
    "traces_sample_rate": 1.0,
    "include_local_variables": False,
    "max_request_body_size": "never",
}


def add_to(app: Flask) -> None:
    """Report the errors of a site, and trace its calls."""
    # Sentry has one client for all apps of a process.
    if not sentry_sdk.is_initialized():
        sentry_sdk.init(dsn=app.config["FORUM_SENTRY_DSN"], **OPTIONS)
    sentry.instrument(app)
