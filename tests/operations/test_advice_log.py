"""With ``DYNAMODB_RECORD_OPERATIONS``, advice is logged at the end of a request or context, once for each line."""

from __future__ import annotations

import typing as t

import flask
import pytest

from dynaflask.operations import advice_log
from dynaflask.operations.advice_log import AdviceLog
from dynaflask.operations.caller import Caller
from tests.support import recorder as recorders
from tests.support.operations import make_operation
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def make(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> MakeApp:
    """Makes an app whose view reads five items one by one."""

    def make(name: str, **settings: t.Any) -> flask.Flask:
        app = make_app(name, host=recorder.url, region="us-east-1", **KEYS, **settings)

        @app.get("/")
        def show() -> str:
            for number in range(5):
                thread_model.get("a secret forum", str(number))
            return ""

        return app

    return make


def test_a_request_is_logged_once_a_line(make: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """The warning names line and fix, and no value of a key. The second request logs nothing more."""
    client = make("forum", record_operations=True).test_client()
    for _ in range(2):
        client.get("/")
    [record] = caplog.records
    assert (record.name, record.levelname) == ("dynaflask.advice", "WARNING")
    assert record.getMessage().startswith(f"{__file__}:")
    assert record.getMessage().endswith(
        "in show: 5 calls of Thread.GetItem read one item each. Read the items together: Thread.batch_get([...])."
    )
    assert vars(record)["rule"] == "repeated_get"
    assert "secret forum" not in str(vars(record))


def test_requests_are_not_added_up(make: MakeApp, thread_model: t.Any, caplog: pytest.LogCaptureFixture) -> None:
    """Five requests that read one item each get no advice, also inside of one context."""
    app = make("forum", record_operations=True)
    app.add_url_rule("/<key>", view_func=lambda key: str(thread_model.get("forum", key).subject), endpoint="one")
    with app.app_context():
        for number in range(6):
            app.test_client().get(f"/{number}")
    assert caplog.messages == []


def test_two_apps(make: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """Each app with the setting logs for itself. An app without it logs nothing."""
    for app in (make("us", record_operations=True), make("eu", record_operations=True), make("silent")):
        app.test_client().get("/")
    assert len(caplog.messages) == 2


def test_a_context_without_a_request(make: MakeApp, thread_model: t.Any, caplog: pytest.LogCaptureFixture) -> None:
    """A command or a task gets its advice at the end of its context."""
    with make("forum", record_operations=True).app_context():
        for number in range(5):
            thread_model.get("forum", str(number))
        assert caplog.messages == []
    assert len(caplog.messages) == 1


def test_the_log_is_bounded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Code that is generated without end does not fill the memory."""
    monkeypatch.setattr(advice_log, "MAX_ADVICE", 2)
    log = AdviceLog()
    for line in (1, 2, 3, 1):
        caller = Caller("forum.py", line, "show")
        log.add([make_operation("Scan", caller=caller, route="show")])
    assert [vars(record)["line"] for record in caplog.records] == ["forum.py:1 in show", "forum.py:2 in show"]
    assert [advice.caller.line for advice in log.logged()] == [1, 2]
