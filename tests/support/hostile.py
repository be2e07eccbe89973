"""A server that misbehaves as a test tells it, and records its requests.

with Hostile() as server:
    server.acts = [cut(answer({"Item": {}}), at=10), stall(), say(answer({}, status=500))]
    ...                     # one act per request; the last act repeats
    server.requests[0].attempt                # "attempt=1; max=4"
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import json
import socket
import socketserver
import struct
import threading
import time
import typing as t
import zlib

from tests.support import recorder

# Returns True if the connection stays open.
Act = cabc.Callable[["Hostile", socket.socket], bool]


def answer(
    body: t.Any = None,
    *,
    status: int = 200,
    crc: int | str | None = -1,
    length: int | None = None,
    headers: cabc.Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of a response.

    Args:
        body: Content that becomes JSON, or bytes that are sent unchanged.
        status: HTTP status.
        crc: Checksum; -1 for the right one, None for no header.
        length: Content length; None for the right one, -1 for no header.
        headers: Further headers.
    """
    content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    lines: dict[str, t.Any] = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "R1"}
    if crc is not None:
        lines["x-amz-crc32"] = zlib.crc32(content) if crc == -1 else crc
    if length != -1:
        lines["Content-Length"] = len(content) if length is None else length
    head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **(headers or {})}.items())
    return f"HTTP/1.1 {status} -\r\n{head}\r\n".encode() + content


def error(code: str, *, status: int = 400, **more: t.Any) -> bytes:
    """The bytes of an error response."""
    return answer({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}, status=status, **more)


def interim(status: int = 100, *, number: int = 1) -> bytes:
    """The bytes of interim responses, which come before a response."""
    return f"HTTP/1.1 {status} -\r\nLink: x\r\nContent-Length: 5\r\n\r\n".encode() * number


def chunked(body: t.Any, *, size: int = 7) -> bytes:
    """The bytes of a response in chunks, with a trailer."""
    content = json.dumps(body).encode()
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    head = answer(content, length=-1, headers={"Transfer-Encoding": "chunked"})[: -len(content)]
    return head + chunks + b"0\r\nx-late: trailer\r\n\r\n"


def say(data: bytes) -> Act:
    """Send the bytes, and keep the connection."""
    return lambda server, connection: connection.sendall(data) is None


def cut(data: bytes, *, at: int | None = None) -> Act:
    """Send a part of the bytes, and close the connection."""
    return lambda server, connection: connection.sendall(data[:at]) is not None


def reset(data: bytes = b"", *, at: int | None = None) -> Act:
    """Send a part of the bytes, and reset the connection."""

    def act(server: Hostile, connection: socket.socket) -> bool:
        connection.sendall(data[:at])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return act


def stall(data: bytes = b"", *, at: int | None = None) -> Act:
    """Send a part of the bytes, and then nothing."""

    def act(server: Hostile, connection: socket.socket) -> bool:
        connection.sendall(data[:at])
        server.is_over.wait(timeout=60)
        return False

    return act


def drip(data: bytes, *, size: int = 1) -> Act:
    """Send the bytes piece by piece."""

    def act(server: Hostile, connection: socket.socket) -> bool:
        for start in range(0, len(data), size):
            connection.sendall(data[start : start + size])
        return True

    return act


class Hostile:
    """The server. Within its ``with`` block, it listens on a free port of the loopback interface.

    Attributes:
        acts: Acts for the next requests, in order.
        requests: All requests, in the order of their arrival.
        connections: Number of accepted connections.
        closings: Number of connections that it has closed.
        is_over: Event that is set at the end of the block.
    """

    def __init__(self) -> None:
        self.acts: list[Act] = [say(answer({}))]
        self.requests: list[recorder.Request] = []
        self.connections = self.closings = 0
        self.is_over = threading.Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Hostile:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.is_over.set()
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    def wait_for_closings(self, number: int) -> None:
        """Wait until the server has closed a number of connections. A client can read a response before that."""
        deadline = time.monotonic() + 60
        while self.closings < number:
            assert time.monotonic() < deadline, f"The server closed {self.closings} of {number} connections."
            time.sleep(0.001)

    @property
    def operations(self) -> list[tuple[str, str]]:
        """Operation and attempt of each request."""
        return [(request.operation, request.headers["amz-sdk-request"]) for request in self.requests]

    def act(self, request: recorder.Request, connection: socket.socket) -> bool:
        """Respond to a request. True if the connection stays open."""
        self.requests.append(request)
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        return act(self, connection)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False

    def __init__(self, hostile: Hostile) -> None:
        self.hostile = hostile
        self._connections: list[socket.socket] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: t.Any, client_address: t.Any) -> None:
        self.hostile.connections += 1
        self._connections.append(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: t.Any) -> None:
        # No shutdown before the close: after SO_LINGER, the close itself must send the reset.
        self.close_request(request)
        self.hostile.closings += 1

    def close_connections(self) -> None:
        for connection in self._connections:
            with contextlib.suppress(OSError):  # it may be closed
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while (request := recorder.read_request(self.rfile)) and self.server.hostile.act(request, self.connection):
                pass
