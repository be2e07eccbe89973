"""Values that botocore's walk over the shapes would not change."""

from __future__ import annotations

import enum
import typing as t
import uuid

import botocore.session
import pytest
from botocore.model import ShapeResolver

from dynaflask.client.codec.passthrough import is_plain
from dynaflask.client.codec.passthrough import is_plain_item
from dynaflask.client.codec.passthrough import predicate_for

MODEL = botocore.session.Session().get_service_model("dynamodb")
ITEM = {"a": {"S": "x"}}
WRITES = {"Thread": [{"PutRequest": {"Item": ITEM}}]}

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
    """A value of any type but the binary ones is plain."""
    assert is_plain(value)
    assert is_plain_item({"id": {"S": "a"}, "value": value})


@pytest.mark.parametrize("value", ODD)
def test_what_a_walk_would_change_or_refuse_is_not(value: t.Any) -> None:
    """A binary or malformed value is not plain, also deep within an item."""
    assert not is_plain(value)
    assert not is_plain_item({"id": {"S": "a"}, "value": {"M": {"list": {"L": [value]}}}})


@pytest.mark.parametrize("item", [None, [{"S": "a"}], "S", {"id": "a"}])
def test_what_is_no_item_is_not(item: t.Any) -> None:
    """An item is a dict of values, and nothing else."""
    assert not is_plain_item(item)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("GetItem", {"TableName": "Thread", "Key": ITEM, "ConsistentRead": True}),
        ("Query", {"Limit": 5, "KeyConditions": {"a": {"AttributeValueList": [{"S": "x"}]}}}),
        ("Query", {"ExpressionAttributeNames": {"#0": "a"}, "ExpressionAttributeValues": {":0": {"S": "x"}}}),
        ("BatchGetItem", {"RequestItems": {"Thread": {"Keys": [ITEM, ITEM], "AttributesToGet": ["a"]}}}),
        ("BatchWriteItem", {"RequestItems": WRITES}),
        ("TransactWriteItems", {"TransactItems": [{"Put": {"TableName": "Thread", "Item": ITEM}}]}),
    ],
)
def test_what_is_well_formed_fits(operation: str, parameters: dict[str, t.Any]) -> None:
    """A well-formed request fits its shape."""
    assert predicate_for(MODEL.operation_model(operation).input_shape)(parameters)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("GetItem", {"Unknown": "x"}),
        ("GetItem", {"Key": "text"}),
        ("GetItem", {"Key": [ITEM]}),
        ("GetItem", {"Key": {"a": {"B": b"x"}}}),
        ("GetItem", {"TableName": uuid.UUID(int=7)}),
        ("Query", {"Limit": 1.5}),
        ("GetItem", {"ExpressionAttributeNames": {"#0": None}}),
        ("Query", {"KeyConditions": {"a": {"AttributeValueList": [{"B": "x"}]}}}),
        ("BatchWriteItem", {"RequestItems": {"Thread": (*WRITES["Thread"],)}}),
        ("BatchWriteItem", {"RequestItems": {"Thread": [{"PutRequest": {"Unknown": ITEM}}]}}),
        ("TransactWriteItems", {"TransactItems": [None]}),
    ],
)
def test_what_botocore_would_change_or_refuse_does_not(operation: str, parameters: dict[str, t.Any]) -> None:
    """A request that botocore would change or refuse does not fit."""
    assert not predicate_for(MODEL.operation_model(operation).input_shape)(parameters)


@pytest.mark.parametrize(("value", "fits"), [("x", True), (True, True), (5, True), (None, False), ({}, False)])
def test_an_option_is_what_json_can_say_in_a_word(value: object, fits: bool) -> None:
    """A scalar member accepts any string, boolean or integer, because botocore sends them unchanged."""
    shapes = MODEL.operation_model("GetItem").input_shape.members
    assert [predicate_for(shapes[name])(value) for name in ("TableName", "ConsistentRead")] == [fits, fits]


def test_what_holds_itself_is_left_to_botocore() -> None:
    """A recursive shape, a float, or a binary value does not fit."""
    shapes = {
        "Filter": {"type": "structure", "members": {name: {"shape": name} for name in ("Not", "Name", "Weight")}},
        "Not": {"type": "list", "member": {"shape": "Filter"}},
        "Name": {"type": "string"},
        "Weight": {"type": "double"},
    }
    check = predicate_for(ShapeResolver(shapes).get_shape_by_name("Filter"))
    assert check({"Name": "x", "Not": []})
    assert not check({"Not": [{"Name": "x"}]})
    assert not check({"Weight": 1.5})
