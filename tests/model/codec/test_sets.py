"""Sets in DynamoDB's JSON."""

from __future__ import annotations

import typing as t

import pytest

from dynaflask.model.codec.sets import sort_sets


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"SS": ["b", "a"]}, {"SS": ["a", "b"]}),
        ({"SS": ["a", 1]}, {"SS": [1, "a"]}),
        (
            {"tags": {"M": {"all": {"L": [{"NS": ["10", "2"]}]}}}},
            {"tags": {"M": {"all": {"L": [{"NS": ["2", "10"]}]}}}},
        ),
        ({"Key": {"id": {"BS": [b"b", b"a"]}}}, {"Key": {"id": {"BS": [b"a", b"b"]}}}),
    ],
)
def test_the_order_of_a_set_does_not_matter(one: t.Any, other: t.Any) -> None:
    """Two lists of the same elements are one set, at any depth."""
    assert sort_sets(one) == sort_sets(other)


@pytest.mark.parametrize(
    "value",
    [{"L": [{"S": "b"}, {"S": "a"}]}, {"SS": {"S": "x"}}, {"SS": {"L": [{"S": "b"}, {"S": "a"}]}}, ["b", "a"], 1],
)
def test_all_else_stays_as_it_is(value: t.Any) -> None:
    """A list has an order, and an attribute may have the name of a type."""
    assert sort_sets(value) == value
