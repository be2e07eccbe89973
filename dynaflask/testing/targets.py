"""Where a request goes, and whose keys it names."""

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

# The name of the leading key, by table and index.
KeyNames = cabc.Mapping[tuple[str, str | None], str]


class Target(t.NamedTuple):
    """Where a request goes, and as whom.

    Attributes:
        endpoint: The URL, up to the path.
        region: The region that it was signed for.
        identity: The access key id.
        table: The table's real name; ``None`` for a call that names none.
    """

    endpoint: str
    region: str
    identity: str
    table: str | None


class Observation(t.NamedTuple):
    """One table's part in a request.

    Attributes:
        actor: For whom it was; empty if that is not known.
        operation: ``GetItem``, for example.
        place: Where it went.
        leading: What may be the leading key, for each item that it names; nothing for a search through the whole table.
            ``None`` for a request that is not about items.
    """

    actor: str
    operation: str
    place: Target
    leading: tuple[tuple[str, ...], ...] | None


def seen_in(request: Request, names: KeyNames) -> list[Observation]:
    """What a request to DynamoDB touches.

    Args:
        request: The request.
        names: The leading keys' names. Of a table that it has not, any attribute may be the key.
    """
    here = request.headers[ENDPOINT], request.region, request.access_key_id
    return [
        Observation(actor_of(request), request.operation, Target(*here, part.table), _leading(part, names))
        for part in _parts(request.operation, request.body)
    ]


class _Part(t.NamedTuple):
    table: str | None
    items: cabc.Sequence[cabc.Mapping[str, t.Any]] | None = None
    index_name: str | None = None


def _parts(operation: str, body: Json) -> list[_Part]:
    """What a request says of each table: the keys or items, as far as it names them."""
    requests = requests_by_table(body)
    if operation in {"Query", "Scan"}:
        started = [body["ExclusiveStartKey"]] if "ExclusiveStartKey" in body else []
        return [_Part(table, [_asked(body), *started], body.get("IndexName")) for table in requests]
    if "TableName" in body:
        return [_Part(table, items_of(body) or None) for table in requests]
    parts = [_Part(table, [item for part in requests[table] for item in items_of(part)]) for table in sorted(requests)]
    return parts or [_Part(None)]


def _asked(search: Json) -> Json:
    """What a query says that attributes equal; nothing for a scan."""
    names, values = search.get("ExpressionAttributeNames", {}), search.get("ExpressionAttributeValues", {})
    pairs = _EQUALS.findall(search.get("KeyConditionExpression", ""))
    return {names.get(name, name): values[value] for name, value in pairs}


def _leading(part: _Part, names: KeyNames) -> tuple[tuple[str, ...], ...] | None:
    name = names.get((part.table or "", part.index_name))
    return None if part.items is None else tuple(_texts(item, name) for item in part.items)


def _texts(item: cabc.Mapping[str, t.Any], name: str | None) -> tuple[str, ...]:
    values = item.values() if name is None else [item[name]] if name in item else []
    return tuple(str(next(iter(value.values()))) for value in values)
