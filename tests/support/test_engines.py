"""The properties of the engines that other tests rely on."""

from __future__ import annotations

import concurrent.futures
import socket
import typing as t

import botocore.session
import pytest

from tests.support import engines

KEY = [{"AttributeName": "id", "KeyType": "HASH"}]
TYPES = [{"AttributeName": "id", "AttributeType": "S"}]


def client(engine: engines.Engine, account: engines.Account, *, region: str | None = None) -> t.Any:
    settings = engine.settings(account)
    return botocore.session.get_session().create_client(
        "dynamodb",
        region or settings["DYNAMODB_REGION"],
        endpoint_url=settings["DYNAMODB_HOST"],
        aws_access_key_id=settings["DYNAMODB_AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["DYNAMODB_AWS_SECRET_ACCESS_KEY"],
        aws_session_token=settings.get("DYNAMODB_AWS_SESSION_TOKEN"),
    )


@pytest.fixture
def table(engine: engines.Engine, account: engines.Account) -> t.Iterator[str]:
    """A table of the account on the engine."""
    name, calls = f"{account.table_prefix}thread", client(engine, account)
    calls.create_table(TableName=name, KeySchema=KEY, AttributeDefinitions=TYPES, BillingMode="PAY_PER_REQUEST")
    calls.get_waiter("table_exists").wait(TableName=name)
    yield name
    calls.delete_table(TableName=name)


def test_regions_hold_separate_data(engine: engines.Engine, account: engines.Account, table: str) -> None:
    """A table of one region does not exist in another."""
    assert table in table_names(client(engine, account))
    assert table not in table_names(client(engine, account, region="ap-south-1"))


def table_names(calls: t.Any) -> list[str]:
    """All tables of a region. Other tests may leave more of them than one page has."""
    names: list[str] = calls.get_paginator("list_tables").paginate().build_full_result()["TableNames"]
    return names


def test_accounts_hold_separate_data_on_ministack(ministack: engines.Engine, account: engines.Account) -> None:
    """Each 12-digit access key is a separate account."""
    client(ministack, account).create_table(
        TableName="thread", KeySchema=KEY, AttributeDefinitions=TYPES, BillingMode="PAY_PER_REQUEST"
    )
    assert client(ministack, account).list_tables()["TableNames"] == ["thread"]
    assert client(ministack, engines.Account()).list_tables()["TableNames"] == []


def test_conditional_writes_of_threads_are_exact(engine: engines.Engine, account: engines.Account, table: str) -> None:
    """If several threads create one item on condition that it does not exist, exactly one succeeds."""
    calls = client(engine, account)

    def create(number: int) -> bool:
        try:
            calls.put_item(
                TableName=table,
                Item={"id": {"S": str(number // 8)}},
                ConditionExpression="attribute_not_exists(id)",
            )
        except calls.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(160))) == 20


def test_an_engine_ends_with_its_block() -> None:
    """After the block of an engine, nothing listens on its port."""
    with engines.ministack() as engine:
        port = int(engine.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_the_own_server_has_the_credentials_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, account: engines.Account
) -> None:
    """The server of DYNAFLASK_TEST_ENDPOINT is tested with the AWS_* variables of the environment."""
    monkeypatch.setenv("DYNAFLASK_TEST_ENDPOINT", "http://127.0.0.1:8000")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    own = engines.own()
    assert own is not None
    assert own.settings(account)["DYNAMODB_HOST"] == "http://127.0.0.1:8000"
    assert own.settings(account)["DYNAMODB_AWS_ACCESS_KEY_ID"] == "mine"
