"""A response to a request of the direct transport, and whether it is intact."""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t
import zlib

from dynaflask.client.direct.head_pattern import CHECKSUM
from dynaflask.client.direct.head_pattern import OK
from dynaflask.client.direct.head_pattern import REQUEST_ID
from dynaflask.client.direct.head_pattern import HeadPattern
from dynaflask.client.direct.strict_parser import FIRST_FINAL_STATUS

if t.TYPE_CHECKING:
    import re


class Response:
    """A response. Its attributes have the names that botocore reads from a response of urllib3.

    Args:
        status_code: As the attribute.
        headers: As the attribute.
        body: As the attribute.
        has_all_headers: False if a header may be missing.
        is_complete: As the attribute.
        keeps_alive: As the attribute.

    Attributes:
        status_code: HTTP status.
        body: Body as received.
        is_complete: True if the response is well-formed to its end. If False, the body can be cut short.
        keeps_alive: True if the connection can serve another request.
    """

    __slots__ = ("_has_all_headers", "_headers", "body", "is_complete", "keeps_alive", "status_code")

    def __init__(
        self,
        status_code: int,
        headers: dict[str, str],
        body: bytes,
        has_all_headers: bool = True,
        *,
        is_complete: bool = True,
        keeps_alive: bool = False,
    ) -> None:
        self.status_code = status_code
        self.body = body
        self.is_complete = is_complete
        self.keeps_alive = keeps_alive
        self._headers = headers
        self._has_all_headers = has_all_headers

    @property
    def headers(self) -> dict[str, str]:
        """Headers by lower-case name."""
        return self._headers

    @property
    def request_id(self) -> str | None:
        """AWS's id of the request, or ``None``."""
        return self.headers.get(REQUEST_ID)

    @property
    def is_intact(self) -> bool:
        """True for a final response whose body matches the checksum or, without a checksum, is JSON."""
        checksum = self.headers.get(CHECKSUM)
        if self.status_code < FIRST_FINAL_STATUS:
            return False
        if checksum is None:
            # A part of a JSON object is not JSON. An empty body may be cut short.
            return self._has_all_headers and _is_json(self.body) if self.body else self.is_complete
        try:
            return zlib.crc32(self.body) == int(checksum)
        except ValueError:
            return False

    def stream(self) -> cabc.Iterator[bytes]:
        """The body in one chunk. botocore reads ``raw.stream()``."""
        yield self.body


class MatchedResponse(Response):
    """A response whose head matches the pattern of its server. Its headers are decoded when they are asked for.

    Args:
        pattern: The form of the head.
        found: Its match.
        body: As of :class:`Response`.
        keeps_alive: As of :class:`Response`.
    """

    __slots__ = ("_found", "_pattern")
    status_code = OK
    is_complete = True

    # super().__init__() would set what is the same for all of them, for each call.
    def __init__(self, pattern: HeadPattern, found: re.Match[str], body: bytes, keeps_alive: bool) -> None:
        self._pattern = pattern
        self._found = found
        self.body = body
        self.keeps_alive = keeps_alive

    @property
    def headers(self) -> dict[str, str]:
        """Headers by lower-case name."""
        return self._pattern.headers(self._found)

    @property
    def request_id(self) -> str | None:
        """See :class:`Response`."""
        group = self._pattern.request_id
        return self._found[group] if group else None

    @property
    def is_intact(self) -> bool:
        """See :class:`Response`."""
        checksum = self._pattern.checksum
        if not checksum:
            return not self.body or _is_json(self.body)
        try:
            return zlib.crc32(self.body) == int(self._found[checksum])
        except ValueError:
            return False


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (RecursionError, ValueError):
        return False
    return True
