"""Whether DynamoDB returns the item that a condition was false for: ``ReturnValuesOnConditionCheckFailure``."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import typing as t

OPTION: t.Final = "return_values_on_condition_failure"


class Asked:
    """What a block asks for, until the block ends.

    A task that starts in the middle of the block keeps a copy of its context.

    Args:
        values: As of :func:`asking_for`.
    """

    __slots__ = ("values",)

    def __init__(self, values: str | None) -> None:
        self.values = values


NOTHING: t.Final = Asked(None)

# PynamoDB's methods of an object pass on no such option, so that it takes this way to the request.
_asked: contextvars.ContextVar[Asked] = contextvars.ContextVar(f"dynaflask_{OPTION}", default=NOTHING)


@contextlib.contextmanager
def asking_for(values: str | None) -> cabc.Iterator[None]:
    """Let the conditional requests that are built in the block ask for the item.

    Args:
        values: ``"ALL_OLD"`` or ``"NONE"``; None for the setting of the bind.
    """
    asked = Asked(values)
    token = _asked.set(asked)
    try:
        yield
    finally:
        asked.values = None
        _asked.reset(token)


def asked_for() -> str | None:
    """What the block asks for, or None."""
    return _asked.get().values
