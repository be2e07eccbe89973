"""What the user declared: one model's ``Meta``, and the table schema of the classes that share it."""

from __future__ import annotations

import collections.abc as cabc
import os
import threading
import typing as t
import warnings
import weakref

from pynamodb.settings import default_settings_dict
from werkzeug.datastructures import ImmutableDict

from dynaflask.config.fields import MODEL_VALIDATORS
from dynaflask.config.fields import UPSTREAM_DEFAULTS
from dynaflask.config.settings import did_you_mean
from dynaflask.config.validators import Values
from dynaflask.exceptions import ConfigurationError

META_NAMES: t.Final = frozenset({*MODEL_VALIDATORS, "tenant", "hide_expired", *default_settings_dict})


class DeclaredMeta:
    """The ``Meta`` that the user wrote, and the table schema of the model classes that share it.

    Args:
        meta_class: The class that the user wrote. It is read, and never written to.
        model_name: The model's class name, for messages.
        full_name: ``module.ClassName``.

    Attributes:
        is_shared: True if one table serves all tenants of an app, and needs none: ``Meta.tenant = False``.
        hides_expired: True if reads hide the items whose time to live has passed: ``Meta.hide_expired = True``.
        expiry: DynamoDB's name of the attribute with the time to live, if the declaration hides expired items, and a
            class with that attribute has been declared.

    Raises:
        ConfigurationError: ``Meta.tenant`` or ``Meta.hide_expired`` has another value.
    """

    __slots__ = (
        *("__weakref__", "_values", "expiry", "full_name", "hides_expired", "is_dynamic", "is_shared", "meta_class"),
        *("model_name", "schema"),
    )

    def __init__(self, meta_class: type, *, model_name: str, full_name: str) -> None:
        self.meta_class = meta_class
        self.model_name = model_name
        self.full_name = full_name
        self.is_dynamic = _is_dynamic(meta_class)
        _warn_of_misspelled_names(meta_class, model_name)
        tenant = getattr(meta_class, "tenant", None)
        if tenant is not None and tenant is not False:
            raise ConfigurationError(
                f"{model_name}.Meta.tenant can only be False, for a table that belongs to no tenant. Remove it for a"
                " model whose tenant is that of the context."
            )
        self.is_shared: t.Final = tenant is False
        hide_expired = getattr(meta_class, "hide_expired", None)
        if hide_expired is not None and not isinstance(hide_expired, bool):
            raise ConfigurationError(f"{model_name}.Meta.hide_expired must be True or False.")
        self.hides_expired: t.Final = hide_expired is True
        self.expiry: str | None = None
        self.schema = TableSchema()
        self._values: Values | None = None

    def __repr__(self) -> str:
        return f"<DeclaredMeta of {self.full_name}>"

    @property
    def table_name(self) -> t.Any:
        """The declared name; ``None`` if there is none, or if it is computed."""
        return None if self.is_dynamic else getattr(self.meta_class, "table_name", None)

    def check_table_name(self) -> None:
        """Refuse a declared name that no table can have. A computed name is checked at each use.

        Raises:
            ConfigurationError: The name is wrong.
        """
        if self.table_name not in (None, ""):
            self._check("table_name", self.table_name)

    def values(self) -> Values:
        """The settings that the user declared, checked. They are read once, or at each call if they are computed.

        Raises:
            ConfigurationError: A declared value is wrong.
        """
        if self._values is None or self.is_dynamic:
            self._values = ImmutableDict(self._read_values())
        return self._values

    def _read_values(self) -> dict[str, t.Any]:
        values = {name: self._value(name) for name in MODEL_VALIDATORS}
        # A Meta that has all of the defaults went through PynamoDB's metaclass. Then a value that equals its default
        # counts as not declared: the two cases look the same.
        defaults = UPSTREAM_DEFAULTS if all(hasattr(self.meta_class, name) for name in UPSTREAM_DEFAULTS) else {}
        return {
            name: self._check(name, value)
            for name, value in values.items()
            if value not in (None, "") and not (name in defaults and value == defaults[name])
        }

    def _value(self, name: str) -> t.Any:
        # An AttributeError of the function that computes a value does not say that there is none.
        classes = (*self.meta_class.__mro__, *t.cast("t.Any", type(self.meta_class)).__mro__)
        is_computed = self.is_dynamic and any(name in vars(cls) for cls in classes)
        return getattr(self.meta_class, name) if is_computed else getattr(self.meta_class, name, None)

    def _check(self, name: str, value: t.Any) -> t.Any:
        return MODEL_VALIDATORS[name](f"{self.model_name}.Meta.{name}", value)


def _warn_of_misspelled_names(meta_class: type, model_name: str) -> None:
    """Warn of a name that is nearly one of ours. A program may have others in ``Meta``, for its own use."""
    for name in vars(meta_class):
        is_valid = name in META_NAMES or name.startswith("_")
        hint = "" if is_valid else did_you_mean(name, META_NAMES, similarity=0.85)
        if hint:
            warnings.warn(f"{model_name}.Meta.{name} has no effect.{hint}", stacklevel=5)


class TableSchema:
    """The keys and indexes of one table, as declared by all classes that share the table.

    A subclass may add an index after the first use of the table. The lists therefore grow in place, and every
    ``MetaTable`` made of them sees the new index.
    """

    __slots__ = ("_locks", "_models", "_read_count", "attributes", "global_indexes", "keys", "local_indexes")

    def __init__(self) -> None:
        # Weak references: a model that a function declares is collected after its last use, and its schema with it.
        self._models: list[weakref.ref[t.Any]] = []
        self._read_count = 0
        # By process id, with one entry.
        self._locks: dict[int, threading.RLock] = {}
        self.keys: list[dict[str, str]] = []
        self.attributes: list[dict[str, str]] = []
        self.global_indexes: list[dict[str, t.Any]] = []
        self.local_indexes: list[dict[str, t.Any]] = []

    def add(self, model: t.Any) -> None:
        """Add a model class. Like PynamoDB, its schema is read at the first use of the table."""
        self._models.append(weakref.ref(model))

    def table_data(self, table_name: str) -> dict[str, t.Any]:
        """The data of PynamoDB's ``MetaTable`` for this table."""
        self.read_models()
        return {
            "TableName": table_name,
            "KeySchema": self.keys,
            "AttributeDefinitions": self.attributes,
            "GlobalSecondaryIndexes": self.global_indexes,
            "LocalSecondaryIndexes": self.local_indexes,
        }

    def read_models(self) -> None:
        """Read the classes that were declared since the last call, which may have added an index."""
        if self._read_count == len(self._models):
            return
        # Without a lock, two threads that read one model at once would add an entry twice. Each process has its own: a
        # forked child has a copy of a held lock, but not the thread that would release it. The lock is reentrant,
        # because a class may compute its schema. The count grows after the read: no thread returns before all models
        # are read, and a child that is forked in between adds what is missing.
        pid = os.getpid()
        lock = self._locks.get(pid) or self._locks.setdefault(pid, threading.RLock())
        with lock:
            while (position := self._read_count) < len(self._models):
                model = self._models[position]()
                if model is not None:
                    self._merge(model._get_schema())
                self._read_count = position + 1

    def _merge(self, schema: cabc.Mapping[str, t.Any]) -> None:
        add_missing(self.keys, schema["key_schema"])
        add_missing(self.attributes, schema["attribute_definitions"])
        add_missing(self.global_indexes, map(_index_keys, schema["global_secondary_indexes"]))
        add_missing(self.local_indexes, map(_index_keys, schema["local_secondary_indexes"]))


def full_name(model: type) -> str:
    """``module.ClassName``, which tells apart two models with one class name."""
    return f"{model.__module__}.{model.__qualname__}"


def has_own_declaration(model: t.Any) -> bool:
    """True if the model's declaration was made from the ``Meta`` that the class has now."""
    meta = vars(model).get("Meta") or own_attribute(model, "Meta")
    return getattr(meta, "declaration", None) is model.__declaration__


def own_attribute(model: type, name: str) -> t.Any:
    """The raw attribute of the class or of its nearest base that has it, without calling a descriptor."""
    # Not next() of a generator: every context calls this for every model that it uses.
    for cls in model.__mro__:
        if name in vars(cls):
            return vars(cls)[name]
    return None


def add_missing(items: list[t.Any], others: cabc.Iterable[t.Any]) -> None:
    """Append the items that the list does not have."""
    items.extend(item for item in others if item not in items)


def _is_dynamic(meta_class: type) -> bool:
    """True if a value may differ from one read to the next: a class property, or a metaclass other than ``type``."""
    attributes = (value for cls in meta_class.__mro__ for name, value in vars(cls).items() if name in MODEL_VALIDATORS)
    return type(meta_class) is not type or any(hasattr(value, "__get__") for value in attributes)


def _index_keys(index: cabc.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {"IndexName": index["index_name"], "KeySchema": index["key_schema"]}
