"""One HTTP/1.1 answer, from the bytes of a socket. urllib3 and http.client were two fifths of a small call."""

from __future__ import annotations

import collections.abc as cabc
import functools
import json
import typing as t
import zlib

import httptools

# As http.client bounds them: what is longer is no answer of DynamoDB's.
MAX_HEADERS = 100
MAX_HEAD_BYTES = 65536


class Response(t.NamedTuple):
    """An answer.

    Attributes:
        status_code: As botocore calls it.
        headers: By lower-case name.
        body: As it came.
        is_complete: Whether all of it came; the body may be cut short otherwise.
        keeps_alive: Whether its connection serves another call.
    """

    status_code: int
    headers: dict[str, str]
    body: bytes
    is_complete: bool = True
    keeps_alive: bool = False

    @property
    def is_intact(self) -> bool:
        """Whether the body is what was sent: as its checksum says or, where there is none, JSON.

        Raises:
            ValueError: The checksum is no number, which botocore does not forgive either.
        """
        expected = self.headers.get("x-amz-crc32")
        if expected is None:
            return self.is_complete and _is_json(self.body)
        return self.is_complete and zlib.crc32(self.body) == int(expected)

    def stream(self) -> cabc.Iterator[bytes]:
        """The body, as botocore asks for it."""
        yield self.body


class ResponseReader:
    """An answer that is coming in. httptools calls what begins with ``on_``: no more than will do, as each call counts.

    Attributes:
        on_body: Takes a part of the body.
    """

    def __init__(self) -> None:
        self._is_over = self._is_complete = self._is_kept = False
        self._pairs: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._parts: int | None = None
        self._head_bytes = 0
        self.on_body = self._body.append

    def read(self, receive: cabc.Callable[[int], bytes], *, size: int) -> Response | None:
        """Read until the answer is whole, or nothing more comes.

        Args:
            receive: Gives at most so many bytes, or none at the end.
            size: How many to ask for at a time.

        Returns:
            The answer; ``None`` if there was no beginning of one.
        """
        parser = self._parser = httptools.HttpResponseParser(self)
        try:
            while not self._is_over:
                data = receive(size)
                self._feed(data) if data else self._end()
        finally:
            del self._parser  # it holds this object: neither would go before the next garbage collection
        status = parser.get_status_code()
        if status < 100:  # noqa: PLR2004 - the least that HTTP has
            return None
        # DynamoDB has nothing to say before the answer, such as 100.
        is_complete = self._is_complete and status >= 200  # noqa: PLR2004 - the least of a final answer
        body = b"".join(self._body[: self._parts])
        return Response(status, _headers(self._pairs), body, is_complete, is_complete and self._is_kept)

    def on_message_begin(self) -> None:
        """Begin; a second time, if there is more than the answer."""
        self._is_kept = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. What follows the body has none that count."""
        if len(self._pairs) == MAX_HEADERS:
            raise ValueError("There are too many headers.")
        if not self._body:
            self._pairs.append((name, value))

    def on_message_complete(self) -> None:
        """Be done."""
        if not self._is_over:
            self._is_over = self._is_complete = True
            self._is_kept, self._parts = self._parser.should_keep_alive(), len(self._body)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._is_over, self._is_kept = True, False
        if not self._body:
            self._head_bytes += len(data)
            self._is_over |= self._head_bytes > MAX_HEAD_BYTES

    def _end(self) -> None:
        # Without a length, the end of the connection is the end of the answer.
        lengths = {"content-length", "transfer-encoding"}
        self._is_over, self._is_complete = True, bool(self._body) and lengths.isdisjoint(_headers(self._pairs))


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers = {_key(name): value.decode("latin-1") for name, value in pairs}
    return headers if len(headers) == len(pairs) else _joined(pairs)


@functools.lru_cache(maxsize=MAX_HEADERS)
def _key(name: bytes) -> str:
    """The lower-case name of a header. Answers have the same few."""
    return name.decode("latin-1").lower()


def _joined(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers, some of which come more than once."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key, text = _key(name), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body or b"{}")
    except ValueError:
        return False
    return True
