"""Methods that a program may patch, as tests do with ``mock.patch``. Code that skips them looks for a patch first."""

from __future__ import annotations

import collections.abc as cabc
import operator
import types
import typing as t


class Originals:
    """The methods of some classes as they are now, before a test patches them.

    Args:
        methods: Names of methods by the class that defines them. A name that a class does not define stays undefined.

    Attributes:
        classes: The classes.
    """

    def __init__(self, methods: cabc.Mapping[type, cabc.Iterable[str]]) -> None:
        self.classes = frozenset(methods)
        pairs = [(vars(cls), name) for cls, names in methods.items() for name in names]
        # Separate tuples for `map`: a call compares all of them, and a loop would take longer than what it saves.
        self._namespaces = tuple(namespace for namespace, _ in pairs)
        self._names = tuple(name for _, name in pairs)
        self._methods = tuple(self._current())
        self._unique_names = frozenset(self._names)

    def are_in_place(self, instance: t.Any = None) -> bool:
        """True if no method is patched, neither on its class nor on the instance.

        Args:
            instance: An object of one of the classes.
        """
        # `is`: wrapt, which tracers use, makes a wrapper equal to the function that it wraps.
        return all(map(operator.is_, self._current(), self._methods)) and (
            instance is None or self._unique_names.isdisjoint(vars(instance))
        )

    def _current(self) -> cabc.Iterator[t.Any]:
        return map(types.MappingProxyType.get, self._namespaces, self._names)
