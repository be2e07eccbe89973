"""One HTTP/1.1 response, parsed from the bytes of a socket.

urllib3 and http.client took two fifths of the CPU time of a small call. They still read what httptools does not accept.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import json
import typing as t
import zlib

import httptools

from dynaflask.client.direct.lenient_reader import FIRST_FINAL_STATUS
from dynaflask.client.direct.lenient_reader import SWITCHING_PROTOCOLS
from dynaflask.client.direct.lenient_reader import read_leniently

CHECKSUM = "x-amz-crc32"
# Limits of http.client. No response of DynamoDB reaches them.
MAX_HEADERS = 100
MAX_HEAD_BYTES = 65536
# More interim responses to one request are not a valid exchange; without a limit, a server could send them for ever.
MAX_INTERIM_RESPONSES = 100


class Response(t.NamedTuple):
    """A response. Its attributes have the names that botocore reads from a response of urllib3.

    Attributes:
        status_code: HTTP status.
        headers: Headers by lower-case name.
        body: Body as received.
        has_all_headers: False if a header may be missing.
        is_complete: True if the response is well-formed to its end. If False, the body can be cut short.
        keeps_alive: True if the connection can serve another request.
    """

    status_code: int
    headers: dict[str, str]
    body: bytes
    has_all_headers: bool = True
    is_complete: bool = True
    keeps_alive: bool = False

    @property
    def is_intact(self) -> bool:
        """True for a final response whose body matches the checksum or, without a checksum, is JSON."""
        checksum = self.headers.get(CHECKSUM)
        if self.status_code < FIRST_FINAL_STATUS:
            return False
        if checksum is None:
            # A part of a JSON object is not JSON. An empty body may be cut short.
            return self.has_all_headers and _is_json(self.body) if self.body else self.is_complete
        try:
            return zlib.crc32(self.body) == int(checksum)
        except ValueError:
            return False

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
        self._body_parts = self._status = self._head_bytes = self._interim_responses = 0
        self.on_body = self._body.append

    def read(self, receive: cabc.Callable[[int], bytes], *, size: int) -> Response:
        """Read until the response is complete or the connection ends.

        Args:
            receive: Function that returns at most the given number of bytes, or none at the end of the connection.
            size: Number of bytes to ask for at a time.

        Raises:
            OSError: The connection failed.
            http.client.HTTPException: The response is not HTTP.
            urllib3.exceptions.HTTPError: The body is not complete.
        """
        received = []
        self._parser = httptools.HttpResponseParser(self)
        try:
            while not self._is_over and (data := receive(size)):
                received.append(data)
                self._feed(data)
        finally:
            # The parser refers back to this object. Without `del`, both wait for the next garbage collection.
            del self._parser
        if not self._is_complete:
            return Response(*read_leniently(b"".join(received), receive), is_complete=False)
        body = b"".join(self._body[: self._body_parts])
        return Response(self._status, _headers(self._header_pairs), body, keeps_alive=self._keeps_alive)

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
        """Callback of httptools: an interim response ends and the final one follows, or the response is complete."""
        if self._is_over:
            return
        status = self._parser.get_status_code()
        is_interim = status < FIRST_FINAL_STATUS and status != SWITCHING_PROTOCOLS
        if is_interim and self._interim_responses < MAX_INTERIM_RESPONSES:
            # RFC 9110, section 15.2: a client must accept interim responses, also if it did not ask for them.
            self._interim_responses += 1
            self._header_pairs.clear()
            return
        self._is_over = self._is_complete = True
        self._status, self._body_parts = status, len(self._body)
        self._keeps_alive = self._parser.should_keep_alive()

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):  # neither is the other's base class
            self._is_over, self._keeps_alive = True, False
        if not self._body:
            self._head_bytes += len(data)
            self._is_over |= self._head_bytes > MAX_HEAD_BYTES


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
        json.loads(body)
    except (RecursionError, ValueError):
        return False
    return True
