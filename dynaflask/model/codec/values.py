"""PynamoDB's conversions of single values, without what they do again for each value.

What a function here does not recognise it hands to PynamoDB, so that the result, and the error, is PynamoDB's.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import datetime as dt
import json
import json.scanner
import math
import types
import typing as t

from pynamodb import attributes
from pynamodb.attributes import MapAttribute
from pynamodb.constants import NULL
from pynamodb.exceptions import AttributeNullError

# PynamoDB's module as it is at the time: tests may put another clock into it.
_pynamodb: t.Any = attributes

Convert = t.Callable[[t.Any], t.Any]

_dumps: Convert = json.dumps
_lenient = json.JSONDecoder(strict=False)
#: JSON's value at a place of a text, and where it ends.
scan: t.Callable[[t.Any, int], tuple[t.Any, int]] = json.scanner.make_scanner(t.cast("t.Any", json.JSONDecoder()))
_new = object.__new__
_put = object.__setattr__

UTC = dt.timezone.utc
# A map with one of these keys is more than its values to PynamoDB's MapAttribute(**values).
_TAKEN = frozenset({"self", "_user_instantiated", *MapAttribute.attribute_args})


def as_it_is(value: t.Any) -> t.Any:
    """The value itself."""
    return value


def read_number(text: t.Any) -> t.Any:
    """``json.loads``: most of its time goes into what can only be white space."""
    try:
        value, end = scan(text, 0)
    except (StopIteration, TypeError, ValueError):
        return json.loads(text)
    return value if end == len(text) else json.loads(text)


def read_version(text: t.Any) -> int:
    """A whole number."""
    return int(read_number(text))


def read_ttl(text: t.Any) -> t.Any:
    """A point in time, in whole seconds."""
    return _pynamodb.datetime.fromtimestamp(read_number(text), tz=UTC).replace(microsecond=0)


def read_utc(text: t.Any) -> t.Any:
    """A point in time, as PynamoDB writes it: ``2026-11-22T12:30:00.000000+0000``."""
    # fromisoformat alone takes more than PynamoDB does: other marks, which come after every two digits, and hour 24.
    try:
        if text[4:20:3] == "--T::." and text[26:] == "+0000" and text[11:13] != "24":
            return _pynamodb.datetime.fromisoformat(text[:26] + "+00:00")
    except (LookupError, TypeError, ValueError):
        pass
    return attributes.UTCDateTimeAttribute._fast_parse_utc_date_string(text)


def read_number_set(values: t.Any) -> set[t.Any]:
    """A set of numbers."""
    return {read_number(value) for value in values}


def read_legacy_set(values: t.Any) -> set[bytes]:
    """A set of binary values in PynamoDB's former encoding."""
    return {base64.b64decode(value) for value in values}


def read_json(text: t.Any) -> t.Any:
    """What the text says. PynamoDB makes a decoder for each."""
    is_plain = type(text) is str and not text.startswith("\ufeff")
    return _lenient.decode(text) if is_plain else json.loads(text, strict=False)


def read_null(_: t.Any) -> None:
    """Nothing."""


def read_map(values: t.Any) -> dict[str, t.Any]:
    """A map without declared attributes."""
    return {name: READERS[kind](value) for name, typed in values.items() for kind, value in typed.items()}


def read_list(values: t.Any) -> list[t.Any]:
    """A list of whatever comes."""
    return [READERS[kind](value) for typed in values for kind, value in typed.items()]


def read_raw_map(values: t.Any) -> t.Any:
    """A map without declared attributes, as the value of one that is declared as a ``MapAttribute``."""
    value = read_map(values)
    if not _TAKEN.isdisjoint(value) or not _are_strings(value):
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


# By DynamoDB's name of the type: attributes.DESERIALIZE_CLASS_MAP.
READERS: dict[str, Convert] = {
    "S": as_it_is,
    "N": read_number,
    "BOOL": bool,
    "M": read_map,
    "L": read_list,
    "SS": set,
    "NS": read_number_set,
    "B": as_it_is,
    "BS": set,
    "NULL": read_null,
}


def write_float(value: float) -> str:
    """A number as JSON."""
    return float.__repr__(value) if math.isfinite(value) else json.dumps(value)


def write_utc(value: t.Any) -> str:
    """A point in time as PynamoDB writes it; one without a zone is in UTC."""
    # strftime takes five times longer.
    moment = value if value.tzinfo is None else value.astimezone(UTC)
    return f"{moment.isoformat(timespec='microseconds')[:26]}+0000"


def write_set(values: set[t.Any]) -> list[t.Any] | None:
    """The elements; ``None`` for no elements."""
    return list(values) or None


def write_number_set(values: set[t.Any]) -> list[str] | None:
    """The elements as JSON; ``None`` for no elements."""
    return [WRITE_NUMBER.get(type(value), _dumps)(value) for value in values] or None


def write_map(values: t.Any) -> dict[str, t.Any]:
    """A map without declared attributes."""
    written = {}
    for name, value in values.items():
        writer = WRITERS.get(type(value))
        if writer is None:
            written[name] = _write_other(value)
        else:
            written[name] = {writer[0]: writer[1](value)}
    return written


def list_writer(writers: cabc.Mapping[type, tuple[str, Convert]], *, write_other: Convert) -> Convert:
    """Writes a list.

    Args:
        writers: How to write an element, by its type in Python.
        write_other: How to write an element of any other type, with DynamoDB's name of the type.
    """

    def write_list(values: list[t.Any]) -> list[t.Any]:
        written = []
        for index, value in enumerate(values):
            writer = writers.get(type(value))
            try:
                written.append(write_other(value) if writer is None else {writer[0]: writer[1](value)})
            except AttributeNullError as error:
                error.prepend_path(f"[{index}]")
                raise
        return written

    return write_list


def _write_other(value: t.Any) -> dict[str, t.Any]:
    attribute = _pynamodb._get_class_for_serialize(value)
    written = attribute.serialize(value)
    return {NULL: True} if written is None else {attribute.attr_type: written}


def _write_other_element(value: t.Any) -> dict[str, t.Any]:
    if not isinstance(value, _pynamodb.Attribute):
        return _write_other(value)
    written = t.cast("t.Any", value).serialize(value)
    return {NULL: True} if written is None else {value.attr_type: written}


def write_null(_: None) -> bool:
    """What stands for nothing."""
    return True


WRITE_NUMBER: dict[type, Convert] = {int: int.__repr__, float: write_float}

# By Python's type: DynamoDB's name of the type, and attributes.SERIALIZE_CLASS_MAP.
WRITERS: dict[type, tuple[str, Convert]] = {
    str: ("S", str),
    int: ("N", int.__repr__),
    float: ("N", write_float),
    bool: ("BOOL", bool),
    bytes: ("B", bytes),
    dict: ("M", write_map),
    types.NoneType: (NULL, write_null),
}
write_list = list_writer(WRITERS, write_other=_write_other_element)
WRITERS[list] = ("L", write_list)
