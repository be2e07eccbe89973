"""Methods that a program may patch, as tests do with ``mock.patch``. Code that skips them looks for a patch first."""

from __future__ import annotations

import collections.abc as cabc
import functools
import inspect
import operator
import types
import typing as t


class Originals:
    """The methods of some classes as they are now, before a test patches them.

    Args:
        methods: Names of methods by class. A name that a class neither defines nor inherits is left out.

    Attributes:
        classes: The classes.
        names: The names.
    """

    def __init__(self, methods: cabc.Mapping[type, cabc.Iterable[str]]) -> None:
        self.classes = frozenset(methods)
        self.names: frozenset[str] = frozenset(name for names in methods.values() for name in names)
        self._paths = [(cls, path) for cls, names in methods.items() for path in _paths(cls, names)]
        self._methods = tuple(operator.attrgetter(path)(cls) for cls, path in self._paths)
        # Made at the first use: a program uses the methods of a few models only.
        self._find: t.Callable[[], tuple[t.Any, ...]] | None = None

    def and_inherited(self, cls: type, inherited: Originals) -> Originals:
        """These methods, and others that a subclass must have as its base does.

        Neither the subclass nor a base in between may override them, and no patch.

        Args:
            cls: The subclass.
            inherited: The methods of the base.
        """
        both = object.__new__(Originals)
        both.classes, both.names = self.classes, self.names | inherited.names
        both._paths = [*((cls, path) for _, path in inherited._paths), *self._paths]
        both._methods, both._find = (*inherited._methods, *self._methods), None
        return both

    def are_in_place(self, instance: t.Any = None) -> bool:
        """True if no method is patched, neither on its class nor on the instance.

        Args:
            instance: An object of one of the classes.
        """
        # A call compares all of them, of all classes at once. To look them up one by one would take longer than what
        # the call saves. Two threads may each make the same function.
        find = self._find
        if find is None:
            find = self._find = _getter(self._paths)
        try:
            # `is`: wrapt, which tracers use, makes a wrapper equal to the function that it wraps.
            if not all(map(operator.is_, find(), self._methods)):
                return False
        except AttributeError:  # a class no longer has it, or something else than a class method is in its place
            return False
        return instance is None or self.are_of_class(instance)

    def are_of_class(self, instance: t.Any) -> bool:
        """True if an object has none of the names in its own dict, where a patch of one object would stand.

        Args:
            instance: An object of one of the classes.
        """
        own_names: cabc.KeysView[str] = vars(instance).keys()
        return own_names.isdisjoint(self.names)


def _paths(cls: type, names: cabc.Iterable[str]) -> list[str]:
    """What ``attrgetter`` reads of a class. Each look-up of a class method makes another bound method."""
    found = {name: inspect.getattr_static(cls, name) for name in names if hasattr(cls, name)}
    return [f"{name}.__func__" if isinstance(method, classmethod) else name for name, method in found.items()]


def _getter(paths: list[tuple[type, str]]) -> t.Callable[[], tuple[t.Any, ...]]:
    names = {cls: f"owner{number}" for number, cls in enumerate(dict.fromkeys(cls for cls, _ in paths))}
    owners = types.SimpleNamespace(**{name: cls for cls, name in names.items()})
    found = [f"{names[cls]}.{path}" for cls, path in paths]
    # One path twice: of a single path, attrgetter makes no tuple. The comparison ends with the shorter one.
    return functools.partial(operator.attrgetter(*found, found[0]), owners)
