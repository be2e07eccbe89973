"""One HTTP/1.1 response, parsed from the bytes of a socket.

urllib3 and http.client took two fifths of the CPU time of a small call.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import json
import typing as t
import zlib

import httptools

# Limits of http.client. No response of DynamoDB reaches them.
MAX_HEADERS = 100
MAX_HEAD_BYTES = 65536


class Response(t.NamedTuple):
    """A response. Its attributes have the names that botocore reads from a response of urllib3.

    Attributes:
        status_code: HTTP status.
        headers: Headers by lower-case name.
        body: Body as received.
        is_complete: True if the whole response arrived. If False, the body can be cut short.
        keeps_alive: True if the connection can serve another request.
    """

    status_code: int
    headers: dict[str, str]
    body: bytes
    is_complete: bool = True
    keeps_alive: bool = False

    @property
    def is_intact(self) -> bool:
        """True if the response is complete, and its body matches the checksum or, without a checksum, is JSON.

        Raises:
            ValueError: The checksum is not a number. botocore raises this error, too.
        """
        checksum = self.headers.get("x-amz-crc32")
        if checksum is None:
            return self.is_complete and _is_json(self.body)
        return self.is_complete and zlib.crc32(self.body) == int(checksum)

    def stream(self) -> cabc.Iterator[bytes]:
        """The body in one chunk. botocore reads ``raw.stream()``."""
        yield self.body


class ResponseReader:
    """Reads one response. httptools calls the methods ``on_*``; each one costs time, so there are only the needed ones.

    Attributes:
        on_body: Callback of httptools that takes one part of the body.
    """

    def __init__(self) -> None:
        self._is_over = self._is_complete = self._keeps_alive = False
        self._header_pairs: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._body_parts: int | None = None
        self._head_bytes = 0
        self.on_body = self._body.append

    def read(self, receive: cabc.Callable[[int], bytes], *, size: int) -> Response | None:
        """Read until the response is complete or the connection ends.

        Args:
            receive: Function that returns at most the given number of bytes, or none at the end of the connection.
            size: Number of bytes to ask for at a time.

        Returns:
            The response, or ``None`` if no status line arrived.
        """
        parser = self._parser = httptools.HttpResponseParser(self)
        try:
            while not self._is_over:
                data = receive(size)
                self._feed(data) if data else self._end()
        finally:
            # The parser refers back to this object. Without `del`, both wait for the next garbage collection.
            del self._parser
        status = parser.get_status_code()
        if status < 100:  # noqa: PLR2004 - the first status of HTTP
            return None
        # DynamoDB sends no interim response (1xx, RFC 9110, section 15.2). One is treated as incomplete.
        is_complete = self._is_complete and status >= 200  # noqa: PLR2004 - the first status of a final response
        body = b"".join(self._body[: self._body_parts])
        return Response(status, _headers(self._header_pairs), body, is_complete, is_complete and self._keeps_alive)

    def on_message_begin(self) -> None:
        """Callback of httptools. A second call means bytes after the response, so the connection cannot be reused."""
        # RFC 9112, section 9.2: bytes without an outstanding request are not a valid response.
        self._keeps_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Callback of httptools: store a header. Trailers are dropped (RFC 9110, section 6.5.1).

        Raises:
            ValueError: There are more than ``MAX_HEADERS``.
        """
        if len(self._header_pairs) == MAX_HEADERS:
            raise ValueError("There are too many headers.")
        if not self._body:
            self._header_pairs.append((name, value))

    def on_message_complete(self) -> None:
        """Callback of httptools: the response is complete."""
        if not self._is_over:
            self._is_over = self._is_complete = True
            self._keeps_alive, self._body_parts = self._parser.should_keep_alive(), len(self._body)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._is_over, self._keeps_alive = True, False
        if not self._body:
            self._head_bytes += len(data)
            self._is_over |= self._head_bytes > MAX_HEAD_BYTES

    def _end(self) -> None:
        # RFC 9112, section 6.3: a body without a length ends with the connection. With one, it was cut (section 8).
        framing = {"content-length", "transfer-encoding"}
        self._is_over, self._is_complete = True, bool(self._body) and framing.isdisjoint(_headers(self._header_pairs))


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers = {_lower_name(name): value.decode("latin-1") for name, value in pairs}
    return headers if len(headers) == len(pairs) else _combine(pairs)


# All responses have the same few header names.
@functools.lru_cache(maxsize=MAX_HEADERS)
def _lower_name(name: bytes) -> str:
    return name.decode("latin-1").lower()


def _combine(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers where the values of one name are joined by a comma (RFC 9110, section 5.3), as urllib3 does."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key, text = _lower_name(name), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body or b"{}")
    except ValueError:
        return False
    return True
