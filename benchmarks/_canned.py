"""A server with prepared DynamoDB responses, so that a benchmark measures only the client.

One item, small or of eleven attributes, a hundred of them, or a full page of 1 MB.

python _canned.py FILE [--awake]

It prints three URLs, and serves until standard input closes, on the last core of the machine. The second URL is of TLS:
FILE gets the certificate of its authority. The third one responds after a wait.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import ssl
import sys
import time
import zlib

import trustme

# About the fastest response that DynamoDB gives in its own region.
LATE_SECONDS = 0.001
# The time that the server stays awake after a request.
AWAKE_SECONDS = 0.1
TABLE = "Thread"
HUNDRED, PAGE = "flask", "aws"
SIZES = {HUNDRED: 100, PAGE: 1000}
SMALL = {"id": {"S": "1"}, "title": {"S": "What is a bind?"}, "views": {"N": "7"}, "tags": {"SS": ["flask", "aws"]}}
MESSAGE = "Where does a connection go when its context has ended? " * 10
REQUEST_ID = "4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG"


def item(forum: str, number: int) -> dict[str, dict[str, object]]:
    """A thread of a forum: eleven attributes, with a map, a set, numbers and a UTC datetime."""
    return {
        "forum": {"S": forum},
        "subject": {"S": f"What is bind {number}?"},
        "message": {"S": MESSAGE},
        "author": {"M": {"name": {"S": "Ada"}, "email": {"S": "ada@example.com"}, "posts": {"N": "42"}}},
        "tags": {"SS": ["flask", "aws", "python"]},
        "views": {"N": str(number)},
        "replies": {"N": "7"},
        "rating": {"N": "4.5"},
        "is_open": {"BOOL": True},
        "posted_at": {"S": "2026-01-02T03:04:05.678901+0000"},
        "language": {"S": "en"},
    }


def items(forum: str) -> list[dict[str, dict[str, object]]]:
    """All threads of a forum."""
    return [item(forum, number) for number in range(SIZES[forum])]


def consumed(units: float) -> dict[str, object]:
    """The consumed capacity of a call."""
    return {"ConsumedCapacity": {"TableName": TABLE, "CapacityUnits": units}}


def _http(content: dict[str, object]) -> bytes:
    body = json.dumps(content, separators=(",", ":")).encode()
    head = (
        "HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Fri, 02 Jan 2026 03:04:05 GMT\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\nConnection: keep-alive\r\n"
        f"x-amzn-RequestId: {REQUEST_ID}\r\nx-amz-crc32: {zlib.crc32(body)}\r\n\r\n"
    )
    return head.encode() + body


EMPTY = _http({})
# The response of each operation, by the first of these words that is in the body of the request.
ANSWERS = {
    b"GetItem": {b'"id"': _http({"Item": SMALL}), b"": _http({"Item": item(HUNDRED, 1)})},
    b"UpdateItem": {b"ALL_NEW": _http({"Attributes": item(HUNDRED, 1)})},
    b"Query": {
        f'"{forum}"'.encode(): _http({"Items": items(forum), "Count": size, "ScannedCount": size} | consumed(size / 8))
        for forum, size in SIZES.items()
    },
    b"BatchGetItem": {b"": _http({"Responses": {TABLE: items(HUNDRED)}, "UnprocessedKeys": {}})},
    b"BatchWriteItem": {b"": _http({"UnprocessedItems": {}})},
}


def answer(head: bytes, body: bytes) -> bytes:
    """The response to a request."""
    operation = head.partition(b"DynamoDB_20120810.")[2].partition(b"\r\n")[0]
    return next((response for word, response in ANSWERS.get(operation, {}).items() if word in body), EMPTY)


class Connection(asyncio.Protocol):
    """One client's connection, kept for as many requests as it sends, one after another."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is one of TCP
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        # No regular expressions: they took a quarter more CPU time.
        size = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        if end and len(body) >= size:
            self._received = b""
            self.respond(answer(head, body))

    def respond(self, response: bytes) -> None:
        """Send a response."""
        self._transport.write(response)


class LateConnection(Connection):
    """A connection whose responses come as late as those of a server on another machine."""

    def respond(self, response: bytes) -> None:
        """Send a response after the wait."""
        asyncio.get_running_loop().call_later(LATE_SECONDS, self._transport.write, response)


class AwakeSelector(selectors.DefaultSelector):
    """A selector that does not sleep while requests come.

    The kernel of the client wakes a server that sleeps on another core, within the client's ``send``. On a virtual
    machine, that took a fifth of the CPU time of a small call. No client of a server on another machine has this cost.
    """

    _awake_until = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """The files that are ready; see the base class."""
        end = None if timeout is None else time.monotonic() + timeout
        while not (ready := super().select(0)):
            now = time.monotonic()
            if end is not None and now >= end:
                return ready
            if now > self._awake_until:
                return super().select(None if end is None else end - now)
            # Another process on this core may be awake, too: the source of the requests of `throughput.py`.
            os.sched_yield()
        self._awake_until = time.monotonic() + AWAKE_SECONDS
        return ready


def take_core(last: bool) -> None:
    """Pin this process to the last core of the machine, or to the first."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1] if last else cores[0]})


async def serve() -> None:
    """Serve on a free port of loopback until standard input closes."""
    take_core(last=True)
    loop = asyncio.get_running_loop()
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(sys.argv[1])
    for scheme, connection, tls in (
        ("http", Connection, None),
        ("https", Connection, context),
        ("http", LateConnection, None),
    ):
        server = await loop.create_server(connection, "127.0.0.1", 0, backlog=1024, ssl=tls)
        print(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    selector = AwakeSelector() if "--awake" in sys.argv else selectors.DefaultSelector()
    asyncio.SelectorEventLoop(selector).run_until_complete(serve())
