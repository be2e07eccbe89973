"""The scope of a running call: what it reads and writes is of the scope that it began in."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import types
import typing as t

from dynaflask.registry.context import current_scope

if t.TYPE_CHECKING:
    from dynaflask.registry.scope import Scope


class RunningCall:
    """The scope that a call began in, until the call ends.

    A task that starts in the middle of the call keeps a copy of its context. By then, another object may have the id.

    Args:
        scope: The scope.
    """

    __slots__ = ("scope",)

    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope


# A receiver of a signal may enter a block in the middle of a call, or the garbage collector may end the block of a
# generator. What is read or written then belongs to the scope that the call began in. By the id of the object.
_calls: t.Final[contextvars.ContextVar[cabc.Mapping[int, RunningCall]]] = contextvars.ContextVar(
    "dynaflask_calls", default=types.MappingProxyType({})
)


@contextlib.contextmanager
def in_call(scope: Scope | None, *items: t.Any) -> cabc.Iterator[None]:
    """Read or write objects in a scope, for the length of a ``with`` block.

    Args:
        scope: The scope that the call began in.
        *items: The objects.
    """
    call = RunningCall(scope)
    token = _calls.set({**_calls.get(), **{id(item): call for item in items if scope is not None}})
    try:
        yield
    finally:
        call.scope = None
        _calls.reset(token)


def scope_of(item: t.Any) -> Scope | None:
    """The scope that an object is read or written in: that of its running call, or else the current one."""
    call = _calls.get().get(id(item))
    return (call and call.scope) or current_scope(item.__dynamo__)
