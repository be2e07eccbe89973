"""Logging (needs no extra package): a filter that adds the app, the tenant and the bind to log records.

handler.addFilter(ContextFilter())
"""

from __future__ import annotations

import logging

from dynaflask.registry.context import app_ctx
from dynaflask.registry.context import existing_scope

ABSENT = "-"


class ContextFilter(logging.Filter):
    """Adds ``app``, ``tenant`` and ``bind`` to each record, for the formatter; ``"-"`` for a missing value.

    A log line has no side effects: the filter loads no tenant, opens no scope and makes no call. Attach it to a
    handler, where it receives the records of all loggers. Values from ``extra`` take precedence.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the values of the current context. The filter accepts every record."""
        for name, value in _context_fields().items():
            vars(record).setdefault(name, value)
        return True


def _context_fields() -> dict[str, str]:
    scope = existing_scope()
    tenant, bind = (None, None) if scope is None else scope.log_fields()
    app = app_ctx.app.name if app_ctx else None
    return {"app": app or ABSENT, "tenant": tenant or ABSENT, "bind": bind or ABSENT}
