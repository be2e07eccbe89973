"""Names and attributes of spans, by OpenTelemetry's semantic conventions.

https://opentelemetry.io/docs/specs/semconv/db/dynamodb/ and, for what holds for all databases,
https://opentelemetry.io/docs/specs/semconv/db/database-spans/. Sentry has the same names. No attribute has a value of
a key or an item, nor the message of an error, which may have one.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import json
import typing as t
import urllib.parse

from dynaflask.operations.operation import Source
from dynaflask.operations.requests import Json
from dynaflask.operations.tracing import PAGED
from dynaflask.operations.tracing import Endpoint
from dynaflask.operations.tracing import FinishedCall

Attributes = cabc.Mapping[str, t.Any]

HTTPS_PORT = 443
# The consumed capacity of a call that asks for no indexes.
TOTAL = {"TableName", "CapacityUnits"}
# What many calls share: in each of the caches below, that of the last calls that differ.
MAX_KEPT = 1000
NO_ATTRIBUTES: t.Final[Attributes] = {}


class Described(t.NamedTuple):
    """What is known of a call without its result. Many calls share it: it must not be changed.

    Attributes:
        name: Name of the span: the operation and, if it is for one table, the table.
        common: The attributes that spans and metrics share. Each has few different values.
        span: The attributes of a span: the common ones, and others.
    """

    name: str
    common: Attributes
    span: Attributes


def describe(call: FinishedCall) -> Described:
    """What is known of a call without its result."""
    return _describe(call.operation, call.source, call.table, call.index_name, call.is_consistent, call.endpoint)


def error_attributes(call: FinishedCall) -> Attributes:
    """The attributes of an error, for spans and metrics; none for a success."""
    if call.error_code is None and not call.is_error:
        return NO_ATTRIBUTES
    attributes = {} if call.error_code is None else {"db.response.status_code": call.error_code}
    return {**attributes, "error.type": call.error} if call.is_error else attributes


def result_attributes(call: FinishedCall) -> dict[str, t.Any]:
    """The attributes of the result of a call, for its span, without those of an error."""
    attributes: dict[str, t.Any] = {}
    # Each attribute takes time: a read has no write units.
    if call.read_units:
        attributes["dynaflask.read_units"] = call.read_units
    if call.write_units:
        attributes["dynaflask.write_units"] = call.write_units
    if call.retries:
        attributes["http.request.resend_count"] = call.retries
    if call.request_id is not None:
        attributes["aws.request_id"] = call.request_id
    if call.consumed_capacity:
        attributes["aws.dynamodb.consumed_capacity"] = tuple(map(_capacity, call.consumed_capacity))
    if call.operation in PAGED:
        attributes["aws.dynamodb.count"] = call.item_count
        attributes["aws.dynamodb.scanned_count"] = call.scanned_count
    return attributes


# The result depends on the arguments alone, so that calls of two apps or tenants share none.
@functools.lru_cache(MAX_KEPT)
def _describe(  # noqa: PLR0917 - the cache takes longer with names
    operation: str,
    source: Source,
    table: str | None,
    index_name: str | None,
    is_consistent: bool,
    endpoint: Endpoint,
) -> Described:
    common = {
        "db.system.name": "aws.dynamodb",
        "db.operation.name": operation,
        "dynaflask.app": source.app_name,
        "dynaflask.bind": source.bind_key,
        "db.collection.name": table,
        **({} if endpoint.url is None else _server(endpoint.url)),
    }
    span = {
        "cloud.region": endpoint.region,
        "dynaflask.model": source.model,
        "dynaflask.tenant": source.tenant,
        "aws.dynamodb.index_name": index_name,
        "aws.dynamodb.consistent_read": is_consistent or None,
        "aws.dynamodb.table_names": None if table is None else (table,),
    }
    name = operation if table is None else f"{operation} {table}"
    return Described(name, _without_none(common), _without_none({**common, **span}))


def _without_none(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None}


def _capacity(part: Json) -> str:
    """The consumed capacity of a table as JSON."""
    is_total = part.keys() == TOTAL
    return _total(part["TableName"], part["CapacityUnits"]) if is_total else json.dumps(part)


@functools.lru_cache(MAX_KEPT)
def _total(table: str, units: float) -> str:
    return json.dumps({"TableName": table, "CapacityUnits": units})


def _server(url: str) -> Attributes:
    """Host and port of an endpoint, without the password that its URL may have."""
    parts = urllib.parse.urlsplit(url)
    port = parts.port or (HTTPS_PORT if parts.scheme == "https" else 80)
    # The conventions leave out the default port.
    return {"server.address": parts.hostname or "", **({} if port == HTTPS_PORT else {"server.port": port})}
