"""Every call of PynamoDB's Model and Connection, with the operations that the server of ``answer`` receives for it."""

from __future__ import annotations

import contextlib
import functools
import typing as t

from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.connection.base import MetaTable
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex

import dynaflask
from tests.support.recorder import Answer
from tests.support.recorder import Request
from tests.support.recorder import plain_answer

db = dynaflask.Dynamo()

Call = tuple[tuple[str, ...], t.Callable[[], object]]


class ViewIndex(GlobalSecondaryIndex[t.Any]):
    """Threads by their number of views."""

    class Meta:
        """The projection and capacity of the index."""

        projection = AllProjection()
        read_capacity_units = write_capacity_units = 1

    views = NumberAttribute(hash_key=True)


class Thread(db.Model):  # type: ignore[name-defined]
    """A model whose table exists."""

    class Meta:
        """Its table."""

        table_name = "Thread"
        read_capacity_units = write_capacity_units = 1

    forum_name = UnicodeAttribute(hash_key=True)
    subject = UnicodeAttribute(range_key=True)
    views = NumberAttribute(default=0)
    expires = TTLAttribute(null=True)
    view_index = ViewIndex()


class Draft(Thread):
    """A model whose table does not exist."""

    class Meta(Thread.Meta):  # type: ignore[name-defined,misc]
        """Its table."""

        table_name = "Draft"


def answer(request: Request) -> Answer:
    """No table of drafts, two pages for a query with a page size of one, and one item of a batch at a time."""
    body, plain = request.body, plain_answer(request)
    assert isinstance(plain, dict), request.operation
    if request.operation == "DescribeTable" and body["TableName"].endswith("Draft"):
        return 400, {"__type": "ResourceNotFoundException", "message": "No such table"}
    if body.get("Limit") == 1 and "ExclusiveStartKey" not in body:
        return plain | {"LastEvaluatedKey": {"forum_name": {"S": "f"}, "subject": {"S": "s"}}}
    if request.operation == "BatchGetItem":
        rest = {table: {"Keys": entry["Keys"][1:]} for table, entry in body["RequestItems"].items()}
        return plain | {"UnprocessedKeys": {table: entry for table, entry in rest.items() if entry["Keys"]}}
    if request.operation == "BatchWriteItem":
        return plain | {"UnprocessedItems": {table: entry[1:] for table, entry in body["RequestItems"].items()}}
    return plain


def _write_batch() -> None:
    with Thread.batch_write() as batch:
        batch.save(Thread("f", "1"))
        batch.delete(Thread("f", "2"))


def _transact_get() -> None:
    with db.transact_get() as transaction:
        transaction.get(Thread, "f", "s")


def _transact_write() -> None:
    with db.transact_write() as transaction:
        transaction.condition_check(Thread, "f", "0", condition=Thread.views.exists())
        transaction.save(Thread("f", "1"))
        transaction.update(Thread("f", "2"), actions=[Thread.views.set(1)])
        transaction.delete(Thread("f", "3"))


MODEL_CALLS: tuple[Call, ...] = (
    (("GetItem",), lambda: Thread.get("f", "s")),
    (("GetItem",), lambda: Thread("f", "s").refresh()),
    (("PutItem",), lambda: Thread("f", "s").save()),
    (("UpdateItem",), lambda: Thread("f", "s").update([Thread.views.set(1)])),
    (("DeleteItem",), lambda: Thread("f", "s").delete()),
    (("Query",), lambda: list(Thread.query("f"))),
    (("Query",) * 2, lambda: list(Thread.query("f", page_size=1))),
    (("Scan",), lambda: list(Thread.scan())),
    (("Scan",) * 2, lambda: list(Thread.scan(page_size=1))),
    (("DescribeTable",), Thread.count),
    (("Query",), lambda: Thread.count("f")),
    (("Query",), lambda: list(Thread.view_index.query(1))),
    (("Scan",), lambda: list(Thread.view_index.scan())),
    (("Query",), lambda: Thread.view_index.count(1)),
    (("BatchGetItem",) * 2, lambda: list(Thread.batch_get([("f", "1"), ("f", "2")]))),
    (("BatchWriteItem",) * 2, _write_batch),
    (("TransactGetItems",), _transact_get),
    (("TransactWriteItems",), _transact_write),
    (("DescribeTable", "CreateTable", "UpdateTimeToLive"), Draft.create_table),
    (("DescribeTable", "DescribeTable", "UpdateTimeToLive"), lambda: Thread.create_table(wait=True)),
    (("UpdateTimeToLive",), lambda: Thread.update_ttl(ignore_update_ttl_errors=False)),
    (("UpdateTable",), lambda: Thread._get_connection().update_table(1, 1)),
    (("DescribeTable",), Thread.describe_table),
    (("DescribeTable",), Thread.exists),
    (("DescribeTable",), Draft.exists),
    (("DeleteTable",), Thread.delete_table),
    (("DescribeTable",), lambda: db.create_all(models=[Thread])),
    (("DescribeTable", "DeleteTable"), lambda: db.drop_all(models=[Thread])),
)

KEY = {"id": {"S": "x"}}
KEYS = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}
SCHEMA = {
    "attribute_definitions": [{"attribute_name": "id", "attribute_type": "S"}],
    "key_schema": [{"attribute_name": "id", "key_type": "HASH"}],
}


def _known(call: t.Callable[[t.Any, str], object]) -> None:
    name = db.tables["Thread"].table_name
    # The connection is told the keys of the table, so that the call makes no DescribeTable of its own.
    with contextlib.suppress(ValueError):  # it knows them from an earlier call
        db.connection.add_meta_table(MetaTable({"TableName": name, **KEYS}))
    call(db.connection, name)


def _by_connection(operation: str, call: t.Callable[[t.Any, str], object]) -> Call:
    return (operation,), functools.partial(_known, call)


CONNECTION_CALLS: tuple[Call, ...] = (
    (("ListTables",), lambda: db.connection.list_tables(limit=1)),
    (("ListTables",), lambda: db.client.list_tables(Limit=1)),
    _by_connection("DescribeTable", lambda _connection, _table: db.tables["Thread"].describe_table()),
    _by_connection("DeleteTable", lambda _connection, _table: db.tables["Thread"].delete_table()),
    _by_connection("GetItem", lambda connection, table: connection.get_item(table, "x")),
    _by_connection("PutItem", lambda connection, table: connection.put_item(table, "x")),
    _by_connection(
        "UpdateItem", lambda connection, table: connection.update_item(table, "x", actions=[Thread.views.set(1)])
    ),
    _by_connection("DeleteItem", lambda connection, table: connection.delete_item(table, "x")),
    _by_connection("Query", lambda connection, table: connection.query(table, "x")),
    _by_connection("Scan", lambda connection, table: connection.scan(table)),
    _by_connection("BatchGetItem", lambda connection, table: connection.batch_get_item(table, [{"id": "x"}])),
    _by_connection("BatchWriteItem", lambda connection, table: connection.batch_write_item(table, [KEY])),
    _by_connection(
        "TransactGetItems",
        lambda connection, table: connection.transact_get_items([{"TableName": table, "Key": KEY}]),
    ),
    _by_connection(
        "TransactWriteItems",
        lambda connection, table: connection.transact_write_items([], [], [{"TableName": table, "Item": KEY}], []),
    ),
    _by_connection(
        "CreateTable",
        lambda connection, table: connection.create_table(table, billing_mode="PAY_PER_REQUEST", **SCHEMA),
    ),
    _by_connection("UpdateTable", lambda connection, table: connection.update_table(table, 1, 1)),
    _by_connection("UpdateTimeToLive", lambda connection, table: connection.update_time_to_live(table, "expires")),
    _by_connection("DeleteTable", lambda connection, table: connection.delete_table(table)),
)
