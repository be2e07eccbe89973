"""HTTP/1.1 responses, split into any pieces."""

from __future__ import annotations

import http.client
import json
import tracemalloc
import typing as t

import hypothesis
import pytest
import urllib3.exceptions
from hypothesis import settings
from hypothesis import strategies as st

from dynaflask.client.direct import http11
from dynaflask.client.direct.head_pattern import HeadPattern
from dynaflask.client.direct.http11 import MAX_PATTERNS
from dynaflask.client.direct.http11 import ResponseReader
from dynaflask.client.direct.http_pool import READ_ERRORS
from dynaflask.client.direct.http_pool import READ_SIZE
from dynaflask.client.direct.response import Response
from dynaflask.client.direct.strict_parser import MAX_HEAD_BYTES
from dynaflask.client.direct.strict_parser import MAX_HEADERS
from dynaflask.client.direct.strict_parser import MAX_INTERIM_RESPONSES
from dynaflask.client.direct.strict_parser import Head
from tests.support.hostile import answer
from tests.support.hostile import chunked
from tests.support.hostile import interim
from tests.support.response_bytes import any_responses
from tests.support.response_bytes import in_pieces
from tests.support.response_bytes import valid_responses

BODY = b'{"a": 1}'
HEADERS = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "R1"}


class Parts(t.NamedTuple):
    """What a response consists of."""

    status_code: int
    headers: dict[str, str]
    body: bytes
    is_complete: bool
    is_intact: bool
    keeps_alive: bool


def parts(response: Response) -> Parts:
    """The parts of a response, to compare it with another."""
    return Parts(*(getattr(response, name) for name in Parts._fields))


def read(*pieces: bytes) -> Parts:
    """The response that the pieces form. The connection ends after the last piece."""
    coming = iter(pieces)
    return parts(ResponseReader().read(lambda size: next(coming, b""), size=100))


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


# The usual response of a server, with another order, another case, another number of headers, and of another kind.
USUAL = answer({"a": 1}, headers={"Connection": "keep-alive"})
OTHER_FORMS = {
    "another order": b"HTTP/1.1 200 -\r\nConnection: keep-alive\r\nContent-Length: 8\r\nx-amzn-RequestId: R2\r\n\r\n"
    + BODY,
    "another case": USUAL.replace(b"x-amzn-RequestId", b"X-Amzn-RequestId").replace(b"R1", b"R2"),
    "one more header": USUAL.replace(b": R1", b": R2\r\nx-more: 1"),
    "one header less": USUAL.replace(b"Content-Type: application/x-amz-json-1.0\r\n", b"").replace(b"R1", b"R2"),
    "a repeated header": USUAL.replace(b": R1", b": R2\r\nX-AMZN-RequestId: R3"),
    "another status": USUAL.replace(b" 200 ", b" 400 ").replace(b"R1", b"R2"),
    "chunks": chunked({"a": 1}).replace(b"R1", b"R2"),
    "an interim response before": interim() + USUAL.replace(b"R1", b"R2"),
    "a server that closes": USUAL.replace(b"keep-alive", b"close").replace(b"R1", b"R2"),
}
HOSTILE_FIRST = {
    "headers with the characters of patterns": USUAL.replace(b"x-amzn-RequestId", b"x.*|^$+"),
    "a reason with the characters of patterns": USUAL.replace(b"200 -", b"200 (.*"),
    "bytes beyond ASCII": USUAL.replace(b"R1", b"\xff\xe9R1"),
    "a header of 60,000 bytes": USUAL.replace(b"R1", b"R1" * 30_000),
    "as many headers as are allowed": answer(BODY, headers=dict.fromkeys((f"x-{n}" for n in range(96)), "y")),
    "a body that is a head": answer(USUAL, headers={"Connection": "keep-alive"}),
    "an end of the head within the body": answer(b"\r\n\r\n\r\n\r\n", headers={"Connection": "keep-alive"}),
    "two lengths": USUAL.replace(b"Content-Length: 8\r\n", b"Content-Length: 8\r\n" * 2),
    "a length and chunks": chunked({"a": 1}).replace(b"Transfer-", b"Content-Length: 5\r\nTransfer-"),
    "more than was asked for": USUAL * 2,
}


def outcome(reader: ResponseReader, pieces: list[bytes]) -> t.Any:
    """The response or the class of the error, and the number of pieces that were not read."""
    coming = [*pieces, b""]
    try:
        response: t.Any = parts(reader.read(lambda _: coming.pop(0) if coming else b"", size=READ_SIZE))
    except READ_ERRORS as error:
        response = type(error)
    return response, len(coming)


def warm_reader(*first: bytes) -> ResponseReader:
    """A reader that has read these responses twice: it learns nothing from the first one of all."""
    reader = ResponseReader()
    for data in (first or (USUAL,)) * 2:
        outcome(reader, [data])
    return reader


class TestLearntHead:
    """After two responses of a server, a pattern reads the usual ones. It changes no result."""

    @settings(max_examples=300, deadline=None)
    @hypothesis.given(
        first=any_responses(base=valid_responses(with_interim=False)),
        then=st.lists(in_pieces(any_responses()), max_size=3),
    )
    def test_any_response_after_any_other(self, first: bytes, then: list[list[bytes]]) -> None:
        """A reader with a history gives what a new one gives, for any bytes in any pieces, and reads no piece more."""
        reader = warm_reader(first)
        for pieces in [[first], *then]:
            assert outcome(reader, pieces) == outcome(ResponseReader(), pieces)

    @settings(max_examples=300, deadline=None)
    @hypothesis.given(in_pieces(any_responses(base=st.just(USUAL))))
    def test_a_damaged_copy(self, pieces: list[bytes]) -> None:
        """A damaged copy of the usual response gives what a new reader gives."""
        assert outcome(warm_reader(), pieces) == outcome(ResponseReader(), pieces)

    def test_it_takes_no_parser(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The usual response does not reach the strict parser, also if it comes in pieces after its head."""
        reader, expected = warm_reader(), read(USUAL)
        monkeypatch.setattr(http11, "StrictParser", None)
        for at in range(USUAL.index(b"\r\n\r\n") + 4, len(USUAL)):
            assert outcome(reader, [USUAL[:at], USUAL[at:]]) == (expected, 1)

    def test_split_anywhere(self) -> None:
        """Split at any byte, or byte by byte, it is the same response."""
        reader, expected = warm_reader(), read(USUAL)
        assert all(outcome(reader, [USUAL[:at], USUAL[at:]])[0] == expected for at in range(1, len(USUAL)))
        assert outcome(reader, [USUAL[at : at + 1] for at in range(len(USUAL))])[0] == expected

    def test_cut_anywhere(self) -> None:
        """Cut at any byte, it gives what a new reader gives: an error, or a response that is not complete."""
        reader = warm_reader()
        for at in range(len(USUAL)):
            response, _ = seen = outcome(reader, [USUAL[:at]])
            assert seen == outcome(ResponseReader(), [USUAL[:at]])
            assert isinstance(response, type) or not response.is_complete

    @pytest.mark.parametrize("form", OTHER_FORMS)
    def test_a_server_changes_its_form(self, form: str) -> None:
        """Each response has its own headers, whatever form the last one had."""
        reader = warm_reader()
        for data in [OTHER_FORMS[form], USUAL] * (MAX_PATTERNS + 1):
            assert outcome(reader, [data]) == outcome(ResponseReader(), [data])
        assert outcome(reader, [OTHER_FORMS[form]])[0].headers["x-amzn-requestid"].startswith("R2")

    @pytest.mark.parametrize("first", HOSTILE_FIRST)
    def test_a_hostile_first_response(self, first: str) -> None:
        """What a first response taught the reader has no effect on the next ones."""
        reader = warm_reader(HOSTILE_FIRST[first])
        for data in [USUAL, *OTHER_FORMS.values(), HOSTILE_FIRST[first], *HOSTILE_FIRST.values()]:
            assert outcome(reader, [data]) == outcome(ResponseReader(), [data])

    def test_two_responses_at_once(self) -> None:
        """A second response in the same bytes belongs to no request. The connection is not reused."""
        second = answer({"a": 2}, headers={"Connection": "keep-alive"})
        for pieces in ([USUAL + second], [USUAL[:-3], USUAL[-3:] + second], [USUAL + second[:1]]):
            response, _ = outcome(warm_reader(), pieces)
            assert (response.body, response.is_complete, response.keeps_alive) == (BODY, True, False)

    def test_one_response_teaches_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that makes one call compiles no pattern. The second response is learnt."""
        learnt, learn = [], HeadPattern.learn
        monkeypatch.setattr(HeadPattern, "learn", lambda head: learnt.append(head) or learn(head))
        reader = ResponseReader()
        assert [outcome(reader, [USUAL])[0] and len(learnt) for _ in range(3)] == [0, 1, 1]

    def test_patterns_are_limited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A server with a new form each time costs a few patterns, not one for each response."""
        learn, heads = HeadPattern.learn, []

        def counting(head: Head) -> HeadPattern | None:
            heads.append(head)
            return learn(head)

        monkeypatch.setattr(HeadPattern, "learn", counting)
        reader = ResponseReader()
        for number in range(3 * MAX_PATTERNS):
            outcome(reader, [USUAL.replace(b"x-amzn-RequestId", b"x-%d" % number)])
        assert len(heads) == MAX_PATTERNS

    def test_a_large_body_in_pieces(self) -> None:
        """A body of any known length is whole, and the length is not exceeded."""
        body = json.dumps({"a": "x" * 1_000_000}).encode()
        data = answer(body, headers={"Connection": "keep-alive"})
        pieces = [data[at : at + READ_SIZE] for at in range(0, len(data), READ_SIZE)]
        for reader in (ResponseReader(), warm_reader()):
            assert outcome(reader, pieces)[0][2:] == (body, True, True, True)
            assert outcome(reader, [*pieces[:-1], pieces[-1] + b"HTTP"])[0][2:] == (body, True, True, False)
            assert not outcome(reader, pieces[:-1])[0].is_complete

    @pytest.mark.parametrize(
        "length", [b"1" + b"0" * 17, b"9" * 18, b"9" * 19, b"9" * 5000, b"-8", b"+8", b"8, 8", b"0x8"]
    )
    def test_a_malicious_length(self, length: bytes) -> None:
        """No length makes the reader allocate memory for bytes that have not arrived."""
        data = USUAL.replace(b"Content-Length: 8", b"Content-Length: " + length)
        tracemalloc.start()
        try:
            response, _ = outcome(warm_reader(), [data])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (response.body, response.is_complete, response.keeps_alive) == (BODY, False, False)
        assert peak < 10_000_000
