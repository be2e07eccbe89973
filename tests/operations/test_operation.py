"""``Operation``: one finished call to DynamoDB, and ``operation_finished``, the signal that carries it."""

from __future__ import annotations

import contextlib
import typing as t

import flask
import pytest
from pynamodb.exceptions import GetError

import dynaflask
from dynaflask import Operation
from dynaflask import operation_finished
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.mark.usefixtures("any_transport")
class TestOperation:
    """The fields of an operation."""

    def test_it_names_app_bind_model_and_table(self, thread_model: t.Any, finished: list[Operation]) -> None:
        """An operation has the app, the bind, the model and the real name of the table."""
        thread_model.get("forum", "subject")
        (operation,) = finished
        assert (operation.operation, operation.app_name, operation.bind_key) == ("GetItem", "forum", "default")
        assert (operation.model, operation.table, operation.tenant) == ("Thread", "test-Thread", None)
        assert operation.duration_seconds > 0

    def test_each_page_is_an_operation(
        self, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation]
    ) -> None:
        """A query of two pages is two operations."""
        key = {"forum_name": {"S": "forum"}, "subject": {"S": "s"}}
        recorder.answer = lambda request: {
            "Items": [],
            "Count": 0,
            "ScannedCount": 0,
            **({} if "ExclusiveStartKey" in request.body else {"LastEvaluatedKey": key}),
        }
        assert list(thread_model.query("forum")) == []
        assert [operation.operation for operation in finished] == ["Query", "Query"]

    def test_a_batch_has_model_and_table(self, thread_model: t.Any, finished: list[Operation]) -> None:
        """A batch for one model has the model and its table."""
        list(thread_model.batch_get([("forum", "1"), ("forum", "2")]))
        assert [(operation.model, operation.table) for operation in finished] == [("Thread", "test-Thread")]

    def test_a_call_without_a_model_has_no_model(self, db: dynaflask.Dynamo, finished: list[Operation]) -> None:
        """The model is None for ListTables, and for a table without a model."""
        db.connection.list_tables()
        db.tables["Audit"].describe_table()
        assert [(operation.operation, operation.model, operation.table) for operation in finished] == [
            ("ListTables", None, None),
            ("DescribeTable", None, "test-Audit"),
        ]


def test_no_client_no_host(make_app: MakeApp, thread_model: t.Any, finished: list[Operation]) -> None:
    """If the client could not be made, the operation has no host."""
    app = make_app(region="us-east-1", profile="missing")
    with app.app_context(), pytest.raises(GetError):
        thread_model.get("forum", "subject")
    assert (finished[0].error, finished[0].host) == ("ProfileNotFound", None)


def test_a_password_is_not_in_the_host(
    make_app: MakeApp,
    thread_model: t.Any,
    recorder: recorders.Recorder,
    finished: list[Operation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The host is that of the endpoint alone. A URL of the environment may have a user and a password."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", recorder.url.replace("//", "//user:hush@"))
    app = make_app(region="us-east-1", max_retry_attempts=0, **KEYS)
    with app.app_context(), contextlib.suppress(GetError):
        thread_model.get("forum", "subject")
    assert finished[0].host == f"127.0.0.1:{recorder.port}"
    assert "hush" not in repr(finished[0])


def test_an_operation_is_frozen() -> None:
    """A receiver of the signal cannot change the operation for the next receiver."""
    operation = Operation(
        operation="GetItem", app_name="a", bind_key="b", model=None, table=None, tenant=None, duration_seconds=1
    )
    with pytest.raises(AttributeError):
        operation.operation = "PutItem"  # type: ignore[misc]


@pytest.fixture
def apps(make_app: MakeApp, recorder: recorders.Recorder) -> list[flask.Flask]:
    """Two apps in two regions."""
    return [
        make_app(name, host=recorder.url, region=region, max_retry_attempts=0, **KEYS)
        for name, region in (("us", "us-west-2"), ("eu", "eu-west-1"))
    ]


def test_the_sender_is_the_app(apps: list[flask.Flask], thread_model: t.Any) -> None:
    """A receiver that is connected to one app gets no operation of another, also with nested contexts."""
    received = []
    us, eu = apps

    def receive(app: flask.Flask, *, operation: t.Any) -> None:
        received.append((app, operation.app_name))

    with operation_finished.connected_to(receive, sender=eu), us.app_context():
        thread_model.get("forum", "subject")
        with eu.app_context():
            thread_model.get("forum", "subject")
        thread_model.get("forum", "subject")
    assert received == [(eu, "eu")]


def test_a_receiver_may_connect_during_a_context(apps: list[flask.Flask], thread_model: t.Any) -> None:
    """A receiver gets the operations that end while it is connected, also on connections made before."""
    received = []

    def receive(app: flask.Flask, *, operation: t.Any) -> None:
        received.append(operation.operation)

    with apps[0].app_context():
        thread_model.get("forum", "subject")
        with operation_finished.connected_to(receive):
            thread_model.get("forum", "subject")
        thread_model.get("forum", "subject")
    assert received == ["GetItem"]


def test_a_failed_call_sends_the_signal_and_raises(
    apps: list[flask.Flask], thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """The receiver gets the failed operation, and the caller the same error as without a receiver."""
    received = []
    recorder.answer = lambda request: (400, {"__type": "x#ValidationException", "message": "no"})

    def receive(app: flask.Flask, *, operation: t.Any) -> None:
        received.append(operation.error)

    with operation_finished.connected_to(receive), apps[0].app_context(), pytest.raises(GetError, match="no"):
        thread_model.get("forum", "subject")
    assert received == ["ValidationException"]


def test_a_muted_signal_is_not_sent(apps: list[flask.Flask], thread_model: t.Any, finished: list[Operation]) -> None:
    """A test may mute the signal, as any signal of blinker."""
    with apps[0].app_context():
        with operation_finished.muted():
            thread_model.get("forum", "subject")
        assert finished == []
        thread_model.get("forum", "subject")
    assert len(finished) == 1


def test_an_async_receiver_is_refused(apps: list[flask.Flask], thread_model: t.Any) -> None:
    """A receiver that would have to be awaited is an error of the app that it is connected to, and of no other."""
    us, eu = apps

    async def receive(app: flask.Flask, *, operation: Operation) -> None:
        """Never runs."""

    with operation_finished.connected_to(receive, sender=us):
        with eu.app_context():
            thread_model.get("forum", "subject")
        with us.app_context(), pytest.raises(RuntimeError, match="async"):
            thread_model.get("forum", "subject")
