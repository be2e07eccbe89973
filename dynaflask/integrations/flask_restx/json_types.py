"""How the values of PynamoDB's attributes are written in JSON, and read again."""

from __future__ import annotations

import base64
import collections.abc as cabc
import datetime as dt
import decimal
import json
import typing as t

from flask_restx import inputs
from pynamodb import attributes

Json = t.Any
Schema = dict[str, t.Any]

# What DynamoDB takes for a number: up to 38 digits, of this size.
_NUMBERS = decimal.Context(
    prec=38, Emin=-130, Emax=125, traps=[decimal.Inexact, decimal.Overflow, decimal.Underflow, decimal.InvalidOperation]
)

# How many levels of maps and lists DynamoDB takes in one another.
DEEPEST = 32


class Kind(t.NamedTuple):
    """How the values of an attribute are written in JSON."""

    schema: Schema
    to_json: t.Callable[[t.Any], Json]
    from_json: t.Callable[[Json], t.Any]

    def __deepcopy__(self, memo: t.Any) -> Kind:
        # Flask-RESTX copies its fields, and PynamoDB's attributes are not made for it.
        return self


def kind_of(attribute: t.Any) -> Kind:
    """How the values of an attribute are written in JSON: as its own serialisation says, where it has one."""
    for classes, make in _KINDS:
        if isinstance(attribute, classes):
            return make(attribute)
    return _BY_TYPE.get(attribute.attr_type, lambda _: ANYTHING)(attribute)


def is_described_map(attribute: t.Any) -> bool:
    """Whether it is a map whose attributes are declared."""
    return isinstance(attribute, attributes.MapAttribute) and not t.cast("t.Any", attribute).is_raw()


def element_of(attribute: t.Any) -> t.Any:
    """The attribute that a list's entries have, where one is declared."""
    element_type = getattr(attribute, "element_type", None)
    if element_type is None:
        return None
    is_binary = issubclass(element_type, (attributes.BinaryAttribute, attributes.BinarySetAttribute))
    return element_type(**({"legacy_encoding": False} if is_binary else {}))


def _write_time(value: dt.datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=dt.timezone.utc)  # as PynamoDB takes it
    return aware.astimezone(dt.timezone.utc).isoformat()


def read_time(value: str) -> dt.datetime:
    """The time of an ISO 8601 text."""
    return t.cast("dt.datetime", inputs.datetime_from_iso8601(value))


def _write_binary(value: bytes) -> str:
    return base64.b64encode(value).decode()


def read_binary(value: str) -> bytes:
    """The bytes of a base64 text."""
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
    if depth > DEEPEST:
        raise ValueError(f"It is nested more than {DEEPEST} levels deep.")
    if isinstance(value, dict):
        return {_read_any(name, depth): _read_any(entry, depth + 1) for name, entry in value.items()}
    if isinstance(value, list):
        return [_read_any(entry, depth + 1) for entry in value]
    if value is None or isinstance(value, bool) or is_text(value) or is_number(value):
        return value
    raise ValueError(f"{value!r} cannot be stored.")


def is_text(value: t.Any) -> bool:
    """Whether it is text that DynamoDB can store."""
    # JSON may have half a surrogate pair, which is no UTF-8.
    return isinstance(value, str) and value.encode(errors="replace").decode() == value


def is_number(value: t.Any) -> bool:
    """Whether it is a number that DynamoDB can store."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return _NUMBERS.create_decimal(str(value)).is_finite()
    except (decimal.DecimalException, ValueError):
        return False


def is_integer(value: t.Any) -> bool:
    """Whether it is a whole number that DynamoDB can store."""
    return is_number(value) and value == int(value)


def _string(attribute: t.Any) -> Kind:
    return Kind({"type": "string"}, attribute.serialize, attribute.deserialize)


def _number(attribute: t.Any, kind: str = "number") -> Kind:
    return Kind(
        {"type": kind},
        lambda value: json.loads(attribute.serialize(value)),
        lambda value: attribute.deserialize(json.dumps(value)),
    )


def _list(attribute: t.Any) -> Kind:
    element = element_of(attribute)
    if element is None:
        return Kind({"type": "array", "items": {}}, _write_any, _read_any)
    kind = kind_of(element)
    return Kind(
        {"type": "array", "items": kind.schema},
        lambda values: [None if value is None else kind.to_json(value) for value in values],
        lambda values: [None if value is None else kind.from_json(value) for value in values],
    )


def _set_of(kind: Kind) -> Kind:
    return Kind(
        {"type": "array", "items": kind.schema, "uniqueItems": True, "minItems": 1},  # DynamoDB has no empty set
        lambda values: sorted(map(kind.to_json, values)),
        lambda values: {*map(kind.from_json, values)},
    )


def _same(value: t.Any) -> t.Any:
    return value


ANYTHING = Kind({}, _write_any, _read_any)
BINARY = Kind({"type": "string", "format": "byte"}, _write_binary, read_binary)
TIME = Kind({"type": "string", "format": "date-time"}, _write_time, read_time)

# The first that fits is taken.
_KINDS: t.Final[tuple[tuple[t.Any, t.Callable[[t.Any], Kind]], ...]] = (
    ((attributes.UTCDateTimeAttribute, attributes.TTLAttribute), lambda _: TIME),
    (attributes.JSONAttribute, lambda _: Kind({}, _same, _same)),
    (attributes.BooleanAttribute, lambda _: Kind({"type": "boolean"}, _same, _same)),
    (attributes.BinaryAttribute, lambda _: BINARY),
    (attributes.BinarySetAttribute, lambda _: _set_of(BINARY)),
    (attributes.UnicodeSetAttribute, lambda _: _set_of(_string(attributes.UnicodeAttribute()))),
    (attributes.NumberSetAttribute, lambda _: _set_of(_number(attributes.NumberAttribute()))),
    (attributes.VersionAttribute, lambda attribute: _number(attribute, "integer")),
    (attributes.ListAttribute, _list),
    (attributes.MapAttribute, lambda _: ANYTHING._replace(schema={"type": "object"})),
)
_BY_TYPE: t.Final = {"S": _string, "N": _number}
