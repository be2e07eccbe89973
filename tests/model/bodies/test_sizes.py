"""DynamoDB's limits; tests/integrations/test_flask_restx.py has each of them."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dynaflask
from dynaflask.model.bodies import sizes
from tests.support import notes

BODIES = st.fixed_dictionaries(
    {"subject": st.text(min_size=1)},
    optional={"town": st.text(min_size=1), "raw": st.dictionaries(st.text(min_size=1), st.text() | st.integers(0, 9))},
)


@given(BODIES)
def test_a_small_body_has_no_error(body: dict[str, t.Any]) -> None:
    """The quick test is true only for a body whose item fits."""
    item = notes.declare_note(dynaflask.Dynamo())(**body)
    assert not (sizes.is_surely_small(body) and sizes.size_errors(item))


@pytest.mark.parametrize(
    "body", [{"a": "x" * 200}, {"a": {"b": "\u00e9" * 40_000}}, {"a": ["x" * 40_000, "y" * 40_000]}]
)
def test_a_large_body_is_measured(body: dict[str, t.Any]) -> None:
    """A long string in a field, or much text at any depth, needs the exact test."""
    assert not sizes.is_surely_small(body)


def test_the_longest_safe_string_is_a_safe_key() -> None:
    """A string of the longest length has at most 4 bytes a character, with the longest name of a tenant before it."""
    assert sizes.SAFE_STRING * 4 + len("x" * 256 + "#") <= sizes.MAX_RANGE_KEY
    assert sizes.SAFE_BODY * 6 <= sizes.MAX_ITEM
