"""``DYNAMODB_SLOW_SECONDS`` and ``DYNAMODB_COSTLY_UNITS``: a warning for each slow or costly operation."""

from __future__ import annotations

import json
import logging
import typing as t

import flask
import pytest

import dynaflask
from dynaflask.operations.caller import Caller
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import ThrottlingReason
from dynaflask.operations.slow_log import SlowLog
from dynaflask.operations.slow_log import log_fields
from tests.support import recorder as recorders
from tests.support.operations import make_operation
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def query(**values: t.Any) -> Operation:
    """A query of 100 ms."""
    return make_operation("Query", **{"table": "test-Thread", "duration_seconds": 0.1, **values})


@pytest.fixture
def make(make_app: MakeApp, recorder: recorders.Recorder) -> MakeApp:
    """Makes an app with settings. The recorder answers each call with one consumed unit."""

    def make(name: str = "app", **settings: t.Any) -> flask.Flask:
        return make_app(name, host=recorder.url, region="us-east-1", **KEYS, **settings)

    return make


def test_a_slow_operation(
    make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning names operation, table, tenant, route and line, and has no value of a key."""
    app = make(slow_seconds=1e-9, tenants={"acme": {"region": "us-west-2"}})
    with app.app_context(), db.tenant("acme"):
        thread_model.get("a secret forum", "subject")
    [record] = caplog.records
    assert (record.name, record.levelname) == ("dynaflask.slow", "WARNING")
    fields = vars(record)
    assert (fields["operation"], fields["table"], fields["tenant"]) == ("GetItem", "Thread", "acme")
    assert (fields["app"], fields["bind"], fields["route"]) == ("app", "default", None)
    assert fields["line"].startswith(f"{__file__}:")
    message = record.getMessage()
    assert message.startswith("Slow operation: Thread.GetItem took ")
    assert message.endswith(f"(table 'Thread', tenant 'acme', route None), at {fields['line']}")
    assert "secret forum" not in str(fields)


def test_the_route(make: MakeApp, thread_model: t.Any, caplog: pytest.LogCaptureFixture) -> None:
    """In a request, the warning has the Flask endpoint of the view."""
    app = make(slow_seconds=1e-9)
    app.add_url_rule("/", "threads.show", lambda: str(thread_model.get("forum", "subject").subject))
    app.test_client().get("/")
    assert vars(caplog.records[0])["route"] == "threads.show"


def test_two_apps_have_limits_of_their_own(
    make: MakeApp, thread_model: t.Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Each app logs by its own limits: by units, by seconds, or not at all."""
    for app in (make("us", costly_units=1), make("eu", costly_units=1.5), make("ap", slow_seconds=600), make("none")):
        with app.app_context():
            thread_model.get("forum", "subject")
    assert [record.getMessage().partition(" took ")[0] for record in caplog.records] == [
        "Costly operation: Thread.GetItem"
    ]
    assert vars(caplog.records[0])["app"] == "us"


@pytest.mark.parametrize(
    ("operation", "is_logged"),
    [
        (query(), False),
        (query(duration_seconds=0.5), True),
        (query(read_units=3.0, write_units=2.0), True),
        (query(read_units=4.5), False),
    ],
)
def test_the_limits(operation: Operation, is_logged: bool, caplog: pytest.LogCaptureFixture) -> None:
    """An operation that reaches one of the limits is logged."""
    SlowLog(seconds=0.5, units=5).add(operation)
    assert bool(caplog.records) is is_logged


def test_an_operation_of_a_library(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """If no line of the program made the operation, the warning says so."""
    monkeypatch.setattr("dynaflask.operations.slow_log.find_caller", lambda: None)
    SlowLog(seconds=0.1).add(query())
    assert caplog.messages[0].endswith("at a line of a library")


def test_an_operation_that_has_its_line(caplog: pytest.LogCaptureFixture) -> None:
    """The line of a recorded operation is not looked up again."""
    SlowLog(seconds=0.1).add(query(caller=Caller("forum.py", 12, "show")))
    assert caplog.messages[0].endswith("at forum.py:12 in show")


def test_the_fields_are_json_and_no_names_of_logging() -> None:
    """All fields become JSON, and none is an attribute that a log record has already."""
    fields = log_fields(query(throttling_reasons=(ThrottlingReason("KeyRange", "arn"),), key_hash=7))
    assert json.loads(json.dumps(fields)) == fields
    assert fields["throttling_reasons"] == [{"reason": "KeyRange", "resource": "arn"}]
    assert not fields.keys() & vars(logging.makeLogRecord({})).keys()
    assert 7 not in fields.values()
