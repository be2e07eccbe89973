"""The blocks that the current thread or task has entered: ``db.using``, ``db.tenant`` and their kin.

A generator may be suspended inside a block. The block then stays in force for the code that resumed the generator: that
is how ``@contextlib.contextmanager`` and the fixtures of pytest work. If several generators are suspended in blocks and
resumed in turns, the order of entry does not say which block the running code stands in. The frames of the call stack
do: see :meth:`BlockStack._innermost_by_frames`.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import inspect
import sys
import threading
import types
import typing as t

from dynaflask.collector import is_collecting
from dynaflask.collector import watch
from dynaflask.registry.generators import calling_frames
from dynaflask.registry.generators import entered_contexts

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
        if block.generators or blocks:
            root = block.root
            if root.generator_blocks:
                block.suspended = _suspended_generators(root)
            if block.generators:
                # One list for all threads of the context: a generator may be resumed in another thread.
                vars(root).setdefault("generator_blocks", []).append(block)
                entered_contexts.add(block)
                watch()
        # Blocks of contexts that have ended stay behind where a generator was never finished.
        others = tuple(other for other in blocks if other.root.pushes) if blocks else ()
        block.token = self._blocks.set((*others, block))

    def push_again(self, block: Scope) -> ScopeToken:
        """Enter a block that work was begun in, until :attr:`reset`."""
        blocks = self.entered()
        try:
            return self._blocks.set((*blocks, block))
        except BaseException:
            # A signal has raised before the caller has the token.
            self._blocks.set(blocks)
            raise

    def remove(self, block: Scope) -> None:
        """Leave a block, wherever it is on the stack.

        Generators may end in another order than they began in, or in another thread, so that the previous stack cannot
        be restored.
        """
        blocks = self.entered()
        if block.suspended:
            # What runs from now on makes no copy of the context that is inside of the block.
            block.is_interleaved = block.is_interleaved or self._has_generator_run(block)
        block.is_left = True
        is_of_generator = bool(block.generators)
        if is_of_generator:
            entered_contexts.remove(block)
            # A frame refers to its variables, and may refer to the block.
            block.generators = ()
        is_innermost = bool(blocks) and blocks[-1] is block
        stack = blocks[:-1] if is_innermost else tuple(other for other in blocks if other is not block)
        if is_collecting():
            # The next look at the stack drops the block: see `innermost`.
            block.is_left_elsewhere, block.collecting_thread = True, threading.get_ident()
            return
        if is_of_generator:
            # Another thread of the context may have dropped it: see `_drop_left`.
            with contextlib.suppress(ValueError):
                block.root.generator_blocks.remove(block)
        # The end of a step may bring the block back, see `reset`, so that it has a token for that.
        block.is_left_elsewhere = not self._replace(block, stack)
        if block.is_left_elsewhere:
            self._blocks.set(stack)

    def discard(self, block: Scope) -> None:
        """Leave a block whose :meth:`push` or :meth:`remove` was interrupted, perhaps halfway."""
        block.is_left = True
        entered_contexts.remove(block)
        with contextlib.suppress(ValueError, AttributeError):
            block.root.generator_blocks.remove(block)
        block.generators = ()
        block.token = self._blocks.set(tuple(other for other in self.entered() if other is not block))

    def innermost(self, root: Scope) -> Scope:
        """The innermost entered block of a context, or the context's own scope if it has no entered block."""
        for left in [block for block in self.entered() if block.is_left]:
            self._drop_if_entered_here(left)
        blocks = self.entered()
        if root.generator_blocks:
            self._drop_left(root)
            around = self._innermost_by_frames(root, blocks)
            if around is not None:
                return around
        # Code that the collector runs has left its own blocks, which stay on the stack until it has ended.
        thread = threading.get_ident() if is_collecting() else None
        for block in reversed(blocks):
            if block.root is root and (thread is None or block.collecting_thread != thread):
                return block
        return root

    @staticmethod
    def _drop_left(root: Scope) -> None:
        """Drop the blocks of generators that the garbage collector has closed."""
        if not is_collecting():
            for left in [block for block in root.generator_blocks if block.is_left]:
                with contextlib.suppress(ValueError):
                    root.generator_blocks.remove(left)

    def _drop_if_entered_here(self, left: Scope) -> None:
        """Drop a block that was left by other code, if it was entered here, and not in what this code is a copy of.

        The garbage collector ends a suspended generator in any thread, and asyncio an asynchronous one in a task of its
        own. A thread or a task that was begun in the block stays in it.
        """
        if not is_collecting():
            self._replace(left, tuple(block for block in self.entered() if block is not left))

    def _is_entered_here(self, block: Scope) -> bool:
        """True in the thread or the task that entered a block."""
        return self._replace(block, self.entered())

    def _replace(self, block: Scope, stack: tuple[Scope, ...]) -> bool:
        """Set the stack, and return True, in the thread or the task that entered a block; else return False."""
        blocks, token = self.entered(), t.cast("ScopeToken", block.token)
        try:
            # Python refuses the token in each other context: there is no other way to tell a context from its copy.
            self.reset(token)
            block.token = self._blocks.set(stack)
        except BaseException as error:
            if type(error) is ValueError and self.entered() is blocks:
                return False
            # A signal has raised, perhaps where the stack was as before the block, and the token was used up.
            block.token = self._blocks.set(blocks)
            raise
        return True

    def _innermost_by_frames(self, root: Scope, blocks: tuple[Scope, ...]) -> Scope | None:
        """The innermost block around the running generator, or None if the order of entry decides.

        It decides unless a block was entered while a generator was suspended in another, or a generator is suspended in
        a block that was entered elsewhere: in another thread, say.
        """
        # A copy of the list: another thread may enter or leave a block meanwhile.
        generator_blocks = tuple(root.generator_blocks)
        if not any(block.suspended for block in blocks) and all(block in blocks for block in generator_blocks):
            return None
        # By generator: its innermost block.
        running_in = {generator: block for block in generator_blocks for generator in block.generators}
        frame = next((frame for frame in calling_frames(sys._getframe(1)) if frame in running_in), None)
        if frame is None:
            return None
        own_block = running_in[frame]
        of_root = [block for block in reversed(blocks) if block.root is root]
        innermost = next((block for block in of_root if _is_inside(block, own_block, frame)), own_block)
        if of_root and of_root[0] is not innermost:
            of_root[0].is_interleaved = True
        return innermost

    def is_unclear(self, block: Scope) -> bool:
        """True in a copy of a context that a generator of another block may have made.

        The generator was suspended when the innermost block was entered, and has run since. It may have begun this
        thread or task, and so may the code around it.

        Args:
            block: What :meth:`innermost` returned.
        """
        if not block.suspended or _is_in_generator(block.root):
            return False
        has_run = block.is_interleaved or (not block.is_left and self._has_generator_run(block))
        return has_run and not self._is_entered_here(block)

    def is_entered_by_running_code(self, block: Scope) -> bool:
        """True unless a generator entered a block that does not run now."""
        # A `with` statement in a plain function ends before the function returns.
        return not block.generators or _is_running(block.generators)

    def _has_generator_run(self, block: Scope) -> bool:
        """True if a generator that was suspended at the entry of a block stands elsewhere since.

        One that is in a loop, and stands where it stood, is not noticed.
        """
        # Not coroutines: the task of each runs it in a context of its own.
        frames = (
            frame
            for other in self.entered()
            for frame in other.generators
            if not frame.f_code.co_flags & inspect.CO_COROUTINE
        )
        return any(frame.f_lasti != block.suspended.get(id(frame), frame.f_lasti) for frame in frames)

    def innermost_of(self, blocks: cabc.Collection[t.Any]) -> Scope | None:
        """The innermost of these blocks that the running code stands in, or None if it stands in none of them."""
        around = set()
        for root in {block.root for block in blocks}:
            block: Scope | None = self.innermost(root)
            while block is not None and block not in blocks:
                block = block.outer
            around.add(block)
        around.discard(None)
        # Blocks of two contexts: the one that was entered last.
        return next((block for block in reversed(self.entered()) if block in around), next(iter(around), None))


def _suspended_generators(root: Scope) -> cabc.Mapping[int, int]:
    """The generators that are suspended inside a block of the context: where they are, by the id of the frame."""
    # Ids, not frames: the variables of one generator may refer to another, which would then never end. A new frame may
    # have the id of an ended one, but its blocks are entered later, and never compared with these.
    generators = [frame for block in tuple(root.generator_blocks) for frame in block.generators]
    running = set(map(id, calling_frames(sys._getframe(1))))
    return {id(frame): frame.f_lasti for frame in generators if id(frame) not in running}


def _is_in_generator(root: Scope) -> bool:
    """True if a generator that stands in a block of the context has called the running code."""
    return _is_running(frame for block in tuple(root.generator_blocks) for frame in block.generators)


def _is_running(generators: cabc.Iterable[types.FrameType]) -> bool:
    """True if one of these generators has called the running code, or is the running code itself."""
    return not set(generators).isdisjoint(calling_frames(sys._getframe(1)))


def _is_inside(block: Scope | None, own_block: Scope, frame: types.FrameType) -> bool:
    """True if a block is entered inside a generator's own block, and not while the generator was suspended.

    Args:
        block: The block.
        own_block: The innermost block that the generator entered.
        frame: The generator.
    """
    while block is not None and block is not own_block:
        if block.token is None:
            # Work that continues in the scope that it was begun in. It is never suspended. The context's own scope is
            # outside of each block.
            return block is not block.root
        if id(frame) in block.suspended:
            return False
        block = block.outer
    return block is own_block


block_stack: t.Final = BlockStack()
