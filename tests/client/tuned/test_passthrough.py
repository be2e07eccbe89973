"""What botocore's walks would leave as it is."""

from __future__ import annotations

import enum
import typing as t
import uuid

import pytest

from dynaflask.client.tuned import passthrough as plain

PLAIN: list[dict[str, t.Any]] = [
    {"S": "a"},
    {"N": "1"},
    {"BOOL": False},
    {"NULL": True},
    {"SS": ["a"]},
    {"NS": ["1", "2"]},
    {"L": []},
    {"M": {"list": {"L": [{"N": "1"}, {"M": {}}]}}},
]
ODD: list[t.Any] = [
    {"B": b"\0"},
    {"BS": [b"\0"]},
    {"SS": None},
    {"SS": ["a", None]},
    {"S": uuid.UUID(int=7)},
    {"S": enum.Enum("Colour", ["RED"])["RED"]},
    {"S": None},
    {"S": "a", "N": "1"},
    {"X": "a"},
    {"M": "a"},
    {"L": {"S": "a"}},
    {"L": [{"B": b"\0"}]},
    {},
    None,
    "S",
]


@pytest.mark.parametrize("value", PLAIN)
def test_what_json_can_say_is_plain(value: dict[str, t.Any]) -> None:
    """All types but the binary ones."""
    assert plain.is_plain(value)
    assert plain.is_plain_item({"id": {"S": "a"}, "value": value})


@pytest.mark.parametrize("value", ODD)
def test_what_a_walk_would_change_or_refuse_is_not(value: t.Any) -> None:
    """Wherever in an item it stands."""
    assert not plain.is_plain(value)
    assert not plain.is_plain_item({"id": {"S": "a"}, "value": {"M": {"list": {"L": [value]}}}})


@pytest.mark.parametrize("item", [None, [{"S": "a"}], "S", {"id": "a"}])
def test_what_is_no_item_is_not(item: t.Any) -> None:
    """A dict of values alone is one."""
    assert not plain.is_plain_item(item)
