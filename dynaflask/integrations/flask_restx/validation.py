"""Validation of JSON bodies: an invalid field is a 400 that names it."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import flask_restx
import jsonschema
from flask_restx import fields
from jsonschema.validators import extend

from dynaflask.exceptions import InvalidBody
from dynaflask.model.bodies.json_types import Schema
from dynaflask.model.bodies.values import InvalidValue
from dynaflask.model.bodies.values import Json
from dynaflask.model.bodies.values import is_integer
from dynaflask.model.bodies.values import is_number
from dynaflask.model.bodies.values import is_string
from dynaflask.model.bodies.values import read_binary
from dynaflask.model.bodies.values import read_time


class ItemModel(flask_restx.Model):  # type: ignore[misc]  # Flask-RESTX comes without types
    """A Flask-RESTX model that reports every invalid field of a body, also in nested maps and lists."""

    def validate(self, data: Json, resolver: t.Any = None, format_checker: t.Any = None) -> None:
        """Raise an error for an invalid body.

        Args:
            data: The body.
            resolver: Flask-RESTX's resolver of references. It is not used: the model knows its nested models.
            format_checker: The API's format checker.

        Raises:
            InvalidBody: The body is invalid; ``errors`` maps each field to the reason.
        """
        schema = {**self.__schema__, "definitions": dict(_definitions(self))}
        validators = [Validator(schema, format_checker=checker) for checker in (_formats, format_checker) if checker]
        body = _without_nulls(data, self)
        errors = dict(
            entry for validator in validators for error in validator.iter_errors(body) for entry in _field_errors(error)
        )
        if errors:
            raise InvalidBody(errors)


def _definitions(model: t.Any) -> cabc.Iterator[tuple[str, Schema]]:
    for field in model.values():
        nested = getattr(getattr(field, "container", field), "nested", None)
        if nested is not None:
            yield nested.name, nested.__schema__
            yield from _definitions(nested)


def _without_nulls(data: Json, model: t.Any) -> Json:
    """The body without fields that are null and not required."""
    if not isinstance(data, cabc.Mapping):
        return data
    return {
        name: _without_nulls_in(value, model.get(name))
        for name, value in data.items()
        if value is not None or name not in model or model[name].required
    }


def _without_nulls_in(value: Json, field: t.Any) -> Json:
    nested = getattr(field, "nested", None)
    if nested is not None:
        return _without_nulls(value, nested)
    if isinstance(field, fields.List) and isinstance(value, list):
        return [_without_nulls_in(entry, field.container) for entry in value]
    return value


def _field_errors(error: t.Any) -> cabc.Iterator[tuple[str, str]]:
    """The fields that an error of jsonschema is about, each with its message."""
    path, names = [*map(str, error.absolute_path)], [""]
    if error.validator == "required":
        names = [name for name in error.validator_value if error.message.startswith(repr(name))]
    elif error.validator == "additionalProperties":
        names = [name for name in error.instance if name not in error.schema["properties"]]
    for name in names:
        yield ".".join([*path, *filter(None, [name])]) or "body", error.message


Validator = extend(
    jsonschema.Draft4Validator,
    type_checker=jsonschema.Draft4Validator.TYPE_CHECKER.redefine_many(
        {
            "string": lambda _, value: is_string(value),
            "number": lambda _, value: is_number(value),
            "integer": lambda _, value: is_integer(value),
        }
    ),
)

_formats = jsonschema.FormatChecker(formats=())
_formats.checks("byte", raises=InvalidValue)(lambda value: not isinstance(value, str) or read_binary(value) is not None)
_formats.checks("date-time", raises=InvalidValue)(lambda value: not isinstance(value, str) or bool(read_time(value)))
