"""``Difference``: one difference between a table and what its models declare."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses

from dynaflask.tables.schema import Index
from dynaflask.tables.schema import Json

Differences = cabc.Iterator["Difference"]


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One difference between a table and what its models declare.

    Attributes:
        what: The part of the table: ``"billing mode"``, ``"global index 'byName'"``.
        declared: The value that the models declare, as text.
        actual: The value that the table has, as text.
        operation: The operation that changes it; empty if DynamoDB cannot change it in place.
        request: The request of the operation, without the table.
        blocked_reason: Why it cannot be changed in place, and what to do; empty if it can.
    """

    what: str
    declared: str
    actual: str
    operation: str = ""
    request: Json = dataclasses.field(default_factory=dict, repr=False)
    blocked_reason: str = ""


def update(what: str, declared: object, actual: object, **request: object) -> Difference:
    """A difference that ``UpdateTable`` changes."""
    return Difference(what, str(declared), str(actual), "UpdateTable", request)


def index_update(name: str, **changes: object) -> Json:
    """One of the ``GlobalSecondaryIndexUpdates`` of a request."""
    return {"Update": {"IndexName": name, **changes}}


def label(index: Index) -> str:
    """The index in a text."""
    return f"global index {index.name!r}"
