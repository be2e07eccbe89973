"""``Operation``: one call, as it ended."""

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
def heard() -> cabc.Iterator[list[Operation]]:
    """The operations of all apps."""
    operations: list[Operation] = []

    def hear(app: flask.Flask, *, operation: Operation) -> None:
        operations.append(operation)

    with operation_finished.connected_to(hear):
        yield operations


@pytest.fixture(params=["tuned", "direct", "stock"])
def app(request: pytest.FixtureRequest, make_app: MakeApp, recorder: recorders.Recorder) -> cabc.Iterator[flask.Flask]:
    """An app in a context, whose calls the recorder answers, on each transport."""
    settings = {"host": recorder.url, "region": "us-east-1", "transport": request.param, "max_retry_attempts": 1}
    app = make_app("forum", table_prefix="test-", **settings, **KEYS)
    with app.app_context():
        yield app


def refuse(code: str, **more: t.Any) -> t.Callable[[t.Any], t.Any]:
    """An answer that is an error."""
    return lambda request: (400, {"__type": f"x#{code}", "message": "no", **more})


@pytest.mark.usefixtures("app")
class TestOperation:
    """What it tells."""

    def test_it_tells_whose_call_it_was(self, thread_model: t.Any, heard: list[Operation]) -> None:
        """App, bind, model and the table's real name."""
        thread_model.get("forum", "subject")
        (operation,) = heard
        assert (operation.name, operation.app_name, operation.bind_key) == ("GetItem", "forum", "default")
        assert (operation.model, operation.table, operation.tenant) == ("Thread", "test-Thread", None)
        assert operation.duration_seconds > 0

    def test_a_read_consumes_read_units(self, thread_model: t.Any, heard: list[Operation]) -> None:
        """As many as DynamoDB says."""
        thread_model.get("forum", "subject")
        assert (heard[0].read_units, heard[0].write_units) == (1, 0)

    def test_a_write_consumes_write_units(self, thread_model: t.Any, heard: list[Operation]) -> None:
        """As many as DynamoDB says."""
        thread_model("forum", "subject").save()
        assert (heard[0].read_units, heard[0].write_units) == (0, 1)

    def test_what_dynamodb_tells_apart_stays_apart(
        self, thread_model: t.Any, db: dynaflask.Dynamo, recorder: recorders.Recorder, heard: list[Operation]
    ) -> None:
        """A transaction that was repeated with the same token only reads."""
        consumed = {"TableName": "test-Thread", "CapacityUnits": 6.0, "ReadCapacityUnits": 4.0}
        recorder.answer = lambda request: {"ConsumedCapacity": [consumed, {**consumed, "WriteCapacityUnits": 2.0}]}
        with db.transact_write() as transaction:
            transaction.save(thread_model("forum", "subject"))
        assert (heard[0].read_units, heard[0].write_units) == (8, 2)

    def test_a_call_that_names_several_tables_has_none(
        self, db: dynaflask.Dynamo, thread_model: t.Any, heard: list[Operation]
    ) -> None:
        """A transaction is its first model's, and has a table if it is one."""

        class Reply(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Reply"

            id = thread_model.forum_name.__class__(hash_key=True)

        for models in ([thread_model("forum", "subject")], [Reply("1"), thread_model("forum", "subject")]):
            with db.transact_write() as transaction:
                for model in models:
                    transaction.save(model)
        assert [(operation.model, operation.table) for operation in heard] == [
            ("Thread", "test-Thread"),
            ("Reply", None),
        ]
        assert heard[1].write_units == 2

    def test_each_page_is_one(self, thread_model: t.Any, recorder: recorders.Recorder, heard: list[Operation]) -> None:
        """A query that goes on calls again."""
        key = {"forum_name": {"S": "forum"}, "subject": {"S": "s"}}
        recorder.answer = lambda request: {
            "Items": [],
            "Count": 0,
            "ScannedCount": 0,
            **({} if "ExclusiveStartKey" in request.body else {"LastEvaluatedKey": key}),
        }
        assert list(thread_model.query("forum")) == []
        assert [operation.name for operation in heard] == ["Query", "Query"]

    def test_a_batch_is_its_models(self, thread_model: t.Any, heard: list[Operation]) -> None:
        """And its table's."""
        list(thread_model.batch_get([("forum", "1"), ("forum", "2")]))
        assert [(operation.model, operation.table) for operation in heard] == [("Thread", "test-Thread")]

    def test_a_call_without_a_model_has_none(self, db: dynaflask.Dynamo, heard: list[Operation]) -> None:
        """Nor has one of a table that no model describes."""
        db.connection.list_tables()
        db.tables["Audit"].describe_table()
        assert [(operation.name, operation.model, operation.table) for operation in heard] == [
            ("ListTables", None, None),
            ("DescribeTable", None, "test-Audit"),
        ]

    def test_a_failure_is_one(self, thread_model: t.Any, recorder: recorders.Recorder, heard: list[Operation]) -> None:
        """With DynamoDB's code, and no units, because DynamoDB tells none."""
        recorder.answer = refuse("ConditionalCheckFailedException")
        with pytest.raises(PutError):
            thread_model("forum", "subject").save()
        (operation,) = heard
        assert (operation.error, operation.is_throttled) == ("ConditionalCheckFailedException", False)
        assert (operation.write_units, operation.retries) == (0, 0)

    def test_a_throttled_call_is_one_with_its_retries(
        self, thread_model: t.Any, recorder: recorders.Recorder, heard: list[Operation]
    ) -> None:
        """botocore has tried again."""
        recorder.answer = refuse("ProvisionedThroughputExceededException")
        with pytest.raises(GetError):
            thread_model.get("forum", "subject")
        (operation,) = heard
        assert (operation.is_throttled, operation.retries) == (True, 1)

    def test_retries_that_led_to_success_are_told(
        self, thread_model: t.Any, recorder: recorders.Recorder, heard: list[Operation]
    ) -> None:
        """One operation has all attempts."""
        recorder.answer = lambda request: (
            refuse("ThrottlingException")(request) if len(recorder.requests) == 1 else None
        )
        thread_model.get("forum", "subject")
        (operation,) = heard
        assert (operation.error, operation.is_throttled, operation.retries) == (None, False, 1)


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("reason", ["ThrottlingError", "ItemCollectionSizeLimitExceeded"])
def test_a_transaction_is_throttled_for_a_reason(
    db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder, heard: list[Operation], reason: str
) -> None:
    """The code alone does not tell."""
    recorder.answer = refuse("TransactionCanceledException", CancellationReasons=[{"Code": reason}])
    with pytest.raises(TransactWriteError):
        with db.transact_write() as transaction:
            transaction.save(thread_model("forum", "subject"))
    is_throttled = reason == "ThrottlingError"
    assert (heard[0].error, heard[0].is_throttled) == ("TransactionCanceledException", is_throttled)


def test_what_is_not_dynamodbs_error_has_its_class(
    make_app: MakeApp, thread_model: t.Any, heard: list[Operation]
) -> None:
    """Nobody listens there."""
    app = make_app(host="http://127.0.0.1:1", region="us-east-1", max_retry_attempts=0, **KEYS)
    with app.app_context(), pytest.raises(GetError):
        thread_model.get("forum", "subject")
    assert [operation.error for operation in heard] == ["EndpointConnectionError"]


def test_it_cannot_be_changed() -> None:
    """Whoever hears of it may keep it."""
    operation = Operation(
        name="GetItem", app_name="a", bind_key="b", model=None, table=None, tenant=None, duration_seconds=1
    )
    with pytest.raises(AttributeError):
        operation.name = "PutItem"  # type: ignore[misc]
