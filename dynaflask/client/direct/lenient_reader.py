"""Reads a response that is not valid HTTP/1.1, as botocore reads it: with http.client and urllib3.

The strict parser refuses folded headers, a bad Content-Length, and lines that end in a bare LF. botocore accepts them.
Without this module, the direct transport would send a write again that botocore sends once.
"""

from __future__ import annotations

import collections.abc as cabc
import http.client
import io
import re
import types
import typing as t

from urllib3 import HTTPHeaderDict
from urllib3 import HTTPResponse

from dynaflask.client.direct.strict_parser import FIRST_FINAL_STATUS

SWITCHING_PROTOCOLS = 101
# http.client accepts 100 headers of 64 KiB, but any number of interim responses. This is the limit of all together.
MAX_HEAD_BYTES = 100 * 65536
# A line break in a header that goes on in the next line (RFC 9112, section 5.2).
_FOLD = re.compile(r"[ \t]*\r\n[ \t]+")


class LenientResponse(t.NamedTuple):
    """A response as botocore reads it.

    Attributes:
        status: HTTP status.
        headers: Headers by lower-case name.
        body: The body. It can be cut short.
        has_all_headers: False if a line is no header. http.client then drops the headers after it, also the checksum.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    has_all_headers: bool


def read_leniently(received: bytes, receive: cabc.Callable[[int], bytes]) -> LenientResponse:
    """The response that botocore would read from a connection. The connection must not be used again.

    Args:
        received: The bytes of the response that have been read already.
        receive: Function that returns at most the given number of further bytes, or none at the end of the connection.

    Raises:
        OSError: The connection failed, or the head of the response has no end.
        http.client.HTTPException: The head is not HTTP.
        urllib3.exceptions.HTTPError: The body ended too early, or its length is not valid.
    """
    source = _Source(received, receive)
    stream = _Stream(source)
    message = _read_head(stream)
    # http.client skips 100 itself, and takes any other interim response for the final one.
    while message.status < FIRST_FINAL_STATUS and message.status != SWITCHING_PROTOCOLS:
        message = _read_head(stream)
    source.max_bytes = None
    # The options are those of botocore's URLLib3Session.
    response = HTTPResponse(
        body=message,
        headers=HTTPHeaderDict(message.msg.items()),
        status=message.status,
        version=message.version,
        reason=message.reason,
        preload_content=False,
        decode_content=False,
        original_response=message,
        enforce_content_length=False,
        request_method="POST",
    )
    # Not `items()`, which has the values of one name in several pairs.
    headers = {name.lower(): _FOLD.sub(" ", response.headers[name]) for name in response.headers}
    return LenientResponse(message.status, headers, b"".join(response.stream()), not message.msg.defects)


def _read_head(stream: _Stream) -> http.client.HTTPResponse:
    message = http.client.HTTPResponse(t.cast("t.Any", types.SimpleNamespace(makefile=lambda _: stream)), method="POST")
    message.begin()
    return message


class _Stream(io.BufferedReader):
    def close(self) -> None:
        """Do nothing: an interim response closes its stream, and the final response is still to be read from it."""


class _Source(io.RawIOBase):
    def __init__(self, received: bytes, receive: cabc.Callable[[int], bytes]) -> None:
        self._received = memoryview(received)
        self._receive = receive
        self.max_bytes: int | None = MAX_HEAD_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        size = len(buffer)
        data = self._received[:size] or self._receive(size)
        self._received = self._received[len(data) :]
        if self.max_bytes is not None:
            self.max_bytes -= len(data)
            if self.max_bytes < 0:
                raise ConnectionError("The head of the response has no end.")
        buffer[: len(data)] = data
        return len(data)
