"""HTTP/1.1 responses, split into any pieces."""

from __future__ import annotations

import typing as t

import pytest

from dynaflask.client.direct.http11 import MAX_HEAD_BYTES
from dynaflask.client.direct.http11 import MAX_HEADERS
from dynaflask.client.direct.http11 import Response
from dynaflask.client.direct.http11 import ResponseReader
from tests.support.hostile import answer
from tests.support.hostile import chunked

HEADERS = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "R1"}


def read(*pieces: bytes) -> Response | None:
    """The response that the pieces form. The connection ends after the last piece."""
    coming = iter(pieces)
    return ResponseReader().read(lambda size: next(coming, b""), size=100)


def is_cut_short(*pieces: bytes) -> bool:
    """True if the response is incomplete and its connection is not reused."""
    response = read(*pieces)
    return response is not None and (response.is_complete, response.keeps_alive) == (False, False)


class TestComplete:
    """A complete response is accepted, however it is split."""

    @pytest.mark.parametrize("data", [answer({"a": 1}), chunked({"a": 1})], ids=["length", "chunks"])
    def test_cut_anywhere(self, data: bytes) -> None:
        """A response split at any byte, or byte by byte, is the same response."""
        expected = read(data)
        assert expected is not None
        assert (expected.status_code, expected.body, expected.is_complete, expected.keeps_alive) == (
            200,
            b'{"a": 1}',
            True,
            True,
        )
        assert HEADERS.items() <= expected.headers.items()
        assert all(read(data[:at], data[at:]) == expected for at in range(1, len(data)))
        assert read(*(data[at : at + 1] for at in range(len(data)))) == expected

    def test_names_are_lower_case_and_values_as_they_come(self) -> None:
        """Header names are lower case, values are unchanged, and a repeated header has both values, as in botocore."""
        response = read(b"HTTP/1.1 200 OK\r\nX-Twice: A\r\nContent-Length: 0\r\nx-twice:  B:b \r\n\r\n")
        assert response is not None
        assert response.headers == {"x-twice": "A, B:b ", "content-length": "0"}

    def test_what_follows_a_body_in_chunks_has_no_headers_that_count(self) -> None:
        """Trailers are not headers. DynamoDB sends none; a proxy may."""
        response = read(chunked({}))
        assert response is not None
        assert "x-late" not in response.headers

    def test_a_server_that_closes_is_not_asked_again(self) -> None:
        """With ``Connection: close``, the response is complete and its connection is not reused."""
        response = read(answer({}, headers={"Connection": "close"}))
        assert response is not None
        assert (response.is_complete, response.keeps_alive) == (True, False)

    def test_without_a_length_the_end_is_that_of_the_connection(self) -> None:
        """Without a length, the response ends with the connection, and only the checksum tells if it is complete."""
        response = read(answer({"a": 1}, length=-1))
        assert response is not None
        assert (response.body, response.is_intact, response.keeps_alive) == (b'{"a": 1}', True, False)

    def test_a_connection_with_more_than_the_answer_is_not_kept(self) -> None:
        """A connection with bytes after the response is not reused: they would be read as the next response."""
        response = read(answer({"a": 1}) + answer({"a": 2}))
        assert response is not None
        assert (response.body, response.is_complete, response.keeps_alive) == (b'{"a": 1}', True, False)


class TestIncomplete:
    """An incomplete response is never taken for a complete one."""

    def test_nothing_is_no_answer(self) -> None:
        """There is no response if nothing arrives, or bytes that are not HTTP."""
        assert read() is None
        assert read(b"220 smtp.example ready\r\n") is None

    @pytest.mark.parametrize("data", [answer({"a": 1}), chunked({"a": 1})], ids=["length", "chunks"])
    def test_at_any_byte(self, data: bytes) -> None:
        """A response that ends at any byte is incomplete."""
        begins = data.index(b"\r\n\r\n") - 3
        assert all(is_cut_short(data[:at]) for at in range(begins, len(data)))

    def test_an_answer_before_the_answer(self) -> None:
        """An interim response (1xx), which DynamoDB does not send, is incomplete."""
        assert is_cut_short(b"HTTP/1.1 100 Continue\r\n\r\n", answer({}))

    def test_headers_without_end(self) -> None:
        """A response with too many headers, or too long ones, is incomplete."""
        many = dict.fromkeys((f"x-{number}" for number in range(MAX_HEADERS)), "y")
        assert is_cut_short(answer({}, headers=many))
        assert is_cut_short(answer({}, headers={"x-long": "y" * MAX_HEAD_BYTES})[:-10])

    @pytest.mark.parametrize("line", ["no header", "folded: a\r\n b", "x: \0", ": y", "x : y"])
    def test_a_line_that_is_no_header(self, line: str) -> None:
        """A malformed header makes the response incomplete: two parsers could disagree on where it ends."""
        response = read(answer({}).replace(b"x-amzn-RequestId: R1", line.encode()))
        assert response is None or not response.is_complete


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
        ],
        ids=["right", "wrong", "none", "none, and no JSON", "none, and empty", "none, and cut"],
    )
    def test_by_its_checksum(self, data: bytes, is_intact: bool) -> None:
        """The checksum decides. Without one, the body must be complete JSON."""
        response = read(data)
        assert response is not None
        assert response.is_intact is is_intact

    def test_a_checksum_that_is_no_number(self) -> None:
        """A checksum that is not a number raises ``ValueError``, as in botocore."""
        response: t.Any = read(answer({}, crc="x"))
        with pytest.raises(ValueError, match="invalid literal for int"):
            _ = response.is_intact

    def test_botocore_asks_for_the_body_in_pieces(self) -> None:
        """``stream`` yields the expected body, for botocore."""
        response = read(answer({"a": 1}))
        assert response is not None
        assert [*response.stream()] == [b'{"a": 1}']
