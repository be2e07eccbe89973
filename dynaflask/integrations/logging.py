"""Whose log record it is: a filter that adds the app, the tenant and the bind.

handler.addFilter(ContextFilter())
"""

from __future__ import annotations

import logging

from dynaflask.registry.context import app_ctx
from dynaflask.registry.context import existing_scope

UNKNOWN = "-"


class ContextFilter(logging.Filter):
    """Adds ``app``, ``tenant`` and ``bind`` to each record, for the formatter; ``"-"`` where there is none.

    It only looks: no tenant is loaded, no scope is opened and nothing is called for the sake of a log line. Put it on a
    handler, where it sees the records of all loggers. What ``extra`` gives a record stays as it is.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add what is known of the current context. Every record is let through."""
        for name, value in _labels().items():
            vars(record).setdefault(name, value)
        return True


def _labels() -> dict[str, str]:
    scope = existing_scope()
    tenant, bind = (None, None) if scope is None else scope.log_fields()
    app = app_ctx.app.name if app_ctx else None
    return {"app": app or UNKNOWN, "tenant": tenant or UNKNOWN, "bind": bind or UNKNOWN}
