"""Models and pages in ``jsonify``: an opt-in JSON provider."""

from __future__ import annotations

import base64
import collections.abc as cabc
import datetime as dt
import functools
import types
import typing as t

from flask.json.provider import DefaultJSONProvider
from pynamodb.attributes import AttributeContainer
from pynamodb.pagination import ResultIterator

from dynaflask.model.pynamodb_internals import discriminator_attribute
from dynaflask.views.pagination import Page


@functools.singledispatch
def to_json(value: t.Any) -> t.Any:
    """A JSON value for a value that the JSON encoder does not know.

    Args:
        value: A model, a page, or a value of one of their attributes.

    Raises:
        TypeError: It has another type, which Flask does not know either.
    """
    return DefaultJSONProvider.default(value)


@to_json.register(AttributeContainer)
def _(value: AttributeContainer) -> t.Any:
    return value.attribute_values


@to_json.register(Page)
def _(value: Page[t.Any]) -> t.Any:
    return {"items": value.items, "per_page": value.per_page, "next_cursor": value.next_cursor}


# batch_get returns a generator. Other iterators may never end.
@to_json.register(ResultIterator)
@to_json.register(types.GeneratorType)
def _(value: cabc.Iterator[t.Any]) -> t.Any:
    return list(value)


@to_json.register(set)
@to_json.register(frozenset)
def _(value: cabc.Set[t.Any]) -> t.Any:
    try:
        return sorted(value)
    except TypeError:
        return list(value)


@to_json.register(bytes)
@to_json.register(bytearray)
@to_json.register(memoryview)
def _(value: t.Any) -> t.Any:
    return base64.b64encode(value).decode()


@to_json.register(dt.date)
@to_json.register(dt.time)
def _(value: t.Any) -> t.Any:
    return value.isoformat()


@to_json.register(type)
def _(value: type) -> t.Any:
    """The discriminator value of a polymorphic model's class, as its items store it."""
    attribute = discriminator_attribute(value) if issubclass(value, AttributeContainer) else None
    return DefaultJSONProvider.default(value) if attribute is None else attribute.get_discriminator(value)


class JSONProvider(DefaultJSONProvider):
    """Flask's provider plus models, pages and the types of their attributes: ``app.json = JSONProvider(app)``.

    - a model and a map attribute: an object of all its attributes, named as in the class
    - a `Page`: an object of ``items``, ``per_page`` and ``next_cursor``
    - a query, a scan and a batch get: an array of all items
    - a set: a sorted array
    - binary values: a string in Base64
    - a datetime, a date and a time: a string in ISO 8601
    - a Decimal: a string of its digits, as in Flask, because a float would lose some

    Args:
        app: The app.
    """

    default: t.Callable[[t.Any], t.Any] = staticmethod(to_json)

    def loads(self, s: str | bytes, **options: t.Any) -> t.Any:
        """The value of a JSON text; see Flask.

        Args:
            s: The text.
            **options: Those of `json.loads`.

        Raises:
            ValueError: It is no JSON, or nested too deep. For the body of a request, a view answers 400.
        """
        try:
            return super().loads(s, **options)
        except RecursionError as error:
            raise ValueError("The JSON is nested too deep.") from error
