"""Whether DynamoDB returns the item that a condition was false for: ``ReturnValuesOnConditionCheckFailure``."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import typing as t

OPTION: t.Final = "return_values_on_condition_failure"


class ConditionValues:
    """What the conditional requests of a block ask for, until the block ends.

    A task that starts in the middle of the block keeps a copy of its context.

    Args:
        values: As of :func:`asking_for`.
    """

    __slots__ = ("values",)

    def __init__(self, values: str | None) -> None:
        self.values = values


NO_VALUES: t.Final = ConditionValues(None)

# PynamoDB's methods of an object pass on no such option, so that it takes this way to the request.
_current: contextvars.ContextVar[ConditionValues] = contextvars.ContextVar(f"dynaflask_{OPTION}", default=NO_VALUES)


@contextlib.contextmanager
def asking_for(values: str | None) -> cabc.Iterator[None]:
    """Let the conditional requests that are built in the block ask for the item.

    Args:
        values: ``"ALL_OLD"`` or ``"NONE"``; None for the setting of the bind.
    """
    block = ConditionValues(values)
    token = _current.set(block)
    try:
        yield
    finally:
        block.values = None
        _current.reset(token)


def asked_for() -> str | None:
    """What the block asks for, or None."""
    return _current.get().values
