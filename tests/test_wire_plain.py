"""What botocore's walks would leave as it is."""

from __future__ import annotations

import enum
import typing as t
import uuid

import pytest

from dynaflask.wire import plain

KEY = {"id": {"S": "a"}}
PLAIN: list[dict[str, t.Any]] = [
    {"TableName": "Thread", "Key": KEY, "ConsistentRead": False, "ReturnConsumedCapacity": "TOTAL"},
    {"Item": {**KEY, "tags": {"SS": ["a"]}, "more": {"M": {"list": {"L": [{"N": "1"}, {"NULL": True}]}}}}},
    {"RequestItems": {"Thread": [{"PutRequest": {"Item": KEY}}, {"DeleteRequest": {"Key": KEY}}]}},
    {"RequestItems": {"Thread": {"Keys": [KEY, KEY], "ConsistentRead": True}}},
    {"TransactItems": [{"Put": {"TableName": "Thread", "Item": KEY}}]},
    {"ExpressionAttributeNames": {"#0": "id"}, "ExpressionAttributeValues": {":0": {"S": "a"}}, "Limit": 5},
    {"AttributesToGet": ["id", "tags"]},
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


@pytest.mark.parametrize("params", PLAIN)
def test_what_json_can_say_is_plain(params: dict[str, t.Any]) -> None:
    """The requests of all data operations, as PynamoDB makes them."""
    assert plain.is_plain_request(params)


@pytest.mark.parametrize("value", ODD)
def test_what_a_walk_would_change_or_refuse_is_not(value: t.Any) -> None:
    """Wherever in a request it stands."""
    assert not plain.is_plain(value)
    item = {**KEY, "odd": value}
    for params in (
        {"Key": item},
        {"RequestItems": {"Thread": [{"PutRequest": {"Item": item}}]}},
        {"RequestItems": {"Thread": {"Keys": [item]}}},
        {"TransactItems": [{"Put": {"Item": item}}]},
    ):
        assert not plain.is_plain_request(params)


@pytest.mark.parametrize("params", [{"Key": [KEY]}, {"Limit": 1.5}, {"TableName": uuid.UUID(int=7)}, {"Tags": (1,)}])
def test_an_option_of_another_kind_is_not(params: dict[str, t.Any]) -> None:
    """Subclasses, and what JSON has no word for."""
    assert not plain.is_plain_request(params)
