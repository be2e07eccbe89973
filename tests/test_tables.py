"""Create and drop the tables of an app's models."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import KeysOnlyProjection

import dynaflask
import engines
import models
import recorder as recorders

Make = t.Callable[..., flask.Flask]
THREE_TWO = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}
KEYS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}


@pytest.fixture
def app(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> t.Iterator[flask.Flask]:
    """An app on a real engine, with a second bind in another region."""
    app = flask.Flask("app")
    app.config.from_mapping(engine.settings(account))
    app.config["DYNAMODB_BINDS"] = {"eu": {"region": "eu-west-1"}}
    db.init_app(app)
    with app.app_context():
        yield app
        db.drop_all(wait=True)


@pytest.fixture
def declared(db: dynaflask.Dynamo) -> list[t.Any]:
    """A model on the default bind, and one on the bind eu."""

    class Session(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Session"
            billing_mode = "PAY_PER_REQUEST"
            bind_key = "eu"

        key = UnicodeAttribute(hash_key=True)
        expires = TTLAttribute(null=True)

    return [models.declare_thread(db), Session]


def exist(declared: list[t.Any]) -> list[bool]:
    return [model.exists() for model in declared]


@pytest.mark.usefixtures("app")
class TestAll:
    """``create_all`` and ``drop_all`` on a real engine."""

    def test_every_model_gets_its_table(self, db: dynaflask.Dynamo, declared: list[t.Any]) -> None:
        """Each on its own bind, ready for use."""
        db.create_all(wait=True)
        assert exist(declared) == [True, True]
        assert "Session" not in "".join(db.connection.list_tables()["TableNames"])

    def test_it_may_be_called_again(self, db: dynaflask.Dynamo, declared: list[t.Any]) -> None:
        """What exists is left as it is, also a time to live, which DynamoDB takes once."""
        db.create_all(wait=True)
        db.create_all(wait=True)
        db.drop_all(wait=True)
        db.drop_all(wait=True)
        assert exist(declared) == [False, False]

    def test_it_may_be_limited_to_a_bind(self, db: dynaflask.Dynamo, declared: list[t.Any]) -> None:
        """The others' tables are not touched."""
        db.create_all("eu", wait=True)
        assert exist(declared) == [False, True]
        db.drop_all("default", wait=True)
        assert exist(declared) == [False, True]

    def test_it_may_be_limited_to_models(self, db: dynaflask.Dynamo, declared: list[t.Any]) -> None:
        """The others' tables are not touched."""
        db.create_all(models=declared[:1], wait=True)
        assert exist(declared) == [True, False]

    def test_an_unknown_bind_is_an_error(self, db: dynaflask.Dynamo) -> None:
        """Nothing is created by a misspelt key."""
        with pytest.raises(dynaflask.UnknownBind):
            db.create_all("mars")

    def test_the_time_to_live_is_switched_on(self, db: dynaflask.Dynamo, declared: list[t.Any]) -> None:
        """DynamoDB knows the attribute."""
        db.create_all()
        name = declared[1].Meta.table_name
        answer = db.get_client("eu").describe_time_to_live(TableName=name)
        assert answer["TimeToLiveDescription"]["AttributeName"] == "expires"

    def test_models_on_one_table_make_it_together(self, db: dynaflask.Dynamo) -> None:
        """The table of a single-table design has the indexes of all of them."""

        class NameIndex(GlobalSecondaryIndex[t.Any]):
            class Meta:
                index_name = "byName"
                projection = KeysOnlyProjection()

            name = UnicodeAttribute(hash_key=True)

        class Thread(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                table_name = "Board"
                billing_mode = "PAY_PER_REQUEST"
                stream_view_type = "NEW_IMAGE"

            forum_name = UnicodeAttribute(hash_key=True)
            subject = UnicodeAttribute(range_key=True)

        class User(Thread):
            class Meta:
                table_name = "Board"

            name = UnicodeAttribute()
            by_name = NameIndex()

        db.create_all(wait=True)
        table = Thread.describe_table()
        assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["byName"]
        assert table["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"


@pytest.mark.parametrize(
    ("meta", "billing"),
    [
        ({"billing_mode": None}, {"BillingMode": "PAY_PER_REQUEST"}),
        (
            {"billing_mode": None, "read_capacity_units": 3, "write_capacity_units": 2},
            {"ProvisionedThroughput": THREE_TWO},
        ),
    ],
)
def test_a_table_is_billed_per_request_unless_its_capacity_is_said(
    make_app: Make, recorder: recorders.Recorder, db: dynaflask.Dynamo, meta: dict[str, t.Any], billing: t.Any
) -> None:
    """PynamoDB alone would ask for a provisioned table of no capacity."""
    thread = models.declare_thread(db, **meta)
    recorder.answer = missing_at_first
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        thread.create_table()
    body = recorder.requests[1].body
    assert {name: body[name] for name in ("BillingMode", "ProvisionedThroughput") if name in body} == billing


def test_models_on_one_table_share_what_the_first_says(
    make_app: Make, recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """Two classes of one table without a stream make a table without one."""
    kept = [models.declare_thread(db), type(db.Model)("User", (models.declare_thread(db),), {"__module__": __name__})]
    recorder.answer = missing_at_first
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        db.create_all(models=kept)
    assert "StreamSpecification" not in recorder.requests[1].body


def missing_at_first(request: recorders.Request) -> recorders.Answer:
    """No table is there."""
    if request.operation != "DescribeTable":
        return None
    return 400, {"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "message": "no"}


def test_it_waits_until_the_tables_can_be_used(
    make_app: Make, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo, monkeypatch: t.Any
) -> None:
    """A table that is being created or deleted is asked for again."""
    monkeypatch.setattr("dynaflask.tables.POLL_SECONDS", 0.01)
    states = iter([None, None, "CREATING", "CREATING", "ACTIVE", "ACTIVE", "DELETING", None])

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


def test_two_apps_create_each_their_own(
    make_app: Make, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
) -> None:
    """No call of the one goes to the other's account."""
    for name, key in (("us-west-2", "US"), ("eu-west-1", "EU")):
        with make_app(name, host=recorder.url, region=name, **{**KEYS, "aws_access_key_id": key}).app_context():
            db.drop_all()
    assert {(request.region, request.access_key_id) for request in recorder.requests} == {
        ("us-west-2", "US"),
        ("eu-west-1", "EU"),
    }
    assert thread_model is not None
