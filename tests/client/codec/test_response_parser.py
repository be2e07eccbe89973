"""The response parser, compared with botocore's."""

from __future__ import annotations

import json
import typing as t

import botocore.parsers
import botocore.session
import hypothesis
import pytest
from botocore.awsrequest import HeadersDict
from botocore.model import Shape
from hypothesis import strategies as st

from dynaflask.client.codec.passthrough import FLAG_TYPES
from dynaflask.client.codec.passthrough import SET_TYPES
from dynaflask.client.codec.passthrough import TEXT_TYPES
from dynaflask.client.codec.response_parser import OUTPUTS
from dynaflask.client.codec.response_parser import ParserFactory
from dynaflask.exceptions import DamagedResponse
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS
from tests.support.strategies import ANSWERED
from tests.support.strategies import json_names

OPERATIONS = sorted(DATA_PLANE_OPERATIONS)
MODEL = botocore.session.Session().get_service_model("dynamodb")
HEADERS = HeadersDict({"x-amzn-RequestId": "7", "Content-Type": "application/x-amz-json-1.0", "x-amz-crc32": "1"})
BINARY = {"B": "AAEC/w=="}


def answer(content: t.Any, **more: t.Any) -> dict[str, t.Any]:
    """A response as botocore passes it to its parser."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return {"body": body, "headers": HEADERS, "status_code": 200, "context": {}, **more}


def output(operation: str) -> t.Any:
    return MODEL.operation_model(operation).output_shape


def parse(factory: t.Any, response: dict[str, t.Any], shape: t.Any) -> str:
    """The result as a repr, which distinguishes ``1`` from ``True`` and shows the order, or the error of botocore."""
    try:
        return repr(factory.create_parser("json").parse(response, shape))
    except DamagedResponse as error:
        return repr(error.__cause__)
    except Exception as error:  # noqa: BLE001 - any error is compared
        return repr(error)


def assert_same(response: dict[str, t.Any], shape: t.Any = None) -> None:
    shape = shape or output("GetItem")
    stock = parse(botocore.parsers.ResponseParserFactory(), response, shape)
    assert parse(ParserFactory(), response, shape) == stock


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"text"', b"\xff"])
def test_what_is_no_object_is_a_damaged_response(body: bytes, status: int) -> None:
    """A body that is JSON and not an object, or not text, is a ``DamagedResponse`` that names the status."""
    response = answer(body, status_code=status)
    with pytest.raises(DamagedResponse, match=f"status {status} is not the JSON object that DynamoDB sends"):
        ParserFactory().create_parser("json").parse(response, output("GetItem"))


@hypothesis.given(st.sampled_from(OPERATIONS), st.data(), st.sampled_from([200, 200, 299, 300, 301, 400, 500]))
@hypothesis.settings(max_examples=300, deadline=None)
def test_any_answer_comes_to_the_same(operation: str, data: st.DataObject, status: int) -> None:
    """Values, types, order and errors are the same for random responses."""
    content = data.draw(ANSWERED.of(output(operation)))
    indent = data.draw(st.sampled_from([None, 1]))
    body = json.dumps(content, indent=indent, ensure_ascii=data.draw(st.booleans()))
    assert_same(answer(body.encode("utf-8", "surrogatepass"), status_code=status), output(operation))


@hypothesis.given(
    st.dictionaries(json_names, ANSWERED.attribute_values),
    st.sampled_from(["ConditionalCheckFailedException", "Nope", ""]),
)
@hypothesis.settings(max_examples=200, deadline=None)
def test_any_error_comes_to_the_same(item: dict[str, t.Any], code: str) -> None:
    """An error response is parsed the same, also on the second pass, which reads the members of the error."""
    response = answer(
        {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "No.", "Item": item}, status_code=400
    )
    assert_same(response)
    assert_same(response, MODEL.shape_for("ConditionalCheckFailedException"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"7",
        b"[]",
        b'"text"',
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"Item": {"a": {"B" : "AAEC/w=="}}}',
        b'{"Item": {"a": {"\\u0042": "AAEC/w=="}}}',
        b'{"Item": {"a": {"\\u0042\\u0053": ["AAEC/w=="]}}}',
        b'{"Item": {"B": {"S": "AAEC/w=="}}}',
        b'{"Item": {"a": {"M": {"B": {"S": "x"}, "BS": {"SS": ["x"]}}}}}',
        b'{"Item": {"a": {"M": {"b": {"L": [{"S": "x"}, {"B": "AAEC/w=="}]}}}}}',
        b'{"Item": {"a": {"S": "x"}, "a": {"B": "AAEC/w=="}}}',
        b'{"Item": {"a": {"S": "x", "S": null}}}',
        b'{"Item": {"a": {"N": "1", "S": "x"}}}',
        b'{"Item": {"a": {"S": "x", "N": null}}}',
        b'{"Item": {"a": {"X": "x"}}}',
        b'{"Item": {"a": {}}}',
        b'{"Item": {"a": null}}',
        b'{"Item": {"a": "S"}}',
        b'{"Item": {"a": {"L": [null, {"S": "x"}]}}}',
        b'{"Item": {"a": {"SS": ["x", null]}}}',
        b'{"Item": {"a": {"L": {}}}}',
        b'{"Item": {"a": {"SS": "text"}}}',
        b'{"Item": {"a": {"SS": {"b": 1}}}}',
        b'{"Item": {"a": {"N": NaN}, "b": {"N": 1e400}, "c": {"S": "\\ud800"}}}',
        b'{"Item": {"a": {"N": 123456789012345678901234567890}}}',
        b'{"ConsumedCapacity": {"CapacityUnits": 123456789012345678901234567890}}',
        b'{"ConsumedCapacity": {"CapacityUnits": 0.5, "TableName": "Thread"}, "Item": {"a": {"S": "x"}}}',
        b'{"Item": null}',
        b'{"Item": []}',
        b'{"ConsumedCapacity": {"GlobalSecondaryIndexes": {"by-tag": {"S": "x"}}}}',
        b'{"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1, "Table": null}, "Item": {}}',
        b'{"__type": "x", "ResponseMetadata": {"RequestId": "mine"}, "Item": {}}',
    ],
)
def test_an_odd_answer_comes_to_the_same(body: bytes) -> None:
    """Unusual responses are parsed the same."""
    assert_same(answer(body))


def test_the_metadata_is_the_same() -> None:
    """The metadata has the request id, the status, the headers and the algorithm of the checksum."""
    response = answer({"Item": {}}, context={"checksum": {"response_algorithm": "crc32"}}, status_code=202)
    assert_same(response)
    parsed = parse(ParserFactory(), response, output("GetItem"))
    assert "'RequestId': '7'" in parsed
    assert "'ChecksumAlgorithm': 'crc32'" in parsed


def test_binary_values_are_decoded() -> None:
    """Binary values are decoded, also deep within an item."""
    item = {"a": BINARY, "b": {"L": [{"M": {"c": {"BS": ["AAEC/w=="]}}}]}, "d": {"S": "AAEC/w=="}}
    parser = ParserFactory().create_parser("json")
    parsed = parser.parse(answer({"Item": item}), output("GetItem"))
    assert parsed["Item"] == {
        "a": {"B": b"\0\1\2\xff"},
        "b": {"L": [{"M": {"c": {"BS": [b"\0\1\2\xff"]}}}]},
        "d": {"S": "AAEC/w=="},
    }


def test_an_item_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk skips attributes that it would not change."""
    seen = []
    walk = botocore.parsers.BaseJSONParser._handle_structure
    monkeypatch.setattr(
        botocore.parsers.BaseJSONParser,
        "_handle_structure",
        lambda self, shape, value: seen.append(shape.name) or walk(self, shape, value),
    )
    item = {"a": {"S": "x"}, "b": {"M": {"c": {"L": [{"NULL": True}, {"NS": ["1"]}]}}}, "d": BINARY}
    assert_same(answer({"Item": item}))
    assert seen.count("AttributeValue") == 6 + 1  # all of them by the stock parser, the binary one by ours


def test_a_botocore_that_walks_otherwise_is_let_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """If botocore does not call the overridden method, the result is the same."""
    base = botocore.parsers.ResponseParser
    plain = base._parse_shape

    def walk(self: t.Any, shape: Shape, node: t.Any) -> t.Any:
        if shape.type_name == "map":
            return botocore.parsers.BaseJSONParser._handle_map(self, shape, node)
        return plain(self, shape, node)

    monkeypatch.setattr(base, "_parse_shape", walk)
    monkeypatch.setattr(ParserFactory().create_parser("json").__class__, "_handle_map", None)
    assert_same(answer({"Item": {"a": BINARY, "b": {"S": "x"}, "c": {"M": {"d": {"S": "x"}}}}}))


def test_other_protocols_are_stock() -> None:
    """Other protocols, such as that of STS, have the stock parser."""
    parsers = [
        factory.create_parser("query") for factory in (ParserFactory(), botocore.parsers.ResponseParserFactory())
    ]
    assert type(parsers[0]) is type(parsers[1])


def shapes_in(shape: t.Any, seen: dict[str, t.Any]) -> dict[str, t.Any]:
    """A shape and all shapes in it, by name."""
    if shape.name not in seen:
        seen[shape.name] = shape
        for member in members_of(shape):
            shapes_in(member, seen)
    return seen


def members_of(shape: t.Any) -> t.Iterable[t.Any]:
    if shape.type_name == "structure":
        return shape.members.values()
    parts = {"map": ("key", "value"), "list": ("member",)}
    return [getattr(shape, part) for part in parts.get(shape.type_name, ())]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_data_of_botocore_are_what_the_parser_relies_on(operation: str) -> None:
    """botocore's service description has the types, and the members in the order, that the parser relies on."""
    shapes = shapes_in(output(operation), {})
    value = shapes["AttributeValue"]
    types = {name: member.type_name for name, member in value.members.items()}
    assert {name for name, kind in types.items() if kind == "string"} == TEXT_TYPES
    assert {name for name, kind in types.items() if kind == "boolean"} == FLAG_TYPES
    lists = {name for name, kind in types.items() if kind == "list"}
    assert {name for name in lists if value.members[name].member.type_name == "string"} == SET_TYPES
    assert types.keys() - TEXT_TYPES - FLAG_TYPES - SET_TYPES == {"B", "BS", "M", "L"}
    known = OUTPUTS[output(operation).name]
    assert [name for name in output(operation).members if name in known] == list(known)
    assert not getattr(value, "is_tagged_union", False)
    assert not getattr(value, "is_document_type", False)
    assert not any(shape.serialization for shape in shapes.values())
