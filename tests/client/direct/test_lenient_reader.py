"""Responses that are not valid HTTP/1.1, and that botocore accepts."""

from __future__ import annotations

import http.client

import pytest
import urllib3.exceptions

from dynaflask.client.direct import lenient_reader
from dynaflask.client.direct.http11 import Response
from dynaflask.client.direct.http11 import ResponseReader
from dynaflask.client.direct.lenient_reader import read_leniently
from tests.support.hostile import answer
from tests.support.hostile import chunked
from tests.support.hostile import interim

BODY = b'{"a": 1}'
GOOD = answer(BODY)
LENGTH = b"Content-Length: 8\r\n"
# What the strict parser refuses, as a change of a good response.
ODD = {
    "a folded header": GOOD.replace(LENGTH, LENGTH + b"x-folded: a\r\n b\r\n"),
    "a folded header first": GOOD.replace(b"\r\n", b"\r\n folded: 1\r\n", 1),
    "a NUL in a header": GOOD.replace(LENGTH, LENGTH + b"x-nul: a\0b\r\n"),
    "a bare CR in a header": GOOD.replace(LENGTH, LENGTH + b"x-cr: a\rb\r\n"),
    "bare line feeds": GOOD.replace(b"\r\n", b"\n"),
    "a length that is not a number": GOOD.replace(LENGTH, b"Content-Length: abc\r\n"),
    "a length below zero": GOOD.replace(LENGTH, b"Content-Length: -1\r\n"),
    "a length that is too long": GOOD.replace(LENGTH, b"Content-Length: 99\r\n"),
    "a length that is beyond 64 bits": GOOD.replace(LENGTH, b"Content-Length: 999999999999999999999999\r\n"),
    "two equal lengths": GOOD.replace(LENGTH, LENGTH * 2),
    "no length": GOOD.replace(LENGTH, b""),
    "an unknown transfer encoding": GOOD.replace(LENGTH, b"Transfer-Encoding: gzip\r\n"),
    "a length and chunks": chunked({"a": 1}).replace(b"Transfer-", LENGTH + b"Transfer-"),
    "a chunk with a space": chunked({"a": 1}).replace(b"\r\n7\r\n", b"\r\n7 \r\n"),
    "HTTP/1.2": GOOD.replace(b"HTTP/1.1", b"HTTP/1.2"),
    "two interim responses before": interim(100) + interim(103) + GOOD.replace(LENGTH, LENGTH + b"x: a\r\n b\r\n"),
    "an unknown interim response": interim(199) + GOOD,
    "an interim response of HTTP/1.0": interim(103).replace(b"HTTP/1.1", b"HTTP/1.0") + GOOD,
}


def read(*pieces: bytes) -> Response:
    """The response that the pieces form. The connection ends after the last piece."""
    coming = iter(pieces)
    return ResponseReader().read(lambda _: next(coming, b""), size=100)


@pytest.mark.parametrize("name", ODD)
def test_what_botocore_accepts_is_read(name: str) -> None:
    """The body is that of the good response, however it is split, and the connection is not reused."""
    data = ODD[name]
    for at in range(1, len(data)):
        response = read(data[:at], data[at:])
        assert (response.status_code, response.body, response.is_intact) == (200, BODY, True)
        assert not response.keeps_alive
        assert response.headers["x-amzn-requestid"].startswith("R1")


def test_a_folded_header_becomes_one_line() -> None:
    """A header has no line break."""
    assert read(ODD["a folded header"]).headers["x-folded"] == "a b"


def test_a_repeated_header_has_both_values() -> None:
    """The values of a repeated header are joined, as in botocore. Two checksums are not a number."""
    response = read(GOOD.replace(LENGTH, LENGTH * 2 + b"X-Amz-Crc32: 1\r\n"))
    assert (response.headers["content-length"], response.headers["x-amz-crc32"][-3:]) == ("8, 8", ", 1")
    assert not response.is_intact


@pytest.mark.parametrize("is_first", [True, False])
def test_a_line_that_is_no_header_may_hide_the_checksum(is_first: bool) -> None:
    """After a line that is no header, only the checksum shows that the response is intact."""
    start, _, _ = GOOD.partition(b"x-amz-crc32" if is_first else b"Content-Length")
    response = read(start + b"no header\r\n" + GOOD[len(start) :])
    assert (response.body, "x-amz-crc32" in response.headers, response.is_intact) == (BODY, not is_first, not is_first)


def test_lengths_that_differ_are_an_error() -> None:
    """Two different lengths are an error: two readers could disagree on where the body ends."""
    with pytest.raises(urllib3.exceptions.InvalidHeader):
        read(GOOD.replace(LENGTH, LENGTH + b"Content-Length: 9\r\n"))


def test_a_switch_of_protocols_is_the_response() -> None:
    """A malformed response with status 101 is final, and not intact."""
    response = read(b"HTTP/1.1 101 -\r\nx: a\r\n b\r\n\r\n" + GOOD)
    assert (response.status_code, response.is_intact) == (101, False)


@pytest.mark.parametrize("status", [100, 102])
def test_a_head_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """The number of bytes before the body is limited. Newer versions of http.client limit the number of 100s, too."""
    monkeypatch.setattr(lenient_reader, "MAX_HEAD_BYTES", 10_000)
    endless = interim(status).replace(b"Content-Length: 5", b"folded: 1\r\n 2")
    with pytest.raises((ConnectionError, http.client.HTTPException), match="has no end|interim responses"):
        read_leniently(b"", lambda _: endless)


def test_a_long_body_is_read() -> None:
    """The limit does not count the body."""
    body = b'{"a": "' + b"x" * lenient_reader.MAX_HEAD_BYTES + b'"}'
    response = read_leniently(GOOD.replace(LENGTH, b"").replace(BODY, body), lambda _: b"")
    assert response.body == body


def test_a_status_that_is_not_http_is_an_error() -> None:
    """A status under 100 is an error, also after an interim response."""
    for data in (GOOD, interim() + GOOD):
        with pytest.raises(http.client.BadStatusLine):
            read(data.replace(b" 200 ", b" 099 "))
