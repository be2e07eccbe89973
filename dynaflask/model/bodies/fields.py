"""The fields of a body: those of a model or a map, compiled once per class, and read all at once."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
import weakref

import pynamodb.models
from pynamodb.attributes import DiscriminatorAttribute
from pynamodb.attributes import VersionAttribute

from dynaflask.model.bodies.json_types import as_key
from dynaflask.model.bodies.json_types import element_of
from dynaflask.model.bodies.json_types import is_described_map
from dynaflask.model.bodies.json_types import json_type_of
from dynaflask.model.bodies.json_types import list_reader
from dynaflask.model.bodies.values import InvalidValue
from dynaflask.model.bodies.values import Json
from dynaflask.model.pynamodb_internals import indexes

Names = cabc.Collection[str]
Fields = cabc.Mapping[str, "Field"]

# Two threads may compile one class at once: the fields are equal.
_cache: weakref.WeakKeyDictionary[type, dict[str, Field]] = weakref.WeakKeyDictionary()


class Field(t.NamedTuple):
    """One field of a body.

    Attributes:
        attribute: The attribute of the model or the map.
        read: Makes a value of JSON, or raises ``InvalidValue``.
        is_required: True if a new item needs it: it is neither nullable nor has a default.
        is_nullable: True if an item can be without it.
        is_read_only: True if no body sets it: the version and the discriminator.
        is_key: True for a key of the table, which no update changes.
    """

    attribute: t.Any
    read: t.Callable[[Json], t.Any]
    is_required: bool
    is_nullable: bool
    is_read_only: bool
    is_key: bool


def fields_of(container: t.Any, *, only: Names | None = None, exclude: Names = ()) -> Fields:
    """The fields of a model's or a map's bodies, by the names of the attributes in the class.

    Args:
        container: The class of the model or the map.
        only: Names of the fields to take; by default all.
        exclude: Names of the fields to leave out.

    Raises:
        ValueError: There is no field of a name in ``only`` or ``exclude``.
        TypeError: ``only`` or ``exclude`` is a string.
    """
    fields = _cache.get(container)
    if fields is None:
        fields = _cache[container] = _compile(container)
    if only is None and not exclude:
        return fields
    for argument in (only, exclude):
        if isinstance(argument, str):
            raise TypeError(f"only= and exclude= take a list of names: [{argument!r}].")
    unknown = {*(only or ()), *exclude} - fields.keys()
    if unknown:
        raise ValueError(f"{container.__name__} has no attribute {min(unknown)!r}. Its names are {', '.join(fields)}.")
    return {name: field for name, field in fields.items() if (only is None or name in only) and name not in exclude}


def read_new(fields: Fields, body: Json, *, require: bool = True) -> dict[str, t.Any]:
    """The values of a body for a new item or a new map. A field with ``null`` is omitted.

    Args:
        fields: The fields that the body may have.
        body: The body.
        require: Refuse a body without a required field.

    Raises:
        InvalidValue: Its ``errors`` name each field that does not fit.
    """
    values, _, errors = _read(fields, body)
    if require:
        for name, field in fields.items():
            if field.is_required and body.get(name) is None:
                errors[name] = "The field cannot be null." if name in body else "The field is missing."
    if errors:
        raise InvalidValue(errors=errors)
    return values


def read_changes(fields: Fields, body: Json) -> tuple[dict[str, t.Any], list[str]]:
    """The values that a body sets in an item, and the names of the fields that it removes, which are those with null.

    Args:
        fields: The fields that the body may have.
        body: The body.

    Raises:
        InvalidValue: Its ``errors`` name each field that does not fit. A key does not: no update changes it.
    """
    values, nulls, errors = _read(fields, body)
    for name in values.keys() | nulls:
        if fields[name].is_key:
            errors[name] = "The field is part of the key, which cannot change."
    for name in nulls:
        if not fields[name].is_nullable:
            errors.setdefault(name, "The field cannot be null.")
    if not (values or nulls or errors):
        errors["body"] = "The body changes no field."
    if errors:
        raise InvalidValue(errors=errors)
    return values, nulls


def _read(fields: Fields, body: Json) -> tuple[dict[str, t.Any], list[str], dict[str, str]]:
    """The values, the names of the fields that are null, and the errors of a body."""
    values: dict[str, t.Any] = {}
    nulls: list[str] = []
    errors: dict[str, str] = {}
    for name, value in _items(body):
        field = fields.get(name)
        if field is None:
            errors[name] = f"There is no field {name!r}."
        elif field.is_read_only:
            continue
        elif value is None:
            nulls.append(name)
        else:
            try:
                values[name] = field.read(value)
            except InvalidValue as error:
                errors.update(error.at(name))
    return values, nulls, errors


def _items(body: Json) -> cabc.ItemsView[str, Json]:
    if not isinstance(body, cabc.Mapping):
        raise InvalidValue("The value must be an object.")
    return body.items()


def _compile(container: t.Any) -> dict[str, Field]:
    index_keys = _index_keys(container)
    return {name: _field(attribute, index_keys) for name, attribute in container.get_attributes().items()}


def _field(attribute: t.Any, index_keys: Names) -> Field:
    is_key = bool(attribute.is_hash_key or attribute.is_range_key)
    has_default = attribute.default is not None or attribute.default_for_new is not None
    # The class determines the discriminator, and PynamoDB counts the version.
    is_read_only = isinstance(attribute, (DiscriminatorAttribute, VersionAttribute))
    return Field(
        attribute,
        _reader(attribute, is_key=is_key or attribute.attr_name in index_keys),
        is_required=not (attribute.null or has_default or is_read_only),
        is_nullable=bool(attribute.null) or attribute.default is not None,
        is_read_only=is_read_only,
        is_key=is_key,
    )


def _reader(attribute: t.Any, *, is_key: bool = False) -> t.Callable[[Json], t.Any]:
    if is_described_map(attribute):
        map_class = type(attribute)
        # The fields are looked up at each call, because a map may contain itself.
        return lambda value: map_class(**read_new(fields_of(map_class), value))
    element = element_of(attribute)
    if is_described_map(element):
        return list_reader(_reader(element))
    json_type = json_type_of(attribute)
    return (as_key(json_type) if is_key else json_type).from_json


def _index_keys(container: t.Any) -> Names:
    """The names, in DynamoDB, of the keys of a model's indexes. A map has none."""
    owners = indexes(container).values() if issubclass(container, pynamodb.models.Model) else ()
    return {
        key.attr_name
        for index in owners
        for key in index.Meta.attributes.values()
        if key.is_hash_key or key.is_range_key
    }
