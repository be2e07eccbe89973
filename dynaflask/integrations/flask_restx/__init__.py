"""Flask-RESTX (``pip install "dynaflask[restx]"``): models of PynamoDB models, for documents, bodies and responses."""

from __future__ import annotations

import collections.abc as cabc
import operator
import typing as t

from dynaflask.exceptions import install_hint

# Before the imports of modules that need Flask-RESTX, so that the error names the extra.
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
from dynaflask.integrations.flask_restx.json_types import JSONType
from dynaflask.integrations.flask_restx.json_types import Schema
from dynaflask.integrations.flask_restx.json_types import element_of
from dynaflask.integrations.flask_restx.json_types import is_described_map
from dynaflask.integrations.flask_restx.json_types import json_type_of
from dynaflask.integrations.flask_restx.validation import ItemModel
from dynaflask.integrations.flask_restx.validation import attribute_values
from dynaflask.integrations.flask_restx.validation import check_sizes
from dynaflask.views.pagination import Page

__all__ = ["item_of", "model_of", "page_of", "page_parser"]

M = t.TypeVar("M", bound=pynamodb.models.Model)


class OneItemMixin:
    """A field that refuses to be marshalled from anything but one item.

    Flask-RESTX marshals the elements of a list or a tuple. It takes any other object for one item, and finds none of
    the fields in it: the response would have nulls.
    """

    def output(self, key: str, obj: t.Any, **options: t.Any) -> Json:
        """The field's value in an item.

        Raises:
            TypeError: The object is the lazy result of a query, or a page.
        """
        if isinstance(obj, Page):
            raise TypeError("The view returned a page. Marshal it with page_of(api, model).")
        if isinstance(obj, cabc.Iterator):
            raise TypeError(
                f"The view returned a lazy result, a {type(obj).__name__}. Return a list, as in"
                " list(Thread.query(...)), or a page of db.paginate, marshalled with page_of(api, model)."
            )
        return t.cast("t.Any", super()).output(key, obj, **options)


class Nested(OneItemMixin, fields.Nested):  # type: ignore[misc]  # Flask-RESTX comes without types
    """A nested map."""


class List(OneItemMixin, fields.List):  # type: ignore[misc]  # Flask-RESTX comes without types
    """A list of nested maps."""


class Field(OneItemMixin, fields.Raw):  # type: ignore[misc]  # Flask-RESTX comes without types
    """A field whose values have one JSON type.

    Args:
        json_type: The JSON type.
        **options: The options of Flask-RESTX's fields: ``required``, ``description`` and so on.
    """

    def __init__(self, json_type: JSONType, **options: t.Any) -> None:
        super().__init__(**options)
        self._json_type = json_type

    def format(self, value: t.Any) -> Json:
        """The value as JSON."""
        return self._json_type.to_json(value)

    def schema(self) -> Schema:
        """The Swagger schema of the value."""
        return {**super().schema(), "type": None, **self._json_type.schema}


def model_of(
    api: t.Any, model: type[pynamodb.models.Model], *, name: str | None = None, only: cabc.Collection[str] | None = None
) -> ItemModel:
    """The Flask-RESTX model of a PynamoDB model and of its maps. It refuses a body with any other field.

    A field is required if it is not nullable and has no default. Dates are ISO 8601 strings, binary values Base64
    strings, and sets lists.

    Args:
        api: The ``Api`` or ``Namespace`` that documents the model.
        model: The PynamoDB model.
        name: The model's name in the document; by default the class name.
        only: The names of the fields to include; by default all.
    """
    return _object_of(api, model, name or model.__name__, only)


def item_of(model: type[M], body: cabc.Mapping[str, Json]) -> M:
    """A new, unsaved item from a body that :func:`model_of` describes. A field with ``null`` is omitted.

    Args:
        model: The PynamoDB model.
        body: ``api.payload``.

    Raises:
        BadRequest: A field is invalid, a key is too long, or the item too large; ``errors`` names it.
    """
    item = model(**attribute_values(model, body))
    check_sizes(item)
    return item


def page_parser() -> reqparse.RequestParser:
    """A parser of the query arguments ``cursor`` and ``per_page``, for ``@api.expect``."""
    parser = reqparse.RequestParser()
    parser.add_argument("cursor", location="args", help="The next_cursor of the previous page.")
    parser.add_argument("per_page", location="args", type=inputs.positive, help="The most items on the page.")
    return parser


def page_of(api: t.Any, item: flask_restx.Model, *, name: str | None = None) -> flask_restx.Model:
    """The model of a page of items, for ``@api.marshal_with``. It marshals the pages of ``db.paginate``.

    Args:
        api: The ``Api`` or ``Namespace`` that documents the model.
        item: The model of the items.
        name: The name in the document; by default the item model's name plus ``Page``.
    """
    return api.model(
        name or f"{item.name}Page",
        {
            "items": fields.List(fields.Nested(item), required=True, attribute=operator.attrgetter("items")),
            "per_page": fields.Integer(required=True),
            "has_next": fields.Boolean(required=True),
            "next_cursor": fields.String(description="The cursor argument of the next page."),
            "next_url": fields.String(attribute=lambda page: page.next_url(), description="The URL of the next page."),
        },
    )


def _object_of(api: t.Any, container: t.Any, name: str, only: cabc.Collection[str] | None = None) -> ItemModel:
    model_fields = {
        field: _field_of(api, attribute, f"{name}{field.title().replace('_', '')}")
        for field, attribute in container.get_attributes().items()
        if only is None or field in only
    }
    item_model = ItemModel(name, model_fields, strict=True)
    api.add_model(name, item_model)
    return item_model


def _field_of(api: t.Any, attribute: t.Any, name: str) -> t.Any:
    options: dict[str, t.Any] = {"required": _is_required(attribute)}
    element = element_of(attribute)
    if is_described_map(attribute):
        return Nested(_object_of(api, attribute, name), allow_null=True, **options)
    if is_described_map(element):
        return List(fields.Nested(_object_of(api, element, name), allow_null=True), **options)
    json_type = json_type_of(attribute)
    if attribute.default is not None and not callable(attribute.default):
        options["default"] = json_type.to_json(attribute.default)
    return Field(json_type, **options)


def _is_required(attribute: t.Any) -> bool:
    if attribute.is_hash_key or attribute.is_range_key:
        return True
    has_default = attribute.default is not None or attribute.default_for_new is not None
    return not (attribute.null or has_default or isinstance(attribute, DiscriminatorAttribute))
