"""Pagination for a web API: one page of a query or a scan, and the cursor to the next page."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import itertools
import typing as t
import urllib.parse

import flask
import pynamodb.connection
import pynamodb.models
from pynamodb.pagination import ResultIterator

from dynaflask.client.connection import Connection
from dynaflask.client.expiry import hides_expired
from dynaflask.client.patches import original
from dynaflask.client.table_connection import TableConnection
from dynaflask.config.bind import Bind
from dynaflask.config.fields import CURSOR_SETTINGS
from dynaflask.model.codec.sets import sort_sets
from dynaflask.model.pynamodb_internals import model_of_index
from dynaflask.model.pynamodb_internals import page_request
from dynaflask.registry.declaration import full_name
from dynaflask.views.cursors import CursorCodec
from dynaflask.views.cursors import ExclusiveStartKey

if t.TYPE_CHECKING:
    from dynaflask.registry.scope import Scope

T = t.TypeVar("T")
Json = dict[str, t.Any]

PER_PAGE = 20
# DynamoDB's largest Limit.
MAX_LIMIT = 2**31 - 1

# Parameters that may change between two pages of a query.
UNBOUND_PARAMETERS = frozenset({"Limit", "ExclusiveStartKey", "ConsistentRead"})


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Page(t.Generic[T]):
    """One page of items. Iterating it gives the items.

    Attributes:
        items: The items.
        per_page: The most items that a page has.
        next_cursor: The cursor of the next page; ``None`` on the last page.
        read_units: Read capacity units that the page's requests consumed.
    """

    items: list[T]
    per_page: int
    next_cursor: str | None
    read_units: float

    @property
    def has_next(self) -> bool:
        """True if there is more to read. With a filter, the next page may turn out to be empty."""
        return self.next_cursor is not None

    def next_url(self, *, external: bool = False) -> str | None:
        """The URL of the next page: the current request's URL with another cursor.

        Args:
            external: True for an absolute URL, with scheme and host.

        Returns:
            The URL, or ``None`` on the last page.

        Raises:
            RuntimeError: No request is current, or no view matches it.
        """
        if not flask.has_request_context() or flask.request.endpoint is None:
            raise RuntimeError(
                "page.next_url() links to the view of the current request, and there is none. Send page.next_cursor,"
                " or build the URL with flask.url_for."
            )
        if self.next_cursor is None:
            return None
        url = flask.url_for(flask.request.endpoint, _external=external, **(flask.request.view_args or {}))
        # Not passed to url_for, which would obey a client's ?_scheme=javascript.
        arguments = [pair for pair in flask.request.args.items(multi=True) if pair[0] not in {"cursor", "per_page"}]
        query = urllib.parse.urlencode([*arguments, ("per_page", self.per_page), ("cursor", self.next_cursor)])
        return f"{url}{'&' if '?' in url else '?'}{query}"

    def __iter__(self) -> cabc.Iterator[T]:
        return iter(self.items)

    def __repr__(self) -> str:
        return f"<Page of {len(self.items)} items, has_next={self.has_next}>"


class RequestCapture(Connection):
    """A connection that returns each request instead of sending it."""

    def dispatch(self, operation_name: str, operation_kwargs: Json) -> Json:
        """The request."""
        return {"Operation": operation_name, **operation_kwargs}


class PreparedQuery(t.Generic[T]):
    """A query or a scan before its first request, with the parameters of that request."""

    def __init__(self, results: ResultIterator[T], request: Json, bind: Bind, *, hides_expired: bool) -> None:
        self.results = results
        self.request = request
        self.bind = bind
        self.hides_expired = hides_expired

    @property
    def has_filter(self) -> bool:
        """True if DynamoDB may return fewer items than it reads."""
        # A model that hides expired items adds its filter to each request, with the time of that request.
        return "FilterExpression" in self.request or self.hides_expired

    @property
    def has_keys(self) -> bool:
        """True if each item contains all keys, and so its own position."""
        if "ProjectionExpression" not in self.request:
            return True
        names = self.request["ExpressionAttributeNames"]
        projected = {names.get(path) for path in self.request["ProjectionExpression"].split(", ")}
        return projected.issuperset(self.results.page_iter.key_names)


def paginate(
    scope: Scope,
    method: t.Callable[..., ResultIterator[T]],
    *args: t.Any,
    per_page: int | None,
    cursor: str | None,
    max_per_page: int | None,
    max_reads: int,
    **options: t.Any,
) -> Page[T]:
    """One page of the query or scan of a model or an index; see ``Dynamo.paginate``."""
    model = _model_of(method)
    size = _page_size(per_page, max_per_page=max_per_page)
    if max_reads < 1:
        raise ValueError(f"max_reads must be at least 1, not {max_reads}.")
    query = _prepare(method, *args, **options)
    codec = CursorCodec(flask.current_app, context=_cursor_context(scope, model, query))
    if cursor is None and flask.has_request_context():
        cursor = flask.request.args.get("cursor")
    # A client without a cursor may send an empty one. Anything else has to be a cursor of this query.
    if cursor is not None and cursor != "":
        query.results = method(*args, last_evaluated_key=codec.decode(cursor), **options)
    items, position, consumed = _read(query, size, max_reads=max_reads)
    return Page(items, size, None if position is None else codec.encode(position), consumed)


def _model_of(method: t.Any) -> t.Any:
    owner = getattr(method, "__self__", None)
    model = owner if isinstance(owner, type) else model_of_index(owner)
    is_model = isinstance(model, type) and issubclass(model, pynamodb.models.Model)
    if not is_model or method.__name__ not in {"query", "scan"}:
        raise TypeError(
            f"db.paginate takes the query or the scan of a model or of its index, as in db.paginate(Thread.query,"
            f" 'flask'), not {method!r}."
        )
    return model


def _page_size(per_page: int | None, *, max_per_page: int | None) -> int:
    size = _requested_page_size() if per_page is None else per_page
    if max_per_page is not None:
        size = min(size, max_per_page)
    if size < 1:
        raise ValueError(f"per_page and max_per_page must be at least 1, not {size}.")
    return size


def _requested_page_size() -> int:
    argument = flask.request.args.get("per_page") if flask.has_request_context() else None
    if argument is None:
        return PER_PAGE
    try:
        size = int(argument)
    except ValueError:
        size = 0
    return size if size >= 1 else flask.abort(400, "per_page must be a whole number, 1 or more.")


def _prepare(method: t.Callable[..., ResultIterator[T]], *args: t.Any, **options: t.Any) -> PreparedQuery[T]:
    results = method(*args, **options)
    unsent = page_request(results)
    table = unsent.operation.__self__
    if not isinstance(table.connection, Connection):
        raise TypeError(f"{table.table_name} is not the table of a model of this app. Pass the model to db.register.")
    capture = RequestCapture(table.connection.bind, owner=table.connection._owner)
    capturing_table = TableConnection(table.table_name, connection=capture, meta_table=table.get_meta_table())
    # As it is before a test patches it: a patch returns a page, and may have another name.
    names = unsent.operation.__name__, method.__name__
    build = next(filter(None, (original(pynamodb.connection.TableConnection, name) for name in names)))
    request = build(capturing_table, *unsent.args, **unsent.kwargs)
    if "Limit" in request or "ExclusiveStartKey" in request:
        raise TypeError(
            "db.paginate decides how much to read and from where. Leave out limit, page_size and last_evaluated_key,"
            " and use per_page and cursor."
        )
    return PreparedQuery(results, request, table.connection.bind, hides_expired=hides_expired(table))


def _cursor_context(scope: Scope, model: t.Any, query: PreparedQuery[t.Any]) -> Json:
    """Everything that a cursor is bound to. A query with another context does not accept the cursor."""
    bind = query.bind
    # Temporary access keys differ between hours and between processes.
    identity = bind.aws_access_key_id if bind.aws_session_token is None else None
    return {
        "app": scope.registry.app_name,
        "bind": [bind.key, *(getattr(bind, name) for name in CURSOR_SETTINGS), identity],
        "tenant": scope.tenant,
        "model": full_name(model),
        "request": {name: sort_sets(value) for name, value in query.request.items() if name not in UNBOUND_PARAMETERS},
    }


def _read(query: PreparedQuery[T], size: int, *, max_reads: int) -> tuple[list[T], ExclusiveStartKey | None, float]:
    results: t.Any = query.results
    pages = results.page_iter
    # One item more than the page holds shows if there is a next page.
    extra = 1 if query.has_keys else 0
    pages.page_size = min(size + extra, MAX_LIMIT)
    items: list[Json] = []
    consumed = 0.0
    for page in itertools.islice(pages, max_reads):
        items += page["Items"]
        consumed += page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
        if len(items) >= size:
            break
        missing = size - len(items) + extra
        # With a filter that few items pass, each request reads twice as many as the one before. Surplus items can be
        # left for the next page only if they contain their position.
        pages.page_size = min(pages.page_size * 2 if query.has_filter and extra else missing, MAX_LIMIT)
    position = pages.last_evaluated_key
    if len(items) > size:
        position = {name: items[size - 1][name] for name in pages.key_names}
    make = page_request(results).map_fn
    return [make(item) for item in items[:size]], position, consumed
