"""The attributes of spans, beyond those that the integrations' tests see."""

from __future__ import annotations

import typing as t

import pytest

from dynaflask.operations.operation import Source
from dynaflask.operations.span_attributes import describe
from dynaflask.operations.span_attributes import error_attributes
from dynaflask.operations.span_attributes import result_attributes
from dynaflask.operations.tracing import Endpoint
from dynaflask.operations.tracing import FinishedCall

SOURCE = Source(app_name="forum", bind_key="default", model=None, tenant=None)


def call(url: str | None = None, *, source: Source = SOURCE, **fields: t.Any) -> FinishedCall:
    """A finished call."""
    values = {
        "operation": "Query",
        "source": source,
        "table": None,
        "duration_seconds": 0.1,
        "read_units": 0.0,
        "write_units": 0.0,
        "retries": 0,
        "request_id": None,
        "index_name": None,
        "is_consistent": False,
        "consumed_capacity": (),
    }
    return FinishedCall(**{**values, **fields, "endpoint": Endpoint(url)})


def span_attributes(finished: FinishedCall) -> dict[str, t.Any]:
    """All attributes of a span."""
    return {**describe(finished).span, **error_attributes(finished), **result_attributes(finished)}


def test_a_call_to_several_tables_names_none() -> None:
    """The name of a span is short, and the same for many calls."""
    described = describe(call(operation="BatchGetItem"))
    assert described.name == "BatchGetItem"
    assert "db.collection.name" not in described.span


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
    attributes = describe(call(url)).common
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


def test_two_apps_and_two_tenants_share_no_attributes() -> None:
    """What is kept of a call is found again for the same app, bind, endpoint, model, table and tenant alone."""
    calls = [
        call(url, source=Source(app, bind, model, tenant), table=table, index_name=index)
        for url in ("https://one.example.com", "https://two.example.com")
        for app in ("us", "eu")
        for bind in ("default", "other")
        for tenant in ("acme", "globex", None)
        for model in ("Thread", "Reply")
        for table in ("a", "b")
        for index in ("by-date", None)
    ]
    first = [describe(each) for each in calls]
    assert [describe(each) for each in calls] == first
    assert len({repr(attributes) for attributes in first}) == len(calls)
    for each, (_, common, more) in zip(calls, first, strict=True):
        assert common.items() <= more.items()
        assert (common["dynaflask.app"], common["dynaflask.bind"]) == (each.source.app_name, each.source.bind_key)
        assert common["server.address"] in str(each.endpoint.url)
        assert common["db.collection.name"] == each.table
        assert (more.get("dynaflask.tenant"), more["dynaflask.model"]) == (each.source.tenant, each.source.model)
        assert more.get("aws.dynamodb.index_name") == each.index_name


def test_the_result_of_a_call_is_not_kept() -> None:
    """Units, retries, request id and errors of one call are not among the attributes of the next like it."""
    part = {"TableName": "Thread", "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.5}}
    result = {"read_units": 0.5, "write_units": 2.0, "retries": 1, "request_id": "R1", "consumed_capacity": (part,)}
    failed = call(error="ValidationException")._replace(error_code="ValidationException", is_error=True)
    before = span_attributes(call())
    assert error_attributes(failed) == {
        "db.response.status_code": "ValidationException",
        "error.type": "ValidationException",
    }
    assert {name: value for name, value in span_attributes(call(**result)).items() if name not in before} == {
        "dynaflask.read_units": 0.5,
        "dynaflask.write_units": 2.0,
        "http.request.resend_count": 1,
        "aws.request_id": "R1",
        "aws.dynamodb.consumed_capacity": (
            '{"TableName": "Thread", "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.5}}',
        ),
    }
    assert span_attributes(call()) == before
