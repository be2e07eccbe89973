"""Blocks that a program enters, and functions that run in one."""

from __future__ import annotations

import contextlib
import functools
import inspect
import typing as t

from dynaflask.registry.context import scope_stack

F = t.TypeVar("F", bound=t.Callable[..., t.Any])


class ScopedBlock:
    """A ``db.using`` block, or a decorator that puts one round each call of a function.

    Args:
        enter: Makes the block's context manager, in the context that is current then.
    """

    def __init__(self, enter: t.Callable[[], contextlib.AbstractContextManager[t.Any]]) -> None:
        self._enter = enter
        self._entered: list[contextlib.AbstractContextManager[t.Any]] = []

    def __enter__(self) -> None:
        block = self._enter()
        block.__enter__()
        self._entered.append(block)

    def __exit__(self, *exception: t.Any) -> None:
        # Threads and tasks may share this object: each leaves the block that it is in itself.
        block = self._entered[0] if len(self._entered) == 1 else self._block_here()
        self._entered.remove(block)
        block.__exit__(*exception)

    def _block_here(self) -> contextlib.AbstractContextManager[t.Any]:
        here = (block for block in reversed(scope_stack.get()) if block in self._entered)
        return next(here, self._entered[-1])

    def __call__(self, function: F) -> F:
        """Put a block round each call of a function.

        Raises:
            TypeError: It is a generator function, which runs after its call. A function that turns out to return a
                coroutine or a generator is refused when it is called.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = getattr(function, "__name__", repr(function))
            raise TypeError(f"{name} runs after its call: write `with db.using(...):` where it reads.")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_coroutine(*args: t.Any, **kwargs: t.Any) -> t.Any:
                with self._enter():
                    return await function(*args, **kwargs)

            return t.cast("F", run_coroutine)

        @functools.wraps(function)
        def run(*args: t.Any, **kwargs: t.Any) -> t.Any:
            with self._enter():
                return _require_done(function(*args, **kwargs))

        return t.cast("F", run)


def _require_done(result: t.Any) -> t.Any:
    # A coroutine or a generator function that something is wrapped round looks like any other, and would run outside of
    # the block.
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError("It returned a coroutine, which runs later: put the block round the `async def` itself.")
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise TypeError("It returned a generator, which runs later: enter the block inside of the generator.")
    return result
