"""Names and attributes of spans, by OpenTelemetry's semantic conventions.

https://opentelemetry.io/docs/specs/semconv/db/dynamodb/ and, for what holds for all databases,
https://opentelemetry.io/docs/specs/semconv/db/database-spans/. Sentry has the same names. No attribute has a value of
a key or an item, nor the message of an error, which may have one.
"""

from __future__ import annotations

import functools
import json
import typing as t
import urllib.parse

from dynaflask.operations.tracing import FinishedCall

Attributes = dict[str, t.Any]

HTTPS_PORT = 443
PAGED = frozenset({"Query", "Scan"})


def operation_name(call: FinishedCall) -> str:
    """Name of the operation in DynamoDB's API."""
    return call.operation.operation


def span_name(call: FinishedCall) -> str:
    """Name of the span: the operation and, if it is for one table, the table."""
    name, table = operation_name(call), call.operation.table
    return name if table is None else f"{name} {table}"


def common_attributes(call: FinishedCall) -> Attributes:
    """The attributes that spans and metrics share. Each has few different values."""
    operation = call.operation
    attributes: Attributes = {
        "db.system.name": "aws.dynamodb",
        "db.operation.name": operation_name(call),
        "dynaflask.app": operation.app_name,
        "dynaflask.bind": operation.bind_key,
    }
    if operation.table is not None:
        attributes["db.collection.name"] = operation.table
    if call.endpoint_url is not None:
        attributes.update(_server(call.endpoint_url))
    if call.error_code is not None:
        attributes["db.response.status_code"] = call.error_code
    if call.is_error:
        attributes["error.type"] = operation.error
    return attributes


def span_attributes(call: FinishedCall) -> Attributes:
    """The attributes of a span, in addition to the common ones."""
    operation = call.operation
    attributes: Attributes = {
        "cloud.region": call.region,
        # Each attribute takes time: a read has no write units.
        "dynaflask.read_units": operation.read_units or None,
        "dynaflask.write_units": operation.write_units or None,
        "dynaflask.model": operation.model,
        "dynaflask.tenant": operation.tenant,
        "http.request.resend_count": operation.retries or None,
        "aws.request_id": operation.request_id,
        "aws.dynamodb.index_name": operation.index_name,
        "aws.dynamodb.consistent_read": operation.is_consistent or None,
    }
    if operation.table is not None:
        attributes["aws.dynamodb.table_names"] = (operation.table,)
    if operation.consumed_capacity:
        attributes["aws.dynamodb.consumed_capacity"] = tuple(map(json.dumps, operation.consumed_capacity))
    if operation_name(call) in PAGED:
        attributes["aws.dynamodb.count"] = operation.item_count
        attributes["aws.dynamodb.scanned_count"] = operation.scanned_count
    return {name: value for name, value in attributes.items() if value is not None}


@functools.lru_cache(maxsize=1000)
def _server(url: str) -> Attributes:
    """Host and port of an endpoint, without the password that its URL may have."""
    parts = urllib.parse.urlsplit(url)
    port = parts.port or (HTTPS_PORT if parts.scheme == "https" else 80)
    attributes: Attributes = {"server.address": parts.hostname or ""}
    # The conventions leave out the default port.
    return attributes if port == HTTPS_PORT else {**attributes, "server.port": port}
