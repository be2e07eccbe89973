"""Cursors: a client can neither read, change nor forge one, nor use it for another query."""

from __future__ import annotations

import subprocess
import sys

import flask
import hypothesis
import pytest
from hypothesis import strategies

import dynaflask
from dynaflask.views.cursors import CursorCodec
from dynaflask.views.cursors import ExclusiveStartKey

POSITION: ExclusiveStartKey = {"forum": {"S": "hush"}, "number": {"N": "-12.5"}, "token": {"B": b"\x00\xff"}}


def make_codec(secret: str | bytes | None = "secret", *fallbacks: str | None, context: object = "query") -> CursorCodec:
    app = flask.Flask("app")
    app.secret_key = secret
    app.config["SECRET_KEY_FALLBACKS"] = list(fallbacks) or None
    return CursorCodec(app, context=context)


CODEC = make_codec()
CURSOR = CODEC.encode(POSITION)

key_values = strategies.one_of(
    strategies.text().map(lambda value: {"S": value}),
    strategies.decimals(allow_nan=False, allow_infinity=False).map(lambda value: {"N": str(value)}),
    strategies.binary().map(lambda value: {"B": value}),
)


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(position=strategies.dictionaries(strategies.text(), key_values, max_size=4))
def test_a_position_survives_encoding(position: ExclusiveStartKey) -> None:
    """Decoding a cursor gives the encoded position, for keys of every type and length."""
    assert CODEC.decode(CODEC.encode(position)) == position


@pytest.mark.parametrize("value", [None, 1, [CURSOR], CURSOR.encode()], ids=["null", "number", "list", "bytes"])
def test_a_cursor_is_a_string(value: object) -> None:
    """A value of another type, as JSON may have it, raises ``BadCursor``."""
    with pytest.raises(dynaflask.BadCursor):
        CODEC.decode(value)


def test_a_cursor_needs_no_quoting_in_a_url() -> None:
    """A cursor consists of letters, digits, ``-`` and ``_``."""
    assert CURSOR.replace("-", "").replace("_", "").isalnum()
    assert CURSOR.isascii()


def test_cursors_do_not_reveal_the_length_of_a_key() -> None:
    """Cursors of short keys have one length, and two cursors of one position differ."""
    cursors = {CODEC.encode({"key": {"S": "x" * length}}) for length in (1, 1, 20)}
    assert (len(cursors), len({len(cursor) for cursor in cursors})) == (3, 1)


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(
    cursor=strategies.one_of(
        strategies.text(),
        strategies.binary(),
        strategies.text("gAQz-_=", max_size=300),
        strategies.recursive(strategies.none() | strategies.integers(), strategies.lists),
        strategies.integers(0, len(CURSOR) - 1).map(lambda length: CURSOR[:length]),
        strategies.tuples(strategies.integers(0, len(CURSOR)), strategies.characters()).map(
            lambda change: CURSOR[: change[0]] + change[1] + CURSOR[change[0] :]
        ),
    )
)
def test_a_forged_cursor_is_refused(cursor: object) -> None:
    """A value of another type, a random string and a cut or extended cursor raise ``BadCursor``."""
    with pytest.raises(dynaflask.BadCursor):
        CODEC.decode(cursor)


def test_a_cursor_with_one_changed_character_is_refused() -> None:
    """Any change of a character raises ``BadCursor``, even if Base64 decodes it to the same bytes."""
    for place in range(len(CURSOR)):
        for character in "AZaz09-_":
            changed = CURSOR[:place] + character + CURSOR[place + 1 :]
            if changed != CURSOR:
                with pytest.raises(dynaflask.BadCursor):
                    CODEC.decode(changed)


@pytest.mark.parametrize(
    "cursor",
    ["", CURSOR + "=", CURSOR + " ", "ü" + CURSOR, "\ud800", "g" * 1_000_000],
    ids=["empty", "padded", "spaced", "beyond ASCII", "a surrogate", "a million letters"],
)
def test_malformed_cursors_are_refused(cursor: str) -> None:
    """An empty, padded, non-ASCII or huge string raises ``BadCursor``, not another error."""
    with pytest.raises(dynaflask.BadCursor):
        CODEC.decode(cursor)


def test_the_error_gives_no_reason() -> None:
    """``BadCursor`` is a 400 with the same description for every reason."""
    with pytest.raises(dynaflask.BadCursor) as caught:
        CODEC.decode("no")
    assert (caught.value.code, caught.value.description) == (400, "The cursor is not valid.")


@pytest.mark.parametrize(
    "codec",
    [make_codec("other"), make_codec(context="other"), make_codec(context=["query"])],
    ids=["key", "query", "type"],
)
def test_another_codec_does_not_decode_it(codec: CursorCodec) -> None:
    """A codec with another secret key or another context raises ``BadCursor``."""
    with pytest.raises(dynaflask.BadCursor):
        codec.decode(CURSOR)


def test_the_context_may_contain_bytes_in_any_order() -> None:
    """The order of a dict in the context does not matter, and its values may be bytes."""
    cursor = make_codec(context={"a": b"\xff", "b": 1}).encode(POSITION)
    assert make_codec(context={"b": 1, "a": b"\xff"}).decode(cursor) == POSITION


def test_the_secret_key_can_be_rotated() -> None:
    """Cursors of a fallback key still decode; new cursors use the new key."""
    rotated = make_codec(b"new", None, "older", "secret")
    assert rotated.decode(CURSOR) == POSITION
    assert make_codec("new").decode(rotated.encode(POSITION)) == POSITION
    with pytest.raises(dynaflask.BadCursor):
        CODEC.decode(rotated.encode(POSITION))


@pytest.mark.parametrize("secret", [None, ""])
def test_an_app_without_a_secret_key_is_an_error(secret: str | None) -> None:
    """Without ``SECRET_KEY`` there is a ``ConfigurationError``, even with fallbacks."""
    with pytest.raises(dynaflask.ConfigurationError, match="The app 'app' has no SECRET_KEY"):
        make_codec(secret, "old")


def test_without_cryptography_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install the extra."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ModuleNotFoundError, match=r'cryptography is not installed: pip install "dynaflask\[pages\]"'):
        make_codec()


def test_cryptography_is_not_imported_with_the_package() -> None:
    """``import dynaflask`` does not import the optional cryptography."""
    program = "import sys, dynaflask; print('cryptography' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.split() == ["False"]
