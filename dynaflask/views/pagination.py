"""Pages for a web API: one page of a query or a scan, and the cursor to the next."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import itertools
import typing as t
import urllib.parse

import flask
import pynamodb.models
from pynamodb.pagination import ResultIterator

from dynaflask.client.connection import Connection
from dynaflask.client.connection import TableConnection
from dynaflask.config.bind import Bind
from dynaflask.model.pynamodb_internals import model_of_index
from dynaflask.model.pynamodb_internals import page_request
from dynaflask.registry.precedence import full_name
from dynaflask.views.cursors import CursorCodec
from dynaflask.views.cursors import ExclusiveStartKey

if t.TYPE_CHECKING:
    from dynaflask.registry.scope import Scope

T = t.TypeVar("T")
Json = dict[str, t.Any]

PER_PAGE = 20
# The most that DynamoDB takes as a Limit.
MAX_LIMIT = 2**31 - 1

# What a request may differ in from one page to the next.
NOT_BOUND = frozenset({"Limit", "ExclusiveStartKey", "ConsistentRead"})
CURSOR_BIND_FIELDS = ("key", "region", "host", "profile", "role_arn", "external_id")


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Page(t.Generic[T]):
    """One page of items. Iterating it gives the items.

    Attributes:
        items: The items.
        per_page: How many items a page has at most.
        next_cursor: Where the next page begins; ``None`` after the last one.
        consumed_capacity: The capacity units that the page's reads consumed.
    """

    items: list[T]
    per_page: int
    next_cursor: str | None
    consumed_capacity: float

    @property
    def has_next(self) -> bool:
        """Whether there is more to read. Under a filter, that may turn out to hold no item."""
        return self.next_cursor is not None

    def next_url(self, *, external: bool = False) -> str | None:
        """The link to the next page: the current request's, with another cursor.

        Args:
            external: Whether the link begins with the scheme and the host.

        Returns:
            ``None`` after the last page.

        Raises:
            RuntimeError: There is no request, or none that a view answers.
        """
        if not flask.has_request_context() or flask.request.endpoint is None:
            raise RuntimeError(
                "page.next_url() links to the view of the current request, and there is none. Send page.next_cursor,"
                " or build the link with flask.url_for."
            )
        if self.next_cursor is None:
            return None
        url = flask.url_for(flask.request.endpoint, _external=external, **(flask.request.view_args or {}))
        # Not as arguments of url_for: a client may write ?_scheme=javascript.
        kept = [pair for pair in flask.request.args.items(multi=True) if pair[0] not in {"cursor", "per_page"}]
        query = urllib.parse.urlencode([*kept, ("per_page", self.per_page), ("cursor", self.next_cursor)])
        return f"{url}{'&' if '?' in url else '?'}{query}"

    def __iter__(self) -> cabc.Iterator[T]:
        return iter(self.items)

    def __repr__(self) -> str:
        return f"<Page of {len(self.items)} items, has_next={self.has_next}>"


class RequestCapture(Connection):
    """A connection that gives back what it would have sent."""

    def dispatch(self, operation_name: str, operation_kwargs: Json) -> Json:
        """The request."""
        return {"Operation": operation_name, **operation_kwargs}


@dataclasses.dataclass(slots=True)
class PreparedQuery(t.Generic[T]):
    """A query or a scan that is about to be read, and what it asks of DynamoDB."""

    results: ResultIterator[T]
    request: Json
    bind: Bind

    @property
    def has_filter(self) -> bool:
        """Whether what is read may be fewer items than were looked at."""
        return "FilterExpression" in self.request

    @property
    def has_keys(self) -> bool:
        """Whether each item tells its position."""
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
    """One page of what a model's or an index's query or scan finds; see ``Dynamo.paginate``."""
    model = _model_of(method)
    size = _page_size(per_page, max_per_page=max_per_page)
    if max_reads < 1:
        raise ValueError(f"max_reads must be at least 1, not {max_reads}.")
    reading = _prepare(method, *args, **options)
    seal = CursorCodec(flask.current_app, bound_to=_cursor_context(scope, model, reading))
    if cursor is None and flask.has_request_context():
        cursor = flask.request.args.get("cursor")
    if cursor is not None:
        reading.results = method(*args, last_evaluated_key=seal.open(cursor), **options)
    items, position, consumed = _read(reading, size, max_reads=max_reads)
    return Page(items, size, None if position is None else seal.close(position), consumed)


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


def _page_size(given: int | None, *, max_per_page: int | None) -> int:
    size = _asked_page_size() if given is None else given
    if max_per_page is not None:
        size = min(size, max_per_page)
    if size < 1:
        raise ValueError(f"per_page and max_per_page must be at least 1, not {size}.")
    return size


def _asked_page_size() -> int:
    asked = flask.request.args.get("per_page") if flask.has_request_context() else None
    if asked is None:
        return PER_PAGE
    try:
        size = int(asked)
    except ValueError:
        size = 0
    return size if size >= 1 else flask.abort(400, "per_page must be a whole number, 1 or more.")


def _prepare(method: t.Callable[..., ResultIterator[T]], *args: t.Any, **options: t.Any) -> PreparedQuery[T]:
    results = method(*args, **options)
    unsent = page_request(results)
    table = unsent.operation.__self__
    if not isinstance(table.connection, Connection):
        raise TypeError(f"{table.table_name} is no table of a model of this app. Pass the model to db.register.")
    draft = RequestCapture(table.connection.bind, owner=table.connection._owner)
    on_paper = TableConnection(table.table_name, connection=draft, meta_table=table.get_meta_table())
    request = getattr(on_paper, unsent.operation.__name__)(*unsent.args, **unsent.kwargs)
    if "Limit" in request or "ExclusiveStartKey" in request:
        raise TypeError(
            "db.paginate decides how much is read, and from where. Leave limit, page_size and last_evaluated_key out,"
            " and use per_page and cursor."
        )
    return PreparedQuery(results, request, table.connection.bind)


def _cursor_context(scope: Scope, model: t.Any, reading: PreparedQuery[t.Any]) -> Json:
    """All that a cursor must share with the query that it is used for."""
    bind = reading.bind
    # A key that is temporary is another one tomorrow, and in the process next door.
    identity = bind.aws_access_key_id if bind.aws_session_token is None else None
    return {
        "app": scope.registry.app_name,
        "bind": [*(getattr(bind, name) for name in CURSOR_BIND_FIELDS), identity],
        "tenant": scope.tenant,
        "model": full_name(model),
        "request": {name: _ordered(value) for name, value in reading.request.items() if name not in NOT_BOUND},
    }


def _ordered(value: t.Any) -> t.Any:
    """The value with each of DynamoDB's sets in order: Python gives them in another one in each process."""
    if isinstance(value, list):
        return [_ordered(content) for content in value]
    if not isinstance(value, dict):
        return value
    return {
        name: sorted(content) if name in {"SS", "NS", "BS"} and isinstance(content, list) else _ordered(content)
        for name, content in value.items()
    }


def _read(reading: PreparedQuery[T], size: int, *, max_reads: int) -> tuple[list[T], ExclusiveStartKey | None, float]:
    results: t.Any = reading.results
    pages = results.page_iter
    # One more than the page holds, to know whether there is a next one.
    extra = 1 if reading.has_keys else 0
    pages.page_size = min(size + extra, MAX_LIMIT)
    found: list[Json] = []
    consumed = 0.0
    for page in itertools.islice(pages, max_reads):
        found += page["Items"]
        consumed += page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
        if len(found) >= size:
            break
        missing = size - len(found) + extra
        # A filter that few items pass is given more and more to choose from, where what is too much can be left.
        pages.page_size = min(pages.page_size * 2 if reading.has_filter and extra else missing, MAX_LIMIT)
    position = pages.last_evaluated_key
    if len(found) > size:
        position = {name: found[size - 1][name] for name in pages.key_names}
    make = page_request(results).map_fn
    return [make(item) for item in found[:size]], position, consumed
