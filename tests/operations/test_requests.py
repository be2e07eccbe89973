"""The tables and items that a request names."""

from __future__ import annotations

import typing as t

import pytest

from dynaflask.operations.requests import items_of
from dynaflask.operations.requests import requests_by_table

A, B = {"id": {"S": "a"}}, {"id": {"S": "b"}}
GET = {"TableName": "Thread", "Key": A}
REQUESTS: dict[str, tuple[dict[str, t.Any], dict[str, list[dict[str, t.Any]]]]] = {
    "key": (GET, {"Thread": [A]}),
    "item": ({"TableName": "Thread", "Item": A}, {"Thread": [A]}),
    "query": ({"TableName": "Thread", "KeyConditionExpression": "id = :a"}, {"Thread": []}),
    "batch of keys": (
        {"RequestItems": {"Thread": {"Keys": [A, B]}, "Forum": {"Keys": []}}},
        {"Thread": [A, B], "Forum": []},
    ),
    "batch of writes": (
        {"RequestItems": {"Thread": [{"PutRequest": {"Item": A}}, {"DeleteRequest": {"Key": B}}], "Forum": []}},
        {"Thread": [A, B], "Forum": []},
    ),
    "transaction": (
        {
            "TransactItems": [
                {"Put": {"TableName": "Thread", "Item": A}},
                {"Get": GET},
                {"Get": {**GET, "TableName": "F"}},
            ]
        },
        {"Thread": [A, A], "F": [A]},
    ),
    "action without a table": ({"TransactItems": [{"Get": {"Key": A}}]}, {}),
    "no table": ({"Limit": 1}, {}),
    "ARN": (
        {"TableName": "arn:aws:dynamodb:eu-west-1:1:table/Thread"},
        {"arn:aws:dynamodb:eu-west-1:1:table/Thread": []},
    ),
}


@pytest.mark.parametrize(("params", "items"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_split_by_table(params: dict[str, t.Any], items: dict[str, t.Any]) -> None:
    """Each table comes with the keys and items that the request names in it."""
    requests = requests_by_table(params)
    assert {table: [item for part in parts for item in items_of(part)] for table, parts in requests.items()} == items
