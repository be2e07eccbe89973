"""Changes wait until the table is ready for them, and a call may wait until it is ready or gone."""

from __future__ import annotations

import typing as t

import pytest
from pynamodb.exceptions import TableError

import dynaflask
from dynaflask import tables
from tests.support import boards
from tests.support import models
from tests.support import recorder as recorders
from tests.support.service_model import needs_member
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def test_wait_polls_until_the_tables_are_ready(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo, monkeypatch: t.Any
) -> None:
    """``wait`` asks again while a table is being created or deleted."""
    monkeypatch.setattr("dynaflask.tables.ready.POLL_SECONDS", 0.01)
    states = iter([None, "CREATING", "CREATING", "ACTIVE", "ACTIVE", "DELETING", None])

    def answer(request: recorders.Request) -> recorders.Answer:
        if request.operation != "DescribeTable":
            return None
        state = next(states)
        missing = (400, {"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "message": "no"})
        return missing if state is None else {"Table": {"TableName": "Thread", "TableStatus": state}}

    recorder.answer = answer
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        db.create_all(wait=True)
        db.drop_all(wait=True)
    assert next(states, "asked to the end") == "asked to the end"
    assert thread_model is not None


@pytest.mark.parametrize("state", [None, "ARCHIVED"])
def test_wait_ends_with_an_error_if_a_table_cannot_become_ready(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, monkeypatch: t.Any, state: str | None
) -> None:
    """A table that disappears, and a table that DynamoDB has archived, end the wait with an error."""
    monkeypatch.setattr("dynaflask.tables.ready.POLL_SECONDS", 0)
    states = iter([None])

    def answer(request: recorders.Request) -> recorders.Answer:
        if state is None or next(states, state) is None:
            return recorders.no_table(request)
        return {"Table": {"TableName": "Thread", "TableStatus": state}} if request.operation.startswith("De") else None

    recorder.answer = answer
    message = "The table Thread .* does not exist" if state is None else "cannot be used: its status is ARCHIVED"
    thread = models.declare_thread(db)
    with (
        make_app(host=recorder.url, region="us-east-1", **KEYS).app_context(),
        pytest.raises(TableError, match=message),
    ):
        db.create_all(models=[thread], wait=True)


def backups_after(recorder: recorders.Recorder, refusals: int) -> t.Callable[[recorders.Request], recorders.Answer]:
    """An answer function by which a new table has backups after so many refusals."""
    refused = {"__type": "com.amazonaws.dynamodb.v20120810#ContinuousBackupsUnavailableException", "message": "no"}

    def answer(request: recorders.Request) -> recorders.Answer:
        operations = [each.operation for each in recorder.requests]
        if request.operation == "DescribeTable":
            return described("ACTIVE", None) if "CreateTable" in operations else recorders.no_table(request)
        if request.operation == "UpdateContinuousBackups":
            is_refused = operations.count("UpdateContinuousBackups") <= refusals
            return (400, refused) if is_refused else {}
        return None

    return answer


def test_the_backups_of_a_new_table_are_waited_for(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, monkeypatch: t.Any
) -> None:
    """DynamoDB refuses to configure them for some seconds."""
    monkeypatch.setattr("dynaflask.tables.ready.POLL_SECONDS", 0)
    recorder.answer = backups_after(recorder, refusals=2)
    boards.declare_board(db, point_in_time_recovery=True)
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        db.create_all()
    operations = [request.operation for request in recorder.requests]
    assert operations == [
        "DescribeTable",
        "CreateTable",
        "DescribeTable",
        *["UpdateContinuousBackups"] * 3,
    ]


def test_a_refusal_that_goes_on_is_an_error(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, monkeypatch: t.Any
) -> None:
    """The wait for the backups of a new table ends."""
    monkeypatch.setattr("dynaflask.tables.ready.POLL_SECONDS", 0)
    recorder.answer = backups_after(recorder, refusals=10_000)
    boards.declare_board(db, point_in_time_recovery=True)
    app = make_app(host=recorder.url, region="us-east-1", **KEYS)
    with app.app_context(), pytest.raises(TableError, match="UpdateContinuousBackups failed"):
        db.create_all()


@pytest.mark.parametrize(
    "busy",
    [
        [("UPDATING", None), ("ACTIVE", "CREATING")],
        pytest.param([("WARMING", "ACTIVE")], marks=needs_member("TableDescription", "WarmThroughput")),
    ],
)
def test_each_change_waits_for_the_one_before(
    make_app: MakeApp,
    recorder: recorders.Recorder,
    db: dynaflask.Dynamo,
    monkeypatch: t.Any,
    busy: list[tuple[str, str | None]],
) -> None:
    """Before a change, ``sync`` waits until the table and all of its indexes are active, and its throughput is warm."""
    monkeypatch.setattr("dynaflask.tables.ready.POLL_SECONDS", 0.01)
    board = boards.declare_board(db, deletion_protection=True)
    states = [("ACTIVE", None), *busy, ("ACTIVE", "ACTIVE"), ("ACTIVE", "ACTIVE")]

    def answer(request: recorders.Request) -> recorders.Answer:
        return described(*states.pop(0)) if request.operation == "DescribeTable" else None

    recorder.answer = answer
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        assert tables.sync(db.registry, models=[board], wait=True) == {}
    operations = [request.operation for request in recorder.requests]
    assert operations == [*["DescribeTable"] * (2 + len(busy)), "UpdateTable", "DescribeTable"]


def described(state: str, index_state: str | None) -> recorders.Json:
    """The answer of DescribeTable for a board with one index."""
    keys = {"forum": "HASH", "subject": "RANGE"}
    key_schema = [{"AttributeName": name, "KeyType": role} for name, role in keys.items()]
    index = {"IndexName": "byOther", "KeySchema": key_schema, "Projection": {"ProjectionType": "ALL"}}
    table = {
        "TableName": "Board",
        "TableStatus": "ACTIVE" if state == "WARMING" else state,
        "WarmThroughput": {"Status": "UPDATING" if state == "WARMING" else "ACTIVE"},
        "KeySchema": key_schema,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in keys],
        "GlobalSecondaryIndexes": [{**index, "IndexStatus": index_state}] if index_state else [],
    }
    return {"Table": table}
