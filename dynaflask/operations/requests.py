"""The tables and keys that a request to DynamoDB names."""

from __future__ import annotations

import collections.abc as cabc
import marshal
import os
import typing as t

Json = cabc.Mapping[str, t.Any]

# Makes the hash of a key useless outside of this process, whatever PYTHONHASHSEED is.
_SALT = os.urandom(16)


def requests_by_table(params: Json) -> dict[str, list[Json]]:
    """The parts of a request, by the table that each one is for.

    Args:
        params: The parameters of any operation.

    Returns:
        By the table's name or ARN, as the request has it: the parameters themselves, the requests of a batch, or the
        actions of a transaction. Empty for an operation that names no table.
    """
    if "TableName" in params:
        return {params["TableName"]: [params]}
    # A batch has either a list of writes for a table, or one object with the keys to read.
    batch = params.get("RequestItems", {}).items()
    requests = {table: request if isinstance(request, list) else [request] for table, request in batch}
    for item in params.get("TransactItems", ()):
        for action in item.values():
            if "TableName" in action:
                requests.setdefault(action["TableName"], []).append(action)
    return requests


def items_of(request: Json) -> list[Json]:
    """The keys and items in one part of a request.

    Args:
        request: A part, as :func:`requests_by_table` returns it.

    Returns:
        Keys as they are, and whole items of a put. Empty for a part that names no item, such as a query.
    """
    if "Keys" in request:
        return t.cast("list[Json]", request["Keys"])
    # A write of a batch is one level deeper than an action of a transaction.
    parts = (request, request.get("PutRequest", {}), request.get("DeleteRequest", {}))
    return [part[name] for part in parts for name in ("Key", "Item") if name in part]


def key_hash(params: Json) -> int | None:
    """The hash of the key in a request, which tells it apart from other keys in this process alone.

    Args:
        params: The parameters of an operation on one item.

    Returns:
        The hash; ``None`` if the program has called the connection without a key, and got an error.
    """
    key = params.get("Key")
    if key is None:
        return None
    try:
        return hash(_SALT + marshal.dumps(key, 0))  # 0: equal keys are equal bytes
    except ValueError:
        # A value is of a class of the program, such as an enumeration. This takes three times as long.
        return hash(_SALT + repr(key).encode())
