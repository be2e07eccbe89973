"""Generators and coroutines that enter blocks: which ones run, and what each has entered.

A generator may be suspended inside a block, and be resumed by any code, in any thread. The frames of the call stack
tell which generators run.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import functools
import inspect
import opcode
import sys
import types
import typing as t
import weakref

if t.TYPE_CHECKING:
    from flask.ctx import AppContext

# Code whose frame may be suspended, and resumed later: generators, asynchronous generators and coroutines.
SUSPENDABLE: t.Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR | inspect.CO_COROUTINE
# Functions that return with a block entered.
ENTERING: t.Final = frozenset({"__enter__", "__aenter__", "enter_context", "enter_async_context"})
# The instruction of a `with` statement that enters its block, by the version of Python: 3.10, up to 3.13, and from 3.14
# on the one before the call. With another one, a `with` statement counts as a call of __enter__, which takes longer.
WITH: t.Final = frozenset(opcode.opmap.get(name) for name in ("SETUP_WITH", "BEFORE_WITH", "LOAD_SPECIAL"))


class EnteredContext(t.Protocol):
    """A block that a generator has entered, or an app context that it has pushed."""

    generators: tuple[types.FrameType, ...]

    @property
    def app_name(self) -> str:
        """Name of its app."""

    def is_of(self, context: AppContext) -> bool:
        """True if it belongs to an app context."""

    def is_of_request(self, root: t.Any, request: object) -> bool:
        """True if it was entered in the request of a scope, which is the current request."""

    @property
    def is_current(self) -> bool:
        """False once the context was popped."""


class EnteredContexts:
    """The blocks and contexts of all generators of the process: any thread may resume any generator.

    Attributes:
        by_frame: By the id of a generator's frame, in the order of entry.
    """

    def __init__(self) -> None:
        # Ids and weak references: a frame refers to its variables, and the generator might never end.
        self.by_frame: dict[int, list[weakref.ref[EnteredContext]]] = {}

    def add(self, entered: EnteredContext) -> None:
        """Add a block or a context, which keeps the frames of its generators."""
        for frame in entered.generators:
            forget = functools.partial(self._forget, id(frame))
            self.by_frame.setdefault(id(frame), []).append(weakref.ref(entered, forget))

    def remove(self, entered: EnteredContext) -> None:
        """Remove a block that was left."""
        for frame in entered.generators:
            self._forget(id(frame), weakref.ref(entered))

    def innermost(self, frame: types.FrameType) -> EnteredContext | None:
        """What a generator entered or pushed last, and has not left."""
        return next((entered for entered in reversed(self.of(frame)) if entered.is_current), None)

    def of(self, frame: types.FrameType) -> list[EnteredContext]:
        """What a generator has entered or pushed, the innermost last."""
        references = self.by_frame.get(id(frame), ())
        return [entered for entered in (reference() for reference in references) if entered is not None]

    def running(self) -> cabc.Iterator[types.FrameType]:
        """The frames of the running generators that are in force, the innermost first."""
        return (frame for frame in calling_frames(sys._getframe(1)) if id(frame) in self.by_frame)

    def _forget(self, key: int, reference: weakref.ref[EnteredContext]) -> None:
        references = self.by_frame.get(key, [])
        # The garbage collector may call this in the middle of itself.
        with contextlib.suppress(ValueError):
            references.remove(reference)
        if not references:
            self.by_frame.pop(key, None)


entered_contexts: t.Final = EnteredContexts()


def entering_generators(frame: types.FrameType | None) -> tuple[types.FrameType, ...]:
    """The generators and coroutines that enter a block, the innermost first; none if it ends before one is suspended.

    There are several if the code with the ``with`` statement is a ``@contextlib.contextmanager``: it enters the block
    for the generator that uses it, too.

    Args:
        frame: The code that enters the block.
    """
    generators: list[types.FrameType] = []
    # Code that calls __enter__ itself may do so for its caller.
    is_entered_for_caller = frame is not None and not _is_at_with(frame)
    while frame is not None:
        code = frame.f_code
        if code.co_name in ENTERING:
            # Another context manager enters the block. The function that it returns to may return, too.
            is_entered_for_caller = True
        elif generators and not is_entered_for_caller:
            # This code resumed the generator, and did not enter the block by that.
            break
        elif code.co_flags & SUSPENDABLE:
            generators.append(frame)
            is_entered_for_caller = False
        elif not is_entered_for_caller:
            # A `with` statement in a plain function ends before the function returns.
            break
        frame = frame.f_back
    return tuple(generators)


def calling_frames(frame: types.FrameType | None) -> cabc.Iterator[types.FrameType]:
    """A frame and its callers, the innermost first.

    Args:
        frame: The innermost frame, such as ``sys._getframe()``.
    """
    # Not traceback.walk_stack: it computes the line of each frame.
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_at_with(frame: types.FrameType) -> bool:
    code, position = frame.f_code.co_code, frame.f_lasti
    return code[position] in WITH or code[position - 2] in WITH
