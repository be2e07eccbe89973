"""Where a request goes, and which leading keys it names."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from dynaflask.operations.requests import items_of
from dynaflask.operations.requests import requests_by_table
from dynaflask.testing.intercept import ENDPOINT
from dynaflask.testing.intercept import actor_of
from dynaflask.testing.recorder import Json
from dynaflask.testing.recorder import Request

_EQUALS = re.compile(r"([#\w.-]+)\s*=\s*(:\w+)")

# The name of the leading key (the hash key), by table and index.
KeyNames = cabc.Mapping[tuple[str, str | None], str]


class Target(t.NamedTuple):
    """Where a request goes, and the identity that signed it.

    Attributes:
        endpoint: The URL, up to the path.
        region: The region in the signature.
        identity: The access key id in the signature.
        table: The table's real name; ``None`` for a call without a table.
    """

    endpoint: str
    region: str
    identity: str
    table: str | None


class Observation(t.NamedTuple):
    """What one request does to one table.

    Attributes:
        actor: The tenant that the request was made for; empty if unknown.
        operation: The operation, such as ``GetItem``.
        target: Where the request went.
        leading_keys: For each item that the request names, the possible values of its leading key; an empty tuple for
            a scan. ``None`` for a request that does not access items.
    """

    actor: str
    operation: str
    target: Target
    leading_keys: tuple[tuple[str, ...], ...] | None


def observe(request: Request, names: KeyNames) -> list[Observation]:
    """One observation for each table of a request to DynamoDB.

    Args:
        request: The request.
        names: The names of the leading keys. In a table without an entry, every attribute counts as a possible key.
    """
    destination = request.headers[ENDPOINT], request.region, request.access_key_id
    return [
        Observation(actor_of(request), request.operation, Target(*destination, part.table), _leading_keys(part, names))
        for part in _parts(request.operation, request.body)
    ]


class _Part(t.NamedTuple):
    table: str | None
    items: cabc.Sequence[cabc.Mapping[str, t.Any]] | None = None
    index_name: str | None = None


def _parts(operation: str, body: Json) -> list[_Part]:
    """The keys or items that a request names, for each of its tables."""
    requests = requests_by_table(body)
    if operation in {"Query", "Scan"}:
        start = [body["ExclusiveStartKey"]] if "ExclusiveStartKey" in body else []
        return [_Part(table, [_equalities(body), *start], body.get("IndexName")) for table in requests]
    if "TableName" in body:
        return [_Part(table, items_of(body) or None) for table in requests]
    parts = [_Part(table, [item for part in requests[table] for item in items_of(part)]) for table in sorted(requests)]
    return parts or [_Part(None)]


def _equalities(body: Json) -> Json:
    """The attributes that a query's key condition compares with ``=``; empty for a scan."""
    names, values = body.get("ExpressionAttributeNames", {}), body.get("ExpressionAttributeValues", {})
    pairs = _EQUALS.findall(body.get("KeyConditionExpression", ""))
    return {names.get(name, name): values[value] for name, value in pairs}


def _leading_keys(part: _Part, names: KeyNames) -> tuple[tuple[str, ...], ...] | None:
    name = names.get((part.table or "", part.index_name))
    return None if part.items is None else tuple(_candidates(item, name) for item in part.items)


def _candidates(item: cabc.Mapping[str, t.Any], name: str | None) -> tuple[str, ...]:
    values = item.values() if name is None else [item[name]] if name in item else []
    return tuple(str(next(iter(value.values()))) for value in values)
