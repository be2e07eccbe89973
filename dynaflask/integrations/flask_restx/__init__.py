"""Flask-RESTX's models of PynamoDB's: the shape of an item in JSON, for its documents, bodies and answers.

It needs ``pip install "dynaflask[restx]"``.
"""

from __future__ import annotations

import collections.abc as cabc
import operator
import typing as t

from dynaflask.exceptions import install_hint

# Ahead of what imports it, too.
try:
    import flask_restx
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"dynaflask.integrations.flask_restx is for Flask-RESTX, and {install_hint(error, extra='restx')}",
        name=error.name,
    ) from error

import pynamodb.models
from flask_restx import fields
from flask_restx import inputs
from flask_restx import reqparse
from pynamodb.attributes import DiscriminatorAttribute

from dynaflask.integrations.flask_restx.json_types import Json
from dynaflask.integrations.flask_restx.json_types import Kind
from dynaflask.integrations.flask_restx.json_types import Schema
from dynaflask.integrations.flask_restx.json_types import element_of
from dynaflask.integrations.flask_restx.json_types import is_described_map
from dynaflask.integrations.flask_restx.json_types import kind_of
from dynaflask.integrations.flask_restx.validation import ItemModel
from dynaflask.integrations.flask_restx.validation import values_of

__all__ = ["item_of", "model_of", "page_of", "page_parser"]

M = t.TypeVar("M", bound=pynamodb.models.Model)


class Field(fields.Raw):  # type: ignore[misc]  # Flask-RESTX comes without types
    """A value of one kind.

    Args:
        kind: The kind.
        **options: As of Flask-RESTX's fields: ``required``, ``description``, and so on.
    """

    def __init__(self, kind: Kind, **options: t.Any) -> None:
        super().__init__(**options)
        self._kind = kind

    def format(self, value: t.Any) -> Json:
        """The value as JSON."""
        return self._kind.to_json(value)

    def schema(self) -> Schema:
        """The value as Swagger describes it."""
        return {**super().schema(), "type": None, **self._kind.schema}


def model_of(
    api: t.Any, model: type[pynamodb.models.Model], *, name: str | None = None, only: cabc.Collection[str] | None = None
) -> ItemModel:
    """The Flask-RESTX model of a PynamoDB model, and of the maps in it. A body has no other fields than these.

    A field is required that may not be null and has no default. Dates are ISO 8601, binaries base64, and sets lists.

    Args:
        api: The ``Api`` or ``Namespace`` that documents it.
        model: The PynamoDB model.
        name: Its name there; by default the model's own.
        only: The names of the fields that it has; by default all.
    """
    return _object_of(api, model, name or model.__name__, only)


def item_of(model: type[M], body: cabc.Mapping[str, Json]) -> M:
    """A new item, unsaved, of a body that :func:`model_of` describes. ``null`` leaves a field out.

    Args:
        model: The PynamoDB model.
        body: ``api.payload``.

    Raises:
        BadRequest: A field does not fit; ``errors`` names it.
    """
    return model(**values_of(model, body))


def page_parser() -> reqparse.RequestParser:
    """A parser of the arguments of a page, for ``@api.expect``: ``cursor`` and ``per_page``."""
    parser = reqparse.RequestParser()
    parser.add_argument("cursor", location="args", help="Where the page begins: next_cursor of the one before.")
    parser.add_argument("per_page", location="args", type=inputs.positive, help="How many items there are at most.")
    return parser


def page_of(api: t.Any, item: flask_restx.Model, *, name: str | None = None) -> flask_restx.Model:
    """The envelope of a page of items, for ``@api.marshal_with``. What ``db.paginate`` returns fits it.

    Args:
        api: The ``Api`` or ``Namespace`` that documents it.
        item: The model of the items.
        name: Its name there; by default that of the items' model, and ``Page``.
    """
    return api.model(
        name or f"{item.name}Page",
        {
            "items": fields.List(fields.Nested(item), required=True, attribute=operator.attrgetter("items")),
            "per_page": fields.Integer(required=True),
            "has_next": fields.Boolean(required=True),
            "next_cursor": fields.String(description="The argument cursor of the next page."),
            "next_url": fields.String(attribute=lambda page: page.next_url(), description="The link to the next page."),
        },
    )


def _object_of(api: t.Any, container: t.Any, name: str, only: cabc.Collection[str] | None = None) -> ItemModel:
    found = {
        field: _field_of(api, attribute, f"{name}{field.title().replace('_', '')}")
        for field, attribute in container.get_attributes().items()
        if only is None or field in only
    }
    made = ItemModel(name, found, strict=True)
    api.add_model(name, made)
    return made


def _field_of(api: t.Any, attribute: t.Any, name: str) -> t.Any:
    options: dict[str, t.Any] = {"required": _is_required(attribute)}
    element = element_of(attribute)
    if is_described_map(attribute):
        return fields.Nested(_object_of(api, attribute, name), allow_null=True, **options)
    if is_described_map(element):
        nested = fields.Nested(_object_of(api, element, name), allow_null=True)
        return fields.List(nested, **options)
    kind = kind_of(attribute)
    if (attribute.is_hash_key or attribute.is_range_key) and kind.schema.get("type") == "string":
        kind = kind._replace(schema={**kind.schema, "minLength": 1})
    if attribute.default is not None and not callable(attribute.default):
        options["default"] = kind.to_json(attribute.default)
    return Field(kind, **options)


def _is_required(attribute: t.Any) -> bool:
    if attribute.is_hash_key or attribute.is_range_key:
        return True
    has_default = attribute.default is not None or attribute.default_for_new is not None
    return not (attribute.null or has_default or isinstance(attribute, DiscriminatorAttribute))
