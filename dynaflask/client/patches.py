"""Methods that a program may patch, as tests do with ``mock.patch``. Code that skips them looks for a patch first."""

from __future__ import annotations

import collections.abc as cabc
import functools
import operator
import types
import typing as t

from dynaflask.client.class_check import ClassCheck

# The attributes of the classes that `remember` was called with.
_remembered: dict[type, dict[str, t.Any]] = {}


def remember(*classes: type) -> None:
    """Remember the methods of classes as they are now, for code that looks for a patch later: at the first call.

    A test may patch a method before that. The patch must not count as the original, so that what is remembered stays.

    Args:
        *classes: The classes.
    """
    for cls in classes:
        _remembered.setdefault(cls, dict(vars(cls)))


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
        names: The names.
    """

    def __init__(self, methods: cabc.Mapping[type, cabc.Iterable[str]]) -> None:
        self.names: frozenset[str] = frozenset(name for names in methods.values() for name in names)
        self._methods = [(cls, *item) for cls, names in methods.items() for item in _originals(cls, names).items()]
        # Models have a metaclass.
        self._of_models = _Comparison([method for method in self._methods if type(method[0]) is not type])
        others = _Comparison([method for method in self._methods if type(method[0]) is type])
        self._others = ClassCheck(others.are_same, [cls for cls in methods if type(cls) is type])

    def and_inherited(self, cls: type, inherited: Originals) -> Originals:
        """These methods, and others that a subclass must have as its base does.

        Neither the subclass nor a base in between may override them, and no patch.

        Args:
            cls: The subclass, a model.
            inherited: The methods of the base.
        """
        both = object.__new__(Originals)
        both.names = self.names | inherited.names
        of_base = [(cls, path, method) for _, path, method in inherited._methods]
        both._methods = [*of_base, *self._methods]
        both._of_models, both._others = _Comparison([*of_base, *self._of_models.methods]), self._others
        return both

    def are_in_place(self) -> bool:
        """True if no method is patched on its class."""
        return self._others.passes() and self._of_models.are_same()

    def are_of_class(self, instance: t.Any) -> bool:
        """True if an object has none of the names in its own dict, where a patch of one object would stand.

        Args:
            instance: An object of one of the classes.
        """
        own_names: cabc.KeysView[str] = vars(instance).keys()
        return own_names.isdisjoint(self.names)


class _Comparison:
    """Compares methods of classes with what they were.

    All at once: to look them up one by one would take longer than what a call saves that skips them.

    Args:
        methods: Class, path and original of each method.
    """

    def __init__(self, methods: cabc.Sequence[tuple[type, str, t.Any]]) -> None:
        self.methods = methods
        self._originals = tuple(original for *_, original in methods)
        # Made at the first use: a program uses the methods of a few models only.
        self._find: t.Callable[[], tuple[t.Any, ...]] | None = None

    def are_same(self) -> bool:
        """True if each method is the same object still."""
        # Two threads may each make the same function.
        find = self._find
        if find is None:
            find = self._find = _getter([(cls, path) for cls, path, _ in self.methods])
        try:
            # `is`: wrapt, which tracers use, makes a wrapper equal to the function that it wraps.
            return all(map(operator.is_, find(), self._originals))
        except AttributeError:  # a class no longer has it, or something else than a class method is in its place
            return False


def _originals(cls: type, names: cabc.Iterable[str]) -> dict[str, t.Any]:
    """The methods of a class, by what ``attrgetter`` reads of it."""
    # Each look-up of a class method makes another bound method of one function.
    found = {name: method for name in names if (method := original(cls, name)) is not None}
    return {
        f"{name}.__func__" if isinstance(method, classmethod) else name: getattr(method, "__func__", method)
        for name, method in found.items()
    }


def _getter(paths: list[tuple[type, str]]) -> t.Callable[[], tuple[t.Any, ...]]:
    if not paths:
        return tuple
    names = {cls: f"owner{number}" for number, cls in enumerate(dict.fromkeys(cls for cls, _ in paths))}
    owners = types.SimpleNamespace(**{name: cls for cls, name in names.items()})
    found = [f"{names[cls]}.{path}" for cls, path in paths]
    # One path twice: of a single path, attrgetter makes no tuple. The comparison ends with the shorter one.
    return functools.partial(operator.attrgetter(*found, found[0]), owners)
