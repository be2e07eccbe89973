"""The recording server, which the tests of requests rely on."""

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


def test_records_how_a_request_was_signed(recorder: Recorder) -> None:
    """Access key, token, region and service come from the signature, the host from its header."""
    client(recorder, aws_session_token="token").get_item(TableName="thread", Key=KEY)
    [request] = recorder.requests
    assert (request.access_key_id, request.session_token) == ("key", "token")
    assert (request.region, request.service) == ("eu-west-1", "dynamodb")
    assert request.host == f"127.0.0.1:{recorder.port}"


def test_records_operation_and_body(recorder: Recorder) -> None:
    """A request has its operation and its parsed body."""
    client(recorder).get_item(TableName="thread", Key=KEY)
    [request] = recorder.requests
    assert request.operation == "GetItem"
    assert request.body == {"TableName": "thread", "Key": KEY}


def test_sends_the_answer_of_a_test(recorder: Recorder) -> None:
    """``answer`` may return a status and a body."""
    recorder.answer = lambda request: (400, {"__type": "x#ResourceNotFoundException"})
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client(recorder).describe_table(TableName="thread")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_sends_the_plain_answer_by_default(recorder: Recorder) -> None:
    """If ``answer`` returns None, the server sends the plain answer."""
    recorder.answer = lambda request: None
    assert client(recorder).get_item(TableName="thread", Key=KEY)["Item"] == KEY


def test_refuses_an_unknown_operation(recorder: Recorder) -> None:
    """An operation without a plain answer gets DynamoDB's ``UnknownOperationException``."""
    with pytest.raises(botocore.exceptions.ClientError, match="UnknownOperation"):
        client(recorder).describe_endpoints()


@pytest.mark.parametrize("table", ["batch", "transaction"])
def test_returns_the_consumed_capacity(recorder: Recorder, table: str) -> None:
    """A request that asks for its consumed capacity gets one unit for each table."""
    calls = client(recorder)
    if table == "batch":
        items: t.Any = {table: {"Keys": [KEY]}}
        answer = calls.batch_get_item(RequestItems=items, ReturnConsumedCapacity="TOTAL")
    else:
        items = [{"Get": {"TableName": table, "Key": KEY}}]
        answer = calls.transact_get_items(TransactItems=items, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 1.0}]


def test_records_the_requests_of_many_threads(recorder: Recorder) -> None:
    """With concurrent clients the server records every request, and each client gets its own answer."""
    calls = client(recorder)

    def get(number: int) -> bool:
        key = {"id": {"N": str(number)}}
        return bool(calls.get_item(TableName="thread", Key=key)["Item"] == key)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(get, range(400)))
    assert {int(request.body["Key"]["id"]["N"]) for request in recorder.requests} == set(range(400))


def test_an_error_of_the_answer_shows_as_itself() -> None:
    """The block ends with the exception that ``answer`` raised, which caused the error of the call."""

    def answer(request: t.Any) -> t.Any:
        raise ZeroDivisionError("in the answer")

    with pytest.raises(ZeroDivisionError, match="in the answer") as caught:
        with Recorder() as server:
            server.answer = answer
            client(server).get_item(TableName="thread", Key=KEY)
    assert isinstance(caught.value.__context__, botocore.exceptions.ClientError)


def test_an_answer_may_close_the_connection() -> None:
    """A ``ConnectionError`` of ``answer`` closes the connection, and nothing else."""

    def answer(request: t.Any) -> t.Any:
        server.answer = lambda _: None
        raise ConnectionAbortedError

    with Recorder() as server:
        server.answer = answer
        assert client(server).get_item(TableName="thread", Key=KEY)["Item"] == KEY
    assert len(server.requests) == 2
