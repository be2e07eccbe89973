"""Logging (needs no extra package): a filter that adds the app, the tenant and the bind to log records.

handler.addFilter(ContextFilter())

`log_fields` makes an operation the fields of a log record.
"""

from __future__ import annotations

import logging

from dynaflask.operations.slow_log import log_fields
from dynaflask.registry.context import app_ctx
from dynaflask.registry.context import existing_scope

__all__ = ["ContextFilter", "log_fields"]


class ContextFilter(logging.Filter):
    """Adds ``app``, ``tenant`` and ``bind`` to each record, for the formatter.

    A log line has no side effects: the filter loads no tenant, opens no scope and makes no call. Attach it to a
    handler, where it receives the records of all loggers. Values from ``extra`` take precedence.

    Args:
        absent: The value where there is none: ``"-"`` for lines of text, ``None`` for JSON.
    """

    def __init__(self, *, absent: str | None = "-") -> None:
        super().__init__()
        self._absent = absent

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the values of the current context. The filter accepts every record.

        Args:
            record: The record of a message.
        """
        for name, value in _context_fields().items():
            vars(record).setdefault(name, value or self._absent)
        return True


def _context_fields() -> dict[str, str | None]:
    scope = existing_scope()
    tenant, bind = (None, None) if scope is None else scope.log_fields()
    app = app_ctx.app.name if app_ctx else None
    return {"app": app, "tenant": tenant, "bind": bind}
