"""Flask-RESTX (``pip install "dynaflask[restx]"``): models of PynamoDB models, for documents, bodies and responses."""

from __future__ import annotations

import collections.abc as cabc
import operator
import typing as t

from dynaflask.extras import required_extra

# Before the imports of modules that need Flask-RESTX, so that the error names the extra.
with required_extra("restx", reason="dynaflask.integrations.flask_restx is for Flask-RESTX"):
    import flask_restx

import pynamodb.models
from flask_restx import fields
from flask_restx import inputs
from flask_restx import reqparse

from dynaflask.integrations.flask_restx.validation import ItemModel
from dynaflask.model.bodies.fields import Field as BodyField
from dynaflask.model.bodies.fields import fields_of
from dynaflask.model.bodies.json_types import JSONType
from dynaflask.model.bodies.json_types import Schema
from dynaflask.model.bodies.json_types import element_of
from dynaflask.model.bodies.json_types import is_described_map
from dynaflask.model.bodies.json_types import json_type_of
from dynaflask.model.bodies.loading import new_item
from dynaflask.model.bodies.values import Json
from dynaflask.views.error_responses import HANDLED
from dynaflask.views.pagination import Page

__all__ = ["item_of", "model_of", "page_of", "page_parser", "pass_errors_on"]

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
    api: t.Any,
    model: type[pynamodb.models.Model],
    *,
    name: str | None = None,
    partial: bool = False,
    only: cabc.Collection[str] | None = None,
    exclude: cabc.Collection[str] = (),
) -> ItemModel:
    """The Flask-RESTX model of a PynamoDB model and of its maps. It refuses a body with any other field.

    A field is required if it is not nullable and has no default. Dates are RFC 3339 strings, binary values Base64
    strings, and sets lists.

    Args:
        api: The ``Api`` or ``Namespace`` that documents the model.
        model: The PynamoDB model.
        name: The model's name in the document; by default the class name, with ``Update`` after it if it is partial.
        partial: The body of a PATCH: no field is required, none is a key, and null removes a field.
        only: The names of the fields to include; by default all.
        exclude: The names of the fields to leave out.

    Raises:
        ValueError: The model has no attribute of a name in ``only`` or ``exclude``.
    """
    body_fields = fields_of(model, only=only, exclude=exclude)
    if partial:
        body_fields = {name: field for name, field in body_fields.items() if not field.is_key}
    name = name or f"{model.__name__}{'Update' if partial else ''}"
    return _object_of(api, body_fields, name, partial=partial)


def item_of(
    model: type[M],
    body: cabc.Mapping[str, Json],
    *,
    only: cabc.Collection[str] | None = None,
    exclude: cabc.Collection[str] = (),
) -> M:
    """A new, unsaved item from a body that `model_of` describes. A field with ``null`` is omitted.

    It requires no field, because the view may set some: the body's model does.
    `dynaflask.views.load_item` is the same for a body without a Flask-RESTX model, and for a PATCH.

    Args:
        model: The PynamoDB model.
        body: ``api.payload``.
        only: As of `model_of`.
        exclude: As of `model_of`.

    Raises:
        InvalidBody: A field is invalid, a key is too long, or the item too large; ``errors`` names it.
    """
    return new_item(model, body, only=only, exclude=exclude, require=False)


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


def pass_errors_on(api: flask_restx.Api) -> None:
    """Let the app respond to the errors of DynamoDB that leave a resource: ``DYNAMODB_ERROR_HANDLERS``.

    Flask-RESTX itself answers all of them with 500, also if the app has a handler. A handler of the API that was
    registered before takes precedence.

    Args:
        api: The API.
    """
    for error_class in HANDLED:
        if error_class not in api.error_handlers:
            api.errorhandler(error_class)(_raise)


# Flask-RESTX gives an error of its handler to Flask.
def _raise(error: Exception) -> t.NoReturn:
    raise error


def _object_of(api: t.Any, body_fields: cabc.Mapping[str, BodyField], name: str, *, partial: bool = False) -> ItemModel:
    model_fields = {
        field_name: _field_of(api, field, f"{name}{field_name.title().replace('_', '')}", partial=partial)
        for field_name, field in body_fields.items()
    }
    item_model = ItemModel(name, model_fields, strict=True)
    api.add_model(name, item_model)
    return item_model


def _field_of(api: t.Any, field: BodyField, name: str, *, partial: bool) -> t.Any:
    attribute = field.attribute
    # The check of a partial body skips null where no field is required: load_item refuses it where it must.
    options: dict[str, t.Any] = {"required": field.is_required and not partial, "readonly": field.is_read_only or None}
    element = element_of(attribute)
    if is_described_map(attribute):
        return Nested(_object_of(api, fields_of(type(attribute)), name), allow_null=True, **options)
    if is_described_map(element):
        nested = fields.Nested(_object_of(api, fields_of(type(element)), name), allow_null=True)
        return List(nested, **options)
    json_type = json_type_of(attribute)
    if attribute.default is not None and not callable(attribute.default) and not partial:
        options["default"] = json_type.to_json(attribute.default)
    return Field(json_type, **options)
