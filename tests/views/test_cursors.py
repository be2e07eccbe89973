"""Cursors: nobody can read, change or make one, or use it elsewhere."""

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


def make_seal(secret: str | bytes | None = "secret", *fallbacks: str | None, bound_to: object = "query") -> CursorCodec:
    app = flask.Flask("app")
    app.secret_key = secret
    app.config["SECRET_KEY_FALLBACKS"] = list(fallbacks) or None
    return CursorCodec(app, bound_to=bound_to)


SEAL = make_seal()
CURSOR = SEAL.close(POSITION)

kinds = strategies.one_of(
    strategies.text().map(lambda value: {"S": value}),
    strategies.decimals(allow_nan=False, allow_infinity=False).map(lambda value: {"N": str(value)}),
    strategies.binary().map(lambda value: {"B": value}),
)


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(position=strategies.dictionaries(strategies.text(), kinds, max_size=4))
def test_a_position_comes_back_as_it_was(position: ExclusiveStartKey) -> None:
    """Keys of every type and length."""
    assert SEAL.open(SEAL.close(position)) == position


def test_a_cursor_can_stand_in_a_url() -> None:
    """As it is."""
    assert CURSOR.replace("-", "").replace("_", "").isalnum()
    assert CURSOR.isascii()


def test_no_cursor_tells_the_length_of_a_key() -> None:
    """Nor do two for one position look alike."""
    cursors = {SEAL.close({"key": {"S": "x" * length}}) for length in (1, 1, 20)}
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
def test_what_was_not_made_here_is_refused(cursor: object) -> None:
    """Whatever it is: of no type, forged, cut or with something in between."""
    with pytest.raises(dynaflask.BadCursor):
        SEAL.open(cursor)


def test_a_cursor_with_any_other_character_is_refused() -> None:
    """Also where Base64 would read the same bytes from it."""
    for place in range(len(CURSOR)):
        for other in "AZaz09-_":
            changed = CURSOR[:place] + other + CURSOR[place + 1 :]
            if changed != CURSOR:
                with pytest.raises(dynaflask.BadCursor):
                    SEAL.open(changed)


@pytest.mark.parametrize(
    "cursor",
    ["", CURSOR + "=", CURSOR + " ", "ü" + CURSOR, "\ud800", "g" * 1_000_000],
    ids=["empty", "padded", "spaced", "beyond ASCII", "a surrogate", "a million letters"],
)
def test_odd_cursors_are_refused(cursor: str) -> None:
    """Empty, padded, with a space, not ASCII, no text at all, huge."""
    with pytest.raises(dynaflask.BadCursor):
        SEAL.open(cursor)


def test_the_refusal_explains_nothing() -> None:
    """It is a 400 with one text for all that may be wrong."""
    with pytest.raises(dynaflask.BadCursor) as caught:
        SEAL.open("no")
    assert (caught.value.code, caught.value.description) == (400, "The cursor is not valid.")


@pytest.mark.parametrize(
    "seal",
    [make_seal("other"), make_seal(bound_to="other"), make_seal(bound_to=["query"])],
    ids=["key", "query", "type"],
)
def test_another_seal_does_not_open_it(seal: CursorCodec) -> None:
    """One of another secret key, or for something else."""
    with pytest.raises(dynaflask.BadCursor):
        seal.open(CURSOR)


def test_what_it_is_bound_to_may_hold_bytes_and_is_in_no_order() -> None:
    """A condition's values do, and a dict has none."""
    cursor = make_seal(bound_to={"a": b"\xff", "b": 1}).close(POSITION)
    assert make_seal(bound_to={"b": 1, "a": b"\xff"}).open(cursor) == POSITION


def test_a_key_may_be_replaced() -> None:
    """An old cursor is opened as long as its key is among the fallbacks; a new one is made with the new key."""
    rotated = make_seal(b"new", None, "older", "secret")
    assert rotated.open(CURSOR) == POSITION
    assert make_seal("new").open(rotated.close(POSITION)) == POSITION
    with pytest.raises(dynaflask.BadCursor):
        SEAL.open(rotated.close(POSITION))


@pytest.mark.parametrize("secret", [None, ""])
def test_an_app_without_a_secret_key_is_told_so(secret: str | None) -> None:
    """Even if it has fallbacks."""
    with pytest.raises(dynaflask.ConfigurationError, match="The app 'app' has no SECRET_KEY"):
        make_seal(secret, "old")


def test_without_cryptography_the_error_gives_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra brings it."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(RuntimeError, match=r'cryptography is not installed: pip install "dynaflask\[pages\]"'):
        make_seal()


def test_cryptography_is_not_imported_with_the_package() -> None:
    """It belongs to those who ask for pages."""
    program = "import sys, dynaflask; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
