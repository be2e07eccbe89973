"""One HTTP/1.1 answer, from the bytes of a socket. urllib3 and http.client were two fifths of a small call."""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t
import zlib

import httptools

# As http.client bounds them: what is longer is no answer of DynamoDB's.
MAX_HEADERS = 100
MAX_HEAD_BYTES = 65536


class Answer(t.NamedTuple):
    """An answer.

    Attributes:
        status_code: As botocore calls it.
        headers: By lower-case name.
        body: As it came.
        is_whole: Whether all of it came; the body may be cut short otherwise.
        keeps_alive: Whether its connection serves another call.
    """

    status_code: int
    headers: dict[str, str]
    body: bytes
    is_whole: bool = True
    keeps_alive: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether the body is what was sent: as its checksum says or, where there is none, JSON.

        Raises:
            ValueError: The checksum is no number, which botocore does not forgive either.
        """
        expected = self.headers.get("x-amz-crc32")
        if expected is None:
            return self.is_whole and _is_json(self.body)
        return self.is_whole and zlib.crc32(self.body) == int(expected)

    def stream(self) -> cabc.Iterator[bytes]:
        """The body, as botocore asks for it."""
        yield self.body


class Incoming:
    """An answer that is coming in. httptools calls the methods that begin with ``on_``.

    Attributes:
        is_over: Whether nothing more is to be read.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._is_body = self._is_whole = self._is_spoiled = False
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._head_bytes = 0

    def read(self, receive: cabc.Callable[[int], bytes], *, size: int) -> Answer | None:
        """Read until the answer is whole, or nothing more comes.

        Args:
            receive: Gives at most so many bytes, or none at the end.
            size: How many to ask for at a time.

        Returns:
            The answer; ``None`` if there was no beginning of one.
        """
        parser = httptools.HttpResponseParser(self)
        while not self.is_over:
            data = receive(size)
            self._feed(parser, data) if data else self._end()
        status = parser.get_status_code()
        if status < 100:  # noqa: PLR2004 - the least that HTTP has
            return None
        # DynamoDB has nothing to say before the answer, such as 100.
        is_whole = self._is_whole and status >= 200  # noqa: PLR2004 - the least of a final answer
        keeps_alive = is_whole and parser.get_http_version() == "1.1" and self._may_be_kept()
        return Answer(status, self._headers, b"".join(self._body), is_whole, keeps_alive)

    def on_message_begin(self) -> None:
        """Begin; a second time, if there is more than the answer."""
        self._is_spoiled = self._is_whole

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. What follows the body has none that count."""
        if not self._is_body:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text
            if len(self._headers) > MAX_HEADERS:
                raise ValueError("There are too many headers.")

    def on_headers_complete(self) -> None:
        """Turn to the body."""
        self._is_body = True

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        if not self._is_whole:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """Be done."""
        self.is_over = self._is_whole = True

    def _feed(self, parser: httptools.HttpResponseParser, data: bytes) -> None:
        if not self._is_body:
            self._head_bytes += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserError:
            self._is_spoiled = self.is_over = True
        if not self._is_body and self._head_bytes > MAX_HEAD_BYTES:
            self.is_over = True

    def _end(self) -> None:
        # Without a length, the end of the connection is the end of the answer.
        is_open_ended = self._is_body and not self._has_length()
        self.is_over, self._is_whole = True, is_open_ended

    def _has_length(self) -> bool:
        return "content-length" in self._headers or "transfer-encoding" in self._headers

    def _may_be_kept(self) -> bool:
        is_closing = "close" in self._headers.get("connection", "").lower()
        return self._has_length() and not (self._is_spoiled or is_closing)


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body or b"{}")
    except ValueError:
        return False
    return True
