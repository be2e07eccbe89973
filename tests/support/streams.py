"""Models with streams, and the events that Lambda makes of their records."""

from __future__ import annotations

import json
import signal
import typing as t

import botocore.exceptions
import flask
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import BinarySetAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.tables.json_lines import write_json
from dynaflask.tables.streams.client import streams_client
from tests.support import engines
from tests.support.settings import MakeApp


class Attachment(MapAttribute[str, t.Any]):
    """A map with a binary value."""

    content = BinaryAttribute(legacy_encoding=False)


def declare_note(db: dynaflask.Dynamo, *, table_name: str = "Note", **meta: t.Any) -> t.Any:
    """A model with a stream, and with binary values in every place."""

    class Note(db.Model):  # type: ignore[name-defined]
        Meta = type(
            "Meta",
            (),
            {
                "table_name": table_name,
                "billing_mode": "PAY_PER_REQUEST",
                "stream_view_type": "NEW_AND_OLD_IMAGES",
                **meta,
            },
        )
        id = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True, default=1)
        title = UnicodeAttribute(null=True)
        picture = BinaryAttribute(null=True, legacy_encoding=False)
        old_picture = BinaryAttribute(null=True, legacy_encoding=True)
        pictures = BinarySetAttribute(null=True, legacy_encoding=False)
        attachment = Attachment(null=True)

    return Note


def declare_pooled(db: dynaflask.Dynamo) -> t.Any:
    """A model that all tenants have in one table."""

    class Pooled(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Pooled"
            stream_view_type = "NEW_AND_OLD_IMAGES"

        id = dynaflask.TenantKey(hash_key=True)
        title = UnicodeAttribute(null=True)

    return Pooled


def settings_of(engine: engines.Engine, account: engines.Account) -> dict[str, t.Any]:
    """The settings of an app for ``make_app``."""
    return {name.removeprefix("DYNAMODB_").lower(): value for name, value in engine.settings(account).items()}


def tenants_of(account: engines.Account, *names: str) -> dict[str, t.Any]:
    """Tenants with a prefix of their own each."""
    return {name: {"table_prefix": f"{account.table_prefix}{name}-"} for name in names}


def make_silo_app(
    make_app: MakeApp, engine: engines.Engine, account: engines.Account, **settings: t.Any
) -> flask.Flask:
    """An app in which each of two tenants has tables of its own."""
    tenants = tenants_of(account, "acme", "globex")
    return make_app(**{**settings_of(engine, account), "tenants": tenants, "require_tenant": True, **settings})


def event_of(*models: t.Any) -> dict[str, t.Any]:
    """The event with all records of the streams of some models' tables, in the current context."""
    records: list[dict[str, t.Any]] = []
    for model in models:
        connection = model._get_connection()
        arn = connection.connection.describe_table(connection.table_name)["LatestStreamArn"]
        with streams_client(connection.connection.bind) as client:
            iterator = client.get_shard_iterator(
                StreamArn=arn, ShardId=shard_of(client, arn), ShardIteratorType="TRIM_HORIZON"
            )
            page = client.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
        for record in page:
            change = record["dynamodb"]
            change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
            records.append({**record, "eventSourceARN": arn})
    return t.cast("dict[str, t.Any]", json.loads(write_json({"Records": records})))


def shard_of(client: t.Any, arn: str) -> str:
    """The only shard of a stream."""
    (shard,) = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    return str(shard["ShardId"])


def failures(*records: dict[str, t.Any]) -> dict[str, t.Any]:
    """The response that reports these records."""
    return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in records]}


def record_in(table_name: str, *, region: str = "us-east-1", account: str = "111122223333", **keys: str) -> t.Any:
    """An event with the insertion of one item that has string keys alone."""
    image = {name: {"S": value} for name, value in keys.items()}
    record = {
        "eventName": "INSERT",
        "eventSourceARN": f"arn:aws:dynamodb:{region}:{account}:table/{table_name}/stream/2026-01-02T03:04:05.678",
        "dynamodb": {"SequenceNumber": "1", "Keys": image, "NewImage": image},
    }
    return {"Records": [record]}


class FakeStreams:
    """A client of DynamoDB Streams with several shards, which ministack does not have, and with its errors.

    Args:
        parents: The shards with their parents.
        records: The sequence numbers of each shard's records.
    """

    def __init__(self, parents: dict[str, str | None], **records: list[str]) -> None:
        self.parents = parents
        self.records = records
        self.closed = set(parents)
        self.status = "ENABLED"
        # By operation and shard: the codes of the errors of the next calls.
        self.errors: dict[tuple[str, str], list[str]] = {}

    def describe_stream(self, *, StreamArn: str, ExclusiveStartShardId: str | None = None) -> t.Any:  # noqa: N803
        # One shard on each page, the children first.
        names = sorted(self.parents, reverse=True)
        start = 0 if ExclusiveStartShardId is None else names.index(ExclusiveStartShardId) + 1
        page = names[start : start + 1]
        shards: list[dict[str, str]] = []
        for name in page:
            parent = self.parents[name]
            shards.append({"ShardId": name, **({} if parent is None else {"ParentShardId": parent})})
        more = {"LastEvaluatedShardId": page[-1]} if start + 1 < len(names) else {}
        return {"StreamDescription": {"Shards": shards, "StreamStatus": self.status, **more}}

    def get_shard_iterator(self, *, ShardId: str, ShardIteratorType: str, **request: str) -> t.Any:  # noqa: N803
        self._fail("GetShardIterator", ShardId)
        start = 0
        if ShardIteratorType == "AFTER_SEQUENCE_NUMBER":
            start = self.records[ShardId].index(request["SequenceNumber"]) + 1
        return {"ShardIterator": f"{ShardId}:{start}"}

    def get_records(self, *, ShardIterator: str, Limit: int) -> t.Any:  # noqa: N803
        shard, _, start = ShardIterator.partition(":")
        self._fail("GetRecords", shard)
        # Two records on a page.
        page = self.records[shard][int(start) : int(start) + 2]
        end = int(start) + len(page)
        is_at_end = end == len(self.records[shard]) and shard in self.closed
        records = [{"dynamodb": {"SequenceNumber": number}} for number in page]
        return {"Records": records, **({} if is_at_end else {"NextShardIterator": f"{shard}:{end}"})}

    def _fail(self, operation: str, shard: str) -> None:
        codes = self.errors.get((operation, shard))
        if codes:
            raise botocore.exceptions.ClientError({"Error": {"Code": codes.pop(0), "Message": "no"}}, operation)


#: What :func:`remember` was called with: app, tenant and title.
HANDLED: list[tuple[str, str | None, str]] = []


def remember(record: t.Any) -> None:
    """A handler for ``flask dynamo stream``."""
    HANDLED.append((flask.current_app.name, record.tenant, record.new.title))


def stop(record: t.Any) -> None:
    """A handler that ends its process as a supervisor does."""
    remember(record)
    signal.raise_signal(signal.SIGTERM)
