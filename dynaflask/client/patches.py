"""Methods that a program may patch, as tests do with ``mock.patch``. Code that skips them looks for a patch first."""

from __future__ import annotations

import collections.abc as cabc
import operator
import types
import typing as t

# The attributes of the classes that `remember` was called with.
_remembered: dict[type, dict[str, t.Any]] = {}


def remember(*classes: type) -> None:
    """Remember the methods of classes as they are now, for modules that are imported when an app is initialised.

    A test may patch a method before that. The patch must not count as the original.

    Args:
        *classes: The classes.
    """
    _remembered.update((cls, dict(vars(cls))) for cls in classes)


def original(cls: type, name: str) -> t.Any:
    """A method as it stands in the class that defines it; None if a class neither defines nor inherits it.

    Args:
        cls: The class.
        name: Name of the method.
    """
    attributes = (_remembered.get(base) or vars(base) for base in cls.__mro__)
    return next((found[name] for found in attributes if name in found), None)


class Originals:
    """The methods of some classes as they are now or were when they were remembered, before a test patches them.

    Args:
        methods: Names of methods by class. A name that a class neither defines nor inherits is left out.

    Attributes:
        classes: The classes.
    """

    def __init__(self, methods: cabc.Mapping[type, cabc.Iterable[str]]) -> None:
        self.classes = frozenset(methods)
        self._unique_names = frozenset(name for names in methods.values() for name in names)
        # A call compares all of them, of all classes at once. To look them up one by one would take longer than what
        # the call saves.
        self._owners = types.SimpleNamespace(**{f"owner{number}": cls for number, cls in enumerate(methods)})
        found = [_originals(cls, names) for cls, names in methods.items()]
        paths = [f"owner{number}.{path}" for number, originals in enumerate(found) for path in originals]
        self._find = _getter(paths)
        self._methods = [method for originals in found for method in originals.values()]

    def are_in_place(self, instance: t.Any = None) -> bool:
        """True if no method is patched, neither on its class nor on the instance.

        Args:
            instance: An object of one of the classes.
        """
        try:
            # `is`: wrapt, which tracers use, makes a wrapper equal to the function that it wraps.
            if not all(map(operator.is_, self._find(self._owners), self._methods)):
                return False
        except AttributeError:  # a class no longer has it, or something else than a class method is in its place
            return False
        return instance is None or self.are_of_class(instance)

    def are_of_class(self, instance: t.Any) -> bool:
        """True if an object has none of the names in its own dict, where a patch of one object would stand.

        Args:
            instance: An object of one of the classes.
        """
        return self._unique_names.isdisjoint(vars(instance))


class InheritedMethods:
    """Methods of a base class, as of :class:`Originals`, which subclasses may override and tests may patch.

    Args:
        base: The base class.
        names: Names of its methods.

    Attributes:
        names: The names.
    """

    def __init__(self, base: type, names: cabc.Iterable[str]) -> None:
        self.names = frozenset(names)
        originals = _originals(base, self.names)
        self._find = _getter(list(originals))
        self._methods = list(originals.values())

    def are_inherited(self, cls: type) -> bool:
        """True if a subclass has these very methods: neither it nor a base in between overrides one, and no patch does.

        Args:
            cls: The subclass.
        """
        try:
            return all(map(operator.is_, self._find(cls), self._methods))
        except AttributeError:  # something else than a class method is in its place
            return False


def _originals(cls: type, names: cabc.Iterable[str]) -> dict[str, t.Any]:
    """The methods of a class, by what ``attrgetter`` reads of it."""
    # Each look-up of a class method makes another bound method of one function.
    found = {name: method for name in names if (method := original(cls, name)) is not None}
    return {
        f"{name}.__func__" if isinstance(method, classmethod) else name: getattr(method, "__func__", method)
        for name, method in found.items()
    }


def _getter(paths: list[str]) -> t.Callable[[t.Any], tuple[t.Any, ...]]:
    # One path twice: of a single path, attrgetter makes no tuple. `map` ends with the shorter of its arguments.
    return operator.attrgetter(*paths, paths[0])
