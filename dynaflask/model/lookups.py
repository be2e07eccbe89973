"""Look-ups for views, which answer 404 if there is no item."""

from __future__ import annotations

import collections.abc as cabc
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
        cls: type[L],
        hash_key: t.Any,
        range_key: t.Any = None,
        *,
        consistent_read: bool = False,
        attributes_to_get: cabc.Sequence[str] | None = None,
        description: str | None = None,
    ) -> L:
        """The item with these keys.

        Args:
            hash_key: The hash key.
            range_key: The range key, where the table has one.
            consistent_read: True to read what the last write left, for twice the capacity units.
            attributes_to_get: Names of the attributes to read; by default all.
            description: Description of the 404 response, as of ``flask.abort``.

        Raises:
            NotFound: There is no such item.
        """
        model = t.cast("t.Any", cls)
        options = passed(consistent_read=consistent_read or None, attributes_to_get=attributes_to_get)
        try:
            return t.cast("L", model.get(hash_key, range_key, **options))
        except model.DoesNotExist:
            flask.abort(404, description)

    @classmethod
    def first_or_404(
        cls: type[L],
        hash_key: t.Any = None,
        range_key_condition: Condition | None = None,
        filter_condition: Condition | None = None,
        *,
        consistent_read: bool = False,
        index_name: str | None = None,
        scan_index_forward: bool | None = None,
        attributes_to_get: cabc.Sequence[str] | None = None,
        page_size: int | None = None,
        rate_limit: float | None = None,
        description: str | None = None,
    ) -> L:
        """The first item of a Query with ``limit=1``, or of a Scan if there is no hash key.

        A Scan reads the table in no useful order until it finds an item. On a large table with a filter that few items
        match, this is slow and expensive.

        Args:
            hash_key: The hash key of the table, or of the index ``index_name``.
            range_key_condition: A condition on the range key. It needs a hash key.
            filter_condition: A condition on other attributes.
            consistent_read: True to read what the last write left, for twice the capacity units. Global indexes have no
                such reads.
            index_name: Name of an index to read; by default the table.
            scan_index_forward: False for the last item first, by the range key. It needs a hash key.
            attributes_to_get: Names of the attributes to read; by default all.
            page_size: Items that DynamoDB evaluates per request; by default 1, and 100 with a filter.
            rate_limit: The most capacity units per second to consume; by default no limit.
            description: Description of the 404 response, as of ``flask.abort``.

        Raises:
            NotFound: No item matches.
            ValueError: A ``range_key_condition`` or ``scan_index_forward`` has no hash key.
        """
        options = passed(
            consistent_read=consistent_read or None,
            index_name=index_name,
            scan_index_forward=scan_index_forward,
            attributes_to_get=attributes_to_get,
            page_size=page_size,
            rate_limit=rate_limit,
        )
        items: list[L] = _find(cls, hash_key, range_key_condition, filter_condition, limit=1, **options)
        return items[0] if items else flask.abort(404, description)

    @classmethod
    def one_or_404(
        cls: type[L],
        hash_key: t.Any = None,
        range_key_condition: Condition | None = None,
        filter_condition: Condition | None = None,
        *,
        consistent_read: bool = False,
        index_name: str | None = None,
        attributes_to_get: cabc.Sequence[str] | None = None,
        page_size: int | None = None,
        rate_limit: float | None = None,
        description: str | None = None,
    ) -> L:
        """The only item that matches. Two or more are a 404 as well.

        Args:
            hash_key: See `first_or_404`.
            range_key_condition: See `first_or_404`.
            filter_condition: See `first_or_404`.
            consistent_read: See `first_or_404`.
            index_name: See `first_or_404`.
            attributes_to_get: See `first_or_404`.
            page_size: See `first_or_404`; by default 2, and 100 with a filter.
            rate_limit: See `first_or_404`.
            description: Description of the 404 response, as of ``flask.abort``.

        Raises:
            NotFound: No item matches, or more than one.
            ValueError: A ``range_key_condition`` has no hash key.
        """
        options = passed(
            consistent_read=consistent_read or None,
            index_name=index_name,
            attributes_to_get=attributes_to_get,
            page_size=page_size,
            rate_limit=rate_limit,
        )
        items: list[L] = _find(cls, hash_key, range_key_condition, filter_condition, limit=2, **options)
        return items[0] if len(items) == 1 else flask.abort(404, description)


def passed(**options: t.Any) -> dict[str, t.Any]:
    """The options that a caller passed: those that are not None. A Scan does not take each option of a Query.

    Args:
        **options: The options by name.
    """
    return {name: value for name, value in options.items() if value is not None}


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
    query_options = passed(
        range_key_condition=range_key_condition, scan_index_forward=options.get("scan_index_forward")
    )
    if query_options:
        raise ValueError(f"A {min(query_options)} needs a hash_key: without one, the call is a Scan.")
    return list(model.scan(filter_condition, **options))
