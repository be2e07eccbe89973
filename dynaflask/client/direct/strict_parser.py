"""Reads one response of valid HTTP/1.1 (RFC 9112), and refuses any other.

Two readers that disagree on where a response ends read one response as the answer to another request. So a connection
is reused only after a response that has one possible reading.

The parser waits for more bytes only where botocore would wait, too: for the end of a line, or of a body of known
length. It refuses a malformed response as soon as a line shows it.
"""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

FIRST_FINAL_STATUS = 200
# Limits of http.client. No response of DynamoDB reaches them.
MAX_HEADERS = 100
MAX_HEAD_BYTES = 65536
# More interim responses to one request are not a valid exchange; without a limit, a server could send them for ever.
MAX_INTERIM_RESPONSES = 100
# 101 is not among them: after a switch of protocols, no HTTP/1.1 follows.
INTERIM_STATUSES = frozenset({100, 102, 103})
# RFC 9112, section 6.3: these have no body. DynamoDB sends neither.
STATUSES_WITHOUT_BODY = frozenset({204, 304})

_END = b"\r\n"
_OWS = " \t"
# Each line has one way to match it, so that no line takes more than linear time.
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [\t -~\x80-\xff]*)?\r\n")
_HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*((?:[!-~\x80-\xff][\t -~\x80-\xff]*)?)\r\n")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t -~\x80-\xff]*)?\r\n")
# The limit of digits keeps the length in 64 bits.
_LENGTH = re.compile(r"[0-9]{1,18}")


class NotStrict(Exception):
    """The response is not valid, has no length, or ends too early."""


class Head(t.NamedTuple):
    """Status line and headers of a response.

    Attributes:
        status: HTTP status.
        headers: Headers by lower-case name. The values of one name are joined by a comma, as urllib3 does.
        is_http_1_1: False if the version is HTTP/1.0.
        data: The bytes before the empty line, without the last line break.
    """

    status: int
    headers: dict[str, str]
    is_http_1_1: bool
    data: bytes

    @property
    def keeps_alive(self) -> bool:
        """True if the server promises to keep the connection. HTTP/1.0 is not trusted with a second request."""
        return self.is_http_1_1 and "close" not in self.headers.get("connection", "").lower()

    def body_length(self) -> int | None:
        """Length of the body in bytes, or ``None`` if it comes in chunks.

        Raises:
            NotStrict: The length is missing, malformed, or given twice.
        """
        length, coding = self.headers.get("content-length"), self.headers.get("transfer-encoding")
        if self.status in STATUSES_WITHOUT_BODY and coding is None and length in {None, "0"}:
            return 0
        if self.status in STATUSES_WITHOUT_BODY:
            raise NotStrict
        if coding is not None and length is None and self.is_http_1_1 and coding.strip(_OWS).lower() == "chunked":
            return None
        if coding is not None:
            raise NotStrict
        # A repeated length has a comma, and does not match.
        digits = _LENGTH.fullmatch((length or "").strip(_OWS))
        if digits is None:
            raise NotStrict
        return int(digits[0])


class StrictResponse(t.NamedTuple):
    """A valid response.

    Attributes:
        head: Head of the final response, or of the interim response after which the parser gave up.
        body: The body without the chunks' framing. Trailers are dropped (RFC 9110, section 6.5.1).
        keeps_alive: True if the connection can serve another request.
    """

    head: Head
    body: bytes
    keeps_alive: bool


class StrictParser:
    """Reads one response.

    Args:
        received: The bytes of the response that have been read already.
        receive: Function that returns at most the given number of further bytes, or none at the end of the connection.
        size: Number of bytes to ask for at a time.
    """

    def __init__(self, received: bytes, receive: cabc.Callable[[int], bytes], *, size: int) -> None:
        self._received = bytearray(received)
        self._receive = receive
        self._size = size
        self._at = 0

    @property
    def received(self) -> bytes:
        """All bytes so far, with which another reader can start again."""
        return bytes(self._received)

    def read(self) -> StrictResponse:
        """The response.

        Raises:
            NotStrict: The response is not valid. ``received`` has its bytes.
            OSError: The connection failed.
        """
        head, interim_responses = self._read_head(), 0
        while head.status < FIRST_FINAL_STATUS:
            # RFC 9110, section 15.2: a client must accept interim responses, also if it did not ask for them.
            is_valid = head.status in INTERIM_STATUSES and head.keeps_alive and "transfer-encoding" not in head.headers
            if not is_valid:
                raise NotStrict
            if interim_responses == MAX_INTERIM_RESPONSES:
                return StrictResponse(head, b"", keeps_alive=False)
            head, interim_responses = self._read_head(), interim_responses + 1
        length = head.body_length()
        body = self._read_chunks() if length is None else self._read_exactly(length)
        # RFC 9112, section 9.2: bytes without an outstanding request are not a valid response.
        is_last = self._at == len(self._received)
        return StrictResponse(head, body, keeps_alive=head.keeps_alive and is_last)

    def _read_head(self) -> Head:
        start = self._at
        status_line = _STATUS_LINE.fullmatch(self._read_line(end=MAX_HEAD_BYTES))
        if status_line is None:
            raise NotStrict
        headers: dict[str, str] = {}
        for name, value in self._read_headers(end=MAX_HEAD_BYTES):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        data = bytes(self._received[start : self._at - 2 * len(_END)])
        return Head(int(status_line[2]), headers, status_line[1] == b"1", data)

    def _read_headers(self, *, end: int) -> cabc.Iterator[tuple[str, str]]:
        """Names and values up to the empty line."""
        number = 0
        while (line := self._read_line(end=end)) != _END:
            header, number = _HEADER_LINE.fullmatch(line), number + 1
            if header is None or number > MAX_HEADERS:
                raise NotStrict
            yield header[1].decode("latin-1").lower(), header[2].decode("latin-1")

    def _read_chunks(self) -> bytes:
        chunks = []
        while True:
            chunk_line = _CHUNK_LINE.fullmatch(self._read_line(end=self._at + MAX_HEAD_BYTES))
            if chunk_line is None:
                raise NotStrict
            size = int(chunk_line[1], 16)
            if size == 0:
                break
            chunks.append(self._read_exactly(size))
            if self._read_exactly(len(_END)) != _END:
                raise NotStrict
        for _ in self._read_headers(end=self._at + MAX_HEAD_BYTES):
            pass
        return b"".join(chunks)

    def _read_line(self, *, end: int) -> bytes:
        """One line with its line break, which must come before the position ``end``."""
        start = searched = self._at
        while (at := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            if searched >= end:
                raise NotStrict
            self._receive_more()
        self._at = at + 1
        if self._at > end:
            raise NotStrict
        return bytes(self._received[start : self._at])

    def _read_exactly(self, length: int) -> bytes:
        start, end = self._at, self._at + length
        while len(self._received) < end:
            self._receive_more()
        self._at = end
        return bytes(self._received[start:end])

    def _receive_more(self) -> None:
        data = self._receive(self._size)
        if not data:
            raise NotStrict
        self._received += data
