"""The plain requests of one table. ``test_plain_calls.py`` compares them with PynamoDB's."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from dynaflask.client.codec.passthrough import is_plain_item
from dynaflask.client.plain_requests import PlainRequest
from dynaflask.client.plain_requests import PlainRequests
from dynaflask.client.table_keys import KeyTable


@pytest.fixture
def table() -> KeyTable:
    """A table with a text and a number as keys."""
    data = {
        "TableName": "Post",
        "KeySchema": [
            {"AttributeName": "author", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "author", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
            {"AttributeName": "likes", "AttributeType": "N"},
        ],
    }
    return KeyTable(data)


@pytest.fixture
def requests(table: KeyTable) -> PlainRequests:
    """The requests of the table. They do not keep it."""
    return PlainRequests(table, is_plain_item=is_plain_item)


KEY = {"author": {"S": "ada"}, "number": {"N": "1"}}


def test_a_request_is_a_dict(requests: PlainRequests) -> None:
    """A plain request equals the dict that PynamoDB builds, and prints like it."""
    request = requests.get("ada", "1", consistent_read=False)
    assert request == {"TableName": "Post", "Key": KEY, "ConsistentRead": False}
    assert type(request) is PlainRequest
    assert repr(request) == repr(dict(request))


def test_numbers_in_keys_are_as_dynamodb_stores_them(requests: PlainRequests) -> None:
    """Keys of the table and of its indexes have numbers without exponent and trailing zeros."""
    request = t.cast("t.Any", requests.put("ada", "1.0", {"likes": {"N": "1e1"}, "rating": {"N": "1.0"}}))
    assert request["Item"] == {**KEY, "likes": {"N": "10"}, "rating": {"N": "1.0"}}


def test_the_objects_of_the_caller_stay(requests: PlainRequests) -> None:
    """An item that the caller passed does not change."""
    item = {"likes": {"N": "1.0"}}
    requests.put("ada", "1", item)
    requests.batch_write([item], [])
    assert item == {"likes": {"N": "1.0"}}


def test_a_batch_deletes_first(requests: PlainRequests) -> None:
    """The order in a batch is PynamoDB's: deletions, then items."""
    request = t.cast("t.Any", requests.batch_write([{"likes": {"N": "1"}}], [{"author": "ada", "number": "1.0"}]))
    assert request["RequestItems"]["Post"] == [
        {"DeleteRequest": {"Key": KEY}},
        {"PutRequest": {"Item": {"likes": {"N": "1"}}}},
    ]


def test_a_batch_reads_keys(requests: PlainRequests) -> None:
    """A batch has the keys, and the option for consistent reads if it is set."""
    request = t.cast("t.Any", requests.batch_get([{"author": "ada", "number": "1.0"}], consistent_read=True))
    assert request["RequestItems"]["Post"] == {"ConsistentRead": True, "Keys": [KEY]}


@pytest.mark.parametrize(
    ("key", "typed"),
    [
        ({"author": "ada", "title": "x"}, {"author": {"S": "ada"}, "title": {"S": "x"}}),
        ({"title": "x", "author": ""}, {"author": {"S": ""}, "title": {"S": "x"}}),
        # DynamoDB refuses the half of a key.
        ({"author": "ada"}, {"author": {"S": "ada"}}),
        ({"author": "ada", "title": None}, None),
        ({"author": 5, "title": "x"}, None),
        ({"author": "ada", "other": "x"}, None),
        ({"author": "ada", "title": "x", "other": "x"}, None),
        ({"author": {"S": "ada"}, "title": {"S": "x"}}, None),
    ],
    ids=map(str, itertools.count()),
)
def test_a_batch_reads_keys_of_texts(key: t.Any, typed: t.Any) -> None:
    """Keys of two texts are written in one step. A key with anything else in it is PynamoDB's."""
    names = ("author", "title")
    data = {
        "TableName": "Post",
        "KeySchema": [
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=True)
        ],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
    }
    table = KeyTable(data)  # the requests do not keep it
    requests = PlainRequests(table, is_plain_item=is_plain_item)
    first = {"author": "ada", "title": "1"}
    request: t.Any = requests.batch_get([first, key], consistent_read=None)
    expected = {"Keys": [{"author": {"S": "ada"}, "title": {"S": "1"}}, typed]}
    assert (request and request["RequestItems"]["Post"]) == (typed and expected)


def test_an_unknown_key_is_pynamodbs_error(requests: PlainRequests) -> None:
    """PynamoDB refuses a key that the table does not have."""
    assert requests.batch_get([{"title": "x"}], consistent_read=None) is None
