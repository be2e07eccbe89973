"""The request serializer, compared with botocore's."""

from __future__ import annotations

import copy
import json
import typing as t
from collections import OrderedDict

import botocore.serialize
import botocore.session
import hypothesis
import pytest
from botocore.config import Config
from botocore.serialize import JSONSerializer
from hypothesis import strategies as st

from dynaflask.client.codec import request_serializer as serializer
from dynaflask.client.codec.request_serializer import PassthroughSerializer
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS
from tests.support.settings import KEYS
from tests.support.strategies import ASKED

MODEL = botocore.session.Session().get_service_model("dynamodb")


def write(kind: type[JSONSerializer], parameters: t.Any, operation: str) -> str:
    """The request, with its body decoded, or the error."""
    try:
        request = kind().serialize_to_request(parameters, MODEL.operation_model(operation))
        return repr({**request, "body": json.loads(request["body"])})
    except Exception as error:  # noqa: BLE001 - any error is compared
        return repr(error)


def assert_same(parameters: t.Any, operation: str = "PutItem") -> None:
    before = repr(parameters)
    assert write(PassthroughSerializer, parameters, operation) == write(JSONSerializer, parameters, operation)
    assert repr(parameters) == before


@hypothesis.given(st.sampled_from([*sorted(DATA_PLANE_OPERATIONS), "CreateTable", "UpdateTimeToLive"]), st.data())
@hypothesis.settings(max_examples=300, deadline=None)
def test_any_request_is_written_as_botocore_does(operation: str, data: st.DataObject) -> None:
    """Headers, values and errors are the same for random requests, and the parameters stay unchanged."""
    assert_same(data.draw(ASKED.of(MODEL.operation_model(operation).input_shape)), operation)


@pytest.mark.parametrize(
    "item",
    [
        {"a": {"B": b"\0\1\2\xff"}},
        {"a": {"M": {"b": {"L": [{"S": "x"}, {"BS": [b"\0"]}]}}}},
        {"a": {"M": {"B": {"S": "x"}}}},
        {"a": {"S": "x", "N": "1"}},
        {"a": {"S": None}},
        {"a": {"X": "x"}},
        {"a": {}},
        {"a": None},
        {"a": "S"},
        {"a": {"L": ()}},
        {"a": {"L": {}}},
        {"a": {"SS": ("x",)}},
        {"a": {"SS": {"x"}}},
        {"a": {"SS": "text"}},
        {"a": {"N": float("nan")}},
        {"a": {"S": "\ud800"}},
        {"a": {"S": {"x"}}},
        {1: {"S": "x"}},
        {("a",): {"S": "x"}},
        [],
        None,
        "text",
    ],
)
def test_an_odd_item_is_written_as_botocore_does(item: t.Any) -> None:
    """A malformed item, of a form that random items seldom have, has botocore's bytes or botocore's error."""
    assert_same({"TableName": "Thread", "Item": item})


def test_a_map_of_something_else_is_walked() -> None:
    """The attributes of items alone have binary values in them."""
    assert_same({"Expected": {"a": {"S": "x"}}, "ExpressionAttributeNames": {"#a": {"B": "x"}}})


ITEM = {"a": {"S": "x"}, "b": {"M": {"c": {"L": [{"NULL": True}]}}}}
PLAIN: list[tuple[str, dict[str, t.Any]]] = [
    ("GetItem", {"TableName": "Thread", "Key": ITEM, "ConsistentRead": True}),
    ("UpdateItem", {"ExpressionAttributeNames": {"#0": "a"}, "ExpressionAttributeValues": ITEM}),
    ("PutItem", {"Item": ITEM, "Expected": {"a": {"Value": {"S": "x"}, "Exists": True}}}),
    ("Query", {"Limit": 5, "KeyConditions": {"a": {"AttributeValueList": [{"S": "x"}]}}}),
    ("BatchGetItem", {"RequestItems": {"Thread": {"Keys": [ITEM], "AttributesToGet": ["a"]}}}),
    ("BatchWriteItem", {"RequestItems": {"x": [{"PutRequest": {"Item": ITEM}}, {"DeleteRequest": {"Key": ITEM}}]}}),
    ("TransactWriteItems", {"TransactItems": [{"Put": {"TableName": "x", "Item": ITEM}}], "ClientRequestToken": "t"}),
]


@pytest.mark.parametrize(("operation", "parameters"), PLAIN, ids=[operation for operation, _ in PLAIN])
def test_what_the_walk_would_leave_is_not_walked(
    monkeypatch: pytest.MonkeyPatch, operation: str, parameters: dict[str, t.Any]
) -> None:
    """After an operation's first request, which shows what is in each."""
    assert_same(parameters, operation)
    ours = PassthroughSerializer()
    ours.serialize_to_request(parameters, MODEL.operation_model(operation))
    monkeypatch.delattr(JSONSerializer, "serialize_to_request")
    assert json.loads(ours.serialize_to_request(parameters, MODEL.operation_model(operation))["body"]) == parameters


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("GetItem", {"Unknown": "x"}),
        ("GetItem", {"TableName": None}),
        ("GetItem", {"Key": "text"}),
        ("GetItem", {"Key": True}),
        ("GetItem", {"AttributesToGet": "text"}),
        ("GetItem", {"ExpressionAttributeNames": "text"}),
        ("GetItem", {"ExpressionAttributeNames": {1: "text"}}),
        ("Query", {"Limit": 2**70}),
        ("Query", {"Limit": 1.5}),
        ("PutItem", {"Expected": {"a": {"Unknown": "x"}}}),
        ("BatchWriteItem", {"RequestItems": {"Thread": [{"PutRequest": {"Unknown": {}}}]}}),
        ("BatchWriteItem", {"RequestItems": {"Thread": ({"PutRequest": {"Item": {}}},)}}),
        ("TransactWriteItems", {"TransactItems": [{"Put": {"TableName": b"Thread"}}]}),
        ("TransactWriteItems", {"TransactItems": [None]}),
        ("ListTables", {"Limit": 7}),
        ("DescribeEndpoints", {}),
        ("DescribeTable", {"TableName": ["x"]}),
    ],
)
def test_an_odd_request_is_written_as_botocore_does(operation: str, parameters: dict[str, t.Any]) -> None:
    """Unusual requests are written the same."""
    assert_same(parameters, operation)


@pytest.mark.parametrize("parameters", [None, [], "text", OrderedDict(TableName="Thread")])
def test_arguments_of_another_kind_are_botocores(parameters: t.Any) -> None:
    """Parameters that are not a plain dict, which a handler may set, are written by botocore."""
    assert_same(parameters, "GetItem")


@pytest.mark.parametrize("operation", sorted(DATA_PLANE_OPERATIONS))
def test_no_two_requests_share_what_may_be_changed(operation: str) -> None:
    """A handler that changes one request does not change the next."""
    ours, model = PassthroughSerializer(), MODEL.operation_model(operation)
    for _ in range(2):
        first, second = (ours.serialize_to_request({}, model) for _ in range(2))
        shared = [value for name, value in first.items() if value is second[name]]
        assert {*map(type, shared)} <= {str, bytes}
        assert {*map(type, first["headers"].values())} == {str}
        first["headers"].clear()
        first.clear()
    assert second == {**JSONSerializer().serialize_to_request({}, model), "body": b"{}"}


def test_an_item_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk skips attributes that it would not change."""
    seen = []
    walk = JSONSerializer._serialize_type_structure
    monkeypatch.setattr(
        JSONSerializer,
        "_serialize_type_structure",
        lambda self, serialized, value, shape, key: (
            seen.append(shape.name) or walk(self, serialized, value, shape, key)
        ),
    )
    item = {"a": {"S": "x"}, "b": {"M": {"c": {"L": [{"NULL": True}]}}}, "d": {"B": b"\0"}}
    write(PassthroughSerializer, {"Item": item}, "PutItem")
    assert seen.count("AttributeValue") == 1  # the binary one


def test_a_botocore_that_walks_otherwise_is_let_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """If botocore does not call the overridden method, the request is the same."""
    walk, walk_map = JSONSerializer._serialize, JSONSerializer._serialize_type_map

    def dispatch(self: t.Any, serialized: t.Any, value: t.Any, shape: t.Any, key: t.Any = None) -> None:
        way = walk_map if shape.type_name == "map" else walk
        way(self, serialized, value, shape, key)

    monkeypatch.setattr(JSONSerializer, "_serialize", dispatch)
    monkeypatch.setattr(PassthroughSerializer, "_serialize_type_map", None)
    assert_same({"Item": {"a": {"B": b"\0"}, "b": {"M": {"d": {"S": "x"}}}}})


def make_client(**options: t.Any) -> t.Any:
    session = botocore.session.Session()
    client = session.create_client("dynamodb", region_name="us-east-1", config=Config(**options), **KEYS)
    serializer.install(client)
    return client


def body_of(client: t.Any, item: t.Any) -> t.Any:
    """The body that a call of the client would send."""
    seen = []
    client.meta.events.register("before-call", lambda params, **_: seen.append(params) or (Answer(), {}))
    client.put_item(TableName="Thread", Item=item)
    return copy.copy(seen[0]["body"])


class Answer:
    status_code = 200


def test_a_client_writes_with_it() -> None:
    """A client uses the serializer after ``install``."""
    body = body_of(make_client(parameter_validation=False), {"a": {"S": "x"}})
    assert body == b'{"TableName":"Thread","Item":{"a":{"S":"x"}}}'


def test_a_client_that_validates_is_left() -> None:
    """A client that validates its parameters keeps its own serializer."""
    with pytest.raises(botocore.exceptions.ParamValidationError):
        make_client(parameter_validation=True).put_item(TableName="Thread", Item={"a": {"S": 7}})


def test_a_client_without_the_private_name_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the private name is gone, the client keeps its own serializer."""
    client = make_client(parameter_validation=False)
    monkeypatch.delattr(client, "_serializer")
    serializer.install(client)
    assert not hasattr(client, "_serializer")
