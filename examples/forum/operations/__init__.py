"""What an operator may switch on for a site. Each module is named in ``FORUM_OPERATIONS`` and needs its own packages:

    logs.py     log lines in JSON, with app and tenant
    metrics.py  /metrics for Prometheus
    traces.py   spans and durations of OpenTelemetry
    errors.py   reports for Sentry
    admin.py    /admin, the pages of Flask-Admin
    toolbar.py  Flask-DebugToolbar on each page

The setting file ``everything.cfg`` switches on all of them.
"""

from __future__ import annotations

import importlib

from flask import Flask

MODULES = ("logs", "metrics", "traces", "errors", "admin", "toolbar")


def add_operations(app: Flask) -> None:
    """Add the modules that ``FORUM_OPERATIONS`` names to a site."""
    for name in app.config["FORUM_OPERATIONS"]:
        if name not in MODULES:
            raise ValueError(f"FORUM_OPERATIONS may name {', '.join(MODULES)}, not {name!r}.")
        # Here, so that a site needs only the packages of what it switches on.
        importlib.import_module(f"{__name__}.{name}").add_to(app)
