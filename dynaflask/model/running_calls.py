"""The scope of a running call: what it reads and writes is of the scope that it began in."""

from __future__ import annotations

import collections.abc as cabc
import types
import typing as t

from dynaflask.operations.block_value import BlockValue
from dynaflask.operations.block_value import BlockVariable
from dynaflask.registry.context import current_scope

if t.TYPE_CHECKING:
    from dynaflask.registry.scope import Scope

# A receiver of a signal may enter a block in the middle of a call, or the garbage collector may end the block of a
# generator. What is read or written then belongs to the scope that the call began in. By the id of the object.
_scopes: t.Final[BlockVariable[cabc.Mapping[int, Scope]]] = BlockVariable("dynaflask_calls", types.MappingProxyType({}))


def in_call(scope: Scope | None, *items: t.Any) -> BlockValue[cabc.Mapping[int, Scope]]:
    """A block of a call that reads or writes objects in a scope.

    Args:
        scope: The scope that the call began in.
        *items: The objects.
    """
    scopes = _scopes.get()
    return _scopes.block(scopes if scope is None else {**scopes, **{id(item): scope for item in items}})


def scope_of(item: t.Any) -> Scope | None:
    """The scope that an object is read or written in: that of its running call, or else the current one."""
    return _scopes.get().get(id(item)) or current_scope(item.__dynamo__)
