"""A DynamoDB that gives every read the same item: what is left to measure is the client.

python _server.py        prints its URL, and serves until standard input closes
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import zlib

ITEM = {"id": {"S": "1"}, "title": {"S": "What is a bind?"}, "views": {"N": "7"}, "tags": {"SS": ["flask", "aws"]}}
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def _answer(content: dict[str, object]) -> bytes:
    body = json.dumps(content).encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(body)}\r\nx-amz-crc32: {zlib.crc32(body)}\r\nx-amzn-RequestId: 1\r\n\r\n"
    )
    return head.encode() + body


ANSWER = _answer({"Item": ITEM})


class Connection(asyncio.Protocol):
    """One client's connection, kept for as many requests as it sends."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is one of TCP
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._end_of_request()) and len(self._received) >= end:
            self._received = self._received[end:]
            self._transport.write(ANSWER)

    def _end_of_request(self) -> int:
        head, end, _ = self._received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        return len(head) + len(end) + int(length[1] if length else 0) if end else 0


async def serve() -> None:
    """Serve on a free port of loopback until standard input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
