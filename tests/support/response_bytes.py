"""Hypothesis strategies: the bytes of HTTP responses, valid and damaged, and the pieces in which they arrive."""

from __future__ import annotations

import itertools
import typing as t

from hypothesis import strategies as st

BODIES = (b"", b"{}", b'{"a": 1}', b"x" * 300, b"\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
NAMES = ("Server", "Date", "x-amzn-RequestId", "x-amz-crc32", "X-Empty", "Connection")
VALUES = (b"keep-alive", b"Server", b"R1", b"2745614147", b"a: b, c", b"\xe9\xff", b"Upgrade", b"tab\there", b"0")
# Bytes that change the meaning of a response where they stand, and those that look as if they did.
FRAGMENTS = (
    *(bytes([byte]) for byte in b"\r\n \t\0:;,-+019aF\x0b\x1f\x7f\x80\x85\xa0\xff"),
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\r\n x",
    b"HTTP/1.0",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 -\r\n\r\n",
    b"Content-Length: 2\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: 1000000000000000000\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive, close\r\n",
    b"Upgrade: h2c\r\n",
    b"2\r\n{}\r\n0\r\n\r\n",
)


@st.composite
def valid_responses(draw: st.DrawFn, *, with_interim: bool = True) -> bytes:
    """A valid response whose connection can be used again."""
    body = draw(st.sampled_from(BODIES))
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    lines = [name.encode() + b": " + draw(st.sampled_from(VALUES)) for name in names]
    is_chunked = draw(st.booleans()) and draw(st.booleans())
    framing = b"Transfer-Encoding: Chunked" if is_chunked else b"Content-Length: %d" % len(body)
    lines.insert(draw(st.integers(0, len(lines))), framing)
    if is_chunked:
        size = draw(st.integers(1, 20))
        extension = draw(st.sampled_from((b"", b";a", b';a="b c"')))
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        body = b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
        body += b"0\r\n" + draw(st.sampled_from((b"", b"x-late: trailer\r\n"))) + b"\r\n"
    status = draw(st.sampled_from((b"200 OK", b"200 OK", b"200 OK", b"400 Bad Request", b"500 ", b"201")))
    interim = draw(st.integers(0, 2)) if with_interim and draw(st.booleans()) else 0
    return b"HTTP/1.1 103 -\r\nLink: x\r\n\r\n" * interim + b"\r\n".join((b"HTTP/1.1 " + status, *lines, b"", body))


@st.composite
def any_responses(draw: st.DrawFn, *, base: st.SearchStrategy[bytes] | None = None) -> bytes:
    """A response after a few changes: bytes are removed, added or repeated, and it is cut or followed by another."""
    data = draw(valid_responses() if base is None else base)
    for _ in range(draw(st.integers(0, 3))):
        at, until = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        kind = draw(st.sampled_from(("insert", "insert", "replace", "repeat", "cut")))
        fragment = draw(st.sampled_from(FRAGMENTS))
        changes: dict[str, t.Callable[[bytes, int, int, bytes], bytes]] = {
            "insert": lambda data, at, _, fragment: data[:at] + fragment + data[at:],
            "replace": lambda data, at, _, fragment: data[:at] + fragment + data[at + len(fragment) :],
            "repeat": lambda data, at, until, _: data[:until] + data[at:],
            "cut": lambda data, _, until, __: data[:until],
        }
        data = changes[kind](data, at, until, fragment)
    return data


@st.composite
def in_pieces(draw: st.DrawFn, responses: st.SearchStrategy[bytes]) -> list[bytes]:
    """A response as a server may send it: at once, in two or three pieces, or byte by byte."""
    data = draw(responses)
    if draw(st.integers(0, 9)) == 0:
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=2)))
    bounds = [0, *cuts, len(data)]
    # An empty piece would be the end of the connection.
    return [data[a:b] for a, b in itertools.pairwise(bounds) if a < b]
