"""What views read, as methods of ``db``, as in Flask-SQLAlchemy: ``db.get_or_404(Thread, "flask")``, a page."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from dynaflask.model.lookups import L
from dynaflask.model.lookups import passed

if t.TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition
    from pynamodb.pagination import ResultIterator

    from dynaflask.registry.scope import Scope
    from dynaflask.views.pagination import Page

T = t.TypeVar("T")


class ViewMethodsMixin:
    """Methods of the extension object for views: an item of a model or a 404, and a page of items."""

    if t.TYPE_CHECKING:

        def _scope(self, what: str) -> Scope: ...  # of the extension object

    def get_or_404(
        self,
        model: type[L],
        hash_key: t.Any,
        range_key: t.Any = None,
        *,
        consistent_read: bool = False,
        attributes_to_get: cabc.Sequence[str] | None = None,
        description: str | None = None,
    ) -> L:
        """The item of a model with these keys: ``db.get_or_404(Thread, "flask")``.

        Args:
            model: The model.
            hash_key: The hash key.
            range_key: The range key, where the table has one.
            consistent_read: True to read what the last write left, for twice the capacity units.
            attributes_to_get: Names of the attributes to read; by default all.
            description: Description of the 404 response, as of ``flask.abort``.

        Raises:
            NotFound: There is no such item.
        """
        return model.get_or_404(
            hash_key,
            range_key,
            consistent_read=consistent_read,
            attributes_to_get=attributes_to_get,
            description=description,
        )

    def first_or_404(
        self,
        model: type[L],
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
        """The first item of a query of a model, or of a scan if there is no hash key.

        Args:
            model: The model.
            hash_key: The hash key of the table, or of the index ``index_name``.
            range_key_condition: A condition on the range key. It needs a hash key.
            filter_condition: A condition on other attributes.
            consistent_read: True to read what the last write left, for twice the capacity units.
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
        return model.first_or_404(
            hash_key,
            range_key_condition,
            filter_condition,
            consistent_read=consistent_read,
            index_name=index_name,
            scan_index_forward=scan_index_forward,
            attributes_to_get=attributes_to_get,
            page_size=page_size,
            rate_limit=rate_limit,
            description=description,
        )

    def one_or_404(
        self,
        model: type[L],
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
        """The only item of a model that matches. Two or more are a 404 as well.

        Args:
            model: The model.
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
        return model.one_or_404(
            hash_key,
            range_key_condition,
            filter_condition,
            consistent_read=consistent_read,
            index_name=index_name,
            attributes_to_get=attributes_to_get,
            page_size=page_size,
            rate_limit=rate_limit,
            description=description,
        )

    def paginate(
        self,
        method: t.Callable[..., ResultIterator[T]],
        *args: t.Any,
        per_page: int | None = None,
        cursor: str | None = None,
        max_per_page: int | None = 100,
        max_reads: int = 10,
        range_key_condition: Condition | None = None,
        filter_condition: Condition | None = None,
        consistent_read: bool = False,
        index_name: str | None = None,
        scan_index_forward: bool | None = None,
        attributes_to_get: cabc.Sequence[str] | None = None,
        rate_limit: float | None = None,
        segment: int | None = None,
        total_segments: int | None = None,
        **keys: t.Any,
    ) -> Page[T]:
        """One page of a query or a scan, and the cursor of the next page: ``db.paginate(Thread.query, "flask")``.

        A page is full, even with a filter, unless the table ends or ``max_reads`` is reached. Each item is on exactly
        one page.

        Args:
            method: ``Model.query``, ``Model.scan``, or an index's ``query`` or ``scan``.
            *args: Its arguments.
            per_page: Items on a page. By default ``per_page`` of the request's query string, or 20.
            cursor: Where the page starts. By default ``cursor`` of the request's query string, or the first item; an
                empty string is the first item.
            max_per_page: Upper limit of ``per_page``; a larger value is reduced to it. ``None`` for no limit.
            max_reads: Upper limit of requests to DynamoDB for one page.
            range_key_condition: A condition on the range key. Queries only.
            filter_condition: A condition on other attributes.
            consistent_read: True to read what the last write left, for twice the capacity units. Global indexes have no
                such reads.
            index_name: Name of an index to read; by default the table.
            scan_index_forward: False for the last item first, by the range key. Queries only.
            attributes_to_get: Names of the attributes to read; by default all.
            rate_limit: The most capacity units per second to consume; by default no limit.
            segment: The part of the table to read, from 0. Scans only, together with ``total_segments``.
            total_segments: Number of parts of the table.
            **keys: Keys by name, for the query of an index of `dynaflask.GlobalSecondaryIndex`.

        Raises:
            BadCursor: The cursor was not made by this app for this query. A view answers 400.
            BadRequest: ``per_page`` in the query string is not a whole number above 0. A view answers 400.
            ConfigurationError: The app has no ``SECRET_KEY``.
            TypeError: The method is neither a query nor a scan, or does not take one of the options.
        """
        options = passed(
            range_key_condition=range_key_condition,
            filter_condition=filter_condition,
            consistent_read=consistent_read or None,
            index_name=index_name,
            scan_index_forward=scan_index_forward,
            attributes_to_get=attributes_to_get,
            rate_limit=rate_limit,
            segment=segment,
            total_segments=total_segments,
        )
        from dynaflask.views import pagination  # noqa: PLC0415 - few programs need it

        page: Page[T] = pagination.paginate(
            self._scope("db.paginate"),
            method,
            *args,
            per_page=per_page,
            cursor=cursor,
            max_per_page=max_per_page,
            max_reads=max_reads,
            **options,
            **keys,
        )
        return page
