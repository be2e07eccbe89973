"""What a model's ``Meta`` says, and what it comes to in one scope: which value wins.

Highest first, for each setting:

0. what the context's tenant decides, which the context may not decide otherwise;
1. what this context set on ``Model.Meta``, or entered with ``db.using``;
2. ``DYNAMODB_MODELS["Thread"]`` in ``app.config``;
3. what the model's own ``Meta`` declares;
4. the bind: ``DYNAMODB_BINDS[bind_key]`` over the plain ``DYNAMODB_*`` keys;
5. PynamoDB's settings file, then botocore's own chain.

A bind that a context names brings what it names itself along to line 1: a block on the bind ``eu`` runs in its
region, whatever region a model declares.
"""

from __future__ import annotations

import collections.abc as cabc
import copy
import typing as t
import weakref

from werkzeug.datastructures import ImmutableDict

from dynaflask.config.bind import DEFAULT_BIND
from dynaflask.config.bind import Bind
from dynaflask.config.bind import make_bind
from dynaflask.config.bind import merge_settings
from dynaflask.config.fields import DESTINATION_SETTINGS
from dynaflask.config.fields import MODEL_ONLY_SETTINGS
from dynaflask.config.fields import MODEL_VALIDATORS
from dynaflask.config.fields import UPSTREAM_DEFAULTS
from dynaflask.config.settings import Settings
from dynaflask.config.settings import check_identity
from dynaflask.config.validators import Values
from dynaflask.exceptions import ConfigurationError
from dynaflask.tenants import Tenant

MUTABLE = (dict, list, set, bytearray)


class DeclaredMeta:
    """What the user wrote as one ``Meta``, and the table schema of the model classes that share it.

    Args:
        meta_class: The class that the user wrote. It is read, and never written to.
        model_name: The model's class name, for messages.
        full_name: ``module.ClassName``.
    """

    __slots__ = ("__weakref__", "_values", "full_name", "is_dynamic", "meta_class", "model_name", "schema")

    def __init__(self, meta_class: type, *, model_name: str, full_name: str) -> None:
        self.meta_class = meta_class
        self.model_name = model_name
        self.full_name = full_name
        self.is_dynamic = _is_dynamic(meta_class)
        self.schema = TableSchema()
        self._values: Values | None = None

    def __repr__(self) -> str:
        return f"<Declaration of {self.full_name}>"

    @property
    def table_name(self) -> t.Any:
        """The declared name; ``None`` if there is none, or if it is computed."""
        return None if self.is_dynamic else getattr(self.meta_class, "table_name", None)

    def values(self) -> Values:
        """The settings that the user declared, checked. They are read once, unless they are computed.

        Raises:
            ConfigurationError: A declared value is wrong.
        """
        if self._values is None or self.is_dynamic:
            self._values = ImmutableDict(self._read_values())
        return self._values

    def _read_values(self) -> dict[str, t.Any]:
        declared = {name: getattr(self.meta_class, name, None) for name in MODEL_VALIDATORS}
        filled = UPSTREAM_DEFAULTS if all(hasattr(self.meta_class, name) for name in UPSTREAM_DEFAULTS) else {}
        return {
            name: MODEL_VALIDATORS[name](f"{self.model_name}.Meta.{name}", value)
            for name, value in declared.items()
            if value not in (None, "") and not (name in filled and value == filled[name])
        }


def full_name(model: type) -> str:
    """The name that tells two models of one class name apart."""
    return f"{model.__module__}.{model.__qualname__}"


def has_own_declaration(model: t.Any) -> bool:
    """Whether the ``Meta`` that the class sees is the one that its declaration was made of."""
    return getattr(own_attribute(model, "Meta"), "declaration", None) is model.__declaration__


def own_attribute(model: type, name: str) -> t.Any:
    """What the class, or the first of its bases that has the name, has in its namespace."""
    # Not next() of a generator: every context asks this of every model that it uses.
    for cls in model.__mro__:
        if name in vars(cls):
            return vars(cls)[name]
    return None


class TableSchema:
    """The keys and indexes of one table, as all classes that share it declare them.

    A subclass may add an index after the table was first used, so the lists grow in place: every ``MetaTable`` made of
    them sees it.
    """

    __slots__ = ("_models", "_read", "attributes", "global_indexes", "keys", "local_indexes")

    def __init__(self) -> None:
        self._models: list[weakref.ref[t.Any]] = []
        self._read = 0
        self.keys: list[dict[str, str]] = []
        self.attributes: list[dict[str, str]] = []
        self.global_indexes: list[dict[str, t.Any]] = []
        self.local_indexes: list[dict[str, t.Any]] = []

    def add(self, model: t.Any) -> None:
        """Take another model class in. Its schema is read when the table is first used, as PynamoDB does."""
        self._models.append(weakref.ref(model))

    def table_data(self, table_name: str) -> dict[str, t.Any]:
        """What PynamoDB's ``MetaTable`` wants to know of the table."""
        self._read_models()
        return {
            "TableName": table_name,
            "KeySchema": self.keys,
            "AttributeDefinitions": self.attributes,
            "GlobalSecondaryIndexes": self.global_indexes,
            "LocalSecondaryIndexes": self.local_indexes,
        }

    def _read_models(self) -> None:
        # Without a lock, which a fork might leave held. Two threads may read a model twice; none goes on before all of
        # them are read.
        while (position := self._read) < len(self._models):
            model = self._models[position]()
            if model is not None:
                self._merge(model._get_schema())
            self._read = position + 1

    def _merge(self, schema: cabc.Mapping[str, t.Any]) -> None:
        add_missing(self.keys, schema["key_schema"])
        add_missing(self.attributes, schema["attribute_definitions"])
        add_missing(self.global_indexes, map(_index_keys, schema["global_secondary_indexes"]))
        add_missing(self.local_indexes, map(_index_keys, schema["local_secondary_indexes"]))


class EffectiveSettings:
    """What a model's settings come to.

    Args:
        bind: The destination and client options.
        table_name: The real table name; ``None`` where the model has no table.
        is_static: Whether the answer stays the same until the context changes something.
        values: What lies over the bind's own settings, or all values where those are not given.
        settings: The configuration that says what the bind's own are.
    """

    __slots__ = ("_given", "_settings", "_values", "bind", "is_static", "table_name")

    def __init__(
        self,
        bind: Bind,
        table_name: str | None,
        *,
        is_static: bool,
        values: Values,
        settings: Settings | None = None,
    ) -> None:
        self.bind: t.Final = bind
        self.table_name: t.Final = table_name
        self.is_static: t.Final = is_static
        self._given = values
        self._settings = settings
        self._values: Values | None = None if settings else values

    @property
    def values(self) -> Values:
        """The settings by name; those that nobody gave are missing."""
        # Put together when they are asked for: a call needs none of them, and an app has many models.
        if self._values is None:
            values = merge_settings(t.cast("Settings", self._settings).effective_values(self.bind.key), self._given)
            self._values = _with_defaults(values, self.bind.key, self.table_name)
        return self._values

    def __repr__(self) -> str:
        return f"<Resolved {self.table_name!r} on {self.bind!r}>"


class MetaBackend(t.Protocol):
    """Where a ``Meta`` gets its values from, and takes its changes to."""

    def resolve(self, declaration: DeclaredMeta) -> EffectiveSettings:
        """What the model's settings come to."""

    def set(self, declaration: DeclaredMeta, name: str, value: t.Any) -> None:
        """Set a value for this context alone."""

    def unset(self, declaration: DeclaredMeta, name: str) -> bool:
        """Take a change back; whether there was one."""

    def copy_on_write(self, declaration: DeclaredMeta, name: str, value: t.Any) -> t.Any:
        """This context's own copy of a value that can be changed in place."""


class Meta:
    """One model's ``Meta`` as one scope sees it. A change is seen by that scope alone."""

    __slots__ = ("__declaration", "__source", "__weakref__")

    def __init__(self, declaration: DeclaredMeta, source: MetaBackend) -> None:
        object.__setattr__(self, "_Meta__declaration", declaration)
        object.__setattr__(self, "_Meta__source", source)

    def __getattr__(self, name: str) -> t.Any:
        values = self.__source.resolve(self.__declaration).values
        if name in MODEL_VALIDATORS and name not in values:
            raise AttributeError(f"{self.__declaration.model_name}.Meta has no {name!r}.", name=name, obj=self)
        value = values[name] if name in values else getattr(self.__declaration.meta_class, name)
        if isinstance(value, MUTABLE) and not isinstance(value, ImmutableDict):
            return self.__source.copy_on_write(self.__declaration, name, value)
        return value

    def __setattr__(self, name: str, value: t.Any) -> None:
        if name in MODEL_VALIDATORS and value is not None:
            value = MODEL_VALIDATORS[name](f"{self.__declaration.model_name}.Meta.{name}", value)
        self.__source.set(self.__declaration, name, value)

    def __delattr__(self, name: str) -> None:
        if not self.__source.unset(self.__declaration, name):
            raise AttributeError(f"This context has not set {self.__declaration.model_name}.Meta.{name}.")

    def __copy__(self) -> Meta:
        return Meta(self.__declaration, self.__source)

    def __deepcopy__(self, memo: dict[int, t.Any]) -> Meta:
        return Meta(self.__declaration, self.__source)

    def __mro_entries__(self, bases: tuple[t.Any, ...]) -> tuple[type, ...]:
        """``class Meta(Base.Meta)`` inherits what was declared, and nothing of the context it stands in."""
        return (self.__declaration.meta_class,)

    def __dir__(self) -> list[str]:
        values = self.__source.resolve(self.__declaration).values
        return sorted({*dir(self.__declaration.meta_class), *values})

    def __repr__(self) -> str:
        return f"<Meta of {self.__declaration.full_name}>"


class DeclaredMetaBackend:
    """What a model's ``Meta`` says where no application answers: the declaration, which nothing changes."""

    def resolve(self, declaration: DeclaredMeta) -> EffectiveSettings:
        """The declared values over PynamoDB's defaults."""
        declared = {
            name: getattr(declaration.meta_class, name)
            for name in MODEL_VALIDATORS
            if hasattr(declaration.meta_class, name)
        }
        values = {**UPSTREAM_DEFAULTS, **declared}
        return EffectiveSettings(NOWHERE, values.get("table_name"), is_static=False, values=values)

    def set(self, declaration: DeclaredMeta, name: str, value: t.Any) -> t.NoReturn:
        """Refuse: a change made here would reach every app.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError(
            f"{declaration.model_name}.Meta.{name} was set outside of an application context, where it would change"
            " every app. Write it into the class, set it in DYNAMODB_MODELS, or set it inside a context for that"
            " context alone."
        )

    def unset(self, declaration: DeclaredMeta, name: str) -> bool:
        """There is never a change to take back."""
        return False

    def copy_on_write(self, declaration: DeclaredMeta, name: str, value: t.Any) -> t.Any:
        """A copy: what is done to it changes no class."""
        return copy.deepcopy(value)


DECLARED: t.Final = DeclaredMetaBackend()
NOWHERE: t.Final = Bind()


def resolve(
    declaration: DeclaredMeta,
    *,
    settings: Settings,
    binds: cabc.Mapping[str, Bind],
    configured: Values,
    context: cabc.Sequence[Values] = (),
    tenant: Tenant | None = None,
) -> EffectiveSettings:
    """What a model's settings come to, by the order that this module states.

    Args:
        declaration: What the model declares.
        settings: The app's configuration.
        binds: The app's binds.
        configured: What ``DYNAMODB_MODELS`` says of the model.
        context: What the context set and entered, the innermost last.
        tenant: Whom the context acts for, if that decides anything.

    Raises:
        UnknownBind: The bind that wins is not one of the app's.
        TenantMismatch: The context says otherwise what the tenant decides.
        ConfigurationError: The values that win do not fit together.
    """
    declared = declaration.values()
    decided = _tenant_overrides(tenant, context)
    bind_key = select_bind_key([declared, configured, *context, decided])
    says_no_more = not (context or decided or configured) and MODEL_ONLY_SETTINGS.issuperset(declared)
    if says_no_more and bind_key in binds:
        bind = binds[bind_key]
        table_name = _real_name(declared.get("table_name"), bind)
        is_static = _is_static(declaration, bind)
        return EffectiveSettings(bind, table_name, is_static=is_static, values=declared, settings=settings)
    values = merge_settings(merge_settings(settings.effective_values(bind_key), declared), configured)
    declared_name = values.pop("table_name", None)
    values = merge_settings(
        apply_context_layers(values, settings=settings, bind_key=bind_key, context=context), decided
    )
    check_identity(f"{declaration.model_name}.Meta", values)
    bind = make_bind(bind_key, values)
    # A name that the context set is the real one.
    table_name = values.get("table_name") or _real_name(declared_name, bind)
    is_static = _is_static(declaration, bind)
    return EffectiveSettings(bind, table_name, is_static=is_static, values=_with_defaults(values, bind_key, table_name))


def resolve_bind(
    bind_key: str | None, *, settings: Settings, context: cabc.Sequence[Values], tenant: Tenant | None = None
) -> Bind:
    """What a bind comes to under the blocks that a context entered.

    Args:
        bind_key: The bind; by default the one that the tenant decides, or that the innermost block names.
        settings: The app's configuration.
        context: What the context entered, the innermost last.
        tenant: As of :func:`resolve`.

    Raises:
        UnknownBind: The app has no such bind.
        ConfigurationError: The values that win do not fit together.
        TenantMismatch: The context says otherwise what the tenant decides.
    """
    decided = _tenant_overrides(tenant, [*context, {"bind_key": bind_key}] if bind_key else context)
    bind_key = bind_key or select_bind_key([*context, decided])
    values = apply_context_layers(
        settings.effective_values(bind_key), settings=settings, bind_key=bind_key, context=context
    )
    values = merge_settings(values, decided)
    check_identity(f"db.using({bind_key!r})", values)
    return make_bind(bind_key, values)


def select_bind_key(layers: cabc.Sequence[Values]) -> str:
    """The bind that the innermost layer names."""
    return next((layer["bind_key"] for layer in reversed(layers) if layer.get("bind_key")), DEFAULT_BIND)


def apply_context_layers(
    values: Values, *, settings: Settings, bind_key: str, context: cabc.Sequence[Values]
) -> dict[str, t.Any]:
    """The values under what a context set and entered, for one bind.

    A layer that names another bind was meant for that bind, and is left out whole. The innermost layer that names this
    one begins anew where and as whom: it brings what the bind itself names, and hides what was said of that before.
    """
    layers = [layer for layer in context if (layer.get("bind_key") or bind_key) == bind_key]
    named_at = max((position for position, layer in enumerate(layers) if layer.get("bind_key")), default=-1)
    for layer in layers[: max(named_at, 0)]:
        values = merge_settings(
            values, {name: value for name, value in layer.items() if name not in DESTINATION_SETTINGS}
        )
    if named_at >= 0:
        values = merge_settings(values, settings.own_values(bind_key))
    for layer in layers[max(named_at, 0) :]:
        values = merge_settings(values, layer)
    return dict(values)


def apply_prefix(table_name: str, *, prefix: t.Any) -> str:
    """The real name of a declared table. An ARN is left as it is.

    Raises:
        ConfigurationError: The callable gave something else than a name.
    """
    if table_name.startswith("arn:") or not prefix:
        return table_name
    if not callable(prefix):
        return f"{prefix}{table_name}"
    real_name = prefix(table_name)
    if not isinstance(real_name, str) or not real_name:
        raise ConfigurationError(
            f"The callable in DYNAMODB_TABLE_PREFIX must return the real name of the table {table_name!r} as a"
            f" string, not {type(real_name).__name__}."
        )
    return real_name


def _tenant_overrides(tenant: Tenant | None, context: cabc.Sequence[Values]) -> Values:
    if tenant is None:
        return {}
    tenant.check_conflicts(context)
    return tenant.changes


def _real_name(declared_name: str | None, bind: Bind) -> str | None:
    return None if declared_name is None else apply_prefix(declared_name, prefix=bind.table_prefix)


def _is_static(declaration: DeclaredMeta, bind: Bind) -> bool:
    return not declaration.is_dynamic and not callable(bind.table_prefix)


def _with_defaults(values: Values, bind_key: str, table_name: str | None) -> Values:
    given = {name: value for name, value in values.items() if value is not None or name not in MODEL_VALIDATORS}
    if table_name is not None:
        given["table_name"] = table_name
    return {**UPSTREAM_DEFAULTS, **given, "bind_key": bind_key}


def _is_dynamic(meta_class: type) -> bool:
    """Whether a value may change from one reading to the next: a class property, say, or a metaclass of its own."""
    attributes = (value for cls in meta_class.__mro__ for name, value in vars(cls).items() if name in MODEL_VALIDATORS)
    return type(meta_class) is not type or any(hasattr(value, "__get__") for value in attributes)


def _index_keys(index: cabc.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {"IndexName": index["index_name"], "KeySchema": index["key_schema"]}


def add_missing(known: list[t.Any], more: cabc.Iterable[t.Any]) -> None:
    """Append what is not there yet."""
    known.extend(item for item in more if item not in known)
