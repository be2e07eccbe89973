"""The log of slow and costly operations: ``DYNAMODB_SLOW_SECONDS`` and ``DYNAMODB_COSTLY_UNITS``."""

from __future__ import annotations

import logging
import typing as t

from dynaflask.operations.caller import find_caller
from dynaflask.operations.operation import Operation

logger = logging.getLogger("dynaflask.slow")


class SlowLog:
    """Logs a warning for each operation that reaches a limit.

    Args:
        seconds: Duration from which an operation is slow; ``None`` for no limit.
        units: Read and write units from which it is costly; ``None`` for no limit.

    Attributes:
        least_seconds: No operation that took less time is logged.
    """

    def __init__(self, *, seconds: float | None = None, units: float | None = None) -> None:
        self.least_seconds = 0.0 if seconds is None or units is not None else seconds
        self._seconds = float("inf") if seconds is None else seconds
        self._units = float("inf") if units is None else units

    def add(self, operation: Operation) -> None:
        """Log an operation, if it is slow or costly. Call it in the thread that made the operation.

        Args:
            operation: The operation.
        """
        is_slow = operation.duration_seconds >= self._seconds
        if not is_slow and operation.units < self._units:
            return
        if operation.caller is None:
            # A walk over the stack, which the fast operations do not pay for.
            operation = operation._replace(caller=find_caller())
        logger.warning(
            "%s: %s took %.3f s and %g units (table %r, tenant %r, route %r), at %s",
            "Slow operation" if is_slow else "Costly operation",
            operation.label,
            operation.duration_seconds,
            operation.units,
            operation.table,
            operation.tenant,
            operation.route,
            operation.caller or "a line of a library",
            extra=log_fields(operation),
        )


def log_fields(operation: Operation) -> dict[str, t.Any]:
    """An operation as fields of a log record. All of them can become JSON, and none is a name of `logging`.

    Args:
        operation: The operation.
    """
    return {
        "app": operation.app_name,
        "bind": operation.bind_key,
        "tenant": operation.tenant,
        "model": operation.model,
        "table": operation.table,
        "index": operation.index_name,
        "operation": operation.operation,
        "route": operation.route,
        "line": operation.caller and str(operation.caller),
        "seconds": operation.duration_seconds,
        "read_units": operation.read_units,
        "write_units": operation.write_units,
        "items": operation.item_count,
        "scanned": operation.scanned_count,
        "attempts": operation.attempts,
        "error": operation.error,
        "throttling_reasons": [reason._asdict() for reason in operation.throttling_reasons],
        "request_id": operation.request_id,
        "host": operation.host,
    }
