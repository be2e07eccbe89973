"""``Operation``: one finished call to DynamoDB, and ``operation_finished``, the signal that carries it."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import flask
import pytest
from pynamodb.exceptions import GetError
from pynamodb.exceptions import PutError
from pynamodb.exceptions import TransactWriteError

import dynaflask
from dynaflask import Operation
from dynaflask import operation_finished
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def finished() -> cabc.Iterator[list[Operation]]:
    """The operations that the signal carried, of all apps."""
    operations: list[Operation] = []

    def receive(app: flask.Flask, *, operation: Operation) -> None:
        operations.append(operation)

    with operation_finished.connected_to(receive):
        yield operations


@pytest.fixture(params=["botocore", "direct", "stock"])
def app(request: pytest.FixtureRequest, make_app: MakeApp, recorder: recorders.Recorder) -> cabc.Iterator[flask.Flask]:
    """An app in a context, whose calls the recorder answers, on each transport."""
    settings = {"host": recorder.url, "region": "us-east-1", "transport": request.param, "max_retry_attempts": 1}
    app = make_app("forum", table_prefix="test-", **settings, **KEYS)
    with app.app_context():
        yield app


def refuse(code: str, **more: t.Any) -> t.Callable[[t.Any], t.Any]:
    """An answer of the recorder: an error of DynamoDB with this code."""
    return lambda request: (400, {"__type": f"x#{code}", "message": "no", **more})


@pytest.mark.usefixtures("app")
class TestOperation:
    """The fields of an operation."""

    def test_it_names_app_bind_model_and_table(self, thread_model: t.Any, finished: list[Operation]) -> None:
        """An operation has the app, the bind, the model and the real name of the table."""
        thread_model.get("forum", "subject")
        (operation,) = finished
        assert (operation.name, operation.app_name, operation.bind_key) == ("GetItem", "forum", "default")
        assert (operation.model, operation.table, operation.tenant) == ("Thread", "test-Thread", None)
        assert operation.duration_seconds > 0

    def test_a_read_consumes_read_units(self, thread_model: t.Any, finished: list[Operation]) -> None:
        """The units of a read, as DynamoDB reports them, are read units."""
        thread_model.get("forum", "subject")
        assert (finished[0].read_units, finished[0].write_units) == (1, 0)

    def test_a_write_consumes_write_units(self, thread_model: t.Any, finished: list[Operation]) -> None:
        """The units of a write, as DynamoDB reports them, are write units."""
        thread_model("forum", "subject").save()
        assert (finished[0].read_units, finished[0].write_units) == (0, 1)

    def test_read_and_write_units_of_one_call_are_separate(
        self, thread_model: t.Any, db: dynaflask.Dynamo, recorder: recorders.Recorder, finished: list[Operation]
    ) -> None:
        """If DynamoDB reports read and write units of a call, the operation has both."""
        consumed = {"TableName": "test-Thread", "CapacityUnits": 6.0, "ReadCapacityUnits": 4.0}
        recorder.answer = lambda request: {"ConsumedCapacity": [consumed, {**consumed, "WriteCapacityUnits": 2.0}]}
        with db.transact_write() as transaction:
            transaction.save(thread_model("forum", "subject"))
        assert (finished[0].read_units, finished[0].write_units) == (8, 2)

    def test_a_call_to_several_tables_has_no_table(
        self, db: dynaflask.Dynamo, thread_model: t.Any, finished: list[Operation]
    ) -> None:
        """A transaction has the first model, and a table only if all items are of one table."""

        class Reply(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Reply"

            id = thread_model.forum_name.__class__(hash_key=True)

        for models in ([thread_model("forum", "subject")], [Reply("1"), thread_model("forum", "subject")]):
            with db.transact_write() as transaction:
                for model in models:
                    transaction.save(model)
        assert [(operation.model, operation.table) for operation in finished] == [
            ("Thread", "test-Thread"),
            ("Reply", None),
        ]
        assert finished[1].write_units == 2

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
        assert [operation.name for operation in finished] == ["Query", "Query"]

    def test_a_batch_has_model_and_table(self, thread_model: t.Any, finished: list[Operation]) -> None:
        """A batch for one model has the model and its table."""
        list(thread_model.batch_get([("forum", "1"), ("forum", "2")]))
        assert [(operation.model, operation.table) for operation in finished] == [("Thread", "test-Thread")]

    def test_a_call_without_a_model_has_no_model(self, db: dynaflask.Dynamo, finished: list[Operation]) -> None:
        """The model is None for ListTables, and for a table without a model."""
        db.connection.list_tables()
        db.tables["Audit"].describe_table()
        assert [(operation.name, operation.model, operation.table) for operation in finished] == [
            ("ListTables", None, None),
            ("DescribeTable", None, "test-Audit"),
        ]

    def test_a_failed_call_is_an_operation(
        self, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation]
    ) -> None:
        """A failed call has the error code of DynamoDB, and no units."""
        recorder.answer = refuse("ConditionalCheckFailedException")
        with pytest.raises(PutError):
            thread_model("forum", "subject").save()
        (operation,) = finished
        assert (operation.error, operation.is_throttled) == ("ConditionalCheckFailedException", False)
        assert (operation.write_units, operation.retries) == (0, 0)

    def test_a_throttled_call_counts_its_retries(
        self, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation]
    ) -> None:
        """A throttled call has is_throttled and the number of retries."""
        recorder.answer = refuse("ProvisionedThroughputExceededException")
        with pytest.raises(GetError):
            thread_model.get("forum", "subject")
        (operation,) = finished
        assert (operation.is_throttled, operation.retries) == (True, 1)

    def test_a_successful_call_counts_its_retries(
        self, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation]
    ) -> None:
        """A call that succeeds on its second attempt is one operation with one retry, and is not throttled."""
        recorder.answer = lambda request: (
            refuse("ThrottlingException")(request) if len(recorder.requests) == 1 else None
        )
        thread_model.get("forum", "subject")
        (operation,) = finished
        assert (operation.error, operation.is_throttled, operation.retries) == (None, False, 1)


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("reason", ["ThrottlingError", "ItemCollectionSizeLimitExceeded"])
def test_a_canceled_transaction_is_throttled_by_its_reasons(
    db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation], reason: str
) -> None:
    """A cancelled transaction is throttled if a cancellation reason is a throttling code."""
    recorder.answer = refuse("TransactionCanceledException", CancellationReasons=[{"Code": reason}])
    with pytest.raises(TransactWriteError):
        with db.transact_write() as transaction:
            transaction.save(thread_model("forum", "subject"))
    is_throttled = reason == "ThrottlingError"
    assert (finished[0].error, finished[0].is_throttled) == ("TransactionCanceledException", is_throttled)


def test_an_error_without_a_code_has_the_name_of_its_class(
    make_app: MakeApp, thread_model: t.Any, finished: list[Operation]
) -> None:
    """If no response arrives, error is the class name of botocore's exception."""
    app = make_app(host="http://127.0.0.1:1", region="us-east-1", max_retry_attempts=0, **KEYS)
    with app.app_context(), pytest.raises(GetError):
        thread_model.get("forum", "subject")
    assert [operation.error for operation in finished] == ["EndpointConnectionError"]


def test_an_operation_is_frozen() -> None:
    """A receiver of the signal cannot change the operation for the next receiver."""
    operation = Operation(
        name="GetItem", app_name="a", bind_key="b", model=None, table=None, tenant=None, duration_seconds=1
    )
    with pytest.raises(AttributeError):
        operation.name = "PutItem"  # type: ignore[misc]


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
        received.append(operation.name)

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
