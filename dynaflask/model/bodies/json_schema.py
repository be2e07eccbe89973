"""The JSON schema of a model's bodies, for OpenAPI documents and for clients."""

from __future__ import annotations

import typing as t

from pynamodb.attributes import DiscriminatorAttribute

from dynaflask.model.bodies.fields import Field
from dynaflask.model.bodies.fields import Fields
from dynaflask.model.bodies.fields import Names
from dynaflask.model.bodies.fields import fields_of
from dynaflask.model.bodies.json_types import CONVERSION_ERRORS
from dynaflask.model.bodies.json_types import Schema
from dynaflask.model.bodies.json_types import element_of
from dynaflask.model.bodies.json_types import is_described_map
from dynaflask.model.bodies.json_types import json_type_of

JSON_SCHEMA = "2020-12"
OPENAPI_30 = "openapi-3.0"
DIALECTS = (JSON_SCHEMA, OPENAPI_30)


def schema_of(
    model: t.Any, *, partial: bool = False, only: Names | None = None, exclude: Names = (), dialect: str = "2020-12"
) -> Schema:
    """The JSON schema of the bodies that `dynaflask.views.load_item` takes with the same arguments.

    It has no references, so that it can be put anywhere in a document.

    Args:
        model: The model.
        partial: The body of a PATCH: no field is required, and none is a key.
        only: Names of the fields to take; by default all.
        exclude: Names of the fields to leave out.
        dialect: ``"2020-12"`` for JSON Schema and OpenAPI 3.1, or ``"openapi-3.0"``, which says ``nullable`` for null.

    Raises:
        ValueError: There is no field of a name, or no such dialect.
    """
    if dialect not in DIALECTS:
        raise ValueError(f"dialect is {' or '.join(map(repr, DIALECTS))}, not {dialect!r}.")
    fields = fields_of(model, only=only, exclude=exclude)
    if partial:
        fields = {name: field for name, field in fields.items() if not field.is_key}
    schema = _object(fields, dialect, (), partial=partial)
    return {"title": model.__name__, **schema}


def _object(fields: Fields, dialect: str, parents: tuple[t.Any, ...], *, partial: bool = False) -> Schema:
    required = [name for name, field in fields.items() if field.is_required and not partial]
    return {
        "type": "object",
        "properties": {name: _property(field, dialect, parents, partial=partial) for name, field in fields.items()},
        **({"required": required} if required else {}),
        **({"minProperties": 1} if partial else {}),
        "additionalProperties": False,
    }


def _property(field: Field, dialect: str, parents: tuple[t.Any, ...], *, partial: bool) -> Schema:
    if isinstance(field.attribute, DiscriminatorAttribute):
        # It stands in responses as the string of the class.
        return {"type": "string", "readOnly": True}
    schema = _value(field.attribute, dialect, parents)
    if field.is_read_only:
        return {**schema, "readOnly": True}
    if field.is_nullable if partial else not field.is_required:
        schema = _nullable(schema, dialect)
    default = None if partial else _default(field)
    return schema if default is None else {**schema, "default": default}


def _value(attribute: t.Any, dialect: str, parents: tuple[t.Any, ...]) -> Schema:
    element = element_of(attribute)
    if is_described_map(attribute):
        map_class = type(attribute)
        # A map inside of itself has no end without a reference.
        if map_class in parents:
            return {"type": "object"}
        return _object(fields_of(map_class), dialect, (*parents, map_class))
    if is_described_map(element):
        return {"type": "array", "items": _value(element, dialect, parents)}
    return dict(json_type_of(attribute).schema)


def _nullable(schema: Schema, dialect: str) -> Schema:
    # A schema without a type takes null anyway.
    if "type" not in schema:
        return schema
    return {**schema, "nullable": True} if dialect == OPENAPI_30 else {**schema, "type": [schema["type"], "null"]}


def _default(field: Field) -> t.Any:
    """The default value as JSON, or None if there is none that a document can show."""
    default = field.attribute.default
    if default is None or callable(default) or is_described_map(field.attribute):
        return None
    try:
        return json_type_of(field.attribute).to_json(default)
    except CONVERSION_ERRORS:
        return None
