"""One HTTP/1.1 response, parsed from the bytes of a socket.

urllib3 and http.client took two fifths of the CPU time of a small call. They still read what is not valid HTTP/1.1.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from dynaflask.client.direct.head_pattern import HEAD_END
from dynaflask.client.direct.head_pattern import HeadPattern
from dynaflask.client.direct.response import MatchedResponse
from dynaflask.client.direct.response import Response
from dynaflask.client.direct.strict_parser import FIRST_FINAL_STATUS
from dynaflask.client.direct.strict_parser import NotStrict
from dynaflask.client.direct.strict_parser import StrictParser

if t.TYPE_CHECKING:
    import re

    from dynaflask.client.direct.strict_parser import Head

# Heads that a reader learns. More than one form comes from a server with several back ends, or from a hostile one.
MAX_PATTERNS = 8


class ResponseReader:
    """Reads the responses of one server.

    A response with the head that the server sent before takes one match. Any other response takes the strict parser,
    and what that refuses is read as botocore reads it. Threads may share a reader.
    """

    def __init__(self) -> None:
        self._pattern: HeadPattern | None = None
        self._patterns_left = MAX_PATTERNS
        self._has_read = False

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
        found = None if pattern is None else pattern.find(received)
        if pattern is None or found is None:
            return self._read_strictly(received, receive, size=size)
        body, length = received[found.end() :], int(found[pattern.length])
        if len(body) == length:
            return MatchedResponse(pattern, found, body, True)
        return _read_body(pattern, found, received, receive, length=length, size=size)

    def _read_strictly(self, received: bytes, receive: cabc.Callable[[int], bytes], *, size: int) -> Response:
        parser = StrictParser(received, receive, size=size)
        try:
            head, body, keeps_alive = parser.read()
        except NotStrict:
            return _read_leniently(parser.received, receive)
        self._learn(head)
        is_final = head.status >= FIRST_FINAL_STATUS
        return Response(head.status, head.headers, body, is_complete=is_final, keeps_alive=keeps_alive)

    def _learn(self, head: Head) -> None:
        # Not from the first response: a pattern takes a millisecond to compile, and a process may make one call.
        if not self._has_read:
            self._has_read = True
        # A server that changes its heads all the time must not make each call compile a pattern.
        elif self._patterns_left and (self._pattern is None or self._pattern.find(head.data + HEAD_END) is None):
            learnt = HeadPattern.learn(head)
            if learnt is not None:
                self._pattern, self._patterns_left = learnt, self._patterns_left - 1


def _read_body(
    pattern: HeadPattern,
    found: re.Match[str],
    received: bytes,
    receive: cabc.Callable[[int], bytes],
    *,
    length: int,
    size: int,
) -> Response:
    """The response whose body is longer or shorter than what has been received of it.

    Memory grows with the bytes that arrive, whatever length the server announces. Each read asks for ``size`` bytes,
    also where fewer are missing: what TLS has decrypted beyond the response would stay in its buffer, where no poll of
    the socket sees it, and answer the next request.
    """
    parts, start = [received], found.end()
    missing = start + length - len(received)
    while missing > 0 and (data := receive(size)):
        parts.append(data)
        missing -= len(data)
    received = b"".join(parts)
    if missing > 0:
        return _read_leniently(received, receive)
    # RFC 9112, section 9.2: bytes without an outstanding request are not a valid response.
    return MatchedResponse(pattern, found, received[start : start + length], missing == 0)


def _read_leniently(received: bytes, receive: cabc.Callable[[int], bytes]) -> Response:
    from dynaflask.client.direct.lenient_reader import read_leniently  # noqa: PLC0415 - DynamoDB's own are valid

    return Response(*read_leniently(received, receive), is_complete=False)
