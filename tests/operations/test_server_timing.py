"""``DYNAMODB_SERVER_TIMING``: each response says what DynamoDB took."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

import flask
import pytest

import dynaflask
from dynaflask.operations.operation import Operation
from dynaflask.operations.server_timing import MAX_METRICS
from dynaflask.operations.server_timing import header_value
from tests.support import recorder as recorders
from tests.support.operations import make_operation
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def operation(name: str = "GetItem", **values: t.Any) -> Operation:
    """An operation of 10 ms and half a unit."""
    return make_operation(name, **{"table": None, "read_units": 0.5, **values})


def test_the_total_and_each_operation() -> None:
    """The total comes first, then the operations of each model, the slowest first."""
    operations = [operation("Query", duration_seconds=0.005), operation(), operation()]
    assert header_value(operations) == (
        'dynamodb;dur=25.0;desc="3 calls, 1.5 units", '
        'dynamodb.Thread.GetItem;dur=20.0;desc="2 calls, 1 units", '
        'dynamodb.Thread.Query;dur=5.0;desc="1 call, 0.5 units"'
    )


def test_without_operations_there_is_no_value() -> None:
    """Refused operations took no time, and are left out."""
    assert header_value([]) == ""
    assert header_value([operation(is_refused=True)]) == ""


def test_the_names_are_tokens() -> None:
    """A name has only letters that HTTP allows; without a model it has the bind."""
    value = header_value([operation(model="Größe,x;y"), operation("ListTables", model=None)])
    assert re.findall(r"(dynamodb[^;]*);dur", value) == [
        "dynamodb",
        "dynamodb.Gr__e_x_y.GetItem",
        "dynamodb.default.ListTables",
    ]


def test_the_value_is_bounded() -> None:
    """The fastest of many metrics are left out."""
    operations = [operation(model=f"M{number}", duration_seconds=number + 1) for number in range(30)]
    metrics = header_value(operations).split(", dynamodb")
    assert len(metrics) == MAX_METRICS + 1
    assert metrics[1].startswith(".M29.GetItem;")


@pytest.fixture
def make(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> MakeApp:
    """Makes an app with two views: one reads an item, and one streams pages."""

    def make(name: str, **settings: t.Any) -> flask.Flask:
        app = make_app(name, host=recorder.url, region="us-east-1", **KEYS, **settings)

        @app.get("/item")
        def item() -> str:
            thread_model.get("forum", "subject")
            return ""

        @app.get("/stream")
        def stream() -> flask.Response:
            thread_model.get("forum", "subject")

            def pages() -> cabc.Iterator[str]:
                list(thread_model.query("forum"))
                yield ""

            return flask.Response(flask.stream_with_context(pages()))

        app.add_url_rule("/none", view_func=lambda: "", endpoint="none")
        return app

    return make


def test_the_header_of_two_apps(make: MakeApp, db: dynaflask.Dynamo) -> None:
    """The app with the setting sends the header, with the operations of the one request. The other app sends none."""
    timed, silent = make("timed", server_timing=True), make("silent")
    for _ in range(2):
        header = timed.test_client().get("/item").headers["Server-Timing"]
        assert re.fullmatch(
            r'dynamodb;dur=[\d.]+;desc="1 call, 1 units", dynamodb.Thread.GetItem;dur=[\d.]+;desc="1 call, 1 units"',
            header,
        )
    assert "Server-Timing" not in silent.test_client().get("/item").headers
    assert "Server-Timing" not in timed.test_client().get("/none").headers


def test_a_streamed_response(make: MakeApp) -> None:
    """The header of a streamed response has the operations before its first byte."""
    header = make("timed", server_timing=True).test_client().get("/stream").headers["Server-Timing"]
    assert "GetItem" in header
    assert "Query" not in header


def test_the_record_has_no_lines(make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """With this setting alone, the record can be read, and its operations have no lines."""
    with make("timed", server_timing=True).test_request_context("/item"):
        thread_model.get("forum", "subject")
        [operation] = db.recorded_operations()
    assert (operation.caller, operation.key_hash) == (None, None)
