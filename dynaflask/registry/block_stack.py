"""The blocks that the current thread or task has entered: ``db.using``, ``db.tenant`` and their kin."""

from __future__ import annotations

import collections.abc as cabc
import contextvars
import typing as t

if t.TYPE_CHECKING:
    from dynaflask.registry.scope import Scope

ScopeToken = contextvars.Token[tuple["Scope", ...]]


class BlockStack:
    """The entered blocks of one thread or task, of all app contexts, the innermost last.

    A ``ContextVar`` of tuples: a thread or task that copies a context starts with its blocks, and changes its own
    stack alone. https://docs.python.org/3/library/contextvars.html
    """

    __slots__ = ("_blocks", "entered", "reset")

    def __init__(self) -> None:
        self._blocks: contextvars.ContextVar[tuple[Scope, ...]] = contextvars.ContextVar("dynaflask_blocks", default=())
        # Not methods around these: each call of a model reads the stack, and lazy results enter a block for each item.
        self.entered: t.Final[cabc.Callable[[], tuple[Scope, ...]]] = self._blocks.get
        self.reset: t.Final[cabc.Callable[[ScopeToken], None]] = self._blocks.reset

    def push(self, block: Scope) -> None:
        """Enter a block, until :meth:`remove`."""
        blocks = self.entered()
        # Blocks of contexts that have ended stay behind where a generator was never finished.
        self._blocks.set((*(other for other in blocks if other.root.is_open), block) if blocks else (block,))

    def push_again(self, block: Scope) -> ScopeToken:
        """Enter a block that work was begun in, until :attr:`reset`."""
        return self._blocks.set((*self.entered(), block))

    def remove(self, block: Scope) -> None:
        """Leave a block, wherever it is on the stack.

        Generators may end in another order than they began in, or in another thread, so that the previous stack cannot
        be restored.
        """
        blocks = self.entered()
        is_innermost = bool(blocks) and blocks[-1] is block
        self._blocks.set(blocks[:-1] if is_innermost else tuple(other for other in blocks if other is not block))

    def innermost(self, root: Scope | None) -> Scope | None:
        """The innermost entered block of a context, or the context's own scope if it has no entered block."""
        for block in reversed(self.entered()):
            if block.root is root:
                return block
        return root

    def innermost_of(self, blocks: cabc.Container[t.Any]) -> Scope | None:
        """The innermost entered block among these, if one of them is entered here."""
        return next((block for block in reversed(self.entered()) if block in blocks), None)


block_stack: t.Final = BlockStack()
