"""boto3's ``Table``."""

from __future__ import annotations

import collections.abc as cabc
import contextlib

import boto3
from _canned import HUNDRED
from _canned import PAGE
from _canned import TABLE
from _common import settings
from _peers import BATCH
from _peers import BATCH_GET
from _peers import BATCH_WRITE
from _peers import GET
from _peers import KEY
from _peers import KEYS
from _peers import PUT
from _peers import QUERY
from _peers import QUERY_PAGE
from _peers import UPDATE
from _peers import Calls
from _peers import plain_thread
from _peers import repeated
from boto3.dynamodb.conditions import Key


@contextlib.contextmanager
def peer() -> cabc.Iterator[Calls]:
    """boto3's ``Table``, which gives and takes Python's types."""
    given = settings()
    resource = boto3.resource(
        "dynamodb",
        region_name=given["region"],
        endpoint_url=given["host"],
        aws_access_key_id=given["aws_access_key_id"],
        aws_secret_access_key=given["aws_secret_access_key"],
    )
    table, thread = resource.Table(TABLE), plain_thread()

    def write() -> None:
        with table.batch_writer() as batch:
            for _ in range(BATCH):
                batch.put_item(Item=thread)

    yield repeated(
        {
            GET: lambda: table.get_item(Key=KEY),
            PUT: lambda: table.put_item(Item=thread),
            UPDATE: lambda: table.update_item(
                Key=KEY,
                UpdateExpression="SET #v = #v + :v, #l = :l, posted_at = :p ADD tags :t",
                ExpressionAttributeNames={"#v": "views", "#l": "language"},
                ExpressionAttributeValues={":v": 1, ":l": "de", ":p": thread["posted_at"], ":t": {"python"}},
                ReturnValues="ALL_NEW",
            ),
            QUERY: lambda: table.query(KeyConditionExpression=Key("forum").eq(HUNDRED)),
            QUERY_PAGE: lambda: table.query(KeyConditionExpression=Key("forum").eq(PAGE)),
            BATCH_GET: lambda: resource.batch_get_item(RequestItems={TABLE: {"Keys": KEYS}}),
            BATCH_WRITE: write,
        }
    )
