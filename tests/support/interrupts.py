"""Signals that raise in the middle of a block's begin or end, as a time limit or Ctrl-C may."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

from dynaflask.operations.block_value import BlockVariable


class InterruptedVariable:
    """A context variable, one of whose methods a signal interrupts as soon as it has done its work."""

    def __init__(self, variable: t.Any, name: str) -> None:
        self._variable = variable
        self._name = name

    def __getattr__(self, name: str) -> t.Any:
        method = getattr(self._variable, name)

        def call(*args: t.Any) -> t.Any:
            result = method(*args)
            if name == self._name:
                raise KeyboardInterrupt
            return result

        return call


@contextlib.contextmanager
def interrupted_after(name: str, variable: BlockVariable[t.Any]) -> cabc.Iterator[None]:
    """Let a signal raise after a method of the context variable: ``"set"`` or ``"reset"``.

    It holds for the block variable, and for the innermost of its blocks.
    """
    original = variable._variable
    block = original.get()
    interrupted: t.Any = InterruptedVariable(original, name)
    variable._variable = interrupted
    if block is not None:
        block._variable = interrupted
    try:
        yield
    finally:
        variable._variable = original
        if block is not None:
            block._variable = original
