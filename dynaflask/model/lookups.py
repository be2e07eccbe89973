"""Items, or the answer 404: for views, which have nothing to say of what is not there."""

from __future__ import annotations

import typing as t

import flask

if t.TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition

L = t.TypeVar("L", bound="GetOr404Mixin")

# How many items a filter is given to choose from in one read. PynamoDB's own would be as many as are wanted: one.
FILTERED_PAGE_SIZE = 100


class GetOr404Mixin:
    """What a model has beyond PynamoDB's: each gives an item, or ends the request with 404."""

    @classmethod
    def get_or_404(cls: type[L], *keys: t.Any, message: str | None = None, **options: t.Any) -> L:
        """The item of these keys.

        Args:
            *keys: The hash key, and the range key where the table has one.
            message: What the answer says if there is no such item.
            **options: As of PynamoDB's ``get``: ``consistent_read``, ``attributes_to_get``.

        Raises:
            NotFound: There is no such item.
        """
        model = t.cast("t.Any", cls)
        try:
            return t.cast("L", model.get(*keys, **options))
        except model.DoesNotExist:
            flask.abort(404, message)

    @classmethod
    def first_or_404(
        cls: type[L],
        hash_key: t.Any = None,
        range_key_condition: Condition | None = None,
        filter_condition: Condition | None = None,
        *,
        message: str | None = None,
        **options: t.Any,
    ) -> L:
        """The first item that is found: by a Query with ``limit=1`` where a hash key is given, else by a Scan.

        A Scan reads the table in no order that means anything, until it finds an item: on a large table, with a filter
        that few items pass, that is slow and costs much.

        Args:
            hash_key: The hash key, of the table or of the index that ``index_name`` names.
            range_key_condition: A condition on the range key; only with a hash key.
            filter_condition: A condition on other attributes.
            message: What the answer says if nothing is found.
            **options: As of PynamoDB's ``query`` and ``scan``: ``index_name``, ``scan_index_forward``, and so on.

        Raises:
            NotFound: Nothing is found.
        """
        found = _find(cls, hash_key, range_key_condition, filter_condition, limit=1, **options)
        return found[0] if found else flask.abort(404, message)

    @classmethod
    def one_or_404(
        cls: type[L],
        hash_key: t.Any = None,
        range_key_condition: Condition | None = None,
        filter_condition: Condition | None = None,
        *,
        message: str | None = None,
        **options: t.Any,
    ) -> L:
        """The only item that is found, as :meth:`first_or_404` finds it. That there are more is a 404 as well.

        Args:
            hash_key: As of :meth:`first_or_404`.
            range_key_condition: As of :meth:`first_or_404`.
            filter_condition: As of :meth:`first_or_404`.
            message: What the answer says if nothing is found, or more than one item.
            **options: As of :meth:`first_or_404`.

        Raises:
            NotFound: Nothing is found, or more than one item.
        """
        found = _find(cls, hash_key, range_key_condition, filter_condition, limit=2, **options)
        return found[0] if len(found) == 1 else flask.abort(404, message)


def _find(
    model: type[L],
    hash_key: t.Any,
    range_key_condition: Condition | None,
    filter_condition: Condition | None,
    **options: t.Any,
) -> list[L]:
    searched = t.cast("t.Any", model)
    if filter_condition is not None or searched._get_discriminator_attribute() is not None:
        options.setdefault("page_size", FILTERED_PAGE_SIZE)
    if hash_key is not None:
        return list(searched.query(hash_key, range_key_condition, filter_condition, **options))
    if range_key_condition is not None:
        raise ValueError("A range_key_condition needs a hash_key: without one the table is scanned.")
    return list(searched.scan(filter_condition, **options))
