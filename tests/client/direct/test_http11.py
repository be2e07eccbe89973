"""HTTP/1.1 responses, split into any pieces."""

from __future__ import annotations

import http.client

import pytest
import urllib3.exceptions

from dynaflask.client.direct.http11 import Response
from dynaflask.client.direct.http11 import ResponseReader
from dynaflask.client.direct.strict_parser import MAX_HEAD_BYTES
from dynaflask.client.direct.strict_parser import MAX_HEADERS
from dynaflask.client.direct.strict_parser import MAX_INTERIM_RESPONSES
from tests.support.hostile import answer
from tests.support.hostile import chunked
from tests.support.hostile import interim

HEADERS = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "R1"}


def read(*pieces: bytes) -> Response:
    """The response that the pieces form. The connection ends after the last piece."""
    coming = iter(pieces)
    return ResponseReader().read(lambda size: next(coming, b""), size=100)


def is_refused(*pieces: bytes) -> bool:
    """True if there is an error, or a response that is not intact and whose connection is not reused."""
    try:
        response = read(*pieces)
    except (http.client.HTTPException, urllib3.exceptions.HTTPError):
        return True
    return (response.is_complete, response.is_intact, response.keeps_alive) == (False, False, False)


class TestComplete:
    """A complete response is accepted, however it is split."""

    @pytest.mark.parametrize("data", [answer({"a": 1}), chunked({"a": 1})], ids=["length", "chunks"])
    def test_cut_anywhere(self, data: bytes) -> None:
        """A response split at any byte, or byte by byte, is the same response."""
        expected = read(data)
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
        assert response.headers == {"x-twice": "A, B:b ", "content-length": "0"}

    def test_what_follows_a_body_in_chunks_has_no_headers_that_count(self) -> None:
        """Trailers are not headers. DynamoDB sends none; a proxy may."""
        response = read(chunked({}))
        assert "x-late" not in response.headers

    def test_a_server_that_closes_is_not_asked_again(self) -> None:
        """With ``Connection: close``, the response is complete and its connection is not reused."""
        response = read(answer({}, headers={"Connection": "close"}))
        assert (response.is_complete, response.keeps_alive) == (True, False)

    def test_without_a_length_the_end_is_that_of_the_connection(self) -> None:
        """Without a length, the response ends with the connection, and only the checksum tells if it is complete."""
        response = read(answer({"a": 1}, length=-1))
        assert (response.body, response.is_intact, response.keeps_alive) == (b'{"a": 1}', True, False)

    def test_a_connection_with_more_than_the_answer_is_not_kept(self) -> None:
        """A connection with bytes after the response is not reused: they would be read as the next response."""
        response = read(answer({"a": 1}) + answer({"a": 2}))
        assert (response.body, response.is_complete, response.keeps_alive) == (b'{"a": 1}', True, False)

    def test_bytes_after_the_response_do_not_change_its_status(self) -> None:
        """A second response has no effect on the status and the headers of the first one."""
        response = read(answer({"a": 1}) + answer({}, status=400, headers={"x-second": "1"}))
        assert (response.status_code, "x-second" in response.headers) == (200, False)


class TestInterim:
    """Interim responses (1xx) are skipped, and the response after them counts."""

    @pytest.mark.parametrize("status", [100, 102, 103])
    def test_the_response_after_it_counts(self, status: int) -> None:
        """The final response is that without the interim ones, however it is split."""
        expected, data = read(answer({"a": 1})), interim(status, number=2) + answer({"a": 1})
        assert all(read(data[:at], data[at:]) == expected for at in range(1, len(data)))

    def test_their_number_is_limited(self) -> None:
        """A server that sends interim responses without end does not hold the call: the last one is never a success."""
        response = read(interim(number=MAX_INTERIM_RESPONSES) + answer({"a": 1}))
        assert response.is_intact
        response = read(interim(number=MAX_INTERIM_RESPONSES + 1) + answer({"a": 1}))
        assert (response.status_code, response.is_intact, response.keeps_alive) == (100, False, False)

    @pytest.mark.parametrize("headers", ["", "Upgrade: h2c\r\nConnection: upgrade\r\n"])
    def test_another_protocol_is_no_success(self, headers: str) -> None:
        """A switch of protocols (101) ends the exchange: the bytes after it are not HTTP/1.1."""
        response = read(f"HTTP/1.1 101 -\r\n{headers}\r\n".encode() + answer({"a": 1}))
        assert (response.status_code, response.is_intact, response.keeps_alive) == (101, False, False)


class TestIncomplete:
    """An incomplete response is never taken for an intact one."""

    @pytest.mark.parametrize("data", [b"", b"220 smtp.example ready\r\n", interim()])
    def test_no_response_is_an_error(self, data: bytes) -> None:
        """There is an error if no final response begins."""
        with pytest.raises(http.client.BadStatusLine):
            read(data)

    @pytest.mark.parametrize("crc", [-1, None])
    def test_at_any_byte(self, crc: int | None) -> None:
        """A response that ends at any byte is an error, or not intact."""
        data = answer({"a": 1}, crc=crc)
        assert all(is_refused(data[:at]) for at in range(len(data)))

    def test_chunks_that_end_too_early(self) -> None:
        """A response in chunks that ends before the last chunk is an error, as in botocore, which retries."""
        data = chunked({"a": 1})
        begins, ends = data.index(b"\r\n\r\n") + 4, data.index(b"0\r\nx-late")
        for at in range(begins, ends):
            with pytest.raises(urllib3.exceptions.ProtocolError):
                read(data[:at])

    def test_a_head_without_end(self) -> None:
        """Too many headers, or one that is too long, are an error."""
        many = dict.fromkeys((f"x-{number}" for number in range(MAX_HEADERS)), "y")
        for data in (answer({}, headers=many), answer({}, headers={"x-long": "y" * MAX_HEAD_BYTES})[:-10]):
            with pytest.raises(http.client.HTTPException):
                read(data)


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
    def test_by_its_checksum(self, data: bytes, is_intact: bool) -> None:
        """The checksum decides. Without one, the body must be JSON, or empty in a complete response."""
        assert read(data).is_intact is is_intact

    def test_botocore_asks_for_the_body_in_pieces(self) -> None:
        """``stream`` yields the expected body, for botocore."""
        response = read(answer({"a": 1}))
        assert [*response.stream()] == [b'{"a": 1}']
