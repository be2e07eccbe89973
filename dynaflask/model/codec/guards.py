"""Checks that PynamoDB's own methods are in place.

A compiled codec skips the methods that are listed here. Before it does, it checks that no class, attribute or patch
overrides them. The checks run once per class, when its codec is compiled.
"""

from __future__ import annotations

import collections.abc as cabc
import inspect
import typing as t

import pynamodb.models
from pynamodb import attributes
from pynamodb.attributes import Attribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute

# What the codec does in place of an attribute.
DESERIALIZE_METHODS = ("deserialize", "get_value", "__set__", "_normalize", "_fast_parse_utc_date_string", "attr_name")
SERIALIZE_METHODS = ("serialize", "__get__", "attr_name")
# What the codec does in place of a container, which is a model or a map.
CONTAINER_METHODS = (
    "__getattribute__",
    "__setattr__",
    "__bool__",
    "__len__",
    "attribute_values",
    "get_attributes",
    "is_raw",
    "_is_attribute_container",
)
DISCRIMINATOR_METHODS = ("_get_discriminator_attribute", "_get_discriminator_class")
CONTAINER_DESERIALIZE_METHODS = (*CONTAINER_METHODS, "_instantiate", *DISCRIMINATOR_METHODS)
CONTAINER_SERIALIZE_METHODS = (*CONTAINER_METHODS, "__getattr__", "validate", "is_correctly_typed")
CONSTRUCTION_METHODS = (
    "__new__",
    "__init__",
    "_set_attributes",
    "_set_defaults",
    "_set_discriminator",
    "_make_attribute",
)
# Where a model calls its codec. A base of the model may override them, too.
MODEL_HOOKS = ("from_raw_data", "_container_serialize", "_container_deserialize")
ALL_METHODS = {
    *MODEL_HOOKS,
    *DESERIALIZE_METHODS,
    *SERIALIZE_METHODS,
    *CONTAINER_DESERIALIZE_METHODS,
    *CONTAINER_SERIALIZE_METHODS,
    *CONSTRUCTION_METHODS,
}


def _defining_module(method: t.Any) -> str | None:
    function = getattr(method, "__func__", getattr(method, "fget", method))
    return t.cast("str | None", getattr(function, "__module__", None))


PYNAMODB_CLASSES = [cls for cls in vars(attributes).values() if inspect.isclass(cls)]
# A method that comes from another module is a patch that was in place before this import.
ORIGINALS = {
    (cls, name): vars(cls)[name]
    for cls in (*PYNAMODB_CLASSES, pynamodb.models.Model, object)
    for name in ALL_METHODS & vars(cls).keys()
    if cls is object or _defining_module(vars(cls)[name]) == cls.__module__
}
# PynamoDB's attributes for values that no attribute declares, as in a raw map.
RAW_CLASSES = (
    *(attributes.BinaryAttribute, attributes.BinarySetAttribute, attributes.BooleanAttribute, ListAttribute),
    *(MapAttribute, attributes.NullAttribute, attributes.NumberAttribute, attributes.NumberSetAttribute),
    *(attributes.UnicodeAttribute, attributes.UnicodeSetAttribute),
)
RAW_CLASSES_BY_PYTHON_TYPE = {
    dict: MapAttribute,
    list: ListAttribute,
    bool: attributes.BooleanAttribute,
    str: attributes.UnicodeAttribute,
    float: attributes.NumberAttribute,
    int: attributes.NumberAttribute,
    bytes: attributes.BinaryAttribute,
}
# Calling one of these twice has no effect that a program could see.
SAFE_DEFAULT_FACTORIES = (dict, list, set, str, int, float, bool, bytes)


class Compilation:
    """State of one compilation, which covers a model and the maps in it.

    Attributes:
        in_progress: Classes that are being compiled. A map inside itself is left to PynamoDB.
        runs_no_user_code: True if the code that was generated so far runs none of the program's.
    """

    def __init__(self) -> None:
        self.in_progress: set[type] = set()
        self.runs_no_user_code = True


def is_unmodified(cls: type, methods: cabc.Iterable[str], *, after: type | None = None) -> bool:
    """True if a class gets each of these methods from PynamoDB, as PynamoDB wrote it.

    Args:
        cls: The class.
        methods: Names of the methods. One that no base defines counts as unmodified.
        after: Look only at the bases after this one in the method resolution order.
    """
    return not any(True for _ in overrides(cls, methods, after=after))


def overrides(cls: type, methods: cabc.Iterable[str], *, after: type | None = None) -> cabc.Iterator[str]:
    """The methods that a class does not get from PynamoDB, such as ``"Thread.from_raw_data"``; see `is_unmodified`."""
    bases = cls.__mro__[cls.__mro__.index(after) + 1 :] if after else cls.__mro__
    for base in bases:
        for name in methods:
            if name in vars(base) and ORIGINALS.get((base, name)) is not vars(base)[name]:
                yield f"{base.__name__}.{name}"


def is_unmodified_attribute(attribute: Attribute[t.Any], methods: tuple[str, ...]) -> bool:
    """True if neither an attribute nor its class overrides any of these methods."""
    return is_unmodified(type(attribute), methods) and vars(attribute).keys().isdisjoint(methods)


def is_unmodified_container(cls: t.Any, methods: tuple[str, ...]) -> bool:
    """True if a model or a map overrides none of these methods, and no class attribute hides one of its attributes."""
    if not is_unmodified(cls, methods):
        return False
    return all(inspect.getattr_static(cls, name) is attribute for name, attribute in cls.get_attributes().items())


def are_raw_values_unmodified() -> bool:
    """True if PynamoDB's own attributes convert the values that no attribute declares."""
    by_dynamo_type, by_python_type = attributes.DESERIALIZE_CLASS_MAP, attributes.SERIALIZE_CLASS_MAP
    python_types = {python_type: type(attribute) for python_type, attribute in by_python_type.items()}
    # A program may add a type of its own to PynamoDB's tables.
    classes = {*RAW_CLASSES, *map(type, by_dynamo_type.values())}
    return (
        all(type(by_dynamo_type.get(cls.attr_type)) is cls for cls in RAW_CLASSES)
        and python_types == RAW_CLASSES_BY_PYTHON_TYPE
        and all(is_unmodified(cls, ("serialize", "deserialize")) for cls in classes)
    )
