"""JSON types of PynamoDB's attributes: the schema, and how values become JSON and back."""

from __future__ import annotations

import base64
import collections.abc as cabc
import datetime as dt
import functools
import json
import typing as t

from pynamodb import attributes

from dynaflask.model.bodies import values as v
from dynaflask.model.bodies.values import Json
from dynaflask.model.tenant_key import TenantKey
from dynaflask.model.tenant_key import TenantKeyValue

Schema = dict[str, t.Any]

# What an attribute of the program may raise for a value that it does not take.
CONVERSION_ERRORS: t.Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class JSONType(t.NamedTuple):
    """The JSON schema of an attribute's values, and their conversion to JSON and back.

    Attributes:
        schema: The schema.
        to_json: Makes JSON of a value.
        from_json: Makes a value of JSON, or raises :exc:`~dynaflask.model.bodies.values.InvalidValue`.
    """

    schema: Schema
    to_json: t.Callable[[t.Any], Json]
    from_json: t.Callable[[Json], t.Any]

    def __deepcopy__(self, memo: t.Any) -> JSONType:
        # Flask-RESTX deep-copies its fields, but PynamoDB's attributes do not support it.
        return self


def json_type_of(attribute: t.Any) -> JSONType:
    """The JSON type of an attribute. An attribute with a serialisation of its own uses that.

    That of a map with declared attributes writes them. ``fields`` reads such a map, and describes it.
    """
    # As the element of a list, such a map has no `is_hash_key`, and no map is a key.
    if is_described_map(attribute):
        return JSONType({"type": "object"}, functools.partial(_write_described, attribute), v.read_raw_map)
    by_type = _BY_TYPE.get(attribute.attr_type, lambda _: ANYTHING)
    make_type = next((make_type for classes, make_type in _JSON_TYPES if isinstance(attribute, classes)), by_type)
    json_type = make_type(attribute)
    # DynamoDB accepts empty strings, except as keys.
    if (attribute.is_hash_key or attribute.is_range_key) and json_type.schema.get("type") == "string":
        return as_key(json_type)
    return json_type


def as_key(json_type: JSONType) -> JSONType:
    """The JSON type of a key, which cannot be empty."""
    from_json = json_type.from_json

    def read(value: Json) -> t.Any:
        key = from_json(value)
        if key in ("", b""):
            raise v.InvalidValue("The value is a key, and cannot be empty.")
        return key

    return json_type._replace(schema={**json_type.schema, "minLength": 1}, from_json=read)


def is_described_map(attribute: t.Any) -> bool:
    """True if the attribute is a map with declared attributes."""
    return isinstance(attribute, attributes.MapAttribute) and not t.cast("t.Any", attribute).is_raw()


def element_of(attribute: t.Any) -> t.Any:
    """The attribute of a list's elements, or None if the list declares none."""
    element_type = getattr(attribute, "element_type", None)
    if element_type is None:
        return None
    is_binary = issubclass(element_type, (attributes.BinaryAttribute, attributes.BinarySetAttribute))
    return element_type(**({"legacy_encoding": False} if is_binary else {}))


def list_reader(read: t.Callable[[Json], t.Any]) -> t.Callable[[Json], list[t.Any]]:
    """A function that reads a list, and names each element that does not fit."""

    def read_list(value: Json) -> list[t.Any]:
        if not isinstance(value, list):
            raise v.InvalidValue("The value must be a list.")
        elements: list[t.Any] = []
        errors: dict[str, str] = {}
        for position, entry in enumerate(value):
            try:
                elements.append(read(entry))
            except v.InvalidValue as error:
                errors.update(error.at(str(position)))
        if errors:
            raise v.InvalidValue(errors=errors)
        return elements

    return read_list


def converting(read: t.Callable[[Json], t.Any], convert: t.Callable[[t.Any], t.Any]) -> t.Callable[[Json], t.Any]:
    """A function that reads a value, and converts it with a method of the program's."""

    def read_and_convert(value: Json) -> t.Any:
        checked = read(value)
        try:
            return convert(checked)
        except CONVERSION_ERRORS as error:
            raise v.InvalidValue(f"The value is invalid: {error}") from error

    return read_and_convert


def _write_time(value: dt.datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=dt.timezone.utc)  # PynamoDB stores a naive time as UTC
    return aware.astimezone(dt.timezone.utc).isoformat()


def _write_binary(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _write_described(attribute: t.Any, value: t.Any) -> Json:
    pairs = {name: (part, getattr(value, name)) for name, part in type(attribute).get_attributes().items()}
    return {name: json_type_of(part).to_json(content) for name, (part, content) in pairs.items() if content is not None}


def _write_any(value: t.Any) -> Json:
    if isinstance(value, cabc.Mapping | attributes.MapAttribute):
        return {name: _write_any(value[name]) for name in value}
    if isinstance(value, (set, frozenset)):
        return sorted(map(_write_any, value))
    if isinstance(value, list):
        return [*map(_write_any, value)]
    return _write_binary(value) if isinstance(value, bytes) else value


def _identity(value: t.Any) -> t.Any:
    return value


def _string(attribute: t.Any) -> JSONType:
    if type(attribute).deserialize is attributes.UnicodeAttribute.deserialize:
        return JSONType({"type": "string"}, attribute.serialize, v.read_string)
    return JSONType({"type": "string"}, attribute.serialize, converting(v.read_string, attribute.deserialize))


def _tenant_key(attribute: TenantKey) -> JSONType:
    def write(value: str) -> str:
        # The client sees the value without the tenant's name. serialize() refuses another tenant's item.
        if isinstance(value, TenantKeyValue):
            attribute.serialize(value)
        return str(value)

    # The model adds the tenant's name: a body cannot choose the tenant.
    return JSONType({"type": "string"}, write, v.read_string)


def _number(attribute: t.Any, type_name: str = "number") -> JSONType:
    read: t.Callable[[Json], t.Any] = v.read_integer if type_name == "integer" else v.read_number
    if type(attribute).deserialize is not attributes.NumberAttribute.deserialize:
        read = converting(read, lambda value: attribute.deserialize(json.dumps(value)))
    return JSONType({"type": type_name}, lambda value: json.loads(attribute.serialize(value)), read)


def _list(attribute: t.Any) -> JSONType:
    element = element_of(attribute)
    if element is None:
        return JSONType({"type": "array", "items": {}}, _write_any, v.read_raw_list)
    json_type = json_type_of(element)
    return JSONType(
        {"type": "array", "items": json_type.schema},
        lambda values: [None if value is None else json_type.to_json(value) for value in values],
        list_reader(json_type.from_json),
    )


def _set_of(json_type: JSONType) -> JSONType:
    read_list = list_reader(json_type.from_json)

    def read(value: Json) -> set[t.Any]:
        elements = read_list(value)
        unique = {*elements}
        if not unique:
            raise v.InvalidValue("The value is a set, and cannot be empty.")
        if len(unique) != len(elements):
            raise v.InvalidValue("The value is a set, and cannot have an element twice.")
        return unique

    return JSONType(
        {"type": "array", "items": json_type.schema, "uniqueItems": True, "minItems": 1},  # DynamoDB has no empty set
        lambda values: sorted(map(json_type.to_json, values)),
        read,
    )


ANYTHING = JSONType({}, _write_any, v.read_any)
BINARY = JSONType({"type": "string", "format": "byte"}, _write_binary, v.read_binary)
TIME = JSONType({"type": "string", "format": "date-time"}, _write_time, v.read_time)

# The first match counts.
_JSON_TYPES: t.Final[tuple[tuple[t.Any, t.Callable[[t.Any], JSONType]], ...]] = (
    (TenantKey, _tenant_key),
    ((attributes.UTCDateTimeAttribute, attributes.TTLAttribute), lambda _: TIME),
    (attributes.JSONAttribute, lambda _: JSONType({}, _identity, v.read_json)),
    (attributes.BooleanAttribute, lambda _: JSONType({"type": "boolean"}, _identity, v.read_boolean)),
    (attributes.BinaryAttribute, lambda _: BINARY),
    (attributes.BinarySetAttribute, lambda _: _set_of(BINARY)),
    (attributes.UnicodeSetAttribute, lambda _: _set_of(_string(attributes.UnicodeAttribute()))),
    (attributes.NumberSetAttribute, lambda _: _set_of(_number(attributes.NumberAttribute()))),
    (attributes.VersionAttribute, lambda attribute: _number(attribute, "integer")),
    (attributes.ListAttribute, _list),
    (attributes.MapAttribute, lambda _: JSONType({"type": "object"}, _write_any, v.read_raw_map)),
)
_BY_TYPE: t.Final = {"S": _string, "N": _number}
