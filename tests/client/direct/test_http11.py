"""An HTTP/1.1 answer, from however many pieces it comes in."""

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
    """What comes of the pieces, after which the connection ends."""
    coming = iter(pieces)
    return ResponseReader().read(lambda size: next(coming, b""), size=100)


def is_cut_short(*pieces: bytes) -> bool:
    """Whether the answer is not all there, and its connection serves nobody."""
    found = read(*pieces)
    return found is not None and (found.is_complete, found.keeps_alive) == (False, False)


class TestWhole:
    """What is all there is taken, in whatever pieces."""

    @pytest.mark.parametrize("data", [answer({"a": 1}), chunked({"a": 1})], ids=["length", "chunks"])
    def test_cut_anywhere(self, data: bytes) -> None:
        """The pieces make no difference."""
        whole = read(data)
        assert whole is not None
        assert (whole.status_code, whole.body, whole.is_complete, whole.keeps_alive) == (200, b'{"a": 1}', True, True)
        assert HEADERS.items() <= whole.headers.items()
        assert all(read(data[:at], data[at:]) == whole for at in range(1, len(data)))
        assert read(*(data[at : at + 1] for at in range(len(data)))) == whole

    def test_names_are_lower_case_and_values_as_they_come(self) -> None:
        """A name that comes twice has both values, as botocore has them."""
        found = read(b"HTTP/1.1 200 OK\r\nX-Twice: A\r\nContent-Length: 0\r\nx-twice:  B:b \r\n\r\n")
        assert found is not None
        assert found.headers == {"x-twice": "A, B:b ", "content-length": "0"}

    def test_what_follows_a_body_in_chunks_has_no_headers_that_count(self) -> None:
        """DynamoDB sends none; a proxy may."""
        found = read(chunked({}))
        assert found is not None
        assert "x-late" not in found.headers

    def test_a_server_that_closes_is_not_asked_again(self) -> None:
        """The answer is sound all the same."""
        found = read(answer({}, headers={"Connection": "close"}))
        assert found is not None
        assert (found.is_complete, found.keeps_alive) == (True, False)

    def test_without_a_length_the_end_is_that_of_the_connection(self) -> None:
        """Nobody can tell whether more was to come but the checksum."""
        found = read(answer({"a": 1}, length=-1))
        assert found is not None
        assert (found.body, found.is_intact, found.keeps_alive) == (b'{"a": 1}', True, False)

    def test_a_connection_with_more_than_the_answer_is_not_kept(self) -> None:
        """What comes unasked would be taken for the answer to the next question."""
        found = read(answer({"a": 1}) + answer({"a": 2}))
        assert found is not None
        assert (found.body, found.is_complete, found.keeps_alive) == (b'{"a": 1}', True, False)


class TestCutShort:
    """What is not all there is never taken for an answer."""

    def test_nothing_is_no_answer(self) -> None:
        """Nor is what is not HTTP."""
        assert read() is None
        assert read(b"220 smtp.example ready\r\n") is None

    @pytest.mark.parametrize("data", [answer({"a": 1}), chunked({"a": 1})], ids=["length", "chunks"])
    def test_at_any_byte(self, data: bytes) -> None:
        """Wherever it ends, botocore hears that the connection did."""
        begins = data.index(b"\r\n\r\n") - 3
        assert all(is_cut_short(data[:at]) for at in range(begins, len(data)))

    def test_an_answer_before_the_answer(self) -> None:
        """DynamoDB has none."""
        assert is_cut_short(b"HTTP/1.1 100 Continue\r\n\r\n", answer({}))

    def test_headers_without_end(self) -> None:
        """In number or in length."""
        many = dict.fromkeys((f"x-{number}" for number in range(MAX_HEADERS)), "y")
        assert is_cut_short(answer({}, headers=many))
        assert is_cut_short(answer({}, headers={"x-long": "y" * MAX_HEAD_BYTES})[:-10])

    @pytest.mark.parametrize("line", ["no header", "folded: a\r\n b", "x: \0", ": y", "x : y"])
    def test_a_line_that_is_no_header(self, line: str) -> None:
        """Two who read it differently would not agree where the answer ends."""
        found = read(answer({}).replace(b"x-amzn-RequestId: R1", line.encode()))
        assert found is None or not found.is_complete


class TestSound:
    """``Answer.is_intact``: whether the body is what was sent."""

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
        """Where there is none, by whether it is JSON."""
        found = read(data)
        assert found is not None
        assert found.is_intact is is_intact

    def test_a_checksum_that_is_no_number(self) -> None:
        """botocore does not forgive it either."""
        found: t.Any = read(answer({}, crc="x"))
        with pytest.raises(ValueError, match="invalid literal for int"):
            _ = found.is_intact

    def test_botocore_asks_for_the_body_in_pieces(self) -> None:
        """It gets one."""
        found = read(answer({"a": 1}))
        assert found is not None
        assert [*found.stream()] == [b'{"a": 1}']
