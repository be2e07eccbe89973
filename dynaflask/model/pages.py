"""Pages of queries, scans and batch gets, which are decoded into objects if no user code can see the difference."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from pynamodb.pagination import ResultIterator

from dynaflask.client.direct.page_decoder import DecodedPage
from dynaflask.client.key import DIRECT
from dynaflask.client.key import transport_of
from dynaflask.client.table_connection import TableConnection
from dynaflask.model import batch_keys
from dynaflask.model.codec_lookup import codec_in
from dynaflask.model.codec_lookup import find_codec
from dynaflask.model.codec_lookup import has_own_from_raw_data
from dynaflask.model.codec_lookup import safe_responses
from dynaflask.model.pynamodb_internals import BATCH_GET
from dynaflask.model.pynamodb_internals import page_request
from dynaflask.model.pynamodb_internals import wrap_map_function
from dynaflask.model.results import BatchGetAdapter
from dynaflask.model.results import ModelResultIterator
from dynaflask.model.results import iterate_in_scope
from dynaflask.model.tenant_pages import TenantPageDecoder
from dynaflask.model.tenant_pages import with_tenant
from dynaflask.model.tenant_pages import with_tenant_of_results
from dynaflask.registry.context import current_scope
from dynaflask.registry.scope import Scope


def with_page_decoder(model: t.Any, results: t.Any) -> t.Any:
    """The results of a query or a scan, whose pages are decoded into objects.

    Args:
        model: The model's class.
        results: What PynamoDB's method returned.
    """
    if not isinstance(results, ResultIterator):
        return results
    scope = current_scope(model.__dynamo__)
    tenant = None if scope is None else scope.known_tenant
    if tenant is not None and not has_own_from_raw_data(model):
        # The model's own method may call that of the base when the items are read, in another tenant's block.
        wrap_map_function(results, lambda make: with_tenant_of_results(make, tenant))
    if type(results) is not ResultIterator:
        return results
    try:
        request = page_request(results)
    except AttributeError:
        return results
    table = getattr(request.operation, "__self__", None)
    responses = safe_responses(model, codec_in(scope, model))
    if responses is None or not _is_direct(table) or not _is_found_by_name(request.operation, table):
        return results
    return ModelResultIterator(request, TenantPageDecoder(responses, tenant), make=with_tenant(responses.make, tenant))


def batch_get(
    model: t.Any, method: t.Any, args: tuple[t.Any, ...], options: dict[str, t.Any], *, scope: Scope
) -> cabc.Iterator[t.Any]:
    """The items of a batch get, all from the destination of one scope.

    Args:
        model: The model's class.
        method: The ``batch_get`` of the bases of all models: PynamoDB's, or one that overrides it.
        args: Arguments of the call.
        options: Keyword arguments of the call.
        scope: The scope.
    """
    if getattr(method, "__func__", method) is not BATCH_GET:
        items = method(*args, **options)
        return iterate_in_scope(scope, items) if isinstance(items, cabc.Iterator) else t.cast("t.Any", items)
    adapter = BatchGetAdapter(model, connect=lambda: _connection_for_pages(model, scope))
    pages = iterate_in_scope(scope, batch_keys.batch_get(adapter, *args, **options))
    return _objects_of_pages(model, pages, scope=scope)


def _connection_for_pages(model: t.Any, scope: Scope) -> TableConnection:
    """The model's table, on a connection that decodes pages to objects if no user code can see the difference."""
    table: TableConnection = model._get_connection()
    responses = safe_responses(model, scope.codec_for(model, find_codec))
    if responses is None or not _is_direct(table):
        return table
    return table.with_page_decoder(TenantPageDecoder(responses, scope.known_tenant))


def _is_found_by_name(operation: t.Any, table: TableConnection) -> bool:
    """True if the table finds the method by its name. A function that a test puts in its place may have another."""
    return bool(getattr(table, getattr(operation, "__name__", ""), None) == operation)


def _is_direct(table: t.Any) -> t.TypeGuard[TableConnection]:
    return type(table) is TableConnection and transport_of(table.connection.bind) == DIRECT


def _objects_of_pages(model: t.Any, pages: cabc.Iterator[list[t.Any]], *, scope: Scope) -> cabc.Iterator[t.Any]:
    # Entering the scope for each item would take as long as deserializing the item.
    for page in pages:
        responses = safe_responses(model, scope.codec_for(model, find_codec))
        if type(page) is DecodedPage:
            yield from page
        elif responses is None:
            yield from iterate_in_scope(scope, (model.from_raw_data(item) for item in page))
        else:
            yield from map(with_tenant(responses.make, scope.known_tenant), page)
