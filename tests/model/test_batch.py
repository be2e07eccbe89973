"""Batch writes lose no item: unprocessed items are sent again, and at last returned to the program."""

from __future__ import annotations

import time
import typing as t
from unittest import mock

import flask
import pytest
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import AttributeNullError
from pynamodb.exceptions import PutError

import dynaflask
from dynaflask.model.batch import resend_unprocessed
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

REFUSAL = (400, {"__type": "AccessDeniedException", "message": "no"})


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collects the seconds of each sleep, and does not sleep."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@pytest.fixture
def recorded(make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[recorders.Recorder]:
    """The server of an app whose context is pushed."""
    with make_app(host=recorder.url, region="us-east-1", max_retry_attempts=3, **KEYS).app_context():
        yield recorder


@pytest.fixture
def visit(db: dynaflask.Dynamo) -> t.Any:
    """A model with a number and a binary value in its key."""

    class Visit(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Visit"

        number = NumberAttribute(hash_key=True)
        token = BinaryAttribute(range_key=True, legacy_encoding=False)
        page = UnicodeAttribute(default="/")

    return Visit


def sent(request: recorders.Request) -> list[t.Any]:
    """The write requests in a request's body."""
    return next(iter(request.body["RequestItems"].values()))


def leave(*numbers: int) -> t.Callable[[recorders.Request], recorders.Answer]:
    """An answer that leaves the write requests with these numbers in their keys unprocessed."""

    def answer(request: recorders.Request) -> recorders.Answer:
        unprocessed = [one for one in sent(request) if any(f"'N': '{number}'" in str(one) for number in numbers)]
        return {"UnprocessedItems": dict.fromkeys(request.body["RequestItems"], unprocessed) if unprocessed else {}}

    return answer


@pytest.mark.usefixtures("waits")
class TestUnprocessed:
    """DynamoDB leaves a part of a batch unprocessed."""

    def test_only_unprocessed_items_are_sent_again(self, recorded: recorders.Recorder, visit: t.Any) -> None:
        """A written item is not written twice."""
        unprocessed_numbers = [(2, 3), (3,), ()]

        def answer(request: recorders.Request) -> recorders.Answer:
            return leave(*unprocessed_numbers.pop(0))(request)

        recorded.answer = answer
        with visit.batch_write() as batch:
            for number in (1, 2):
                batch.save(visit(number, b"\x00\xff"))
            batch.delete(visit(3, b"\x00\xff"))
        assert [len(sent(request)) for request in recorded.requests] == [3, 2, 1]
        assert sent(recorded.requests[2]) == [
            {"DeleteRequest": {"Key": {"number": {"N": "3"}, "token": {"B": "AP8="}}}}
        ]

    def test_delays_are_random_and_grow(
        self, recorded: recorders.Recorder, visit: t.Any, waits: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The upper bound of the delays doubles up to five seconds."""
        recorded.answer = leave(1)
        monkeypatch.setattr("random.uniform", lambda least, most: (least, most))
        visit.Meta.max_retry_attempts = 10
        with pytest.raises(PutError):
            with visit.batch_write() as batch:
                batch.save(visit(1, b""))
        assert waits == [(0, wait) for wait in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0)]

    def test_a_batch_without_unprocessed_items_does_not_wait(
        self, recorded: recorders.Recorder, visit: t.Any, waits: list[float]
    ) -> None:
        """A batch that is written at once does not wait, and an empty one sends nothing."""
        with visit.batch_write() as batch:
            batch.commit()
            batch.save(visit(1, b""))
        assert (len(recorded.requests), waits) == (1, [])

    def test_the_error_holds_the_programs_objects(self, recorded: recorders.Recorder, visit: t.Any) -> None:
        """After the last attempt, the error holds the objects that were not saved or not deleted."""
        recorded.answer = leave(2, 4)
        visits = [visit(number, b"token") for number in range(5)]
        with pytest.raises(dynaflask.BatchWriteError, match="max_retry_attempts exceeded") as caught:
            with visit.batch_write() as batch:
                for item in visits[:3]:
                    batch.save(item)
                for item in visits[3:]:
                    batch.delete(item)
        assert [id(item) for item in caught.value.unsaved] == [id(visits[2])]
        assert [id(item) for item in caught.value.undeleted] == [id(visits[4])]
        assert caught.value.cause is None
        assert len(batch.failed_operations) == 2
        assert len(recorded.requests) == 3

    def test_a_key_that_matches_no_item_is_not_dropped(self, recorded: recorders.Recorder, visit: t.Any) -> None:
        """If DynamoDB returns a number in other digits, the error holds an object made from the response."""

        def answer(request: recorders.Request) -> recorders.Answer:
            item = {"number": {"N": "1"}, "token": {"B": "AA=="}, "page": {"S": "/a"}}
            unprocessed = [{"PutRequest": {"Item": item}}, {"DeleteRequest": {"Key": {**item, "number": {"N": "2"}}}}]
            return {"UnprocessedItems": dict.fromkeys(request.body["RequestItems"], unprocessed)}

        recorded.answer = answer
        with pytest.raises(dynaflask.BatchWriteError) as caught:
            with visit.batch_write() as batch:
                batch.save(visit(1.0, b"\x00", page="/a"))
                batch.delete(visit(2.0, b"\x00"))
        assert [(item.number, item.page) for item in caught.value.unsaved] == [(1, "/a")]
        assert [item.number for item in caught.value.undeleted] == [2]


class TestErrors:
    """A batch ends with an error."""

    def test_a_refused_request_returns_all_its_items(self, recorded: recorders.Recorder, visit: t.Any) -> None:
        """The error is a PutError of PynamoDB's, with botocore's error as its cause, and holds all items."""
        recorded.answer = lambda request: REFUSAL
        with pytest.raises(PutError, match="Failed to batch write items: .*AccessDenied") as caught:
            with visit.batch_write() as batch:
                batch.save(visit(1, b""))
        assert isinstance(caught.value, dynaflask.BatchWriteError)
        assert [item.number for item in caught.value.unsaved] == [1]
        assert caught.value.cause_response_code == "AccessDeniedException"

    @pytest.mark.parametrize(("method", "attribute"), [("save", "unsaved"), ("delete", "undeleted")])
    def test_the_item_that_filled_the_batch_is_returned_too(
        self, recorded: recorders.Recorder, visit: t.Any, method: str, attribute: str
    ) -> None:
        """If a full batch is refused, the error also holds the 26th item, and the end of the block sends nothing."""
        recorded.answer = lambda request: REFUSAL
        with pytest.raises(dynaflask.BatchWriteError) as caught:
            with visit.batch_write() as batch:
                for number in range(30):
                    getattr(batch, method)(visit(number, b""))
        assert [item.number for item in getattr(caught.value, attribute)] == list(range(26))
        assert len(recorded.requests) == 1

    def test_an_error_in_the_block_loses_nothing(self, recorded: recorders.Recorder, visit: t.Any) -> None:
        """After an error in the block, the added items are written; if that fails, the BatchWriteError holds them."""
        for answer, expected in ((leave(), ZeroDivisionError), (lambda _: REFUSAL, dynaflask.BatchWriteError)):
            recorded.answer = answer
            with pytest.raises(expected) as caught:
                with visit.batch_write() as batch:
                    batch.save(visit(1, b""))
                    1 / 0  # noqa: B018
        assert [item.number for item in t.cast("t.Any", caught.value).unsaved] == [1]
        assert isinstance(caught.value.__context__, PutError)
        assert len(recorded.requests) == 2

    def test_a_timeout_during_a_delay_leaves_the_rest_pending(
        self, recorded: recorders.Recorder, visit: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A program's own timeout may interrupt the delay; the next commit sends the unprocessed items."""

        def time_out(_: float) -> t.NoReturn:
            raise TimeoutError

        recorded.answer = leave(2)
        batch = visit.batch_write()
        with monkeypatch.context() as patch:
            patch.setattr(time, "sleep", time_out)
            for number in (1, 2):
                batch.save(visit(number, b""))
            with pytest.raises(TimeoutError):
                batch.commit()
        assert [operation["item"].number for operation in batch.pending_operations] == [2]
        recorded.answer = leave()
        batch.commit()
        assert batch.pending_operations == []

    def test_an_item_that_cannot_be_serialized_leaves_all_pending(
        self, recorded: recorders.Recorder, visit: t.Any
    ) -> None:
        """An item that cannot be serialized raises PynamoDB's error, and nothing is sent."""
        batch = visit.batch_write()
        for page in ("/", None):
            batch.save(visit(1, b"", page=page))
        batch.pending_operations[1]["item"].page = None
        with pytest.raises(AttributeNullError):
            batch.commit()
        assert len(batch.pending_operations) == 2
        assert recorded.requests == []


def test_a_prefixed_batch_loses_nothing(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> None:
    """Unprocessed items, which DynamoDB names by the real table name, are sent again."""
    unprocessed_counts = [1, 0]

    def answer(request: recorders.Request) -> recorders.Answer:
        items, count = request.body["RequestItems"], unprocessed_counts.pop(0)
        return {"UnprocessedItems": {name: requests[:count] for name, requests in items.items() if count}}

    recorder.answer = answer
    app = make_app(host=recorder.url, region="us-east-1", table_prefix="us-", **KEYS)
    with app.app_context(), thread_model.batch_write() as batch:
        for number in range(3):
            batch.save(thread_model("forum", str(number)))
    assert [len(request.body["RequestItems"]["us-Thread"]) for request in recorder.requests] == [3, 1]


def test_two_apps_have_their_own_batches(make_app: MakeApp, recorder: recorders.Recorder, visit: t.Any) -> None:
    """The number of attempts is the current app's."""
    recorder.answer = leave(1)
    for region, attempts in (("us-west-2", 1), ("eu-west-1", 2)):
        app = make_app(region, host=recorder.url, region=region, max_retry_attempts=attempts, **KEYS)
        with app.app_context(), pytest.raises(dynaflask.BatchWriteError):
            with visit.batch_write() as batch:
                batch.save(visit(1, b""))
    assert [request.region for request in recorder.requests] == ["us-west-2", "eu-west-1", "eu-west-1"]


def test_a_patched_commit_decides(recorded: recorders.Recorder, visit: t.Any) -> None:
    """A test that patches the commit of PynamoDB's batch sends nothing."""
    with mock.patch("pynamodb.models.BatchWrite.commit") as commit, visit.batch_write() as batch:
        batch.save(visit(1, b""))
    assert (commit.call_count, recorded.requests) == (1, [])


def test_a_large_batch_reaches_an_engine(
    engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, visit: t.Any
) -> None:
    """A batch of more than 25 items is written with several requests."""
    app = flask.Flask("app")
    app.config.from_mapping(engine.settings(account))
    db.init_app(app)
    with app.app_context():
        db.create_all(wait=True)
        with visit.batch_write() as batch:
            for number in range(60):
                batch.save(visit(number, b"\x00\xff"))
        with visit.batch_write() as batch:
            for number in range(30):
                batch.delete(visit(number, b"\x00\xff"))
        assert sorted(item.number for item in visit.scan()) == list(range(30, 60))
        db.drop_all()


class TestResendUnprocessed:
    """``resend_unprocessed``, which batches and loads share."""

    @pytest.mark.parametrize(("resets_on_progress", "calls"), [(True, 5), (False, 3)])
    def test_attempts_are_counted_from_the_last_progress(
        self, waits: list[float], resets_on_progress: bool, calls: int
    ) -> None:
        """A load counts the attempts since DynamoDB last processed a request; a batch counts all of them."""
        responses = [[3, 2, 1], [2, 1], [2, 1], [2, 1], [2, 1]]
        requests: list[t.Any] = [4, 3, 2, 1]
        resend_unprocessed(
            lambda _: t.cast("t.Any", responses.pop(0)),
            requests,
            max_attempts=3,
            resets_on_progress=resets_on_progress,
        )
        assert (requests, len(responses), len(waits)) == ([2, 1], 5 - calls, calls - 1)

    def test_no_requests_send_nothing(self, waits: list[float]) -> None:
        """An empty list is complete without an attempt."""
        resend_unprocessed(lambda _: pytest.fail("Sent."), [], max_attempts=3)
        assert waits == []

    def test_an_error_leaves_the_requests_that_may_not_have_been_written(self, waits: list[float]) -> None:
        """The list holds what DynamoDB left unprocessed before the error."""

        def send(requests: list[t.Any]) -> list[t.Any]:
            if len(requests) == 1:
                raise TimeoutError
            return requests[1:]

        requests: list[t.Any] = [3, 2, 1]
        with pytest.raises(TimeoutError):
            resend_unprocessed(send, requests, max_attempts=9)
        assert requests == [1]


class Plain:
    """A ``Meta`` with a plain name."""

    table_name = "Log"


def prefix_of_request(name: str) -> str:
    """A table's name for the current request."""
    return f"{flask.g.who}-{name}"


class TestDestination:
    """A batch stays on the table that it was made for, also if the table's name is computed."""

    @pytest.fixture(params=["prefix", "meta"])
    def computed(
        self,
        request: pytest.FixtureRequest,
        make_app: MakeApp,
        recorder: recorders.Recorder,
        db: dynaflask.Dynamo,
    ) -> t.Iterator[t.Any]:
        """A model whose table is named after ``g.who``, by each way to compute it, in a context."""

        class Computed(type):
            @property
            def table_name(cls) -> str:
                return f"{flask.g.who}-Log"

            @property
            def region(cls) -> str:
                return f"{flask.g.who}-region-1"

        declared, prefix = (Computed("Meta", (), {}), None) if request.param == "meta" else (Plain, prefix_of_request)

        class Log(db.Model):  # type: ignore[name-defined,misc]
            Meta = declared
            id = UnicodeAttribute(hash_key=True)

        with make_app(host=recorder.url, region="us-east-1", table_prefix=prefix, **KEYS).app_context():
            flask.g.who = "a"
            yield Log

    def test_a_write_stays(self, computed: t.Any, recorder: recorders.Recorder) -> None:
        """All requests of a batch go to the table whose name was computed when the batch was made."""
        batch = computed.batch_write(auto_commit=False)
        batch.save(computed("1"))
        flask.g.who = "b"
        batch.commit()
        batch.save(computed("2"))
        batch.commit()
        assert [[*request.body["RequestItems"]] for request in recorder.requests] == [["a-Log"], ["a-Log"]]
        assert len({request.region for request in recorder.requests}) == 1
        assert computed.Meta.table_name == "b-Log"

    def test_a_read_stays(self, computed: t.Any, recorder: recorders.Recorder) -> None:
        """Every page of a batch get comes from the table whose name was computed when it was called."""
        items = computed.batch_get([f"{number}" for number in range(150)])
        flask.g.who = "b"
        assert len([item.id for item in items]) == 150
        assert [[*request.body["RequestItems"]] for request in recorder.requests] == [["a-Log"], ["a-Log"]]
        assert len({request.region for request in recorder.requests}) == 1
