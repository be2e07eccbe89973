"""Look-ups for views, which answer 404 if there is no item."""

from __future__ import annotations

import typing as t

import flask

from dynaflask.model.expired import is_hiding
from dynaflask.model.pynamodb_internals import discriminator_attribute

if t.TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition

L = t.TypeVar("L", bound="GetOr404Mixin")

# Items that DynamoDB evaluates per request under a filter. PynamoDB would ask for as many as it returns: one.
FILTERED_PAGE_SIZE = 100


class GetOr404Mixin:
    """Methods that return an item or abort the request with 404."""

    @classmethod
    def get_or_404(
        cls: type[L], *keys: t.Any, message: str | None = None, description: str | None = None, **options: t.Any
    ) -> L:
        """The item with these keys.

        Args:
            *keys: The hash key, and the range key where the table has one.
            message: Description of the 404 response.
            description: The same, with the name that Flask-SQLAlchemy gives it.
            **options: Options of PynamoDB's ``get``: ``consistent_read``, ``attributes_to_get``.

        Raises:
            NotFound: There is no such item.
        """
        model = t.cast("t.Any", cls)
        try:
            return t.cast("L", model.get(*keys, **options))
        except model.DoesNotExist:
            flask.abort(404, message or description)

    @classmethod
    def first_or_404(
        cls: type[L],
        hash_key: t.Any = None,
        range_key_condition: Condition | None = None,
        filter_condition: Condition | None = None,
        *,
        message: str | None = None,
        description: str | None = None,
        **options: t.Any,
    ) -> L:
        """The first item of a Query with ``limit=1``, or of a Scan if there is no hash key.

        A Scan reads the table in no useful order until it finds an item. On a large table with a filter that few items
        match, this is slow and expensive.

        Args:
            hash_key: The hash key of the table, or of the index ``index_name``.
            range_key_condition: A condition on the range key. It needs a hash key.
            filter_condition: A condition on other attributes.
            message: Description of the 404 response.
            description: The same, with the name that Flask-SQLAlchemy gives it.
            **options: Options of PynamoDB's ``query`` and ``scan``, such as ``index_name`` and ``scan_index_forward``.

        Raises:
            NotFound: No item matches.
        """
        items: list[L] = _find(cls, hash_key, range_key_condition, filter_condition, limit=1, **options)
        return items[0] if items else flask.abort(404, message or description)

    @classmethod
    def one_or_404(
        cls: type[L],
        hash_key: t.Any = None,
        range_key_condition: Condition | None = None,
        filter_condition: Condition | None = None,
        *,
        message: str | None = None,
        description: str | None = None,
        **options: t.Any,
    ) -> L:
        """The only item that matches. Two or more are a 404 as well.

        Args:
            hash_key: See :meth:`first_or_404`.
            range_key_condition: See :meth:`first_or_404`.
            filter_condition: See :meth:`first_or_404`.
            message: Description of the 404 response.
            description: The same, with the name that Flask-SQLAlchemy gives it.
            **options: See :meth:`first_or_404`.

        Raises:
            NotFound: No item matches, or more than one.
        """
        items: list[L] = _find(cls, hash_key, range_key_condition, filter_condition, limit=2, **options)
        return items[0] if len(items) == 1 else flask.abort(404, message or description)


def _find(
    model: t.Any,
    hash_key: t.Any,
    range_key_condition: Condition | None,
    filter_condition: Condition | None,
    **options: t.Any,
) -> list[t.Any]:
    # PynamoDB filters by the discriminator, too, and a model may hide expired items.
    if filter_condition is not None or discriminator_attribute(model) is not None or is_hiding(model):
        options.setdefault("page_size", FILTERED_PAGE_SIZE)
    if hash_key is not None:
        return list(model.query(hash_key, range_key_condition, filter_condition, **options))
    if range_key_condition is not None:
        raise ValueError("A range_key_condition needs a hash_key: without one, the call is a Scan.")
    return list(model.scan(filter_condition, **options))
