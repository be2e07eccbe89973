"""Planned faults happen to the app under test alone, as DynamoDB's own would, and end with their block."""

from __future__ import annotations

import contextvars
import threading
import time
import typing as t

import flask
import pynamodb.exceptions
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.exceptions import ReadTimeoutError

import dynaflask
from dynaflask.testing import fail_next
from dynaflask.testing import slow_next
from dynaflask.testing import unprocessed
from tests.support import engines
from tests.support.recorder import Recorder
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

THROTTLED = "ProvisionedThroughputExceededException"
TRANSPORTS = ["stock", "botocore", "direct"]


class TestErrors:
    """``fail_next``."""

    def test_botocore_retries_what_it_would_retry(
        self, recorder: Recorder, thread_model: t.Any, counted: list[dynaflask.Operation]
    ) -> None:
        """Two throttled attempts of three are survived. They cost no request, and count as retries."""
        with fail_next("PutItem", THROTTLED, times=2) as fault:
            thread_model("flask", "hello").save()
        assert (fault.count, len(recorder.requests), counted[-1].retries) == (2, 1, 2)

    def test_all_attempts_of_a_call(
        self, recorder: Recorder, thread_model: t.Any, counted: list[dynaflask.Operation]
    ) -> None:
        """With ``times=None`` a call fails with the error that PynamoDB raises for DynamoDB's."""
        with fail_next("PutItem", THROTTLED, times=None, message="slow down"):
            with pytest.raises(pynamodb.exceptions.PutError, match="slow down") as caught:
                thread_model("flask", "hello").save()
        assert caught.value.cause_response_code == THROTTLED
        assert counted[-1].is_throttled
        assert recorder.requests == []

    @pytest.mark.usefixtures("counted")
    def test_an_error_that_is_not_retried(self, recorder: Recorder, thread_model: t.Any) -> None:
        """A call fails once with an error that botocore does not retry. The next call reaches the server."""
        with fail_next("GetItem", "ConditionalCheckFailedException") as fault:
            with pytest.raises(pynamodb.exceptions.GetError):
                thread_model.get("flask", "hello")
            thread_model.get("flask", "hello")
        assert (fault.count, len(recorder.requests)) == (1, 1)

    @pytest.mark.usefixtures("counted")
    def test_the_reasons_of_a_canceled_transaction(self, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """PynamoDB's error has a reason for each item of the transaction."""
        reasons = ["None", "ConditionalCheckFailed"]
        with fail_next("TransactWriteItems", "TransactionCanceledException", reasons=reasons):
            with pytest.raises(pynamodb.exceptions.TransactWriteError) as caught:
                with db.transact_write() as transaction:
                    transaction.save(thread_model("flask", "one"))
                    transaction.save(thread_model("flask", "two"))
        first, second = caught.value.cancellation_reasons
        assert first is None
        assert second is not None
        assert second.code == "ConditionalCheckFailed"

    def test_a_fault_of_the_server(self, thread_model: t.Any, counted: list[dynaflask.Operation]) -> None:
        """``InternalServerError`` has status 500, and botocore retries it."""
        with fail_next("GetItem", "InternalServerError"):
            thread_model.get("flask", "hello")
        assert counted[-1].retries == 1

    @pytest.mark.usefixtures("counted")
    def test_an_error_of_the_network(self, thread_model: t.Any) -> None:
        """An exception is raised as if the network had failed: it is retried, and has the advice of dynaflask."""
        error = EndpointConnectionError(endpoint_url="https://nowhere")
        with fail_next("GetItem", error) as fault:
            thread_model.get("flask", "hello")
        with fail_next("GetItem", error, times=None):
            with pytest.raises(pynamodb.exceptions.GetError) as caught:
                thread_model.get("flask", "hello")
        assert fault.count == 1
        assert isinstance(caught.value.cause, EndpointConnectionError)

    @pytest.mark.usefixtures("counted")
    def test_one_error_after_another(self, thread_model: t.Any) -> None:
        """Nested blocks happen in their order, each as often as it says."""
        with fail_next("GetItem", THROTTLED) as first, fail_next("GetItem", "InternalServerError") as second:
            thread_model.get("flask", "hello")
        assert (first.count, second.count) == (1, 1)

    def test_a_response_of_the_error_handlers(
        self, served: flask.Flask, thread_model: t.Any, make_app: MakeApp, recorder: Recorder
    ) -> None:
        """A view answers as it would to DynamoDB: 503 with ``DYNAMODB_ERROR_HANDLERS``."""
        app = make_app(host=recorder.url, region="eu-west-1", error_handlers=True, max_retry_attempts=0, **KEYS)
        app.add_url_rule("/", view_func=lambda: thread_model.get("flask", "hello").to_simple_dict())
        with fail_next("GetItem", THROTTLED, app=app):
            assert app.test_client().get("/").status_code == 503
        assert app.test_client().get("/").status_code == 200


class TestDelays:
    """``slow_next``."""

    def test_a_slow_call(self, thread_model: t.Any, counted: list[dynaflask.Operation]) -> None:
        """The attempt takes at least this long. The next one is not delayed."""
        with slow_next("GetItem", 0.05) as fault:
            thread_model.get("flask", "hello")
            thread_model.get("flask", "hello")
        assert counted[0].duration_seconds >= 0.05
        assert fault.count == 1

    def test_a_read_timeout(
        self,
        make_app: MakeApp,
        recorder: Recorder,
        thread_model: t.Any,
        served: flask.Flask,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """An attempt that takes longer than the read timeout ends then, and botocore retries it."""
        settings = {"host": recorder.url, "region": "eu-west-1", "transport": served.config["DYNAMODB_TRANSPORT"]}
        app = make_app(read_timeout_seconds=60, max_retry_attempts=1, **settings, **KEYS)
        naps: list[float] = []
        monkeypatch.setattr(time, "sleep", naps.append)
        with app.app_context(), slow_next("GetItem", 90, times=3):
            with pytest.raises(pynamodb.exceptions.GetError) as caught:
                thread_model.get("flask", "hello")
            assert isinstance(caught.value.cause, ReadTimeoutError)
            thread_model.get("flask", "hello")
        assert [seconds for seconds in naps if seconds >= 60] == [60] * 3

    def test_a_call_timeout(
        self, make_app: MakeApp, recorder: Recorder, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``DYNAMODB_CALL_TIMEOUT_SECONDS`` ends a slow call."""
        app = make_app(host=recorder.url, region="eu-west-1", call_timeout_seconds=0.05, **KEYS)
        is_over = threading.Event()
        monkeypatch.setattr(time, "sleep", lambda _: is_over.wait(60))
        with app.app_context(), slow_next("GetItem", 0.5):
            with pytest.raises(pynamodb.exceptions.GetError, match="took longer than 0.05 seconds"):
                thread_model.get("flask", "hello")
            is_over.set()


class TestUnprocessed:
    """``unprocessed``."""

    @pytest.mark.usefixtures("counted")
    def test_a_batch_write(self, recorder: Recorder, thread_model: t.Any) -> None:
        """The last items of the batch do not reach the server until they are sent again."""
        with unprocessed("BatchWriteItem", items=2) as fault, thread_model.batch_write() as batch:
            for subject in "abc":
                batch.save(thread_model("flask", subject))
        sent = [
            [put["PutRequest"]["Item"]["subject"]["S"] for put in request.body["RequestItems"]["Thread"]]
            for request in recorder.requests
        ]
        assert sent == [["a"], ["b", "c"]]
        assert fault.count == 1

    @pytest.mark.usefixtures("counted")
    def test_all_items_of_a_batch(self, recorder: Recorder, thread_model: t.Any) -> None:
        """A batch of which no item is left is not sent. The items that stay unprocessed are in the error."""
        with unprocessed("BatchWriteItem", items=25, times=None):
            with pytest.raises(dynaflask.BatchWriteError) as caught:
                with thread_model.batch_write() as batch:
                    batch.save(thread_model("flask", "a"))
        assert len(caught.value.unsaved) == 1
        assert recorder.requests == []

    @pytest.mark.usefixtures("counted")
    def test_a_batch_get(self, recorder: Recorder, thread_model: t.Any) -> None:
        """The keys that are left are read by the next request, with the same options."""
        keys = [("flask", "a"), ("flask", "b"), ("flask", "c")]
        with unprocessed("BatchGetItem", items=1):
            items = list(thread_model.batch_get(keys, consistent_read=True))
        assert sorted(item.subject for item in items) == ["a", "b", "c"]
        tables = [request.body["RequestItems"]["Thread"] for request in recorder.requests]
        assert [(len(table["Keys"]), table["ConsistentRead"]) for table in tables] == [(2, True), (1, True)]

    def test_two_tables(self, app: flask.Flask, recorder: Recorder) -> None:
        """In a batch on two tables, the items are counted from the first table."""
        items = {"one": {"Keys": [{"id": {"S": "1"}}]}, "two": {"Keys": [{"id": {"S": "2"}}]}}
        with app.app_context(), unprocessed("BatchGetItem"):
            connection = app.extensions["dynamo"].connection
            result = connection._make_api_call("BatchGetItem", {"RequestItems": items})
        assert result["UnprocessedKeys"] == {"one": items["one"]}
        assert list(result["Responses"]) == ["two"]

    def test_no_batch(self, app: flask.Flask) -> None:
        """Other operations have no unprocessed items."""
        with pytest.raises(ValueError, match="takes BatchGetItem or BatchWriteItem, not 'PutItem'"):
            with unprocessed("PutItem", app=app):
                pass


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_with_a_real_server(
    db: dynaflask.Dynamo, ministack: engines.Engine, account: engines.Account, thread_model: t.Any, transport: str
) -> None:
    """The attempt after the fault reaches the server, and what it writes is there."""
    app = flask.Flask("app")
    app.config.update(ministack.settings(account), DYNAMODB_TRANSPORT=transport)
    db.init_app(app)
    with app.app_context():
        db.create_all(wait=True)
        with fail_next("PutItem", THROTTLED, times=2), unprocessed("BatchWriteItem", times=2):
            thread_model("flask", "put").save()
            with thread_model.batch_write() as batch:
                batch.save(thread_model("flask", "one"))
                batch.save(thread_model("flask", "two"))
        assert [thread.subject for thread in thread_model.query("flask")] == ["one", "put", "two"]


def test_a_task_of_the_middle_of_a_call_has_no_fault_after_it(
    make_app: MakeApp, recorder: Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """A task that a handler starts in a call with a fault makes its later calls, of another app, without one."""
    settings: dict[str, t.Any] = {"host": recorder.url, "region": "eu-west-1", "max_retry_attempts": 0, **KEYS}
    tenants = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")}
    one, two = (make_app(name, tenants=tenants, transport="botocore", **settings) for name in ("one", "two"))
    contexts: list[contextvars.Context] = []

    def save_in_two() -> None:
        with two.app_context(), db.tenant("globex"):
            thread_model("flask", "hello").save()

    with one.app_context(), db.tenant("acme"):
        events = db.client.meta.events
        events.register("before-call", lambda **_: contexts.append(contextvars.copy_context()))
        with fail_next("PutItem", THROTTLED, times=2) as fault, pytest.raises(pynamodb.exceptions.PutError):
            thread_model("flask", "hello").save()
    (context,) = contexts
    context.run(save_in_two)
    assert (fault.count, len(recorder.requests)) == (1, 1)
