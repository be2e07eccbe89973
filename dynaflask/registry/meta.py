"""``Model.Meta`` as a scope sees it: an object that reads its values from a backend, and writes changes there."""

from __future__ import annotations

import copy
import typing as t

from werkzeug.datastructures import ImmutableDict

from dynaflask.config.bind import Bind
from dynaflask.config.fields import MODEL_VALIDATORS
from dynaflask.config.fields import UPSTREAM_DEFAULTS
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.precedence import EffectiveSettings

MUTABLE = (dict, list, set, bytearray)


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
        if isinstance(value, MUTABLE) and not isinstance(value, ImmutableDict):
            return self.__backend.copy_on_write(self.__declaration, name, value)
        return value

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
        declared = {
            name: getattr(declaration.meta_class, name)
            for name in MODEL_VALIDATORS
            if hasattr(declaration.meta_class, name)
        }
        values = {**UPSTREAM_DEFAULTS, **declared}
        return EffectiveSettings(EMPTY_BIND, values.get("table_name"), is_static=False, values=values)

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
        return copy.deepcopy(value)


DECLARED: t.Final = DeclaredMetaBackend()
EMPTY_BIND: t.Final = Bind()
