"""The same calls with each of several clients, to the server of ``_canned.py``.

A peer is a context manager. It returns, for each operation, a function that makes a given number of calls. A peer that
may not be installed has its own module.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import datetime as dt
import os
import socket
import typing as t
import urllib.parse

import botocore.session
from _canned import HUNDRED
from _canned import MESSAGE
from _canned import PAGE
from _canned import SIZES
from _canned import TABLE
from _canned import item
from _common import make_app
from _common import settings
from botocore.config import Config
from pynamodb import attributes as kinds
from pynamodb.models import Model

import dynaflask

GET, PUT, UPDATE = "GetItem", "PutItem", "UpdateItem"
QUERY, QUERY_PAGE = "Query, 100 items", "Query, 1 MB page"
BATCH_GET, BATCH_WRITE = "BatchGet, 100", "BatchWrite, 25"
OPERATIONS = (GET, PUT, UPDATE, QUERY, QUERY_PAGE, BATCH_GET, BATCH_WRITE)

Calls = dict[str, cabc.Callable[[int], object]]
POSTED_AT = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.timezone.utc)
KEY = {"forum": HUNDRED, "subject": "What is bind 1?"}
KEYS = [{"forum": HUNDRED, "subject": f"What is bind {number}?"} for number in range(SIZES[HUNDRED])]
BATCH = 25


def repeated(calls: dict[str, cabc.Callable[[], object]]) -> Calls:
    """Functions that make a given number of calls, from functions that make one."""

    def repeat(call: cabc.Callable[[], object]) -> cabc.Callable[[int], object]:
        def repeats(times: int) -> None:
            for _ in range(times):
                call()

        return repeats

    return {operation: repeat(call) for operation, call in calls.items()}


def attributes() -> dict[str, t.Any]:
    """The attributes of a thread, as PynamoDB takes them."""
    author = {"name": "Ada", "email": "ada@example.com", "posts": 42}
    numbers = {"views": 1, "replies": 7, "rating": 4.5}
    texts = {"message": MESSAGE, "language": "en", **KEY}
    return {**texts, **numbers, "author": author, "tags": {"flask", "aws"}, "is_open": True, "posted_at": POSTED_AT}


def declare(base: t.Any, **meta: t.Any) -> t.Any:
    """The model of a thread, on PynamoDB's base class or on dynaflask's."""

    class Author(kinds.MapAttribute):  # type: ignore[type-arg]
        name = kinds.UnicodeAttribute()
        email = kinds.UnicodeAttribute()
        posts = kinds.NumberAttribute()

    body = {
        "Meta": type("Meta", (), {"table_name": TABLE, **meta}),
        "forum": kinds.UnicodeAttribute(hash_key=True),
        "subject": kinds.UnicodeAttribute(range_key=True),
        "message": kinds.UnicodeAttribute(),
        "author": Author(),
        "tags": kinds.UnicodeSetAttribute(),
        "views": kinds.NumberAttribute(default=0),
        "replies": kinds.NumberAttribute(default=0),
        "rating": kinds.NumberAttribute(null=True),
        "is_open": kinds.BooleanAttribute(default=True),
        "posted_at": kinds.UTCDateTimeAttribute(),
        "language": kinds.UnicodeAttribute(null=True),
        "__module__": __name__,
        "__qualname__": TABLE,
    }
    return type(base)(TABLE, (base,), body)


def by_model(model: t.Any) -> Calls:
    """The calls of a PynamoDB model."""
    thread, pairs = model(**attributes()), [tuple(key.values()) for key in KEYS]

    def write() -> None:
        with model.batch_write() as batch:
            for _ in range(BATCH):
                batch.save(thread)

    return repeated(
        {
            GET: lambda: model.get(*KEY.values()),
            PUT: thread.save,
            UPDATE: lambda: thread.update(
                actions=[
                    model.views.set(model.views + 1),
                    model.language.set("de"),
                    model.posted_at.set(POSTED_AT),
                    model.tags.add({"python"}),
                ]
            ),
            QUERY: lambda: list(model.query(HUNDRED)),
            QUERY_PAGE: lambda: list(model.query(PAGE)),
            BATCH_GET: lambda: list(model.batch_get(pairs)),
            BATCH_WRITE: write,
        }
    )


@contextlib.contextmanager
def by_pynamodb() -> cabc.Iterator[Calls]:
    """PynamoDB alone."""
    yield by_model(declare(Model, **settings()))


def by_dynaflask(transport: str) -> contextlib.AbstractContextManager[Calls]:
    """dynaflask, one app in one context."""

    @contextlib.contextmanager
    def peer() -> cabc.Iterator[Calls]:
        db = dynaflask.Dynamo()
        model, app = declare(db.Model), make_app(transport, db, transport=transport)

        def inside(call: cabc.Callable[[int], object]) -> cabc.Callable[[int], object]:
            def calls(times: int) -> None:
                with app.app_context():
                    call(times)

            return calls

        yield {operation: inside(call) for operation, call in by_model(model).items()}

    return peer()


@contextlib.contextmanager
def by_botocore() -> cabc.Iterator[Calls]:
    """A botocore client, which takes and returns DynamoDB's JSON. Like PynamoDB's, it does not validate parameters."""
    options = settings()
    client = botocore.session.Session().create_client(
        "dynamodb",
        region_name=options["region"],
        endpoint_url=options["host"],
        aws_access_key_id=options["aws_access_key_id"],
        aws_secret_access_key=options["aws_secret_access_key"],
        config=Config(parameter_validation=False),
    )
    yield repeated(low_level(client))
    client.close()


def low_level(client: t.Any) -> dict[str, cabc.Callable[[], object]]:
    thread = item(HUNDRED, 1)
    keys = [{name: {"S": text} for name, text in key.items()} for key in KEYS]

    def query(forum: str) -> object:
        return client.query(
            TableName=TABLE, KeyConditionExpression="forum = :f", ExpressionAttributeValues={":f": {"S": forum}}
        )

    return {
        GET: lambda: client.get_item(TableName=TABLE, Key=keys[1]),
        PUT: lambda: client.put_item(TableName=TABLE, Item=thread),
        UPDATE: lambda: client.update_item(
            TableName=TABLE,
            Key=keys[1],
            UpdateExpression="SET #v = #v + :v, #l = :l, posted_at = :p ADD tags :t",
            ExpressionAttributeNames={"#v": "views", "#l": "language"},
            ExpressionAttributeValues={
                ":v": {"N": "1"},
                ":l": {"S": "de"},
                ":p": thread["posted_at"],
                ":t": {"SS": ["python"]},
            },
            ReturnValues="ALL_NEW",
        ),
        QUERY: lambda: query(HUNDRED),
        QUERY_PAGE: lambda: query(PAGE),
        BATCH_GET: lambda: client.batch_get_item(RequestItems={TABLE: {"Keys": keys}}),
        BATCH_WRITE: lambda: client.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": thread}}] * BATCH}),
    }


def plain_thread() -> dict[str, t.Any]:
    """A thread for clients without datetimes and floats."""
    return {**attributes(), "posted_at": POSTED_AT.isoformat(), "rating": 4}


@contextlib.contextmanager
def bytes_alone() -> cabc.Iterator[Calls]:
    """The bytes of a request and of its response over a warm socket: no client can take less."""
    url = urllib.parse.urlsplit(os.environ["BENCHMARK_URL"])
    with socket.create_connection((str(url.hostname), url.port or 80)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sizes = {PUT: len(MESSAGE) + 500, BATCH_GET: 7000, BATCH_WRITE: 25 * (len(MESSAGE) + 500)}
        forums = {QUERY: HUNDRED, QUERY_PAGE: PAGE}
        names = {QUERY: "Query", QUERY_PAGE: "Query", BATCH_GET: "BatchGetItem", BATCH_WRITE: "BatchWriteItem"}

        def exchange(operation: str) -> cabc.Callable[[], object]:
            body = f'{{"ALL_NEW":"{forums.get(operation, "")}"}}'.ljust(sizes.get(operation, 200))
            head = f"POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.{names.get(operation, operation)}\r\n{FILLER}"
            request = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
            return lambda: _receive(connection, sent=connection.sendall(request))

        yield repeated({operation: exchange(operation) for operation in OPERATIONS})


FILLER = "".join(f"X-Filler-{number}: {'-' * 60}\r\n" for number in range(7))


def _receive(connection: socket.socket, *, sent: None) -> bytes:
    received = bytearray(connection.recv(65536))
    head, _, _ = received.partition(b"\r\n\r\n")
    size = len(head) + 4 + int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    while len(received) < size:
        received += connection.recv(262144)
    return bytes(received)
