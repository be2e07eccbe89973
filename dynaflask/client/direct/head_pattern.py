"""The head of a server's usual response as one pattern, learnt from a response that the strict parser has read.

The responses of one server have the same headers in the same order. One match then takes the place of a parser. The
pattern accepts no head that the strict parser reads differently: it fixes the names, their order and their case, and
each header that frames the response. Only values differ, and they have the characters that the strict parser allows.
"""

from __future__ import annotations

import re

from dynaflask.client.direct.strict_parser import MAX_HEAD_BYTES
from dynaflask.client.direct.strict_parser import Head

OK = 200
HEAD_END = b"\r\n\r\n"
LENGTH = "content-length"
CHECKSUM = "x-amz-crc32"
REQUEST_ID = "x-amzn-requestid"
# A hostile server could send names that take a tenth of a second to compile. DynamoDB's heads have 300 bytes.
MAX_LEARNT_BYTES = 4096
# Its value decides whether the connection is kept, so it is fixed, too.
CONNECTION = "connection"

_LEARNT_LINE = re.compile(r"([^:]+): (\S.*)")
_VALUE = r"([!-~\x80-\xff][\t -~\x80-\xff]*)"
_LENGTH_VALUE = r"([0-9]{1,18})"


class HeadPattern:
    """Finds the heads of one form at the start of a response.

    Args:
        pattern: The regular expression, with one group per header.
        names: The headers by lower-case name, in the order of the groups.

    Attributes:
        length: The group of the content length.
        checksum: The group of DynamoDB's checksum of the body; 0 if the head has none.
        request_id: The group of AWS's id of the request; 0 if the head has none.
    """

    __slots__ = ("_match", "_names", "checksum", "length", "request_id")

    def __init__(self, pattern: str, names: tuple[str, ...]) -> None:
        # Further clients of the same server find the compiled expression in the cache of `re`.
        self._match = re.compile(f"{pattern}\r\n\r\n").match
        self._names = names
        self.length = names.index(LENGTH) + 1
        self.checksum, self.request_id = (
            names.index(name) + 1 if name in names else 0 for name in (CHECKSUM, REQUEST_ID)
        )

    @classmethod
    def learn(cls, head: Head) -> HeadPattern | None:
        """The pattern of a head, or ``None`` if it is not of the usual form.

        Args:
            head: Head of a valid response.
        """
        status_line, *lines = head.data.decode("latin-1").split("\r\n")
        # With a repeated header, there are more lines than headers.
        is_usual = head.status == OK and head.keeps_alive and LENGTH in head.headers and len(lines) == len(head.headers)
        matches = [_LEARNT_LINE.fullmatch(line) for line in lines]
        if not is_usual or len(head.data) > MAX_LEARNT_BYTES:
            return None
        pattern = re.escape(status_line)
        for match in matches:
            if match is None:
                return None
            pattern += re.escape(f"\r\n{match[1]}: ") + _value_pattern(match[1].lower(), match[2])
        learnt = cls(pattern, tuple(head.headers))
        found = learnt.find(head.data + HEAD_END)
        return learnt if found is not None and learnt.headers(found) == head.headers else None

    def find(self, received: bytes) -> re.Match[str] | None:
        """The match of a head with its empty line at the start of a response, or ``None`` if it has another form.

        Args:
            received: First bytes of the response.
        """
        # A character of Latin-1 is one byte, so that the match ends where the body begins.
        return self._match(received.decode("latin-1"), 0, MAX_HEAD_BYTES)

    def headers(self, found: re.Match[str]) -> dict[str, str]:
        """The headers by lower-case name.

        Args:
            found: What :meth:`find` has returned.
        """
        # There is one group per name. To check it again takes a fifth of the time.
        return dict(zip(self._names, found.groups()))  # noqa: B905


def _value_pattern(name: str, value: str) -> str:
    if name == LENGTH:
        return _LENGTH_VALUE
    return f"({re.escape(value)})" if name == CONNECTION else _VALUE
