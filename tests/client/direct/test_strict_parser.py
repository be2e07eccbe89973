"""Valid HTTP/1.1 is read as h11 reads it; any other response is refused."""

from __future__ import annotations

import typing as t

import h11
import hypothesis
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from dynaflask.client.direct.strict_parser import MAX_HEAD_BYTES
from dynaflask.client.direct.strict_parser import MAX_HEADERS
from dynaflask.client.direct.strict_parser import MAX_INTERIM_RESPONSES
from dynaflask.client.direct.strict_parser import NotStrict
from dynaflask.client.direct.strict_parser import StrictParser
from dynaflask.client.direct.strict_parser import StrictResponse
from tests.support.hostile import answer
from tests.support.hostile import chunked
from tests.support.hostile import interim
from tests.support.response_bytes import any_responses
from tests.support.response_bytes import in_pieces
from tests.support.response_bytes import valid_responses

GOOD = answer(b"{}")
LENGTH = b"Content-Length: 2\r\n"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class WaitedError(Exception):
    """The parser asked for more bytes of an open connection."""


def parse(*pieces: bytes, is_open: bool = False) -> StrictResponse:
    """The response that the pieces form. After the last piece, the connection ends, or stays open and is silent."""
    coming = iter(pieces)

    def receive(_: int) -> bytes:
        data = next(coming, b"")
        if is_open and not data:
            raise WaitedError
        return data

    return StrictParser(b"", receive, size=100).read()


def is_refused(data: bytes) -> bool:
    """True if the parser refuses a response, and does so without a wait for more bytes."""
    with pytest.raises(NotStrict):
        parse(data, is_open=True)
    return True


def read_by_h11(data: bytes) -> tuple[int, list[tuple[str, str]], bytes, bool] | None:
    """Status, headers, body and whether the connection can be reused, or None if h11 does not read a response."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "x"), ("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    head, body = None, b""
    try:
        while type(event := connection.next_event()) is not h11.EndOfMessage:
            if event in (h11.NEED_DATA, h11.PAUSED):
                return None
            head = event if type(event) is h11.Response else head
            body += event.data if type(event) is h11.Data else b""
    except h11.RemoteProtocolError:
        return None
    assert head is not None
    headers = [(name.decode(), value.decode("latin-1")) for name, value in head.headers]
    is_reusable = connection.their_state is h11.DONE and connection.trailing_data == (b"", False)
    return head.status_code, headers, bytes(body), is_reusable


def as_h11_has_them(pairs: t.Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by name, with the values of one name joined. h11 drops spaces and writes ``chunked`` in lower case."""
    headers: dict[str, list[str]] = {}
    for name, value in pairs:
        text = value.lower() if name == "transfer-encoding" else value
        headers.setdefault(name, []).extend(part.strip(" \t") for part in text.split(","))
    return {name: ", ".join(values) for name, values in headers.items()}


class TestAgainstH11:
    """h11 is the reference for valid responses."""

    @settings(max_examples=150, deadline=None)
    @hypothesis.given(in_pieces(valid_responses()))
    def test_a_valid_response_is_the_same(self, pieces: list[bytes]) -> None:
        """Status, headers, body and the fate of the connection are those of h11, however the response is split."""
        expected = read_by_h11(b"".join(pieces))
        assert expected is not None
        response = parse(*pieces, is_open=True)
        status, headers, body, is_reusable = expected
        assert (response.head.status, response.body, response.keeps_alive) == (status, body, is_reusable)
        assert as_h11_has_them(response.head.headers.items()) == as_h11_has_them(headers)

    @settings(max_examples=300, deadline=None)
    @hypothesis.given(in_pieces(any_responses()))
    def test_nothing_is_accepted_that_h11_refuses(self, pieces: list[bytes]) -> None:
        """A response that is accepted is the one of h11. A connection that is reused would be reused with h11, too."""
        coming = iter(pieces)
        parser = StrictParser(b"", lambda _: next(coming, b""), size=100)
        try:
            response = parser.read()
        except NotStrict:
            return
        # What has not been received yet is for the pool to find: it polls the socket.
        expected = read_by_h11(parser.received)
        assert expected is not None
        assert (response.head.status, response.body) == (expected[0], expected[2])
        assert as_h11_has_them(response.head.headers.items()) == as_h11_has_them(expected[1])
        assert expected[3] or not response.keeps_alive

    @settings(max_examples=100, deadline=None)
    @hypothesis.given(st.binary(max_size=60))
    def test_bytes_that_are_not_http_are_refused(self, data: bytes) -> None:
        """Random bytes are no response."""
        with pytest.raises(NotStrict):
            parse(data)


class TestRefused:
    """What could have two readings, or is none, is refused as soon as it shows."""

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"\r\n" + GOOD, id="an empty line first"),
            pytest.param(b"garbage\r\n", id="no status line"),
            pytest.param(GOOD.replace(b"HTTP/1.1", b"HTTP/1.2"), id="an unknown version"),
            pytest.param(GOOD.replace(b" 200 ", b" 2000 "), id="a status of four digits"),
            pytest.param(GOOD.replace(b" 200 ", b" 099 "), id="a status under 100"),
            pytest.param(GOOD.replace(b"\r\n", b"\n"), id="LF alone"),
            pytest.param(GOOD.replace(LENGTH, b"x: a\rb\r\n" + LENGTH), id="CR alone"),
            pytest.param(GOOD.replace(LENGTH, b"x: a\0b\r\n" + LENGTH), id="NUL"),
            pytest.param(GOOD.replace(LENGTH, b"x: a\x7fb\r\n" + LENGTH), id="DEL"),
            pytest.param(GOOD.replace(LENGTH, b"x: a\r\n b\r\n" + LENGTH), id="a folded header"),
            pytest.param(GOOD.replace(LENGTH, b"x : a\r\n" + LENGTH), id="a space before the colon"),
            pytest.param(GOOD.replace(LENGTH, b"no header\r\n" + LENGTH), id="no colon"),
            pytest.param(GOOD.replace(LENGTH, b": a\r\n" + LENGTH), id="no name"),
            pytest.param(GOOD.replace(LENGTH, b"x:" + b" " * 50_000 + b"\0\r\n" + LENGTH), id="a long line of spaces"),
            pytest.param(GOOD.replace(LENGTH, b""), id="no length"),
            pytest.param(GOOD.replace(LENGTH, LENGTH * 2), id="two equal lengths"),
            pytest.param(GOOD.replace(LENGTH, LENGTH + b"Content-Length: 3\r\n"), id="two lengths"),
            pytest.param(GOOD.replace(b": 2\r\n", b": 5, 5\r\n"), id="a list of lengths"),
            pytest.param(GOOD.replace(b": 2\r\n", b": +2\r\n"), id="a length with a sign"),
            pytest.param(GOOD.replace(b": 2\r\n", b": -2\r\n"), id="a length below zero"),
            pytest.param(GOOD.replace(b": 2\r\n", b": \xb2\r\n"), id="a digit that is not ASCII"),
            pytest.param(GOOD.replace(b": 2\r\n", b": " + b"9" * 5000 + b"\r\n"), id="a length of 5,000 digits"),
            pytest.param(GOOD.replace(b": 2\r\n", b": 0x2\r\n"), id="a hexadecimal length"),
            pytest.param(GOOD.replace(LENGTH, LENGTH + b"Transfer-Encoding: chunked\r\n"), id="a length and chunks"),
            pytest.param(CHUNKS.replace(b"chunked", b"gzip, chunked"), id="two encodings"),
            pytest.param(CHUNKS.replace(b"1.1", b"1.0") + b"0\r\n\r\n", id="chunks in HTTP/1.0"),
            pytest.param(GOOD.replace(b" 200 ", b" 204 "), id="204 with a body"),
            pytest.param(CHUNKS.replace(b" 200 ", b" 304 ") + b"0\r\n\r\n", id="304 with chunks"),
            pytest.param(CHUNKS + b"F" * 16 + b"\r\n", id="a chunk beyond 64 bits"),
            pytest.param(CHUNKS + b"-2\r\n{}\r\n", id="a chunk of a negative length"),
            pytest.param(CHUNKS + b"\r\n", id="a chunk without a length"),
            pytest.param(CHUNKS + b"2 \r\n{}\r\n", id="a chunk with a space"),
            pytest.param(CHUNKS + b"2;a\0\r\n{}\r\n", id="a chunk with NUL"),
            pytest.param(CHUNKS + b"2\n{}\r\n", id="a chunk line with LF alone"),
            pytest.param(CHUNKS + b"1\r\n{}\r\n0\r\n\r\n", id="a chunk that is too long"),
            pytest.param(CHUNKS + b"2;" + b"a" * MAX_HEAD_BYTES, id="a chunk line without end"),
            pytest.param(CHUNKS + b"0\r\nno trailer\r\n", id="no trailer"),
            pytest.param(CHUNKS + b"0\r\n" + b"x: y\r\n" * (MAX_HEADERS + 1), id="too many trailers"),
            pytest.param(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * (MAX_HEADERS + 1), id="too many headers"),
            pytest.param(b"HTTP/1.1 200 OK\r\nx: " + b"y" * MAX_HEAD_BYTES, id="a header without end"),
            pytest.param(b"HTTP/1.1 200 OK\r\nx: " + b"y" * MAX_HEAD_BYTES + b"\r\n", id="a header that is too long"),
            pytest.param(interim(101) + GOOD, id="a switch of protocols"),
            pytest.param(interim(199) + GOOD, id="an unknown interim response"),
            pytest.param(interim().replace(b"1.1", b"1.0") + GOOD, id="an interim response of HTTP/1.0"),
            pytest.param(
                interim().replace(b"Link: x", b"Connection: close") + GOOD, id="an interim response that closes"
            ),
            pytest.param(interim().replace(b"Link: x", b"Transfer-Encoding: chunked") + GOOD, id="interim in chunks"),
        ],
    )
    def test_at_once(self, data: bytes) -> None:
        """It is refused without a wait for further bytes, which may never come."""
        assert is_refused(data)

    @pytest.mark.parametrize("data", [GOOD, chunked({"a": 1}), interim() + GOOD], ids=["length", "chunks", "interim"])
    def test_cut_at_any_byte(self, data: bytes) -> None:
        """A response that ends too early is refused, and its bytes are there for another reader."""
        for at in range(len(data)):
            parser = StrictParser(data[:at], lambda _: b"", size=100)
            with pytest.raises(NotStrict):
                parser.read()
            assert parser.received == data[:at]

    def test_a_length_that_a_server_cannot_send_allocates_nothing(self) -> None:
        """Memory grows with the bytes that arrive."""
        with pytest.raises(WaitedError):
            parse(GOOD.replace(LENGTH, b"Content-Length: %d\r\n" % 10**17), is_open=True)
        with pytest.raises(WaitedError):
            parse(CHUNKS + b"F" * 15 + b"\r\n{}", is_open=True)


class TestAccepted:
    """What is valid is read, and the connection is reused only if it is safe."""

    @pytest.mark.parametrize(
        ("data", "body", "keeps_alive"),
        [
            pytest.param(GOOD, b"{}", True, id="a length"),
            pytest.param(GOOD.replace(b" 200 -", b" 200"), b"{}", True, id="no reason"),
            pytest.param(GOOD.replace(LENGTH, b"content-length:\t2 \r\n"), b"{}", True, id="spaces around the length"),
            pytest.param(GOOD.replace(LENGTH, LENGTH + b"Upgrade: h2c\r\n"), b"{}", True, id="an offer to upgrade"),
            pytest.param(GOOD.replace(LENGTH, LENGTH + b"x:\r\ny: \r\n"), b"{}", True, id="empty headers"),
            pytest.param(GOOD.replace(LENGTH, LENGTH + b"Connection: x, Close\r\n"), b"{}", False, id="close"),
            pytest.param(GOOD.replace(b"1.1", b"1.0"), b"{}", False, id="HTTP/1.0"),
            pytest.param(
                GOOD.replace(b"1.1", b"1.0").replace(LENGTH, LENGTH + b"Connection: keep-alive\r\n"),
                b"{}",
                False,
                id="HTTP/1.0 that stays open",
            ),
            pytest.param(GOOD + b"\r\n", b"{}", False, id="one more line"),
            pytest.param(GOOD + GOOD, b"{}", False, id="two responses"),
            pytest.param(GOOD + interim(), b"{}", False, id="an interim response after it"),
            pytest.param(b"HTTP/1.1 204 -\r\n\r\n", b"", True, id="204"),
            pytest.param(b"HTTP/1.1 304 -\r\nContent-Length: 0\r\n\r\n", b"", True, id="304"),
            pytest.param(CHUNKS + b"2\r\n{}\r\n0\r\n\r\n", b"{}", True, id="chunks"),
            pytest.param(CHUNKS + b'02;a="b"\r\n{}\r\n000;c\r\nx: y\r\n\r\n', b"{}", True, id="chunk extensions"),
            pytest.param(interim(100, number=2) + interim(103) + GOOD, b"{}", True, id="interim responses"),
        ],
    )
    def test_it_is_read(self, data: bytes, body: bytes, keeps_alive: bool) -> None:
        """The body is right at each split, without a wait for more, and the connection is kept only if it is safe."""
        response = parse(data, is_open=True)
        assert (response.body, response.keeps_alive) == (body, keeps_alive)
        if keeps_alive:
            assert all(parse(data[:at], data[at:], is_open=True) == response for at in range(1, len(data)))

    def test_a_repeated_header_has_all_values(self) -> None:
        """The values are joined in their order, as urllib3 does."""
        head = parse(GOOD.replace(LENGTH, b"X-A: 1\r\n" + LENGTH + b"x-a:  2 \r\n")).head
        assert head.headers["x-a"] == "1, 2 "

    def test_interim_responses_are_limited(self) -> None:
        """After too many of them, the last one is the response, and the connection is not reused."""
        assert parse(interim(number=MAX_INTERIM_RESPONSES) + GOOD).head.status == 200
        response = parse(interim(number=MAX_INTERIM_RESPONSES + 1), is_open=True)
        assert (response.head.status, response.keeps_alive) == (100, False)
