"""``Model.Meta`` as a scope sees it: an object that reads its values from a backend, and writes changes there."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import enum
import re
import types
import typing as t
import uuid

from werkzeug.datastructures import ImmutableDict
from werkzeug.local import LocalProxy

from dynaflask.config.fields import MODEL_VALIDATORS
from dynaflask.registry.declaration import DeclaredMeta

if t.TYPE_CHECKING:
    from dynaflask.registry.effective_settings import EffectiveSettings
    from dynaflask.registry.registry import Registry

# Settings with other values, such as a botocore session, are shared on purpose.
MUTABLE = (dict, list, set, bytearray)
# Types whose values nothing can change, or that stand for something else: a class, a function, a proxy.
IMMUTABLE = (
    *(type(None), bool, int, float, complex, str, bytes, range, decimal.Decimal, uuid.UUID, re.Pattern, enum.Enum),
    *(dt.date, dt.time, dt.timedelta, dt.tzinfo),
    *(type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, LocalProxy),
)


class MetaBackend(t.Protocol):
    """Where a ``Meta`` reads its values and writes its changes. In a context it is the scope."""

    def resolve(self, declaration: DeclaredMeta) -> EffectiveSettings:
        """The model's settings."""

    def set(self, declaration: DeclaredMeta, name: str, value: t.Any) -> None:
        """Set a value for this context alone."""

    def unset(self, declaration: DeclaredMeta, name: str) -> bool:
        """Take a change back. True if there was one."""

    def copy_on_write(self, declaration: DeclaredMeta, name: str, value: t.Any) -> t.Any:
        """This context's own copy of a mutable value."""


class Meta:
    """One model's ``Meta`` as one scope sees it. A change is seen by that scope alone."""

    __slots__ = ("__backend", "__declaration", "__weakref__")

    def __init__(self, declaration: DeclaredMeta, backend: MetaBackend) -> None:
        # Past __setattr__, which writes to the backend.
        object.__setattr__(self, "_Meta__declaration", declaration)
        object.__setattr__(self, "_Meta__backend", backend)

    def __getattr__(self, name: str) -> t.Any:
        values = self.__backend.resolve(self.__declaration).values
        if name in MODEL_VALIDATORS and name not in values:
            raise AttributeError(f"{self.__declaration.model_name}.Meta has no {name!r}.", name=name, obj=self)
        value = values[name] if name in values else getattr(self.__declaration.meta_class, name)
        if is_immutable(value) or (name in MODEL_VALIDATORS and not isinstance(value, MUTABLE)):
            return value
        return self.__backend.copy_on_write(self.__declaration, name, value)

    def __setattr__(self, name: str, value: t.Any) -> None:
        if name in MODEL_VALIDATORS and value is not None:
            value = MODEL_VALIDATORS[name](f"{self.__declaration.model_name}.Meta.{name}", value)
        self.__backend.set(self.__declaration, name, value)

    def __delattr__(self, name: str) -> None:
        if not self.__backend.unset(self.__declaration, name):
            raise AttributeError(f"This context has not set {self.__declaration.model_name}.Meta.{name}.")

    def __copy__(self) -> Meta:
        return Meta(self.__declaration, self.__backend)

    def __deepcopy__(self, memo: dict[int, t.Any]) -> Meta:
        return Meta(self.__declaration, self.__backend)

    def __mro_entries__(self, bases: tuple[t.Any, ...]) -> tuple[type, ...]:
        """``class Meta(Base.Meta)`` inherits what was declared, and nothing of the current context."""
        return (self.__declaration.meta_class,)

    def __dir__(self) -> list[str]:
        values = self.__backend.resolve(self.__declaration).values
        return sorted({*dir(self.__declaration.meta_class), *values})

    def __repr__(self) -> str:
        return f"<Meta of {self.__declaration.full_name}>"


class DeclaredMetaBackend:
    """The backend outside of app contexts: it reads what the class declares, and refuses changes."""

    def resolve(self, declaration: DeclaredMeta) -> EffectiveSettings:
        """The declared values over PynamoDB's defaults."""
        from dynaflask.registry.precedence import declared_settings  # noqa: PLC0415 - a declaration does not need it

        return declared_settings(declaration)

    def set(self, declaration: DeclaredMeta, name: str, value: t.Any) -> t.NoReturn:
        """Refuse the change, which would reach every app.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError(
            f"{declaration.model_name}.Meta.{name} was set outside of an application context, where it would change"
            " every app. Write it into the class, set it in DYNAMODB_MODELS, or set it inside a context for that"
            " context alone."
        )

    def unset(self, declaration: DeclaredMeta, name: str) -> bool:
        """False: there is never a change to take back."""
        return False

    def copy_on_write(self, declaration: DeclaredMeta, name: str, value: t.Any) -> t.Any:
        """A copy. Changing it changes no class."""
        return own_copy(value)


class AppMetaBackend(DeclaredMetaBackend):
    """The backend of ``registry.meta(Model)`` outside of the app's contexts: it reads, and refuses changes.

    Args:
        registry: The app's registry.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def resolve(self, declaration: DeclaredMeta) -> EffectiveSettings:
        """The model's settings in the app."""
        return self._registry.resolve(declaration)


def is_immutable(value: t.Any) -> bool:
    """True if nothing can change the value, or a value in it."""
    # Not isinstance: it asks a proxy for the class of its object, and outside of a context a proxy has no object.
    if issubclass(type(value), IMMUTABLE):
        return True
    if isinstance(value, ImmutableDict):
        return all(map(is_immutable, value.values()))
    return isinstance(value, (tuple, frozenset)) and all(map(is_immutable, value))


def own_copy(value: t.Any) -> t.Any:
    """A deep copy of a value, or the value itself if it cannot be copied, such as a lock."""
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - what a class's __deepcopy__ or __reduce__ raises
        return value


DECLARED: t.Final = DeclaredMetaBackend()
