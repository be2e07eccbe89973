"""Methods that a program may patch, as tests do with ``mock.patch``. Code that skips them looks for a patch first."""

from __future__ import annotations

import collections.abc as cabc
import operator
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
        # A call compares all of them. To look them up one by one would take longer than what the call saves.
        self._groups: list[tuple[t.Any, t.Callable[[t.Any], tuple[t.Any, ...]], tuple[t.Any, ...]]] = []
        self._undefined: list[tuple[t.Any, str]] = []
        self._unique_names = frozenset(name for names in methods.values() for name in names)
        for cls, names in methods.items():
            namespace = vars(cls)
            defined = [name for name in names if name in namespace]
            self._undefined += [(namespace, name) for name in names if name not in namespace]
            if defined:
                # One name twice: of a single name, itemgetter makes no tuple.
                find = operator.itemgetter(*defined, defined[0])
                self._groups.append((namespace, find, find(namespace)))

    def are_in_place(self, instance: t.Any = None) -> bool:
        """True if no method is patched, neither on its class nor on the instance.

        Args:
            instance: An object of one of the classes.
        """
        try:
            for namespace, find, methods in self._groups:
                # `is`: wrapt, which tracers use, makes a wrapper equal to the function that it wraps.
                if not all(map(operator.is_, find(namespace), methods)):
                    return False
        except KeyError:  # a class no longer defines it
            return False
        for namespace, name in self._undefined:
            if name in namespace:
                return False
        return instance is None or self._unique_names.isdisjoint(vars(instance))
