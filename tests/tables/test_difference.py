"""One difference between a table and what its models declare."""

from __future__ import annotations

from dynaflask.tables.difference import index_update
from dynaflask.tables.difference import label
from dynaflask.tables.difference import update
from dynaflask.tables.schema import Index
from dynaflask.tables.schema import Key


def test_values_are_text() -> None:
    """The values may be of any type, and the request keeps its own."""
    difference = update("deletion protection", True, False, DeletionProtectionEnabled=True)
    assert (difference.declared, difference.actual, difference.operation) == ("True", "False", "UpdateTable")
    assert difference.request == {"DeletionProtectionEnabled": True}


def test_the_request_is_not_in_the_repr() -> None:
    """A request may be long: it may have a policy."""
    assert "secret" not in repr(update("policy", "a", "b", Policy="secret"))


def test_an_index_is_named() -> None:
    """A difference of an index has its name in the text and in the request."""
    assert label(Index("byName", (Key("name", "HASH", "S"),), ("ALL",))) == "global index 'byName'"
    assert index_update("byName", WarmThroughput={}) == {"Update": {"IndexName": "byName", "WarmThroughput": {}}}
