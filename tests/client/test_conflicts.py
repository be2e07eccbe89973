"""``DYNAMODB_RETRY_CONFLICTS``: calls that another transaction was in the way of are made again."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.exceptions import TransactGetError
from pynamodb.exceptions import TransactWriteError
from pynamodb.exceptions import UpdateError

import dynaflask
from dynaflask.testing import fail_next
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

CANCELED = "TransactionCanceledException"


@pytest.fixture(autouse=True)
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits, which take no time."""
    waits: list[float] = []
    monkeypatch.setattr("dynaflask.client.conflicts.time.sleep", waits.append)
    return waits


@pytest.fixture(params=["direct", "stock"])
def app(request: pytest.FixtureRequest, make_app: MakeApp, recorder: recorders.Recorder) -> flask.Flask:
    """An app with two retries by each transport, where botocore makes none."""
    return make_app(
        host=recorder.url,
        region="eu-west-1",
        retry_conflicts=2,
        max_retry_attempts=0,
        transport=request.param,
        **KEYS,
    )


def refuse(recorder: recorders.Recorder, code: str, *reasons: str, times: int = 1) -> None:
    """Let the first calls fail with a code."""
    recorder.answer = lambda request: recorders.refusal(code, *reasons) if len(recorder.requests) <= times else {}


def save(db: dynaflask.Dynamo, thread: t.Any, **options: t.Any) -> None:
    """Write a thread in a transaction."""
    with db.transact_write(**options) as transaction:
        transaction.save(thread("forum", "one"))


@pytest.mark.parametrize(
    ("code", "reasons"),
    [
        ("TransactionInProgressException", []),
        (CANCELED, ["TransactionConflict"]),
        (CANCELED, ["None", "TransactionConflict"]),
    ],
)
def test_all_calls_of_a_transaction_have_one_token(  # noqa: PLR0917 - fixtures
    app: flask.Flask,
    db: dynaflask.Dynamo,
    thread_model: t.Any,
    recorder: recorders.Recorder,
    delays: list[float],
    code: str,
    reasons: list[str],
) -> None:
    """A transaction is sent again, with the same token and content, so that it is applied once."""
    refuse(recorder, code, *reasons, times=2)
    with app.app_context():
        save(db, thread_model)
    bodies = [request.body for request in recorder.requests]
    assert bodies[0] == bodies[1] == bodies[2]
    assert len(bodies[0]["ClientRequestToken"]) == 36
    assert len(delays) == 2
    assert all(0 <= delay <= 0.2 for delay in delays)


def test_the_token_of_the_program_is_kept(
    app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """Each transaction has a token of its own; the program's is used if there is one."""
    refuse(recorder, "TransactionInProgressException")
    with app.app_context():
        save(db, thread_model, client_request_token="once")
        save(db, thread_model)
        save(db, thread_model)
    tokens = [request.body["ClientRequestToken"] for request in recorder.requests]
    assert tokens[:2] == ["once", "once"]
    assert len(set(tokens)) == 3


def test_a_write_of_one_item_is_made_again(app: flask.Flask, thread_model: t.Any, recorder: recorders.Recorder) -> None:
    """DynamoDB refuses a write of an item that a transaction is changing. Nothing was written."""
    refuse(recorder, "TransactionConflictException")
    with app.app_context():
        thread_model("forum", "one").save()
    assert [request.operation for request in recorder.requests] == ["PutItem", "PutItem"]


def test_a_read_transaction_is_made_again(
    app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """A read transaction is repeated without a token: it writes nothing."""
    refuse(recorder, CANCELED, "TransactionConflict", times=3)
    with app.app_context(), pytest.raises(TransactGetError), db.transact_get() as transaction:
        transaction.get(thread_model, "forum", "one")
    assert len(recorder.requests) == 3
    assert "ClientRequestToken" not in recorder.requests[0].body


@pytest.mark.parametrize(
    ("code", "reasons"),
    [
        ("ValidationException", []),
        (CANCELED, []),
        (CANCELED, ["None"]),
        (CANCELED, ["TransactionConflict", "ConditionalCheckFailed"]),
    ],
)
def test_other_errors_are_raised_at_once(  # noqa: PLR0917 - fixtures
    app: flask.Flask,
    db: dynaflask.Dynamo,
    thread_model: t.Any,
    recorder: recorders.Recorder,
    code: str,
    reasons: list[str],
) -> None:
    """A condition that is false stays false, whatever else was in the way."""
    refuse(recorder, code, *reasons)
    with app.app_context(), pytest.raises(TransactWriteError):
        save(db, thread_model)
    assert len(recorder.requests) == 1


def test_the_last_error_is_raised(
    app: flask.Flask, thread_model: t.Any, recorder: recorders.Recorder, delays: list[float]
) -> None:
    """After the retries, the error is PynamoDB's, as without them; each call is an operation of its own."""
    refuse(recorder, "TransactionConflictException", times=9)
    outcomes: list[str | None] = []

    def note(_: object, operation: dynaflask.Operation) -> None:
        outcomes.append(operation.error)

    with app.app_context(), dynaflask.operation_finished.connected_to(note), pytest.raises(UpdateError) as caught:
        thread_model("forum", "one").update([thread_model.views.add(1)])
    assert caught.value.cause_response_code == "TransactionConflictException"
    assert outcomes == ["TransactionConflictException"] * 3
    assert len(delays) == 2


def test_no_call_starts_after_the_time_of_a_call(
    make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``DYNAMODB_CALL_TIMEOUT_SECONDS`` holds for all calls together."""
    refuse(recorder, "TransactionConflictException", times=9)
    monkeypatch.setattr("dynaflask.client.conflicts.backoff_delay", lambda attempt: 60.0 * (attempt - 1))
    app = make_app(host=recorder.url, region="eu-west-1", retry_conflicts=9, call_timeout_seconds=60, **KEYS)
    with app.app_context(), pytest.raises(UpdateError):
        thread_model("forum", "one").update([thread_model.views.add(1)])
    assert len(recorder.requests) == 2


def test_it_is_off_unless_an_app_asks_for_it(
    make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """Two apps of one process: the setting of one does not reach the other."""
    refuse(recorder, "TransactionConflictException", times=9)
    settings = {"host": recorder.url, "region": "eu-west-1", **KEYS}
    for app, calls in ((make_app("retrying", retry_conflicts=1, **settings), 2), (make_app("plain", **settings), 1)):
        recorder.requests.clear()
        with app.app_context(), pytest.raises(UpdateError):
            thread_model("forum", "one").update([thread_model.views.add(1)])
        assert len(recorder.requests) == calls


def test_each_tenant_is_retried_on_its_own_table(
    make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """A further call goes where the first one went."""
    refuse(recorder, CANCELED, "TransactionConflict", times=1)
    tenants = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")}
    with make_app(host=recorder.url, region="eu-west-1", retry_conflicts=1, tenants=tenants, **KEYS).app_context():
        for name in tenants:
            with db.tenant(name):
                save(db, thread_model)
    tables = [request.body["TransactItems"][0]["Put"]["TableName"] for request in recorder.requests]
    assert tables == ["acme-Thread", "acme-Thread", "globex-Thread"]


def test_a_transaction_is_applied_once(
    engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """On an engine, the call that follows a conflict writes."""
    app = flask.Flask("conflicts")
    app.config.update(engine.settings(account), DYNAMODB_RETRY_CONFLICTS=2)
    db.init_app(app)
    with app.app_context():
        db.create_all(wait=True)
        with fail_next("TransactWriteItems", CANCELED, reasons=["TransactionConflict"], times=2) as fault:
            with db.transact_write() as transaction:
                transaction.update(thread_model("forum", "one"), [thread_model.views.add(1)])
        assert (fault.count, thread_model.get("forum", "one").views) == (2, 1)
