"""The attributes of spans, beyond those that the integrations' tests see."""

from __future__ import annotations

import types
import typing as t

import pytest

from dynaflask.operations.span_attributes import common_attributes
from dynaflask.operations.span_attributes import span_attributes
from dynaflask.operations.span_attributes import span_name
from dynaflask.operations.tracing import FinishedCall
from dynaflask.operations.tracing import Place


def call(url: str | None = None, **fields: t.Any) -> FinishedCall:
    """A finished call."""
    values = {
        "operation": "Query",
        "app_name": "forum",
        "bind_key": "default",
        "model": None,
        "table": None,
        "tenant": None,
        "read_units": 0.0,
        "write_units": 0.0,
        "retries": 0,
        "error": None,
        "request_id": None,
        "index_name": None,
        "item_count": 0,
        "scanned_count": 0,
        "is_consistent": False,
        "consumed_capacity": (),
    }
    operation: t.Any = types.SimpleNamespace(**{**values, **fields})
    return FinishedCall(operation, *Place(url), error_code=None, is_error=False)


def test_a_call_to_several_tables_names_none() -> None:
    """The name of a span is short, and the same for many calls."""
    assert span_name(call(operation="BatchGetItem")) == "BatchGetItem"
    assert "db.collection.name" not in common_attributes(call(operation="BatchGetItem"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, {}),
        ("https://dynamodb.eu-west-1.amazonaws.com/", {"server.address": "dynamodb.eu-west-1.amazonaws.com"}),
        ("https://user:secret@example.com:8443", {"server.address": "example.com", "server.port": 8443}),
        ("http://localhost", {"server.address": "localhost", "server.port": 80}),
    ],
)
def test_the_server_has_no_password(url: str | None, expected: dict[str, t.Any]) -> None:
    """Host and port of the endpoint, without the default port and without a password."""
    attributes = common_attributes(call(url))
    assert {name: value for name, value in attributes.items() if name.startswith("server.")} == expected


def test_what_a_read_has_more_is_added() -> None:
    """Index, counts, consistency and request id are attributes of a query."""
    attributes = span_attributes(
        call(index_name="by-date", item_count=2, scanned_count=9, is_consistent=True, request_id="R1")
    )
    expected = {
        "aws.dynamodb.index_name": "by-date",
        "aws.dynamodb.count": 2,
        "aws.dynamodb.scanned_count": 9,
        "aws.dynamodb.consistent_read": True,
        "aws.request_id": "R1",
    }
    assert expected.items() <= attributes.items()
    assert not [name for name in span_attributes(call(operation="BatchGetItem")) if name.startswith("aws.")]


def test_the_consumed_capacity_is_that_of_each_table() -> None:
    """It is the JSON of what DynamoDB reports, and absent if it reports nothing."""
    parts = ({"TableName": "Thread", "CapacityUnits": 0.5}, {"TableName": "Forum", "CapacityUnits": 1.0})
    assert span_attributes(call(consumed_capacity=parts))["aws.dynamodb.consumed_capacity"] == (
        '{"TableName": "Thread", "CapacityUnits": 0.5}',
        '{"TableName": "Forum", "CapacityUnits": 1.0}',
    )
    assert "aws.dynamodb.consumed_capacity" not in span_attributes(call())
