"""A model whose declaration can change, for tests that compare it with its table."""

from __future__ import annotations

import typing as t

from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import IncludeProjection
from pynamodb.indexes import KeysOnlyProjection
from pynamodb.indexes import LocalSecondaryIndex

import dynaflask

PROVISIONED = {"billing_mode": "PROVISIONED", "read_capacity_units": 3, "write_capacity_units": 2}


def make_index(name: str, *, key: str = "views", projection: t.Any = None, **meta: t.Any) -> t.Any:
    """A global index with a number as its hash key."""
    attributes = {"index_name": name, "projection": projection or AllProjection(), **meta}
    namespace = {"Meta": type("Meta", (), attributes), key: NumberAttribute(hash_key=True)}
    return type(name, (GlobalSecondaryIndex,), namespace)()


def make_local_index(name: str) -> t.Any:
    """A local index with a number as its range key."""
    namespace = {
        "Meta": type("Meta", (), {"index_name": name, "projection": KeysOnlyProjection()}),
        "forum": UnicodeAttribute(hash_key=True),
        "views": NumberAttribute(range_key=True),
    }
    return type(name, (LocalSecondaryIndex,), namespace)()


def declare_board(
    db: dynaflask.Dynamo, *, attributes: dict[str, t.Any] | None = None, name: str = "Board", **meta: t.Any
) -> t.Any:
    """A model with the table ``Board``. A second declaration of the same name replaces the first."""
    namespace = {
        "__module__": __name__,
        "Meta": type("Meta", (), {"table_name": "Board", **meta}),
        "forum": UnicodeAttribute(hash_key=True),
        "subject": UnicodeAttribute(range_key=True),
        **(attributes or {}),
    }
    board = type(db.Model)(name, (db.Model,), namespace)
    # The extension object holds models by weak references.
    vars(db).setdefault("boards", []).append(board)
    return board


def everything() -> dict[str, t.Any]:
    """Attributes and indexes for a board."""
    return {
        "views": NumberAttribute(default=0),
        "expires": TTLAttribute(null=True),
        "by_views": make_index("byViews", projection=IncludeProjection(["answers", "author"])),
    }


def scan(model: t.Any, client: t.Any) -> list[t.Any]:
    """All items of a model's table, as botocore gives them."""
    items: list[t.Any] = client.scan(TableName=model.Meta.table_name)["Items"]
    return items
