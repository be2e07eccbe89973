"""``with`` blocks that a program enters, which also decorate functions."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import functools
import inspect
import sys
import typing as t

import flask
import werkzeug.wrappers

from dynaflask.registry.block_stack import block_stack
from dynaflask.registry.context import registry_of
from dynaflask.registry.generators import entering_generators
from dynaflask.tenants.tenant import Principal

F = t.TypeVar("F", bound=t.Callable[..., t.Any])
T = t.TypeVar("T")

# Iterators that call functions, or read other iterators, when they are read.
LAZY: t.Final = (map, filter, zip, enumerate, type(iter(int, 1)))


class ScopedBlock:
    """A block such as ``db.using(...)``, or a decorator that enters one for each call of a function.

    Args:
        enter: Makes the block's context manager, in the context that is current at that moment.
    """

    def __init__(self, enter: t.Callable[[], contextlib.AbstractContextManager[t.Any]]) -> None:
        self._enter = enter
        self._active: list[contextlib.AbstractContextManager[t.Any]] = []

    def __enter__(self) -> None:
        block: t.Any = self._enter()
        # Pass the caller's frame: a walk over more frames would make each entered block slower.
        block.generators = entering_generators(sys._getframe(1))
        try:
            block.__enter__()
            self._active.append(block)
        except BaseException:
            self._discard(block)
            raise

    def __exit__(self, *exception: t.Any) -> None:
        if not self._active:
            raise RuntimeError("This block was left already. Enter it with a `with` statement, which leaves it once.")
        block = None
        try:
            block = self._innermost()
            self._active.remove(block)
            block.__exit__(*exception)
        except BaseException:
            self._discard(block or self._innermost())
            raise

    def _innermost(self) -> t.Any:
        # Threads and tasks may share this object: each leaves the block that it entered itself.
        blocks = self._active.copy()
        return blocks[0] if len(blocks) == 1 else block_stack.innermost_of(blocks) or blocks[-1]

    def _discard(self, block: t.Any) -> None:
        block.discard()
        with contextlib.suppress(ValueError):
            self._active.remove(block)

    def __call__(self, function: F) -> F:
        """Decorate a function: each call runs in a block of its own.

        Raises:
            TypeError: It is a generator function, which runs after its call. A function that returns an awaitable, a
                generator or a lazy iterator is refused when it is called.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = getattr(function, "__name__", repr(function))
            raise TypeError(f"{name} runs after its call: write `with db.using(...):` where it reads.")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_coroutine(*args: t.Any, **kwargs: t.Any) -> t.Any:
                block: t.Any = self._enter()
                block.generators = (sys._getframe(),)
                with block:
                    return _require_done(await function(*args, **kwargs))

            return t.cast("F", run_coroutine)

        @functools.wraps(function)
        def run(*args: t.Any, **kwargs: t.Any) -> t.Any:
            with self._enter():
                return _require_done(function(*args, **kwargs))

        return t.cast("F", run)


@contextlib.contextmanager
def app_context_for(app: flask.Flask, principal: Principal, *, tenant: str | None = None) -> cabc.Iterator[None]:
    """An app context of its own, which acts for a tenant or for none without calling the loader.

    Args:
        app: The app.
        principal: The tenant to act for, or none.
        tenant: Name of the tenant to act for instead. It is looked up now.

    Raises:
        UnknownTenant: The app has no such tenant.
    """
    with app.app_context():
        scope = registry_of(app).scope
        with scope.using({}, principal=principal) if tenant is None else scope.for_tenant(tenant):
            yield


def _require_done(result: T) -> T:
    """The result of a decorated function, if no part of it runs after the block.

    Results of PynamoDB are allowed: they keep the destination of the block that they were made in.

    Raises:
        TypeError: The result runs later: an awaitable, a generator, a lazy iterator, or a response that streams one. So
            does an item of a tuple, such as a view returns.
    """
    advice = _late_result_advice(result)
    if inspect.iscoroutine(result):
        result.close()
    if advice:
        raise TypeError(f"It returned a {type(result).__name__}, which runs later: {advice}.")
    if isinstance(result, tuple):
        for item in result:
            _require_done(item)
    elif isinstance(result, werkzeug.wrappers.Response):
        _require_done(result.response)
    return result


def _late_result_advice(result: object) -> str | None:
    # A wrapper around a coroutine function or a generator function looks like a plain function.
    if inspect.isawaitable(result):
        return "put the block around the `async def` itself"
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        return "enter the block inside of the generator"
    if isinstance(result, LAZY) or type(result).__module__ == "itertools":
        return "return list(...) of it, or enter the block where it is read"
    return None
