"""Operations that no call has made, for what reads operations."""

from __future__ import annotations

import typing as t

from dynaflask.operations.operation import Operation


def make_operation(operation: str = "GetItem", **fields: t.Any) -> Operation:
    """A successful call on the model ``Thread`` that took 10 ms.

    Args:
        operation: Name of the operation.
        **fields: Fields with other values.
    """
    defaults = {"app_name": "app", "bind_key": "default", "model": "Thread", "table": "Thread", "tenant": None}
    return Operation(**{"operation": operation, "duration_seconds": 0.01, **defaults, **fields})
