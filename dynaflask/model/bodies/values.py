"""Values of JSON: each function returns the value that DynamoDB can store, or says why it cannot."""

from __future__ import annotations

import base64
import collections.abc as cabc
import datetime as dt
import decimal
import json
import re
import typing as t

Json = t.Any

# DynamoDB's numbers: up to 38 significant digits, 1E-130 to 9.9E+125 in magnitude.
_NUMBERS = decimal.Context(
    prec=38, Emin=-130, Emax=125, traps=[decimal.Inexact, decimal.Overflow, decimal.Underflow, decimal.InvalidOperation]
)
_LARGEST_PLAIN_INTEGER = 10**38

# DynamoDB's limit for the nesting of maps and lists.
MAX_NESTING = 32

# RFC 3339, which JSON Schema and OpenAPI mean with "date-time". It has an offset: a naive time names no moment.
_TIME = r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?"


class InvalidValue(ValueError):
    """A value does not fit its attribute.

    Attributes:
        errors: Reason by path below the value. The empty path is the value itself.
    """

    def __init__(self, reason: str = "", *, errors: cabc.Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.errors = {"": reason} if errors is None else errors

    def at(self, field: str) -> cabc.Iterator[tuple[str, str]]:
        """The errors with their paths below a field."""
        return ((f"{field}.{path}" if path else field, reason) for path, reason in self.errors.items())


def read_string(value: Json) -> str:
    """A string."""
    if not isinstance(value, str):
        raise InvalidValue("The value must be a string.")
    if not is_string(value):
        raise InvalidValue("The value contains half of a surrogate pair, which no text contains.")
    return value


def read_number(value: Json) -> t.Any:
    """A number that DynamoDB stores exactly."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidValue("The value must be a number.")
    if not is_number(value):
        raise InvalidValue(
            "The number is out of range: DynamoDB stores up to 38 digits, from 1E-130 to 9.9E+125, and no NaN."
        )
    return value


def read_integer(value: Json) -> int:
    """A whole number."""
    number = read_number(value)
    if number != int(number):
        raise InvalidValue("The value must be a whole number.")
    return int(number)


def read_boolean(value: Json) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InvalidValue("The value must be true or false.")
    return value


def read_time(value: Json) -> dt.datetime:
    """The moment of an RFC 3339 string, in UTC."""
    match = re.fullmatch(_TIME, read_string(value), re.ASCII)
    if match is None:
        raise InvalidValue('The value must be a date and time of RFC 3339, such as "2026-01-02T03:04:05Z".')
    date, time, fraction, offset = match.groups()
    if offset is None:
        raise InvalidValue('The time has no time zone. Add an offset, such as "Z" or "+01:00".')
    # Python 3.10 reads neither Z nor a fraction of any length.
    offset = "+00:00" if offset in "Zz" else offset
    try:
        moment = dt.datetime.fromisoformat(f"{date}T{time}.{(fraction or '')[:6]:0<6}{offset}")
        return moment.astimezone(dt.timezone.utc)
    except (ValueError, OverflowError) as error:
        raise InvalidValue(f"There is no such time: {error}.") from error


def read_binary(value: Json) -> bytes:
    """The bytes of a Base64 string."""
    text = read_string(value)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise InvalidValue("The value must be Base64.") from error


def read_json(value: Json) -> Json:
    """Any JSON, for an attribute that stores its text."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"The value is no JSON: {error}.") from error
    return value


def read_raw_list(value: Json) -> list[t.Any]:
    """A list of anything."""
    if not isinstance(value, list):
        raise InvalidValue("The value must be a list.")
    return t.cast("list[t.Any]", read_any(value))


def read_raw_map(value: Json) -> dict[str, t.Any]:
    """A map of anything."""
    if not isinstance(value, dict):
        raise InvalidValue("The value must be an object.")
    return t.cast("dict[str, t.Any]", read_any(value))


def read_any(value: Json, depth: int = 1) -> t.Any:
    """Any value."""
    if depth > MAX_NESTING:
        raise InvalidValue(f"The value is nested more than {MAX_NESTING} levels deep.")
    if isinstance(value, dict):
        return {read_string(name): read_any(entry, depth + 1) for name, entry in value.items()}
    if isinstance(value, list):
        return [read_any(entry, depth + 1) for entry in value]
    if value is None or isinstance(value, bool):
        return value
    return read_string(value) if isinstance(value, str) else read_number(value)


def is_string(value: t.Any) -> bool:
    """True if the value is a string that DynamoDB can store."""
    # JSON strings may contain half of a surrogate pair, which UTF-8 cannot encode.
    return isinstance(value, str) and (value.isascii() or value.encode(errors="replace").decode() == value)


def is_number(value: t.Any) -> bool:
    """True if the value is a number that DynamoDB can store exactly."""
    if type(value) is int and -_LARGEST_PLAIN_INTEGER < value < _LARGEST_PLAIN_INTEGER:
        return True
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return _NUMBERS.create_decimal(str(value)).is_finite()
    except (decimal.DecimalException, ValueError):
        return False


def is_integer(value: t.Any) -> bool:
    """True if the value is a whole number that DynamoDB can store."""
    return is_number(value) and value == int(value)
