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

from dynaflask.operations.requests import Json
from dynaflask.operations.tracing import FinishedCall

Attributes = cabc.Mapping[str, t.Any]

HTTPS_PORT = 443
PAGED = frozenset({"Query", "Scan"})
# The consumed capacity of a call that asks for no indexes.
TOTAL = {"TableName", "CapacityUnits"}
# Attributes that many calls share: in each of the caches below, those of the last calls that differ.
MAX_KEPT = 1000


def span_name(call: FinishedCall) -> str:
    """Name of the span: the operation and, if it is for one table, the table."""
    name, table = call.operation.operation, call.operation.table
    return name if table is None else f"{name} {table}"


def common_attributes(call: FinishedCall) -> Attributes:
    """The attributes that spans and metrics share. Each has few different values."""
    operation = call.operation
    attributes = _target(
        operation.operation, operation.app_name, operation.bind_key, operation.table, call.endpoint_url
    )
    if call.error_code is not None:
        attributes = {**attributes, "db.response.status_code": call.error_code}
    return {**attributes, "error.type": operation.error} if call.is_error else attributes


def span_attributes(call: FinishedCall) -> dict[str, t.Any]:
    """The attributes of a span, in addition to the common ones."""
    operation = call.operation
    attributes = dict(
        _subject(
            call.region,
            operation.model,
            operation.tenant,
            operation.table,
            operation.index_name,
            operation.is_consistent,
        )
    )
    # Each attribute takes time: a read has no write units.
    if operation.read_units:
        attributes["dynaflask.read_units"] = operation.read_units
    if operation.write_units:
        attributes["dynaflask.write_units"] = operation.write_units
    if operation.retries:
        attributes["http.request.resend_count"] = operation.retries
    if operation.request_id is not None:
        attributes["aws.request_id"] = operation.request_id
    if operation.consumed_capacity:
        attributes["aws.dynamodb.consumed_capacity"] = tuple(map(_capacity, operation.consumed_capacity))
    if operation.operation in PAGED:
        attributes["aws.dynamodb.count"] = operation.item_count
        attributes["aws.dynamodb.scanned_count"] = operation.scanned_count
    return attributes


# The attributes below are the same for many calls. What they depend on are the arguments alone, so that calls of two
# apps or tenants share none. A call must not change them.


@functools.lru_cache(MAX_KEPT)
def _target(operation: str, app_name: str, bind_key: str, table: str | None, url: str | None) -> Attributes:
    attributes = {
        "db.system.name": "aws.dynamodb",
        "db.operation.name": operation,
        "dynaflask.app": app_name,
        "dynaflask.bind": bind_key,
    }
    if table is not None:
        attributes["db.collection.name"] = table
    return attributes if url is None else {**attributes, **_server(url)}


@functools.lru_cache(MAX_KEPT)
def _subject(  # noqa: PLR0917 - the cache takes longer with names
    region: str | None,
    model: str | None,
    tenant: str | None,
    table: str | None,
    index_name: str | None,
    is_consistent: bool,
) -> Attributes:
    attributes = {
        "cloud.region": region,
        "dynaflask.model": model,
        "dynaflask.tenant": tenant,
        "aws.dynamodb.index_name": index_name,
        "aws.dynamodb.consistent_read": is_consistent or None,
        "aws.dynamodb.table_names": None if table is None else (table,),
    }
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
