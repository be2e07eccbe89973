"""Values of attributes as texts: in the fields of a form, in filters and in the ids of items."""

from __future__ import annotations

import json
import typing as t

from dynaflask.model.bodies.fields import Field
from dynaflask.model.bodies.fields import fields_of
from dynaflask.model.bodies.json_types import json_type_of
from dynaflask.model.bodies.sizes import size_errors
from dynaflask.model.bodies.values import InvalidValue
from dynaflask.model.bodies.values import Json


def json_kind(attribute: t.Any) -> str | None:
    """The format or the type of an attribute's values in JSON: ``"byte"``, ``"array"``; None for any value.

    Args:
        attribute: The attribute of the model or the map.
    """
    schema = json_type_of(attribute).schema
    return t.cast("str | None", schema.get("format", schema.get("type")))


def _is_text(attribute: t.Any) -> bool:
    """True if the JSON of an attribute's values is a string: a text, a time, or Base64."""
    return json_kind(attribute) in {"string", "date-time", "byte"}


def to_json(attribute: t.Any, value: t.Any) -> Json:
    """The JSON of a value. Of a ``TenantKey``, it is the part that the tenant chose.

    Args:
        attribute: The attribute of the model or the map.
        value: The value, or None.
    """
    return None if value is None else json_type_of(attribute).to_json(value)


def to_text(attribute: t.Any, value: t.Any) -> str:
    """The text that a person edits: that of a string, and the JSON of any other value.

    Args:
        attribute: The attribute.
        value: The value, or None.
    """
    content = to_json(attribute, value)
    if content is None:
        return ""
    return str(content) if _is_text(attribute) else json.dumps(content, ensure_ascii=False, indent=2)


def from_text(field: Field, text: str) -> t.Any:
    """The value of a text.

    Args:
        field: The field of the model.
        text: The text, as a person typed it.

    Raises:
        ValueError: The text is no value of the field. The message says why.
    """
    try:
        return field.read(text if _is_text(field.attribute) else _parse_json(text, json_kind(field.attribute)))
    except InvalidValue as error:
        reasons = [f"{path}: {reason}" if path else reason for path, reason in error.errors.items()]
        raise ValueError(" ".join(reasons)) from error


def _parse_json(text: str, kind: str | None) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if kind in {"number", "integer"}:
            raise InvalidValue("The value must be a number.") from error
        raise InvalidValue('The value must be JSON, such as 12, true, ["a", "b"] or {"a": 1}.') from error


def key_names(model: t.Any) -> list[str]:
    """The names, in the class, of a model's hash key and, if it has one, its range key."""
    fields = {name: field for name, field in fields_of(model).items() if field.is_key}
    return sorted(fields, key=lambda name: not fields[name].attribute.is_hash_key)


def item_id(item: t.Any) -> str:
    """The keys of an item as a text: JSON, so that each type and each character of a key survives.

    Args:
        item: An item of a model.
    """
    attributes = item.get_attributes()
    keys = [to_json(attributes[name], getattr(item, name)) for name in key_names(type(item))]
    return json.dumps(keys, separators=(",", ":"))


def keys_of(model: t.Any, text: t.Any) -> list[t.Any] | None:
    """The keys in the text of an item's id, or None if it is no id of the model.

    Args:
        model: The model.
        text: Any value that a client sent.
    """
    names, fields = key_names(model), fields_of(model)
    try:
        values = json.loads(text)
        keys = [fields[name].read(value) for name, value in zip(names, values, strict=True)]
    except (TypeError, ValueError, RecursionError):
        return None
    return None if size_errors(model(**dict(zip(names, keys, strict=True)))) else keys
