"""Validation of JSON bodies: an invalid field is a 400 that names it."""

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
from dynaflask.integrations.flask_restx.json_types import is_string
from dynaflask.integrations.flask_restx.json_types import json_type_of
from dynaflask.integrations.flask_restx.json_types import read_binary
from dynaflask.integrations.flask_restx.json_types import read_time
from dynaflask.model.pynamodb_internals import indexes

# The limits of a hash key, of a range key and of an item, with the names of its attributes, in bytes.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_HASH_KEY = 2048
MAX_RANGE_KEY = 1024
MAX_ITEM = 400 * 1024


class ItemModel(flask_restx.Model):  # type: ignore[misc]  # Flask-RESTX comes without types
    """A Flask-RESTX model that reports every invalid field of a body, also in nested maps and lists."""

    def validate(self, data: Json, resolver: t.Any = None, format_checker: t.Any = None) -> None:
        """Raise an error for an invalid body.

        Args:
            data: The body.
            resolver: Flask-RESTX's resolver of references. It is not used: the model knows its nested models.
            format_checker: The API's format checker.

        Raises:
            BadRequest: The body is invalid; ``errors`` maps each field to the reason.
        """
        schema = {**self.__schema__, "definitions": dict(_definitions(self))}
        validators = [Validator(schema, format_checker=checker) for checker in (_formats, format_checker) if checker]
        body = _without_nulls(data, self)
        errors = dict(
            entry for validator in validators for error in validator.iter_errors(body) for entry in _field_errors(error)
        )
        if errors:
            raise validation_error(errors)


def attribute_values(container: t.Any, body: cabc.Mapping[str, Json], path: str = "") -> dict[str, t.Any]:
    """The Python values of a body's fields, for the attributes of a model or a map.

    Raises:
        BadRequest: A field is invalid.
    """
    if not isinstance(body, cabc.Mapping):
        raise validation_error({path.rstrip(".") or "body": "The value must be an object."})
    known_attributes, values = container.get_attributes(), {}
    for name, value in body.items():
        if name not in known_attributes:
            raise validation_error({f"{path}{name}": f"There is no field {name!r}."})
        # The class determines the discriminator's value, not the client.
        if value is not None and not isinstance(known_attributes[name], DiscriminatorAttribute):
            values[name] = _value_of(known_attributes[name], value, f"{path}{name}")
    return values


def _value_of(attribute: t.Any, value: Json, path: str) -> t.Any:
    element = element_of(attribute)
    try:
        if is_described_map(attribute):
            return type(attribute)(**attribute_values(attribute, value, f"{path}."))
        if is_described_map(element):
            return [_value_of(element, entry, f"{path}.{position}") for position, entry in enumerate(value)]
        json_type = json_type_of(attribute)
        # An API without validate=True has not checked the body.
        errors = Validator(json_type.schema, format_checker=_formats).iter_errors(value)
        reasons = {".".join([path, *map(str, error.absolute_path)]): error.message for error in errors}
        if reasons:
            raise validation_error(reasons)
        return json_type.from_json(value)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise validation_error({path: f"The value is invalid: {error}"}) from error


def check_sizes(item: t.Any) -> None:
    """Refuse an item that is too large for DynamoDB, or has a key that is too long.

    Args:
        item: An item of a model. One that cannot be serialized, yet or at all, is not checked.

    Raises:
        BadRequest: The item is too large.
    """
    try:
        stored = item.serialize(null_check=False)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        # Such as a TenantKey without a tenant: the view may enter the tenant's block later.
        return
    names = {attribute.attr_name: name for name, attribute in item.get_attributes().items()}
    limits = _key_limits(item)
    errors = {
        names[name]: f"The value is too long: this key has at most {limits[name]} bytes."
        for name, value in stored.items()
        if name in limits and _size(value) > limits[name]
    }
    if not errors and _size({"M": stored}) > MAX_ITEM:
        errors["body"] = f"The item is too large: it has at most {MAX_ITEM} bytes."
    if errors:
        raise validation_error(errors)


def _key_limits(model: t.Any) -> dict[str, int]:
    """The largest size of each key of the table and of its indexes, by the attribute's name in DynamoDB."""
    limits: dict[str, int] = {}
    for owner in (model.get_attributes(), *(index.Meta.attributes for index in indexes(model).values())):
        for key in owner.values():
            if key.is_hash_key or key.is_range_key:
                limit = MAX_HASH_KEY if key.is_hash_key else MAX_RANGE_KEY
                limits[key.attr_name] = min(limit, limits.get(key.attr_name, limit))
    return limits


def _size(value: cabc.Mapping[str, t.Any]) -> int:
    """The least number of bytes that DynamoDB counts for an attribute value.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    [(type_tag, content)] = value.items()
    if type_tag == "M":
        return sum(_length(name) + _size(entry) for name, entry in content.items())
    if type_tag == "L":
        return sum(map(_size, content))
    if type_tag in {"SS", "BS"}:
        return sum(map(_length, content))
    # A number has up to 21 bytes, which depend on its digits; a flag has one.
    return _length(content) if type_tag in {"S", "B"} else 1


def _length(content: str | bytes) -> int:
    return len(content.encode(errors="surrogatepass") if isinstance(content, str) else content)


def validation_error(errors: cabc.Mapping[str, str]) -> BadRequest:
    """A 400 that names the invalid fields of a body."""
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
_formats.checks("byte", raises=ValueError)(lambda value: not isinstance(value, str) or read_binary(value) is not None)
_formats.checks("date-time", raises=ValueError)(lambda value: not isinstance(value, str) or bool(read_time(value)))
