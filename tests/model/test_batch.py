"""Batch writes that lose nothing: what DynamoDB leaves undone is sent again, and at last handed back."""

from __future__ import annotations

import time
import typing as t

import flask
import pytest
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import AttributeNullError
from pynamodb.exceptions import PutError

import dynaflask
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

REFUSAL = (400, {"__type": "AccessDeniedException", "message": "no"})


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, which take no time."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@pytest.fixture
def recorded(make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[recorders.Recorder]:
    """The server of an app in whose context the test is."""
    with make_app(host=recorder.url, region="us-east-1", max_retry_attempts=3, **KEYS).app_context():
        yield recorder


@pytest.fixture
def visit(db: dynaflask.Dynamo) -> t.Any:
    """A model with a number and something binary in its key."""

    class Visit(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Visit"

        number = NumberAttribute(hash_key=True)
        token = BinaryAttribute(range_key=True, legacy_encoding=False)
        page = UnicodeAttribute(default="/")

    return Visit


def sent(request: recorders.Request) -> list[t.Any]:
    """The items that a request asks to write."""
    return next(iter(request.body["RequestItems"].values()))


def leave(*numbers: int) -> t.Callable[[recorders.Request], recorders.Answer]:
    """An answer that leaves the requests with these numbers in their keys undone."""

    def answer(request: recorders.Request) -> recorders.Answer:
        undone = [one for one in sent(request) if any(f"'N': '{number}'" in str(one) for number in numbers)]
        return {"UnprocessedItems": dict.fromkeys(request.body["RequestItems"], undone) if undone else {}}

    return answer


@pytest.mark.usefixtures("waits")
class TestUndone:
    """What DynamoDB leaves undone."""

    def test_it_alone_is_sent_again(self, recorded: recorders.Recorder, visit: t.Any) -> None:
        """What was written is not written twice."""
        left = [(2, 3), (3,), ()]

        def answer(request: recorders.Request) -> recorders.Answer:
            return leave(*left.pop(0))(request)

        recorded.answer = answer
        with visit.batch_write() as batch:
            for number in (1, 2):
                batch.save(visit(number, b"\x00\xff"))
            batch.delete(visit(3, b"\x00\xff"))
        assert [len(sent(request)) for request in recorded.requests] == [3, 2, 1]
        assert sent(recorded.requests[2]) == [
            {"DeleteRequest": {"Key": {"number": {"N": "3"}, "token": {"B": "AP8="}}}}
        ]

    def test_each_wait_is_a_random_part_of_a_longer_one(
        self, recorded: recorders.Recorder, visit: t.Any, waits: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Clients that were refused together do not come back together, and no wait is beyond five seconds."""
        recorded.answer = leave(1)
        monkeypatch.setattr("random.uniform", lambda least, most: (least, most))
        visit.Meta.max_retry_attempts = 10
        with pytest.raises(PutError):
            with visit.batch_write() as batch:
                batch.save(visit(1, b""))
        assert waits == [(0, wait) for wait in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0)]

    def test_a_batch_that_goes_through_waits_for_nothing(
        self, recorded: recorders.Recorder, visit: t.Any, waits: list[float]
    ) -> None:
        """Nor does one that is empty, which sends nothing."""
        with visit.batch_write() as batch:
            batch.commit()
            batch.save(visit(1, b""))
        assert (len(recorded.requests), waits) == (1, [])

    def test_the_error_holds_what_was_given(self, recorded: recorders.Recorder, visit: t.Any) -> None:
        """The objects themselves, those to be saved and those to be deleted, and none that was written."""
        recorded.answer = leave(2, 4)
        visits = [visit(number, b"token") for number in range(5)]
        with pytest.raises(dynaflask.BatchWriteError, match="max_retry_attempts exceeded") as caught:
            with visit.batch_write() as batch:
                for given in visits[:3]:
                    batch.save(given)
                for given in visits[3:]:
                    batch.delete(given)
        assert [id(item) for item in caught.value.unsaved] == [id(visits[2])]
        assert [id(item) for item in caught.value.undeleted] == [id(visits[4])]
        assert caught.value.cause is None
        assert len(batch.failed_operations) == 2
        assert len(recorded.requests) == 3

    def test_a_key_that_comes_back_in_other_digits_is_not_dropped(
        self, recorded: recorders.Recorder, visit: t.Any
    ) -> None:
        """What is left is read from the answer where no item that was given seems to fit."""

        def answer(request: recorders.Request) -> recorders.Answer:
            item = {"number": {"N": "1"}, "token": {"B": "AA=="}, "page": {"S": "/a"}}
            undone = [{"PutRequest": {"Item": item}}, {"DeleteRequest": {"Key": {**item, "number": {"N": "2"}}}}]
            return {"UnprocessedItems": dict.fromkeys(request.body["RequestItems"], undone)}

        recorded.answer = answer
        with pytest.raises(dynaflask.BatchWriteError) as caught:
            with visit.batch_write() as batch:
                batch.save(visit(1.0, b"\x00", page="/a"))
                batch.delete(visit(2.0, b"\x00"))
        assert [(item.number, item.page) for item in caught.value.unsaved] == [(1, "/a")]
        assert [item.number for item in caught.value.undeleted] == [2]


class TestMidway:
    """Errors while a batch is under way."""

    def test_a_refused_request_hands_all_of_it_back(self, recorded: recorders.Recorder, visit: t.Any) -> None:
        """The error is PynamoDB's, with botocore's as its cause."""
        recorded.answer = lambda request: REFUSAL
        with pytest.raises(PutError, match="Failed to batch write items: .*AccessDenied") as caught:
            with visit.batch_write() as batch:
                batch.save(visit(1, b""))
        assert isinstance(caught.value, dynaflask.BatchWriteError)
        assert [item.number for item in caught.value.unsaved] == [1]
        assert caught.value.cause_response_code == "AccessDeniedException"

    @pytest.mark.parametrize(("method", "held"), [("save", "unsaved"), ("delete", "undeleted")])
    def test_the_item_for_which_there_was_no_room_is_handed_back_too(
        self, recorded: recorders.Recorder, visit: t.Any, method: str, held: str
    ) -> None:
        """It is what the full batch was sent for; and nothing is sent once more at the end of the block."""
        recorded.answer = lambda request: REFUSAL
        with pytest.raises(dynaflask.BatchWriteError) as caught:
            with visit.batch_write() as batch:
                for number in range(30):
                    getattr(batch, method)(visit(number, b""))
        assert [item.number for item in getattr(caught.value, held)] == list(range(26))
        assert len(recorded.requests) == 1

    def test_an_error_in_the_block_loses_nothing(self, recorded: recorders.Recorder, visit: t.Any) -> None:
        """What was added is written as ever, and if it is not, the error holds it and has the other for its context."""
        for answer, expected in ((leave(), ZeroDivisionError), (lambda _: REFUSAL, dynaflask.BatchWriteError)):
            recorded.answer = answer
            with pytest.raises(expected) as caught:
                with visit.batch_write() as batch:
                    batch.save(visit(1, b""))
                    1 / 0  # noqa: B018
        assert [item.number for item in t.cast("t.Any", caught.value).unsaved] == [1]
        assert isinstance(caught.value.__context__, PutError)
        assert len(recorded.requests) == 2

    def test_what_stops_a_wait_leaves_the_rest_pending(
        self, recorded: recorders.Recorder, visit: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A timeout of the program's own may strike between two requests."""

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

    def test_an_item_that_cannot_be_written_leaves_all_pending(
        self, recorded: recorders.Recorder, visit: t.Any
    ) -> None:
        """The error is PynamoDB's own, and nothing is sent."""
        batch = visit.batch_write()
        for page in ("/", None):
            batch.save(visit(1, b"", page=page))
        batch.pending_operations[1]["item"].page = None
        with pytest.raises(AttributeNullError):
            batch.commit()
        assert len(batch.pending_operations) == 2
        assert recorded.requests == []


def test_two_apps_have_their_own_batches(make_app: MakeApp, recorder: recorders.Recorder, visit: t.Any) -> None:
    """Each gives up after as many attempts as its own settings say."""
    recorder.answer = leave(1)
    for region, attempts in (("us-west-2", 1), ("eu-west-1", 2)):
        app = make_app(region, host=recorder.url, region=region, max_retry_attempts=attempts, **KEYS)
        with app.app_context(), pytest.raises(dynaflask.BatchWriteError):
            with visit.batch_write() as batch:
                batch.save(visit(1, b""))
    assert [request.region for request in recorder.requests] == ["us-west-2", "eu-west-1", "eu-west-1"]


def test_a_large_batch_reaches_an_engine(
    engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, visit: t.Any
) -> None:
    """All of it, in requests of 25."""
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
