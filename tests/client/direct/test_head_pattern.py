"""A learnt head is read in one match, as the strict parser reads it, or not at all."""

from __future__ import annotations

import collections.abc as cabc
import re

import hypothesis
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from dynaflask.client.direct.head_pattern import HEAD_END
from dynaflask.client.direct.head_pattern import OK
from dynaflask.client.direct.head_pattern import HeadPattern
from dynaflask.client.direct.strict_parser import MAX_HEAD_BYTES
from dynaflask.client.direct.strict_parser import Head
from dynaflask.client.direct.strict_parser import NotStrict
from dynaflask.client.direct.strict_parser import StrictParser
from tests.support.hostile import answer
from tests.support.response_bytes import any_responses
from tests.support.response_bytes import valid_responses

GOOD = answer(b"{}", headers={"Connection": "keep-alive"})
LENGTH = b"Content-Length: 2\r\n"
BASE = valid_responses(with_interim=False)


def strict(data: bytes) -> Head | None:
    """The head that the strict parser reads."""
    try:
        return StrictParser(data, lambda _: b"", size=100).read().head
    except NotStrict:
        return None


def learnt(data: bytes) -> HeadPattern | None:
    """The pattern of a response."""
    head = strict(data)
    return None if head is None else HeadPattern.learn(head)


def head_of(data: bytes) -> bytes:
    """The bytes before the empty line."""
    return data.partition(HEAD_END)[0]


def variants(data: bytes) -> cabc.Iterator[bytes]:
    """The response with each byte replaced by another, doubled, and removed."""
    for at in range(len(data)):
        for byte in (b"\r", b"\n", b" ", b"\t", b"\0", b":", b"\x85", b"0", b"c", b"C"):
            yield data[:at] + byte + data[at + 1 :]
        yield data[: at + 1] + data[at:]
        yield data[:at] + data[at + 1 :]


def headers_by(pattern: HeadPattern, head: bytes) -> dict[str, str] | None:
    """The headers that a pattern finds in a head, or None if the head has another form."""
    found = pattern.find(head + HEAD_END + b"{}")
    assert found is None or found.end() == len(head + HEAD_END)
    return None if found is None else pattern.headers(found)


def agrees(pattern: HeadPattern, head: bytes) -> bool:
    """True if the pattern gives what the strict parser gives for a head, or nothing."""
    headers = headers_by(pattern, head)
    if headers is None:
        return True
    # Other parts than the head must not decide. No test needs all of a body of any announced length.
    length = re.search(rb"(?i)\r\ncontent-length: ([0-9]+)", head)
    assert length is not None
    shortened = head[: length.start(1)] + b"2" + head[length.end(1) :]
    parsed = strict(shortened + HEAD_END + b"{}")
    assert parsed is not None
    expected = {**parsed.headers, "content-length": length[1].decode()}
    return [*headers.items()] == [*expected.items()] and parsed.status == OK and parsed.keeps_alive


@settings(max_examples=200, deadline=None)
@hypothesis.given(first=any_responses(base=BASE), second=any_responses(base=BASE))
def test_two_responses(first: bytes, second: bytes) -> None:
    """Any first response may be learnt: the pattern reads the next ones as the strict parser does, or not at all."""
    pattern = learnt(first)
    assert pattern is None or (agrees(pattern, head_of(first)) and agrees(pattern, head_of(second)))


@settings(max_examples=200, deadline=None)
@hypothesis.given(copy=any_responses(base=st.just(GOOD)))
def test_a_response_and_its_damaged_copy(copy: bytes) -> None:
    """A damaged copy of the learnt response matches only if the strict parser reads the same from it."""
    pattern = learnt(GOOD)
    assert pattern is not None
    assert agrees(pattern, head_of(copy))


def test_each_byte_of_a_head_counts() -> None:
    """A head that differs in any byte from a learnt one is read as the strict parser reads it, or not at all."""
    pattern = learnt(GOOD)
    assert pattern is not None
    assert all(agrees(pattern, head) for head in variants(head_of(GOOD)))


def test_other_values_match() -> None:
    """A head of the same form with other values matches, and the headers stand in their order."""
    pattern = learnt(GOOD)
    assert pattern is not None
    headers = headers_by(pattern, head_of(GOOD.replace(b"R1", b"R 2").replace(LENGTH, b"Content-Length: 300\r\n")))
    assert headers is not None
    assert [*headers.items()] == [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amzn-requestid", "R 2"),
        ("x-amz-crc32", headers["x-amz-crc32"]),
        ("content-length", "300"),
        ("connection", "keep-alive"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        (LENGTH, LENGTH * 2),
        (LENGTH, b"Content-Length: 2 \r\n"),
        (LENGTH, b"Content-Length: +2\r\n"),
        (LENGTH, b"content-length: 2\r\n"),
        (LENGTH, b"Content-Length: 1000000000000000000\r\n"),
        (LENGTH, b"Transfer-Encoding: chunked\r\n"),
        (LENGTH, LENGTH + b"Transfer-Encoding: chunked\r\n"),
        (LENGTH, b""),
        (b": keep-alive", b": close"),
        (b": keep-alive", b": keep-alive, close"),
        (b": R1", b":  R1"),
        (b": R1", b":R1"),
        (b": R1", b": "),
        (b": R1", b": R1\r\n R2"),
        (b": R1", b": R1\nx: y"),
        (b": R1", b": R1\0"),
        (b"200 -", b"400 -"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b": R1", b": " + b"R" * MAX_HEAD_BYTES),
    ],
)
def test_another_form_does_not_match(change: tuple[bytes, bytes]) -> None:
    """What frames the response is fixed, and so are the names, the spaces and the status line."""
    pattern = learnt(GOOD)
    assert pattern is not None
    assert change[0] in GOOD
    assert headers_by(pattern, head_of(GOOD.replace(*change))) is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GOOD.replace(b": keep-alive", b": close"), id="a connection that closes"),
        pytest.param(GOOD.replace(b"1.1", b"1.0"), id="HTTP/1.0"),
        pytest.param(GOOD.replace(b" 200 ", b" 400 "), id="an error"),
        pytest.param(GOOD.replace(LENGTH, LENGTH + b"x-a: 1\r\nX-A: 2\r\n"), id="a repeated header"),
        pytest.param(GOOD.replace(b": R1", b": R1\r\n" + b"x" * 5000 + b": y"), id="a long name"),
        pytest.param(GOOD.replace(b": R1", b":R1"), id="no space"),
        pytest.param(GOOD.replace(b": R1", b": "), id="an empty value"),
        pytest.param(GOOD.replace(b": R1", b": \xa0R1"), id="a value that begins with a space of Unicode"),
        pytest.param(GOOD.replace(LENGTH, b"Content-Length: 2 \r\n"), id="a space after the length"),
        pytest.param(answer(b"{}", length=-1, headers={"Transfer-Encoding": "chunked"}) + b"", id="chunks, cut short"),
        pytest.param(answer(b"", length=-1, headers={"Transfer-Encoding": "chunked"}) + b"0\r\n\r\n", id="chunks"),
    ],
)
def test_an_unusual_head_is_not_learnt(data: bytes) -> None:
    """Only the usual head of a success is learnt. Any other response takes the strict parser each time."""
    assert learnt(data) is None


def test_special_characters_are_no_pattern() -> None:
    """A name or a reason with the characters of regular expressions matches itself alone."""
    hostile = GOOD.replace(b"200 -", b"200 (.*)|").replace(b"x-amzn-RequestId", b"x.*|^$+")
    pattern = learnt(hostile)
    assert pattern is not None
    assert headers_by(pattern, head_of(hostile)) is not None
    assert headers_by(pattern, head_of(GOOD)) is None
    assert headers_by(pattern, head_of(hostile.replace(b"x.*|^$+", b"xaaaa"))) is None
