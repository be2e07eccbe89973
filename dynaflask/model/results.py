"""Iterators over the items of a query, a scan or a batch get."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from pynamodb.pagination import ResultIterator

from dynaflask.client.connection import TableConnection
from dynaflask.client.direct.page_decoder import DecodedItem
from dynaflask.client.direct.page_decoder import ItemFactory
from dynaflask.model.pynamodb_internals import PageRequest
from dynaflask.registry.context import reset
from dynaflask.registry.scope import Scope


class PageFetcher:
    """Fetches one page of a query or a scan, with items as dicts or as objects.

    Args:
        table: The connection to the table.
        name: Name of its method: ``"query"`` or ``"scan"``.
        make: Makes an object from an item.

    Attributes:
        makes_objects: True if the next page's items become objects while the response is decoded.
    """

    def __init__(self, table: TableConnection, name: str, make: ItemFactory) -> None:
        # PynamoDB's PageIterator takes a bound method, and finds the table's keys by these two attributes.
        self.__self__ = table
        self.__name__ = name
        self.makes_objects = False
        self._fetch_items: t.Callable[..., dict[str, t.Any]] = getattr(table, name)
        self._fetch_objects: t.Callable[..., dict[str, t.Any]] = getattr(table.with_item_factory(make), name)

    def __call__(self, *args: t.Any, **kwargs: t.Any) -> dict[str, t.Any]:
        """One page; see the query and the scan of PynamoDB's ``TableConnection``."""
        fetch = self._fetch_objects if self.makes_objects else self._fetch_items
        return fetch(*args, **kwargs)


class ModelResultIterator(ResultIterator[t.Any]):
    """The results of a query or a scan, whose items become objects while a page is decoded.

    A page of 1 MB as dicts takes several times the memory of its objects. A program that takes whole pages from
    ``page_iter`` gets PynamoDB's: their items are dicts.

    Args:
        request: The arguments of PynamoDB's own iterator.
        make: Makes an object from an item, and runs no user code.
    """

    def __init__(self, request: PageRequest, make: ItemFactory) -> None:
        self._fetcher = PageFetcher(request.operation.__self__, request.operation.__name__, make)
        super().__init__(
            self._fetcher,
            request.args,
            request.kwargs,
            # The decoder leaves a small page, or one with binary values, as dicts.
            map_fn=lambda item: item.instance if type(item) is DecodedItem else make(item),
            limit=request.limit,
            rate_limit=request.rate_limit,
        )

    # PynamoDB calls this for each page. Should a release call another method, all pages come as dicts.
    def _get_next_page(self) -> None:
        self._fetcher.makes_objects = True
        try:
            super()._get_next_page()
        finally:
            self._fetcher.makes_objects = False


class BatchGetAdapter:
    """Stands in for a model in PynamoDB's ``batch_get``, which then yields pages of items instead of objects.

    Args:
        model: The model's class.
    """

    def __init__(self, model: t.Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> t.Any:
        # Stored, because PynamoDB looks up the same methods for each key.
        value = vars(self)[name] = getattr(self._model, name)
        return value

    def _batch_get_page(self, *args: t.Any, **options: t.Any) -> tuple[list[t.Any], t.Any]:
        page, unprocessed = self._model._batch_get_page(*args, **options)
        return [list(page)], unprocessed

    def from_raw_data(self, page: t.Any) -> list[t.Any]:
        """The page. A PynamoDB that does not call ``_batch_get_page`` passes one item at a time."""
        return page if type(page) is list else [page]


def iterate_in_scope(scope: Scope, iterator: cabc.Iterator[t.Any]) -> cabc.Iterator[t.Any]:
    """The iterator's items. Each step runs in a scope; the code that consumes the items does not."""
    end = object()
    while True:
        # Not one `with` round the loop: a generator that is suspended in it would leave the scope entered.
        token = scope.reenter()
        try:
            item = next(iterator, end)
        finally:
            reset(token)
        if item is end:
            return
        yield item
