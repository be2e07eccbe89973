"""Conversions of single values, as PynamoDB makes them but without the work that it repeats for each value.

A function here hands any value that it does not recognise to PynamoDB, so that the result and the error are PynamoDB's.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import datetime as dt
import json
import json.scanner
import types
import typing as t
from math import isfinite

from pynamodb import attributes
from pynamodb.attributes import Attribute
from pynamodb.attributes import MapAttribute
from pynamodb.constants import NULL
from pynamodb.exceptions import AttributeNullError

from dynaflask.client.codec import json_codec
from dynaflask.model.pynamodb_internals import attribute_for
from dynaflask.model.pynamodb_internals import parse_utc

# Looked up at each call: libraries such as freezegun put another clock into PynamoDB's module.
_pynamodb: t.Any = attributes

Convert = t.Callable[[t.Any], t.Any]

_dumps: Convert = json.dumps
_lenient_decoder = json.JSONDecoder(strict=False)
#: Reads one JSON value at an index of a text, and returns it with the index after it.
_scan: t.Callable[[t.Any, int], tuple[t.Any, int]] = json.scanner.make_scanner(t.cast("t.Any", json.JSONDecoder()))
_new = object.__new__
_put = object.__setattr__

UTC = dt.timezone.utc
# PynamoDB's MapAttribute(**values) takes these keys for its own arguments.
_MAP_ARGUMENTS = frozenset({"self", "_user_instantiated", *MapAttribute.attribute_args})


def identity(value: t.Any) -> t.Any:
    """The value itself."""
    return value


def deserialize_number(text: t.Any) -> t.Any:
    """A number. ``json.loads`` spends most of its time on white space, which DynamoDB does not send."""
    try:
        value, end = _scan(text, 0)
    except (StopIteration, TypeError, ValueError):
        return json.loads(text)
    return value if end == len(text) else json.loads(text)


def deserialize_version(text: t.Any) -> int:
    """An integer."""
    return int(deserialize_number(text))


def deserialize_ttl(text: t.Any) -> t.Any:
    """A datetime in whole seconds."""
    return _pynamodb.datetime.fromtimestamp(deserialize_number(text), tz=UTC).replace(microsecond=0)


def deserialize_utc(text: t.Any) -> t.Any:
    """A datetime in PynamoDB's format: ``2026-11-22T12:30:00.000000+0000``."""
    # fromisoformat() also accepts other separators, which it allows after every two digits, and hour 24.
    try:
        if text[4:20:3] == "--T::." and text[26:] == "+0000" and text[11:13] != "24":
            return _pynamodb.datetime.fromisoformat(text[:26] + "+00:00")
    except (LookupError, TypeError, ValueError):
        pass
    return parse_utc(text)


def deserialize_number_set(elements: t.Any) -> set[t.Any]:
    """A set of numbers."""
    return {deserialize_number(element) for element in elements}


def deserialize_legacy_set(elements: t.Any) -> set[bytes]:
    """A set of binary values in PynamoDB's legacy encoding."""
    return {base64.b64decode(element) for element in elements}


def deserialize_json(text: t.Any) -> t.Any:
    """A JSON value. PynamoDB makes a new decoder for each."""
    is_plain = type(text) is str and not text.startswith("\ufeff")
    return _lenient_decoder.decode(text) if is_plain else json.loads(text, strict=False)


def deserialize_null(_: t.Any) -> None:
    """None."""


def deserialize_map(typed_values: t.Any) -> dict[str, t.Any]:
    """A dict, from a map without declared attributes."""
    return {
        name: DESERIALIZERS[dynamo_type](value)
        for name, typed_value in typed_values.items()
        for dynamo_type, value in typed_value.items()
    }


def deserialize_list(typed_values: t.Any) -> list[t.Any]:
    """A list, from a list without a declared element type."""
    return [
        DESERIALIZERS[dynamo_type](value) for typed_value in typed_values for dynamo_type, value in typed_value.items()
    ]


def deserialize_raw_map(typed_values: t.Any) -> t.Any:
    """A ``MapAttribute``, from a map without declared attributes."""
    value = deserialize_map(typed_values)
    if not _MAP_ARGUMENTS.isdisjoint(value) or not _are_strings(value):
        return t.cast("t.Any", MapAttribute)(**value)
    instance = _new(MapAttribute)
    _put(instance, "attribute_kwargs", {})
    _put(instance, "attribute_values", value)
    return instance


def _are_strings(names: cabc.Iterable[t.Any]) -> bool:
    try:
        "".join(names)
    except TypeError:
        return False
    return True


# By DynamoDB's type, as PynamoDB's attributes.DESERIALIZE_CLASS_MAP.
DESERIALIZERS: dict[str, Convert] = {
    "S": identity,
    "N": deserialize_number,
    "BOOL": bool,
    "M": deserialize_map,
    "L": deserialize_list,
    "SS": set,
    "NS": deserialize_number_set,
    "B": identity,
    "BS": set,
    "NULL": deserialize_null,
}


def serialize_float(value: float) -> str:
    """A number as JSON."""
    return float.__repr__(value) if isfinite(value) else _dumps(value)


def serialize_utc(value: t.Any) -> str:
    """A datetime in PynamoDB's format. A naive one counts as UTC."""
    utc = value if value.tzinfo is None else value.astimezone(UTC)
    # Not imported for a date: see json_codec.
    msgspec = vars(json_codec).get("msgspec")
    # With microseconds if there are any. msgspec takes a tenth of the time, and strftime() five times as long.
    text = utc.isoformat() if msgspec is None else msgspec.to_builtins(utc)
    return f"{text[:26]}+0000" if utc.microsecond else f"{text[:19]}.000000+0000"


def serialize_set(elements: set[t.Any]) -> list[t.Any] | None:
    """The elements as a list; None for an empty set, which DynamoDB does not store."""
    return list(elements) or None


def serialize_number_set(elements: set[t.Any]) -> list[str] | None:
    """The elements as JSON numbers; None for an empty set."""
    return [NUMBER_SERIALIZERS.get(type(element), _dumps)(element) for element in elements] or None


def serialize_map(values: t.Any) -> dict[str, t.Any]:
    """Typed values, from a dict."""
    typed_values = {}
    for name, value in values.items():
        serializer = SERIALIZERS.get(type(value))
        if serializer is None:
            typed_values[name] = _serialize_other(value)
        else:
            typed_values[name] = {serializer[0]: serializer[1](value)}
    return typed_values


def list_serializer(serializers: cabc.Mapping[type, tuple[str, Convert]], *, convert_other: Convert) -> Convert:
    """A function that serializes a list.

    Args:
        serializers: DynamoDB's type and a converter for elements, by Python type.
        convert_other: Returns the typed value of any other element.
    """

    def serialize_list(elements: list[t.Any]) -> list[t.Any]:
        typed_values = []
        for index, element in enumerate(elements):
            serializer = serializers.get(type(element))
            try:
                typed_values.append(
                    convert_other(element) if serializer is None else {serializer[0]: serializer[1](element)}
                )
            except AttributeNullError as error:
                error.prepend_path(f"[{index}]")
                raise
        return typed_values

    return serialize_list


def _serialize_other(value: t.Any) -> dict[str, t.Any]:
    return _serialize_with(attribute_for(value), value)


def _serialize_other_element(value: t.Any) -> dict[str, t.Any]:
    return _serialize_with(value if isinstance(value, Attribute) else attribute_for(value), value)


def _serialize_with(attribute: t.Any, value: t.Any) -> dict[str, t.Any]:
    serialized = attribute.serialize(value)
    return {NULL: True} if serialized is None else {attribute.attr_type: serialized}


def serialize_null(_: None) -> bool:
    """DynamoDB's NULL."""
    return True


NUMBER_SERIALIZERS: dict[type, Convert] = {int: int.__repr__, float: serialize_float}

# By Python type, as PynamoDB's attributes.SERIALIZE_CLASS_MAP: DynamoDB's type and a converter.
SERIALIZERS: dict[type, tuple[str, Convert]] = {
    str: ("S", str),
    int: ("N", int.__repr__),
    float: ("N", serialize_float),
    bool: ("BOOL", bool),
    bytes: ("B", bytes),
    dict: ("M", serialize_map),
    types.NoneType: (NULL, serialize_null),
}
serialize_list = list_serializer(SERIALIZERS, convert_other=_serialize_other_element)
SERIALIZERS[list] = ("L", serialize_list)
