"""JSON bodies: what does not fit is a 400 that names the field."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import flask_restx
import jsonschema
from flask_restx import fields
from jsonschema.validators import extend
from pynamodb.attributes import DiscriminatorAttribute
from werkzeug.exceptions import BadRequest

from dynaflask.integrations.flask_restx.json_types import Json
from dynaflask.integrations.flask_restx.json_types import Schema
from dynaflask.integrations.flask_restx.json_types import element_of
from dynaflask.integrations.flask_restx.json_types import is_described_map
from dynaflask.integrations.flask_restx.json_types import is_integer
from dynaflask.integrations.flask_restx.json_types import is_number
from dynaflask.integrations.flask_restx.json_types import is_text
from dynaflask.integrations.flask_restx.json_types import kind_of
from dynaflask.integrations.flask_restx.json_types import read_binary
from dynaflask.integrations.flask_restx.json_types import read_time


class ItemModel(flask_restx.Model):  # type: ignore[misc]  # Flask-RESTX comes without types
    """A Flask-RESTX model that names each field of a body which does not fit, in nested maps and lists, too."""

    def validate(self, data: Json, resolver: t.Any = None, format_checker: t.Any = None) -> None:
        """Refuse a body that does not fit.

        Args:
            data: The body.
            resolver: Flask-RESTX's. The model knows its nested models itself.
            format_checker: The API's, for formats of its own.

        Raises:
            BadRequest: The body does not fit; ``errors`` tells why, by the fields' names.
        """
        schema = {**self.__schema__, "definitions": dict(_definitions(self))}
        checks = [Validator(schema, format_checker=checker) for checker in (_formats, format_checker) if checker]
        found = [error for check in checks for error in check.iter_errors(_without_nulls(data, self))]
        errors = dict(pair for error in found for pair in _explain(error))
        if errors:
            raise refusal(errors)


def values_of(container: t.Any, body: cabc.Mapping[str, Json], path: str = "") -> dict[str, t.Any]:
    """The values of a body's fields, as the attributes of a model or a map take them.

    Raises:
        BadRequest: A field does not fit.
    """
    if not isinstance(body, cabc.Mapping):
        raise refusal({path.rstrip(".") or "body": "It must be an object."})
    known, values = container.get_attributes(), {}
    for name, value in body.items():
        if name not in known:
            raise refusal({f"{path}{name}": f"There is no field {name!r}."})
        if value is not None and not isinstance(known[name], DiscriminatorAttribute):  # the class knows its own
            values[name] = _value_of(known[name], value, f"{path}{name}")
    return values


def _value_of(attribute: t.Any, value: Json, path: str) -> t.Any:
    element = element_of(attribute)
    try:
        if is_described_map(attribute):
            return type(attribute)(**values_of(attribute, value, f"{path}."))
        if is_described_map(element):
            return [_value_of(element, entry, f"{path}.{position}") for position, entry in enumerate(value)]
        return kind_of(attribute).from_json(value)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise refusal({path: f"It does not fit: {error}"}) from error


def refusal(errors: cabc.Mapping[str, str]) -> BadRequest:
    """A 400 that names the fields of a body which do not fit."""
    error = BadRequest("; ".join(f"{field}: {reason}" for field, reason in errors.items()))
    t.cast("t.Any", error).data = {"message": "Input payload validation failed", "errors": errors}  # for Flask-RESTX
    return error


def _definitions(model: t.Any) -> cabc.Iterator[tuple[str, Schema]]:
    for field in model.values():
        nested = getattr(getattr(field, "container", field), "nested", None)
        if nested is not None:
            yield nested.name, nested.__schema__
            yield from _definitions(nested)


def _without_nulls(data: Json, model: t.Any) -> Json:
    """What is left of a body without the fields that are null and need not be there."""
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


def _explain(error: t.Any) -> cabc.Iterator[tuple[str, str]]:
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
            "string": lambda _, value: is_text(value),
            "number": lambda _, value: is_number(value),
            "integer": lambda _, value: is_integer(value),
        }
    ),
)

_formats = jsonschema.FormatChecker(formats=())
_formats.checks("byte", raises=ValueError)(lambda value: not isinstance(value, str) or read_binary(value) is not None)
_formats.checks("date-time", raises=ValueError)(lambda value: not isinstance(value, str) or bool(read_time(value)))
