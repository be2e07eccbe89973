"""Bodies of the requests and responses of the direct transport."""

from __future__ import annotations

import json
import typing as t

import botocore.session
import pytest
from botocore.serialize import create_serializer

from dynaflask.client.direct.hooks import ClientHooks
from dynaflask.client.direct.hooks import FutureHooks
from dynaflask.client.direct.http11 import Response
from dynaflask.client.direct.operation_codec import OperationCodec
from dynaflask.client.direct.operation_codec import names_an_arn
from dynaflask.client.plain_requests import PlainRequest

KEY = {"id": {"S": "a"}}
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Thread"


@pytest.fixture(scope="module")
def client() -> t.Any:
    """A botocore client."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
    return botocore.session.Session().create_client("dynamodb", "eu-west-1", **keys)


class TestSerialize:
    """``serialize``: the body that botocore would write, or None."""

    @pytest.mark.parametrize("value", [{"S": "ä"}, {"B": b"\0"}, {"L": [{"BS": [b"\1"]}]}, {"N": "1"}], ids=repr)
    def test_it_equals_botocores(self, client: t.Any, value: dict[str, t.Any]) -> None:
        """The body has the same content as botocore's, with binary values encoded."""
        params = {"TableName": "Thread", "Item": {**KEY, "value": value}}
        theirs = client._serializer.serialize_to_request(params, client.meta.service_model.operation_model("PutItem"))
        written = OperationCodec(lambda: client.meta.service_model, "PutItem").serialize(params)
        assert written is not None
        assert json.loads(written) == json.loads(theirs["body"])

    def test_an_unknown_parameter_is_left_to_botocore(self, client: t.Any) -> None:
        """An unknown parameter is left to botocore, whose error names it."""
        assert (
            OperationCodec(lambda: client.meta.service_model, "GetItem").serialize(
                {"TableName": "Thread", "Key": KEY, "Where": "here"}
            )
            is None
        )

    def test_an_arn_is_left_to_botocore(self, client: t.Any) -> None:
        """A table named by its ARN is left to botocore: the ARN may lead to another endpoint."""
        assert (
            OperationCodec(lambda: client.meta.service_model, "GetItem").serialize({"TableName": ARN, "Key": KEY})
            is None
        )

    def test_a_transaction_gets_a_token(self, client: t.Any) -> None:
        """Each transaction gets a new token, unless the caller sets one. The token makes a retry harmless."""
        operation = OperationCodec(lambda: client.meta.service_model, "TransactWriteItems")
        first, second, own = ({"TransactItems": [], **more} for more in ({}, {}, {"ClientRequestToken": "mine"}))
        for params in (first, second, own):
            assert operation.serialize(params) == json.dumps(params, separators=(",", ":")).encode()
        assert first["ClientRequestToken"] != second["ClientRequestToken"]
        assert own["ClientRequestToken"] == "mine"


@pytest.mark.parametrize(
    ("params", "is_named"),
    [
        ({"TableName": "Thread"}, False),
        ({"TableName": ARN}, True),
        ({"RequestItems": {"Thread": []}}, False),
        ({"RequestItems": {"Thread": [], ARN: []}}, True),
        ({"TransactItems": [{"Get": {"TableName": "Thread"}}, {"Get": {"TableName": ARN}}]}, True),
        ({"TableName": "Thread", "Key": {"id": {"S": ARN}}}, False),
    ],
    ids=["name", "arn", "batch of names", "batch", "transaction", "a value"],
)
def test_a_table_is_named_by_its_arn(params: dict[str, t.Any], is_named: bool) -> None:
    """``names_an_arn`` finds an ARN in each operation, and ignores the values of items."""
    assert names_an_arn(params) is is_named


@pytest.mark.parametrize(
    "body",
    [b'{"Item":{"id":{"S":"a"}}}', b'{"Item":{"id":{"B":"AA=="}}}', b"{}", b'{"Item":{"id":{"Z":1}},"More":1}'],
    ids=["plain", "binary", "empty", "new"],
)
def test_an_answer_is_read_as_botocore_reads_it(client: t.Any, body: bytes) -> None:
    """The result equals botocore's, with the same metadata and order, for a call with one attempt."""
    headers = {"x-amzn-requestid": "R1"}
    model = client.meta.service_model.operation_model("GetItem")
    response = {"status_code": 200, "headers": headers, "body": body}
    theirs = client._response_parser.parse(response, model.output_shape)
    theirs["ResponseMetadata"]["RetryAttempts"] = 0
    hooks = ClientHooks(client, operations=["GetItem"])
    operation = OperationCodec(lambda: client.meta.service_model, "GetItem")
    ours = operation.parse(Response(200, headers, body), {}, hooks)
    assert ours == theirs
    assert [*ours] == [*theirs]


def test_a_plain_request_needs_no_description_of_the_service(client: t.Any) -> None:
    """Neither it nor its response needs botocore's description, which takes milliseconds to load."""

    def refuse() -> t.NoReturn:
        raise AssertionError

    operation, hooks = OperationCodec(refuse, "GetItem"), FutureHooks()
    assert operation.serialize(PlainRequest({"TableName": "Thread", "Key": KEY})) is not None
    parsed = operation.parse(Response(200, {"x-amzn-requestid": "1"}, b'{"Item": {"id": {"S": "a"}}}'), {}, hooks)
    assert parsed["Item"] == KEY
    serializer = create_serializer("json", include_validation=False)
    theirs = serializer.serialize_to_request({}, client.meta.service_model.operation_model("GetItem"))["headers"]
    assert operation.constant_headers() == {name.lower(): value for name, value in theirs.items()}
