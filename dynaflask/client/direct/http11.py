"""One HTTP/1.1 response, parsed from the bytes of a socket.

urllib3 and http.client took two fifths of the CPU time of a small call. They still read what is not valid HTTP/1.1.
"""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t
import zlib

from dynaflask.client.direct.head_pattern import HEAD_END
from dynaflask.client.direct.head_pattern import LENGTH
from dynaflask.client.direct.head_pattern import OK
from dynaflask.client.direct.head_pattern import HeadPattern
from dynaflask.client.direct.lenient_reader import FIRST_FINAL_STATUS
from dynaflask.client.direct.lenient_reader import read_leniently
from dynaflask.client.direct.strict_parser import NotStrict
from dynaflask.client.direct.strict_parser import StrictParser

CHECKSUM = "x-amz-crc32"
# Heads that a reader learns. More than one form comes from a server with several back ends, or from a hostile one.
MAX_PATTERNS = 8


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
    """Reads the responses of one server.

    A response with the head that the server sent before takes one match. Any other response takes the strict parser,
    and what that refuses is read as botocore reads it. Threads may share a reader.
    """

    def __init__(self) -> None:
        self._pattern: HeadPattern | None = None
        self._patterns_left = MAX_PATTERNS

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
        received, pattern = receive(size), self._pattern
        head, end, body = received.partition(HEAD_END)
        headers = pattern.match(head) if pattern is not None and end else None
        if headers is None:
            return self._read_strictly(received, receive, size=size)
        length = int(headers[LENGTH])
        if len(body) == length:
            return Response(OK, headers, body, keeps_alive=True)
        return _read_body(headers, [received], receive, missing=length - len(body), size=size)

    def _read_strictly(self, received: bytes, receive: cabc.Callable[[int], bytes], *, size: int) -> Response:
        parser = StrictParser(received, receive, size=size)
        try:
            head, body, keeps_alive = parser.read()
        except NotStrict:
            return Response(*read_leniently(parser.received, receive), is_complete=False)
        # A server that changes its heads all the time must not make each call compile a pattern.
        if self._patterns_left and (self._pattern is None or self._pattern.match(head.data) is None):
            learnt = HeadPattern.learn(head)
            if learnt is not None:
                self._pattern, self._patterns_left = learnt, self._patterns_left - 1
        is_final = head.status >= FIRST_FINAL_STATUS
        return Response(head.status, head.headers, body, is_complete=is_final, keeps_alive=keeps_alive)


def _read_body(
    headers: dict[str, str], parts: list[bytes], receive: cabc.Callable[[int], bytes], *, missing: int, size: int
) -> Response:
    """The response whose body is longer or shorter than the first part.

    Memory grows with the bytes that arrive, whatever length the server announces. Each read asks for ``size`` bytes,
    also where fewer are missing: what TLS has decrypted beyond the response would stay in its buffer, where no poll of
    the socket sees it, and answer the next request.
    """
    length = int(headers[LENGTH])
    while missing > 0 and (data := receive(size)):
        parts.append(data)
        missing -= len(data)
    received = b"".join(parts)
    if missing > 0:
        return Response(*read_leniently(received, receive), is_complete=False)
    start = received.index(HEAD_END) + len(HEAD_END)
    # RFC 9112, section 9.2: bytes without an outstanding request are not a valid response.
    return Response(OK, headers, received[start : start + length], keeps_alive=missing == 0)


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (RecursionError, ValueError):
        return False
    return True
