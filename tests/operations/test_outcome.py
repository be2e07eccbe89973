"""The outcome of a call, as fields of its ``Operation``."""

from __future__ import annotations

import time
import typing as t
import uuid

import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import GetError
from pynamodb.exceptions import PutError
from pynamodb.exceptions import TransactWriteError
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex

import dynaflask
from dynaflask import Operation
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.mark.usefixtures("any_transport")
class TestOutcome:
    """A call that succeeds, is refused or is repeated."""

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

    def test_a_failed_call_is_an_operation(
        self, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation]
    ) -> None:
        """A failed call has the error code of DynamoDB, and no units."""
        recorder.answer = lambda request: recorders.refusal("ConditionalCheckFailedException")
        with pytest.raises(PutError):
            thread_model("forum", "subject").save()
        (operation,) = finished
        assert (operation.error, operation.is_throttled) == ("ConditionalCheckFailedException", False)
        assert (operation.write_units, operation.retries) == (0, 0)

    def test_a_throttled_call_counts_its_retries(
        self, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation]
    ) -> None:
        """A throttled call has is_throttled and the number of retries."""
        recorder.answer = lambda request: recorders.refusal("ProvisionedThroughputExceededException")
        with pytest.raises(GetError):
            thread_model.get("forum", "subject")
        (operation,) = finished
        assert (operation.is_throttled, operation.retries) == (True, 1)

    def test_a_successful_call_counts_its_retries(
        self, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation]
    ) -> None:
        """A call that succeeds on its second attempt is one operation with one retry, and is not throttled."""
        recorder.answer = lambda request: (
            recorders.refusal("ThrottlingException") if len(recorder.requests) == 1 else None
        )
        thread_model.get("forum", "subject")
        (operation,) = finished
        assert (operation.error, operation.is_throttled, operation.retries) == (None, False, 1)


@pytest.mark.usefixtures("any_transport")
class TestFacts:
    """What a request and its response say about a call."""

    def test_time_host_and_request_id(
        self, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation]
    ) -> None:
        """An operation has its start, the host of the endpoint, and AWS's id of the request."""
        before = time.time()
        thread_model.get("forum", "subject")
        (operation,) = finished
        assert before - 1 < operation.started_at <= time.time()
        assert operation.host == f"127.0.0.1:{recorder.port}"
        assert uuid.UUID(operation.request_id)
        assert (operation.attempts, operation.units, operation.label) == (1, 1, "Thread.GetItem")
        assert (operation.caller, operation.key_hash, operation.route) == (None, None, None)

    def test_consistent_reads(self, thread_model: t.Any, finished: list[Operation]) -> None:
        """A read says if it asked for strong consistency, also in a batch."""
        for is_consistent in (True, False):
            thread_model.get("forum", "subject", consistent_read=is_consistent)
            list(thread_model.query("forum", consistent_read=is_consistent))
            list(thread_model.batch_get([("forum", "1")], consistent_read=is_consistent))
        assert [operation.is_consistent for operation in finished] == [True] * 3 + [False] * 3

    def test_an_index(self, db: dynaflask.Dynamo, finished: list[Operation]) -> None:
        """The operation of a query of an index has the name of the index."""

        class ByViews(GlobalSecondaryIndex[t.Any]):
            class Meta:
                index_name = "by_views"
                projection = AllProjection()

            views = UnicodeAttribute(hash_key=True)

        class Post(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Post"

            id = UnicodeAttribute(hash_key=True)
            views = UnicodeAttribute()
            by_views = ByViews()

        list(Post.by_views.query("7"))
        list(Post.query("1"))
        assert [operation.index_name for operation in finished] == ["by_views", None]

    def test_pages_and_counts(
        self, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation]
    ) -> None:
        """A page has the number of its items before and after the filter, and says if it continues a query."""
        key = {"forum_name": {"S": "forum"}, "subject": {"S": "s"}}
        recorder.answer = lambda request: {
            "Items": [key],
            "Count": 1,
            "ScannedCount": 40,
            **({} if "ExclusiveStartKey" in request.body else {"LastEvaluatedKey": key}),
        }
        list(thread_model.query("forum"))
        assert [(page.item_count, page.scanned_count, page.is_next_page) for page in finished] == [
            (1, 40, False),
            (1, 40, True),
        ]

    def test_the_number_of_items(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation]
    ) -> None:
        """Each operation counts the items that it returned or wrote."""
        thread = thread_model("forum", "subject")
        thread_model.get("forum", "subject")
        thread.save()
        thread.update(actions=[thread_model.views.set(1)])
        thread.delete()
        list(thread_model.batch_get([("forum", "1"), ("forum", "2")]))
        with thread_model.batch_write() as batch:
            for subject in "abc":
                batch.save(thread_model("forum", subject))
        with db.transact_write() as writes:
            writes.save(thread)
        with db.transact_get() as reads:
            reads.get(thread_model, "forum", "1")
            reads.get(thread_model, "forum", "2")
        recorder.answer = lambda request: {}
        with pytest.raises(thread_model.DoesNotExist):
            thread_model.get("forum", "subject")
        db.connection.list_tables()
        assert [(operation.operation, operation.item_count) for operation in finished] == [
            ("GetItem", 1),
            ("PutItem", 1),
            ("UpdateItem", 1),
            ("DeleteItem", 1),
            ("BatchGetItem", 2),
            ("BatchWriteItem", 3),
            ("TransactWriteItems", 1),
            ("TransactGetItems", 2),
            ("GetItem", 0),
            ("ListTables", 0),
        ]

    def test_unprocessed_items_do_not_count(
        self, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation]
    ) -> None:
        """An item that DynamoDB leaves unprocessed counts in the call that writes it."""
        recorder.answer = lambda request: {
            "UnprocessedItems": {
                table: writes[1:] for table, writes in request.body["RequestItems"].items() if writes[1:]
            }
        }
        with pytest.raises(dynaflask.BatchWriteError), thread_model.batch_write() as batch:
            batch.save(thread_model("forum", "1"))
            batch.save(thread_model("forum", "2"))
        assert finished[0].item_count == 1

    @pytest.mark.parametrize(
        ("code", "member"),
        [
            ("ProvisionedThroughputExceededException", "ThrottlingReasons"),
            ("ThrottlingException", "throttlingReasons"),
        ],
    )
    def test_the_reasons_of_throttling(
        self, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation], code: str, member: str
    ) -> None:
        """A throttled call has DynamoDB's reasons, in both of its spellings, if botocore knows them."""
        reason = {"reason": "TableWriteKeyRangeThroughputExceeded", "resource": "arn:aws:dynamodb:x"}
        recorder.answer = lambda request: recorders.refusal(code, **{member: [reason]})
        with pytest.raises(PutError):
            thread_model("forum", "subject").save()
        shapes = thread_model._get_connection().connection.client.meta.service_model.shape_names
        assert finished[0].throttling_reasons == ((tuple(reason.values()),) if "ThrottlingReasonList" in shapes else ())
        assert (finished[0].is_throttled, finished[0].attempts) == (True, 2)
        assert finished[0].request_id is not None


@pytest.mark.usefixtures("any_transport")
@pytest.mark.parametrize("reason", ["ThrottlingError", "ItemCollectionSizeLimitExceeded"])
def test_a_canceled_transaction_is_throttled_by_its_reasons(
    db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder, finished: list[Operation], reason: str
) -> None:
    """A cancelled transaction is throttled if a cancellation reason is a throttling code."""
    recorder.answer = lambda request: recorders.refusal("TransactionCanceledException", reason)
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
