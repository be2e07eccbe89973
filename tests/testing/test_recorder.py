"""The recording server: what the tests of the wire take for granted."""

from __future__ import annotations

import concurrent.futures
import typing as t

import botocore.exceptions
import botocore.session
import pytest

from tests.support.recorder import Recorder

KEY = {"id": {"S": "a"}}


def client(server: Recorder, *, region: str = "eu-west-1", **credentials: str) -> t.Any:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"} | credentials
    session = botocore.session.get_session()
    return session.create_client("dynamodb", region, endpoint_url=server.url, **keys)


def test_remembers_how_a_request_was_signed(recorder: Recorder) -> None:
    """Access key, token, region and service come from the signature, the host from its header."""
    client(recorder, aws_session_token="token").get_item(TableName="thread", Key=KEY)
    [request] = recorder.requests
    assert (request.access_key_id, request.session_token) == ("key", "token")
    assert (request.region, request.service) == ("eu-west-1", "dynamodb")
    assert request.host == f"127.0.0.1:{recorder.port}"


def test_remembers_what_a_request_said(recorder: Recorder) -> None:
    """The operation and the body are there to look at."""
    client(recorder).get_item(TableName="thread", Key=KEY)
    [request] = recorder.requests
    assert request.operation == "GetItem"
    assert request.body == {"TableName": "thread", "Key": KEY}


def test_takes_the_answer_of_a_test(recorder: Recorder) -> None:
    """A test may answer with a status and a body of its own."""
    recorder.answer = lambda request: (400, {"__type": "x#ResourceNotFoundException"})
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client(recorder).describe_table(TableName="thread")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_leaves_to_the_plain_answer_what_a_test_does_not_answer(recorder: Recorder) -> None:
    """An answer of None is the plain one."""
    recorder.answer = lambda request: None
    assert client(recorder).get_item(TableName="thread", Key=KEY)["Item"] == KEY


def test_refuses_an_operation_that_it_does_not_know(recorder: Recorder) -> None:
    """What has no plain answer is an error, as it is at DynamoDB."""
    with pytest.raises(botocore.exceptions.ClientError, match="UnknownOperation"):
        client(recorder).describe_endpoints()


@pytest.mark.parametrize("table", ["batch", "transaction"])
def test_says_the_capacity_that_is_asked_for(recorder: Recorder, table: str) -> None:
    """Each table of a request that asks for its consumed capacity is charged one unit."""
    calls = client(recorder)
    if table == "batch":
        items: t.Any = {table: {"Keys": [KEY]}}
        answer = calls.batch_get_item(RequestItems=items, ReturnConsumedCapacity="TOTAL")
    else:
        items = [{"Get": {"TableName": table, "Key": KEY}}]
        answer = calls.transact_get_items(TransactItems=items, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 1.0}]


def test_remembers_the_requests_of_many_threads(recorder: Recorder) -> None:
    """None is lost, none is answered with another's answer."""
    calls = client(recorder)

    def get(number: int) -> bool:
        key = {"id": {"N": str(number)}}
        return bool(calls.get_item(TableName="thread", Key=key)["Item"] == key)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(get, range(400)))
    assert {int(request.body["Key"]["id"]["N"]) for request in recorder.requests} == set(range(400))
