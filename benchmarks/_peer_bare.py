"""The least that a call costs in Python: sign the request, and make the model's objects from the response.

It has one table, one key and one connection. It checks no status, checksum or type of a response, never waits, and
handles no error. A client that does these things takes longer.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import functools
import hashlib
import hmac
import os
import socket
import time
import typing as t
import urllib.parse

import msgspec
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
from _peers import POSTED_AT
from _peers import PUT
from _peers import QUERY
from _peers import QUERY_PAGE
from _peers import UPDATE
from _peers import Calls
from _peers import attributes
from _peers import declare
from _peers import repeated

import dynaflask
from dynaflask.client.codec.update_expression import serialize_update
from dynaflask.model.base import Model
from dynaflask.model.codec.compiled import CompiledCodec

Ask = cabc.Callable[[str, dict[str, t.Any]], t.Any]
NAMES = "content-type;host;x-amz-date;x-amz-target"


@contextlib.contextmanager
def peer() -> cabc.Iterator[Calls]:
    """The calls of this client."""
    db = dynaflask.Dynamo()
    url = urllib.parse.urlsplit(os.environ["BENCHMARK_URL"])
    with socket.create_connection((str(url.hostname), url.port or 80)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield repeated(calls(declare(db.Model), functools.partial(ask, connection, url.netloc, day())))


def calls(model: t.Any, ask: Ask) -> dict[str, cabc.Callable[[], object]]:
    """What the others do, as straight as can be."""
    codec: t.Any = CompiledCodec(model, base=Model)
    write = codec.serializer
    make, thread = codec.deserializer.make, model(**attributes())

    def key(forum: str, subject: str) -> dict[str, t.Any]:
        return {"forum": {"S": forum}, "subject": {"S": subject}}

    def query(forum: str) -> list[t.Any]:
        condition = {"KeyConditionExpression": "forum = :f", "ExpressionAttributeValues": {":f": {"S": forum}}}
        return [make(item) for item in ask("Query", {"TableName": TABLE, **condition})["Items"]]

    def update() -> None:
        actions = [
            model.views.set(model.views + 1),
            model.language.set("de"),
            model.posted_at.set(POSTED_AT),
            model.tags.add({"python"}),
        ]
        asked = {"TableName": TABLE, "Key": key(thread.forum, thread.subject), "ReturnValues": "ALL_NEW"}
        codec.deserializer.fill(thread, ask("UpdateItem", {**asked, **(serialize_update(actions) or {})})["Attributes"])

    def batch_get() -> list[t.Any]:
        asked = [key(**one) for one in KEYS]
        return [make(item) for item in ask("BatchGetItem", {"RequestItems": {TABLE: asked}})["Responses"][TABLE]]

    def batch_write() -> None:
        puts = [{"PutRequest": {"Item": write(thread)}} for _ in range(BATCH)]
        ask("BatchWriteItem", {"RequestItems": {TABLE: puts}})

    return {
        GET: lambda: make(ask("GetItem", {"TableName": TABLE, "Key": key(**KEY)})["Item"]),
        PUT: lambda: ask("PutItem", {"TableName": TABLE, "Item": write(thread)}),
        UPDATE: update,
        QUERY: lambda: query(HUNDRED),
        QUERY_PAGE: lambda: query(PAGE),
        BATCH_GET: batch_get,
        BATCH_WRITE: batch_write,
    }


def day() -> tuple[str, bytes]:
    """The credential scope and the signing key of the day."""
    secret, parts = settings()["aws_secret_access_key"], [time.strftime("%Y%m%d", time.gmtime()), settings()["region"]]
    key = f"AWS4{secret}".encode()
    for part in (*parts, "dynamodb", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return "/".join([*parts, "dynamodb", "aws4_request"]), key


def ask(
    connection: socket.socket, host: str, day: tuple[str, bytes], operation: str, params: dict[str, t.Any]
) -> t.Any:
    """The content of a response."""
    (scope, key), body, target = day, msgspec.json.encode(params), f"DynamoDB_20120810.{operation}"
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    signed = f"content-type:application/x-amz-json-1.0\nhost:{host}\nx-amz-date:{now}\nx-amz-target:{target}"
    canonical = f"POST\n/\n\n{signed}\n\n{NAMES}\n{hashlib.sha256(body).hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    head = (
        f"POST / HTTP/1.1\r\nHost: {host}\r\nX-Amz-Target: {target}\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"X-Amz-Date: {now}\r\nContent-Length: {len(body)}\r\nAuthorization: AWS4-HMAC-SHA256"
        f" Credential=benchmark/{scope}, SignedHeaders={NAMES}, Signature={signature}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return msgspec.json.decode(receive(connection))


def receive(connection: socket.socket) -> bytes:
    """The body of a response."""
    head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    size = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    if len(body) < size:
        parts = bytearray(body)
        while len(parts) < size:
            parts += connection.recv(262144)
        return bytes(parts)
    return body
