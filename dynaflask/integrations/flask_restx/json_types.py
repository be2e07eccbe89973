"""JSON types of PynamoDB's attributes: the schema, and how values become JSON and back."""

from __future__ import annotations

import base64
import collections.abc as cabc
import datetime as dt
import decimal
import json
import typing as t

from flask_restx import inputs
from pynamodb import attributes

from dynaflask.model.tenant_key import TenantKey
from dynaflask.model.tenant_key import TenantKeyValue

Json = t.Any
Schema = dict[str, t.Any]

# DynamoDB's numbers: up to 38 significant digits, 1E-130 to 9.9E+125 in magnitude.
_NUMBERS = decimal.Context(
    prec=38, Emin=-130, Emax=125, traps=[decimal.Inexact, decimal.Overflow, decimal.Underflow, decimal.InvalidOperation]
)

# DynamoDB's limit for the nesting of maps and lists.
MAX_NESTING = 32


class JSONType(t.NamedTuple):
    """The JSON schema of an attribute's values, and their conversion to JSON and back."""

    schema: Schema
    to_json: t.Callable[[t.Any], Json]
    from_json: t.Callable[[Json], t.Any]

    def __deepcopy__(self, memo: t.Any) -> JSONType:
        # Flask-RESTX deep-copies its fields, but PynamoDB's attributes do not support it.
        return self


def json_type_of(attribute: t.Any) -> JSONType:
    """The JSON type of an attribute. An attribute with a serialisation of its own uses that."""
    by_type = _BY_TYPE.get(attribute.attr_type, lambda _: ANYTHING)
    make_type = next((make_type for classes, make_type in _JSON_TYPES if isinstance(attribute, classes)), by_type)
    json_type = make_type(attribute)
    # DynamoDB accepts empty strings, except as keys.
    if (attribute.is_hash_key or attribute.is_range_key) and json_type.schema.get("type") == "string":
        json_type = json_type._replace(schema={**json_type.schema, "minLength": 1})
    return json_type


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


def _write_time(value: dt.datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=dt.timezone.utc)  # PynamoDB stores a naive time as UTC
    return aware.astimezone(dt.timezone.utc).isoformat()


def read_time(value: str) -> dt.datetime:
    """The time of an ISO 8601 string."""
    return t.cast("dt.datetime", inputs.datetime_from_iso8601(value))


def _write_binary(value: bytes) -> str:
    return base64.b64encode(value).decode()


def read_binary(value: str) -> bytes:
    """The bytes of a Base64 string."""
    return base64.b64decode(value, validate=True)


def _write_any(value: t.Any) -> Json:
    if isinstance(value, cabc.Mapping | attributes.MapAttribute):
        return {name: _write_any(value[name]) for name in value}
    if isinstance(value, (set, frozenset)):
        return sorted(map(_write_any, value))
    if isinstance(value, list):
        return [*map(_write_any, value)]
    return _write_binary(value) if isinstance(value, bytes) else value


def _read_any(value: Json, depth: int = 1) -> t.Any:
    if depth > MAX_NESTING:
        raise ValueError(f"The value is nested more than {MAX_NESTING} levels deep.")
    if isinstance(value, dict):
        return {_read_any(name, depth): _read_any(entry, depth + 1) for name, entry in value.items()}
    if isinstance(value, list):
        return [_read_any(entry, depth + 1) for entry in value]
    if value is None or isinstance(value, bool) or is_string(value) or is_number(value):
        return value
    raise ValueError(f"{value!r} cannot be stored.")


def is_string(value: t.Any) -> bool:
    """True if the value is a string that DynamoDB can store."""
    # JSON strings may contain half of a surrogate pair, which UTF-8 cannot encode.
    return isinstance(value, str) and value.encode(errors="replace").decode() == value


def is_number(value: t.Any) -> bool:
    """True if the value is a number that DynamoDB can store exactly."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return _NUMBERS.create_decimal(str(value)).is_finite()
    except (decimal.DecimalException, ValueError):
        return False


def is_integer(value: t.Any) -> bool:
    """True if the value is a whole number that DynamoDB can store."""
    return is_number(value) and value == int(value)


def _string(attribute: t.Any) -> JSONType:
    return JSONType({"type": "string"}, attribute.serialize, attribute.deserialize)


def _tenant_key(attribute: TenantKey) -> JSONType:
    def write(value: str) -> str:
        # The client sees the value without the tenant's name. serialize() refuses another tenant's item.
        if isinstance(value, TenantKeyValue):
            attribute.serialize(value)
        return str(value)

    # The model adds the tenant's name: a body cannot choose the tenant.
    return JSONType({"type": "string"}, write, _identity)


def _number(attribute: t.Any, type_name: str = "number") -> JSONType:
    return JSONType(
        {"type": type_name},
        lambda value: json.loads(attribute.serialize(value)),
        lambda value: attribute.deserialize(json.dumps(value)),
    )


def _list(attribute: t.Any) -> JSONType:
    element = element_of(attribute)
    if element is None:
        return JSONType({"type": "array", "items": {}}, _write_any, _read_any)
    json_type = json_type_of(element)
    return JSONType(
        {"type": "array", "items": json_type.schema},
        lambda values: [None if value is None else json_type.to_json(value) for value in values],
        lambda values: [None if value is None else json_type.from_json(value) for value in values],
    )


def _set_of(json_type: JSONType) -> JSONType:
    return JSONType(
        {"type": "array", "items": json_type.schema, "uniqueItems": True, "minItems": 1},  # DynamoDB has no empty set
        lambda values: sorted(map(json_type.to_json, values)),
        lambda values: {*map(json_type.from_json, values)},
    )


def _identity(value: t.Any) -> t.Any:
    return value


ANYTHING = JSONType({}, _write_any, _read_any)
BINARY = JSONType({"type": "string", "format": "byte"}, _write_binary, read_binary)
TIME = JSONType({"type": "string", "format": "date-time"}, _write_time, read_time)

# The first match counts.
_JSON_TYPES: t.Final[tuple[tuple[t.Any, t.Callable[[t.Any], JSONType]], ...]] = (
    (TenantKey, _tenant_key),
    ((attributes.UTCDateTimeAttribute, attributes.TTLAttribute), lambda _: TIME),
    (attributes.JSONAttribute, lambda _: JSONType({}, _identity, _identity)),
    (attributes.BooleanAttribute, lambda _: JSONType({"type": "boolean"}, _identity, _identity)),
    (attributes.BinaryAttribute, lambda _: BINARY),
    (attributes.BinarySetAttribute, lambda _: _set_of(BINARY)),
    (attributes.UnicodeSetAttribute, lambda _: _set_of(_string(attributes.UnicodeAttribute()))),
    (attributes.NumberSetAttribute, lambda _: _set_of(_number(attributes.NumberAttribute()))),
    (attributes.VersionAttribute, lambda attribute: _number(attribute, "integer")),
    (attributes.ListAttribute, _list),
    (attributes.MapAttribute, lambda _: ANYTHING._replace(schema={"type": "object"})),
)
_BY_TYPE: t.Final = {"S": _string, "N": _number}
