"""``Checkpoints``: positions of a consumer, and their owner."""

from __future__ import annotations

import time

import flask
import pytest
from pynamodb.exceptions import TableError

import dynaflask
from dynaflask.tables.streams.checkpoints import Checkpoints

ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/Note/stream/2026-01-02T03:04:05.678"


def checkpoints(db: dynaflask.Dynamo, consumer: str = "index") -> Checkpoints:
    """The checkpoints of a process."""
    made = Checkpoints(db.connection, stream_arn=ARN, consumer=consumer)
    made.create()
    return made


def test_a_process_continues_where_another_has_saved(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """Each shard and each consumer has a position of its own."""
    first = checkpoints(db)
    assert [first.claim("one"), first.claim("two")] == [None, None]
    first.save("one", "17")
    assert [checkpoints(db).claim("one"), checkpoints(db).claim("two")] == ["17", None]
    assert checkpoints(db, "mail").claim("one") is None


def test_a_process_that_was_replaced_cannot_save(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """The position of the new process is not taken back."""
    first, second = checkpoints(db), checkpoints(db)
    first.claim("one")
    second.claim("one")
    second.save("one", "18")
    with pytest.raises(dynaflask.StreamError, match="Another process reads this stream as 'index' now"):
        first.save("one", "17")
    assert second.claim("one") == "18"


def test_another_error_is_not_taken_for_a_new_owner(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """Any other error, such as a missing table, is raised as it is."""
    made = checkpoints(db)
    db.client.delete_table(TableName=made._table.name)
    with pytest.raises(TableError):
        made.save("one", "17")


def test_positions_expire_after_the_records(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """DynamoDB deletes the positions of shards that do not exist any more."""
    made = checkpoints(db)
    made.claim("one")
    name = made._table.name
    ttl = db.client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    (item,) = db.client.scan(TableName=name)["Items"]
    assert ttl["AttributeName"] == "expires_at"
    assert int(item["expires_at"]["N"]) > time.time() + 2 * 24 * 3600
