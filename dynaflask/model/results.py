"""Iterators over the items of a query, a scan or a batch get."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from pynamodb.pagination import ResultIterator

from dynaflask.client.direct.page_decoder import DecodedPage
from dynaflask.client.direct.page_decoder import ItemFactory
from dynaflask.client.direct.page_decoder import PageDecoder
from dynaflask.client.table_connection import TableConnection
from dynaflask.model.pynamodb_internals import BATCH_GET_PAGE
from dynaflask.model.pynamodb_internals import PageRequest
from dynaflask.model.pynamodb_internals import current_item
from dynaflask.registry.context import reset
from dynaflask.registry.scope import Scope


class PageFetcher:
    """Fetches one page of a query or a scan, with items as dicts or as objects.

    Args:
        table: The connection to the table.
        name: Name of its method: ``"query"`` or ``"scan"``.
        decoder: Decodes a page of the model.

    Attributes:
        makes_objects: True if the next page's items become objects while the response is decoded.
    """

    def __init__(self, table: TableConnection, name: str, decoder: PageDecoder) -> None:
        # PynamoDB's PageIterator takes a bound method, and finds the table's keys by these two attributes.
        self.__self__ = table
        self.__name__ = name
        self.makes_objects = False
        self._fetch_items: t.Callable[..., dict[str, t.Any]] = getattr(table, name)
        self._fetch_objects: t.Callable[..., dict[str, t.Any]] = getattr(table.with_page_decoder(decoder), name)

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
        decoder: Decodes a page of the model, and runs no user code.
        make: Makes an object of an item of a page that the decoder leaves to others.
    """

    def __init__(self, request: PageRequest, decoder: PageDecoder, make: ItemFactory) -> None:
        self._fetcher = PageFetcher(request.operation.__self__, request.operation.__name__, decoder)
        super().__init__(
            self._fetcher,
            request.args,
            request.kwargs,
            # The decoder leaves some pages as dicts, such as those with binary values.
            map_fn=lambda item: make(item) if type(item) is dict else item,
            limit=request.limit,
            rate_limit=request.rate_limit,
        )

    @property
    def last_evaluated_key(self) -> dict[str, dict[str, t.Any]] | None:
        """The key to continue after; see PynamoDB."""
        current = current_item(self)
        if current is None or type(current[0]) is not DecodedPage:
            return super().last_evaluated_key
        page, index = current
        item = page.item(index)
        return {name: item[name] for name in self.page_iter.key_names}

    # PynamoDB calls this for each page. If a release calls another method, all pages come as dicts.
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
        connect: Returns the model's table, on a connection that decodes pages to objects if that is possible.
    """

    def __init__(self, model: t.Any, connect: t.Callable[[], TableConnection]) -> None:
        self._model = model
        # PynamoDB's _batch_get_page calls it by this name.
        self._get_connection = connect

    def __getattr__(self, name: str) -> t.Any:
        # Stored, because PynamoDB looks up the same methods for each key.
        value = vars(self)[name] = getattr(self._model, name)
        return value

    def _batch_get_page(self, *args: t.Any, **options: t.Any) -> tuple[list[t.Any], t.Any]:
        return self.fetch(*args, **options)

    def fetch(self, *args: t.Any, **options: t.Any) -> tuple[list[t.Any], t.Any]:
        """A list with one page, and the keys that DynamoDB left unprocessed; see PynamoDB's ``_batch_get_page``."""
        get_page = self._model._batch_get_page
        # The program may override it.
        is_pynamodbs = getattr(get_page, "__func__", None) is BATCH_GET_PAGE
        page, unprocessed = BATCH_GET_PAGE(self, *args, **options) if is_pynamodbs else get_page(*args, **options)
        return [page if type(page) is DecodedPage else list(page)], unprocessed

    def from_raw_data(self, page: t.Any) -> list[t.Any]:
        """The page. A PynamoDB that does not call ``_batch_get_page`` passes one item at a time."""
        return page if isinstance(page, list) else [page]


def iterate_in_scope(scope: Scope, iterator: cabc.Iterator[t.Any]) -> cabc.Iterator[t.Any]:
    """The iterator's items. Each step runs in a scope; the code that consumes the items does not."""
    end = object()
    while True:
        # Not one `with` around the loop: the scope would stay entered while the generator is suspended.
        token = scope.reenter()
        try:
            item = next(iterator, end)
        finally:
            reset(token)
        if item is end:
            return
        yield item
