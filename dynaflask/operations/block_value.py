"""A value that code has until its ``with`` block ends, and that no other code has.

A ``ContextVar`` alone does not give that. A thread or a task that begins inside of the block has a copy of its context,
and would keep the value for calls that are not part of the block, perhaps of another app or tenant.
"""

from __future__ import annotations

import contextvars
import typing as t

T = t.TypeVar("T")

# The value of a block that has ended.
ENDED: t.Any = object()


class BlockVariable(t.Generic[T]):
    """A variable that has a value inside of a block, and its default everywhere else.

    Also a copy of the block's context has the default: in a thread, in a task, and after the end of the block.

    Args:
        name: Name of the variable.
        default: Its value outside of blocks.
    """

    __slots__ = ("_default", "_variable")

    def __init__(self, name: str, default: T) -> None:
        self._default = default
        self._variable: contextvars.ContextVar[BlockValue[T] | None] = contextvars.ContextVar(name, default=None)

    def get(self) -> T:
        """The value of the innermost block around the running code, or the default."""
        block = self._variable.get()
        while block is not None:
            # First the value: another thread may close the generator that stands in the block.
            value = block.value
            if value is not ENDED and block.is_entered_here():
                return value
            block = block.outer
        return self._default

    def block(self, value: T) -> BlockValue[T]:
        """A block in which the variable has a value. Enter it once, with ``with``."""
        return BlockValue(self._variable, value)


# Not a generator with contextlib, which takes twice the time.
class BlockValue(t.Generic[T]):
    """The block of one value.

    Args:
        variable: The variable.
        value: Its value in the block.

    Attributes:
        outer: The block around this one. It counts if this one has ended, but not where it was entered.
    """

    __slots__ = ("_token", "_variable", "outer", "value")

    def __init__(self, variable: contextvars.ContextVar[BlockValue[T] | None], value: T) -> None:
        self.value: T = value
        self.outer = variable.get()
        self._variable = variable
        # None before the block, and after it. A signal may raise in `__enter__`: the value then has no effect.
        self._token: contextvars.Token[BlockValue[T] | None] | None = None

    def __enter__(self) -> None:
        self._token = self._variable.set(self)

    def __exit__(self, *exception: object) -> None:
        token, self._token = self._token, None
        if token is not None:
            # A task that was begun in the block may run for long, and its context keeps this object.
            self.value = ENDED
            self._reset(token)

    def is_entered_here(self) -> bool:
        """True in the context that the block was entered in, until the block ends; false in a copy of it."""
        token = self._token
        if token is None or not self._reset(token):
            return False
        self._token = self._variable.set(self)
        return True

    def _reset(self, token: contextvars.Token[BlockValue[T] | None]) -> bool:
        try:
            # Python refuses the token in each other context: there is no other way to tell a context from its copy.
            self._variable.reset(token)
        except (ValueError, RuntimeError):
            # A generator may be closed in another context than it was begun in. Or a signal has raised after the token
            # was used.
            return False
        return True
