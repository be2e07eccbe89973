"""Whether DynamoDB returns the item that a condition was false for: ``ReturnValuesOnConditionCheckFailure``."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import typing as t

OPTION: t.Final = "return_values_on_condition_failure"

# PynamoDB's methods of an object pass on no such option, so that it takes this way to the request.
_asked: contextvars.ContextVar[str | None] = contextvars.ContextVar(f"dynaflask_{OPTION}", default=None)


@contextlib.contextmanager
def asking_for(values: str | None) -> cabc.Iterator[None]:
    """Let the conditional requests that are built in the block ask for the item.

    Args:
        values: ``"ALL_OLD"`` or ``"NONE"``; None for the setting of the bind.
    """
    token = _asked.set(values)
    try:
        yield
    finally:
        _asked.reset(token)


def asked_for() -> str | None:
    """What the block asks for, or None."""
    return _asked.get()
