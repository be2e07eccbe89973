"""A response of the direct transport, whose head is the server's first one or has its usual form."""

from __future__ import annotations

import collections.abc as cabc

import pytest

from dynaflask.client.direct.http11 import ResponseReader
from dynaflask.client.direct.http_pool import READ_SIZE
from dynaflask.client.direct.response import MatchedResponse
from dynaflask.client.direct.response import Response
from tests.support.hostile import answer

BODY = b'{"a": 1}'
KEPT = {"Connection": "keep-alive", "x-amzn-RequestId": "R1"}


def next_of(pieces: list[bytes]) -> cabc.Callable[[int], bytes]:
    """What receives the pieces, and after them the end of the connection."""
    coming = iter(pieces)
    return lambda _: next(coming, b"")


def read(data: bytes, *, times: int) -> Response:
    """The last of the responses that a reader reads."""
    reader = ResponseReader()
    for _ in range(times):
        response = reader.read(next_of([data]), size=READ_SIZE)
    return response


class TestIsIntact:
    """``Response.is_intact``: the body is what the server sent."""

    @pytest.mark.parametrize(
        ("data", "is_intact"),
        [
            (answer({"a": 1}), True),
            (answer({"a": 1}, crc=1), False),
            (answer({"a": 1}, crc=None), True),
            (answer(b"{", crc=None), False),
            (answer(b"", crc=None), True),
            (answer({"a": 1}, crc=None, length=3), False),
            (answer([1], crc=None), True),
            (answer(b"[" * 100_000, crc=None), False),
            (answer({"a": 1}, crc="x"), False),
            (answer({"a": 1}, length=100), True),
            (answer({"a": 1}, crc=None, length=100), True),
            (answer(b"", crc=None, length=100), False),
        ],
        ids=[
            "right",
            "wrong",
            "none, and an object",
            "none, and no JSON",
            "none, and empty",
            "none, and cut",
            "none, and a list",
            "none, and too deep",
            "not a number",
            "right, and too short for its length",
            "none, an object, and too short for its length",
            "none, and nothing of a body",
        ],
    )
    @pytest.mark.parametrize("form", ["first", "usual"])
    def test_by_its_checksum(self, data: bytes, is_intact: bool, form: str) -> None:
        """The checksum decides. Without one, the body must be JSON, or empty in a complete response."""
        assert read(data, times=1 if form == "first" else 3).is_intact is is_intact


class TestUsual:
    """The third response with one head is a ``MatchedResponse``, which is as the first one."""

    def test_its_parts(self) -> None:
        """Status, headers, body, and whether the connection can be used again."""
        first, usual = (read(answer(BODY, headers=KEPT), times=times) for times in (1, 3))
        assert (type(first), type(usual)) == (Response, MatchedResponse)
        names = ("status_code", "headers", "body", "is_complete", "is_intact", "keeps_alive", "request_id")
        assert [getattr(usual, name) for name in names] == [getattr(first, name) for name in names]
        assert usual.headers["x-amzn-requestid"] == usual.request_id == "R1"

    @pytest.mark.parametrize("times", [1, 3], ids=["first", "usual"])
    def test_a_server_without_request_ids(self, times: int) -> None:
        """A proxy or a stand-in may send none."""
        data = answer(BODY, headers={"Connection": "keep-alive"}).replace(b"x-amzn-RequestId", b"x-other")
        response = read(data, times=times)
        assert (type(response), response.request_id) == ((MatchedResponse if times > 1 else Response), None)

    def test_two_servers(self) -> None:
        """Two apps have readers of their own, and each sees the headers of its own server."""
        readers = {name: ResponseReader() for name in ("first", "second")}
        for _ in range(3):
            for name, reader in readers.items():
                data = answer(BODY, headers={**KEPT, f"x-{name}": name})
                response = reader.read(next_of([data]), size=READ_SIZE)
                assert {header for header in response.headers if header.endswith(("first", "second"))} == {f"x-{name}"}


def test_botocore_asks_for_the_body_in_pieces() -> None:
    """``stream`` yields the expected body, for botocore."""
    assert [*Response(200, {}, BODY).stream()] == [BODY]
