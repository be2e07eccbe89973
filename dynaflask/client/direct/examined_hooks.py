"""The hooks that a call found, and what follows from them, until one of them changes."""

from __future__ import annotations

import collections.abc as cabc
import functools
import operator
import typing as t

import botocore.session

from dynaflask.client.botocore_internals import BUILTIN_HANDLERS
from dynaflask.client.botocore_internals import events_version
from dynaflask.client.botocore_patches import CALL_CLASSES
from dynaflask.client.botocore_patches import CALL_METHOD
from dynaflask.client.botocore_patches import CREATORS
from dynaflask.client.botocore_patches import call_path
from dynaflask.client.botocore_patches import creation_path
from dynaflask.client.botocore_patches import static_call_path
from dynaflask.client.botocore_patches import static_creation_path
from dynaflask.client.class_check import ClassCheck

Methods = tuple[t.Any, ...]

MOTO_PREFIX = "moto."


class _Examined:
    """The hooks that a call found, and what follows from them, until one of them changes.

    Args:
        classes: The classes of the methods on the path of a call.
        find_methods: Finds the methods; ``None`` if one is gone.
        find_static_methods: The same, as they stand in their classes.
    """

    def __init__(
        self,
        classes: cabc.Iterable[type],
        find_methods: cabc.Callable[[], Methods | None],
        find_static_methods: cabc.Callable[[], Methods],
    ) -> None:
        # Not a method of this object, which would wait for the garbage collector once it is replaced.
        check = functools.partial(
            _are_unchanged, find_methods, find_methods() or (), find_static_methods, find_static_methods()
        )
        self.methods_check = ClassCheck(check, classes)
        # By the modules whose hooks a call leaves out: apps with and without a tracer share a client.
        self.reasons: dict[frozenset[str], str | None] = {}
        self.mocks: tuple[t.Any, ...] = ()


class ExaminedClient(_Examined):
    """The hooks of a client.

    Args:
        client: The client.
    """

    def __init__(self, client: t.Any) -> None:
        super().__init__(
            [type(client), *CALL_CLASSES],
            functools.partial(call_path, client),
            functools.partial(static_call_path, client),
        )
        self.version, self._own_method = events_version(client), vars(client).get(CALL_METHOD)
        self.handlers: dict[str, tuple[t.Any, ...]] = {}

    def is_current(self, client: t.Any) -> bool:
        """False if one of the hooks has changed since."""
        version = self.version
        is_same = version is not None and version is events_version(client)
        return is_same and vars(client).get(CALL_METHOD) is self._own_method and self.methods_check.passes()


class ExaminedClasses(_Examined):
    """The hooks that each new client would have."""

    def __init__(self) -> None:
        super().__init__(CREATORS, creation_path, static_creation_path)
        self._handler_count, self._session = len(BUILTIN_HANDLERS), botocore.session.Session
        # moto adds its handler when it is imported.
        self.mocks = tuple(handler for _, handler, *_ in BUILTIN_HANDLERS if is_mock(handler))

    def is_current(self) -> bool:
        """False if one of the hooks has changed since."""
        is_same = len(BUILTIN_HANDLERS) == self._handler_count and botocore.session.Session is self._session
        return is_same and self.methods_check.passes()


def _are_unchanged(
    find_methods: cabc.Callable[[], Methods | None],
    found: Methods,
    find_static_methods: cabc.Callable[[], Methods],
    static_found: Methods,
) -> bool:
    methods = find_methods()
    return methods is not None and (_are_same(methods, found) or _are_same(find_static_methods(), static_found))


def _are_same(methods: tuple[t.Any, ...], others: tuple[t.Any, ...]) -> bool:
    # Compare with `is`: wrapt, which tracers use, makes a wrapper equal to the function that it wraps.
    return len(methods) == len(others) and all(map(operator.is_, methods, others))


def is_mock(handler: t.Any) -> bool:
    """True for moto's handler, which every new client has once moto is imported.

    Args:
        handler: A handler of botocore's events.
    """
    # It does nothing until it is enabled.
    return module_of(handler).startswith(MOTO_PREFIX) and hasattr(handler, "enabled")


def module_of(handler: t.Any) -> str:
    """The module of a handler.

    Args:
        handler: A function, a method or another callable object.
    """
    return getattr(handler, "__module__", None) or type(handler).__module__
