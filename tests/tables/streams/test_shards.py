"""``ShardReader``: shards in the order of their parents, and what DynamoDB does with old ones."""

from __future__ import annotations

import logging
import typing as t

import flask
import pytest
from botocore.exceptions import ClientError

import dynaflask
from dynaflask.tables.streams.checkpoints import Checkpoints
from dynaflask.tables.streams.shards import ShardReader
from tests.support.streams import FakeStreams

GONE, TRIMMED, EXPIRED = "ResourceNotFoundException", "TrimmedDataAccessException", "ExpiredIteratorException"
# The shard "a" was split into "b" and "c".
SPLIT: dict[str, str | None] = {"a": None, "b": "a", "c": "a"}


def reader(db: dynaflask.Dynamo, client: FakeStreams) -> ShardReader:
    """The reader of a new process."""
    checkpoints = Checkpoints(db.connection, stream_arn="stream", consumer="index")
    checkpoints.create()
    made = ShardReader(client, "stream", checkpoints)
    made.open_shards()
    return made


def read(reader: ShardReader, *, pages: int = 20, save: bool = True) -> list[str]:
    """The sequence numbers of some pages, in turn over the open shards."""
    numbers: list[str] = []
    for _ in range(pages):
        for shard in reader.shards:
            page = reader.read(shard)
            read_now = [record["dynamodb"]["SequenceNumber"] for record in page.records]
            if read_now and save:
                reader.save(shard, read_now[-1])
            numbers += read_now
            reader.advance(shard, page)
        reader.open_shards()
    return numbers


def test_a_shard_is_read_to_its_end_before_its_children(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """The description may name the children first, and has several pages."""
    client = FakeStreams(SPLIT, a=["1", "2", "3"], b=["4", "6"], c=["5"])
    made = reader(db, client)
    assert made.shards == ["a"]
    assert read(made) == ["1", "2", "3", "5", "4", "6"]
    assert made.shards == []


def test_a_new_process_continues_in_each_shard(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """Finished shards are not read again, and an open one is read from the last record that was saved."""
    client = FakeStreams(SPLIT, a=["1"], b=["2", "3", "4"], c=["5"])
    client.closed -= {"b", "c"}
    assert sorted(read(reader(db, client), pages=2)) == ["1", "2", "3", "5"]
    second = reader(db, client)
    assert sorted(second.shards) == ["b", "c"]
    assert read(second, pages=2) == ["4"]


def test_a_shard_whose_parent_is_gone_is_read_at_once(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """DynamoDB forgets a shard after 24 hours, and goes on naming it as a parent."""
    assert read(reader(db, FakeStreams({"b": "a"}, b=["2"]))) == ["2"]


def test_new_shards_are_found(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """A shard that is closed while it is read has children."""
    client = FakeStreams({"a": None}, a=["1"], b=["2"])
    client.closed.clear()
    made = reader(db, client)
    assert read(made, pages=2) == ["1"]
    client.closed |= {"a", "b"}
    client.parents["b"] = "a"
    assert read(made) == ["2"]


def test_an_expired_iterator_is_renewed(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """It continues after the last record that was handled, without a gap."""
    client = FakeStreams({"a": None}, a=["1", "2", "3"])
    made = reader(db, client)
    assert read(made, pages=1) == ["1", "2"]
    client.errors["GetRecords", "a"] = [EXPIRED]
    assert read(made) == ["3"]


@pytest.mark.parametrize("operation", ["GetRecords", "GetShardIterator"])
def test_records_that_dynamodb_has_deleted_are_a_warning(
    app: flask.Flask, db: dynaflask.Dynamo, caplog: pytest.LogCaptureFixture, operation: str
) -> None:
    """After more than 24 hours, reading continues at the oldest record, and the log says what is lost."""
    client = FakeStreams({"a": None}, a=["1", "2", "3"])
    read(reader(db, client), pages=1)
    client.errors[operation, "a"] = [TRIMMED]
    with caplog.at_level(logging.WARNING, "dynaflask.streams"):
        numbers = read(reader(db, client))
    assert numbers == ["1", "2", "3"]
    assert "The records of a after 2 are older than 24 hours" in caplog.text


@pytest.mark.parametrize("operation", ["GetRecords", "GetShardIterator"])
def test_a_shard_that_dynamodb_has_deleted_is_finished(app: flask.Flask, db: dynaflask.Dynamo, operation: str) -> None:
    """Its children are read next."""
    client = FakeStreams({"a": None, "b": "a"}, a=["1"], b=["2"])
    client.errors[operation, "a"] = [GONE]
    assert read(reader(db, client)) == ["2"]


@pytest.mark.parametrize("operation", ["GetRecords", "GetShardIterator"])
@pytest.mark.parametrize("save", [True, False])
def test_another_error_is_raised(app: flask.Flask, db: dynaflask.Dynamo, operation: str, save: bool) -> None:
    """Such as one of the IAM policy, with a checkpoint and without."""
    client = FakeStreams({"a": None}, a=["1", "2", "3"])
    read(reader(db, client), pages=1, save=save)
    client.errors[operation, "a"] = ["AccessDeniedException"]
    with pytest.raises(ClientError, match="AccessDeniedException"):
        read(reader(db, client))


def test_a_disabled_stream_is_read_to_its_end(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """Its last records can still be read; then it is an error, because a new stream has another name."""
    client = FakeStreams({"a": None}, a=["1"])
    client.status = "DISABLED"
    made = reader(db, client)
    page: t.Any = made.read("a")
    assert len(page.records) == 1
    made.advance("a", page)
    with pytest.raises(dynaflask.StreamError, match="is disabled, and read to its end"):
        made.open_shards()
