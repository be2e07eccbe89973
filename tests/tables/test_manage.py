"""Create and drop the tables of an app's models."""

from __future__ import annotations

import typing as t

import pytest
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import TableDoesNotExist
from pynamodb.exceptions import TableError
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import KeysOnlyProjection

import dynaflask
from dynaflask import ConfigurationError
from dynaflask import tables
from tests.support import boards
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

THREE_TWO = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}


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


@pytest.mark.usefixtures("engine_app")
class TestAll:
    """``create_all`` and ``drop_all`` on a real engine."""

    def test_every_model_gets_its_table(self, db: dynaflask.Dynamo, declared: list[t.Any]) -> None:
        """Each table is created on its model's bind, and is ready for use when ``wait`` returns."""
        db.create_all(wait=True)
        assert exist(declared) == [True, True]
        name = declared[1]._get_connection().table_name
        assert db.get_connection("eu").describe_table(name)["TableName"] == name
        with pytest.raises(TableDoesNotExist):
            db.connection.describe_table(name)

    def test_it_may_be_called_again(self, db: dynaflask.Dynamo, declared: list[t.Any]) -> None:
        """A second ``create_all`` leaves the tables as they are, and a second ``drop_all`` does nothing."""
        db.create_all(wait=True)
        db.create_all(wait=True)
        db.drop_all(wait=True)
        db.drop_all(wait=True)
        assert exist(declared) == [False, False]

    def test_it_may_be_limited_to_a_bind(self, db: dynaflask.Dynamo, declared: list[t.Any]) -> None:
        """With a bind key, only the tables of models on that bind are created or dropped."""
        db.create_all("eu", wait=True)
        assert exist(declared) == [False, True]
        db.drop_all("default", wait=True)
        assert exist(declared) == [False, True]

    def test_it_may_be_limited_to_models(self, db: dynaflask.Dynamo, declared: list[t.Any]) -> None:
        """With ``models``, only the tables of those models are created."""
        db.create_all(models=declared[:1], wait=True)
        assert exist(declared) == [True, False]

    def test_an_unknown_bind_is_an_error(self, db: dynaflask.Dynamo) -> None:
        """A bind key that the app does not have is an error, and creates nothing."""
        with pytest.raises(dynaflask.UnknownBind):
            db.create_all("mars")

    def test_the_time_to_live_is_enabled(self, db: dynaflask.Dynamo, declared: list[t.Any]) -> None:
        """A ``TTLAttribute`` enables the time to live of a new table."""
        db.create_all()
        name = declared[1].Meta.table_name
        answer = db.get_client("eu").describe_time_to_live(TableName=name)
        assert answer["TimeToLiveDescription"]["AttributeName"] == "expires"

    def test_models_on_one_table_declare_it_together(self, db: dynaflask.Dynamo) -> None:
        """The table of several models has the indexes of all of them."""

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


@pytest.mark.parametrize("create", ["create_all", "create_table"])
@pytest.mark.parametrize("attributes", [{}, {"range": UnicodeAttribute(range_key=True)}], ids=["no key", "range key"])
def test_a_model_without_a_hash_key_has_no_table(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, create: str, attributes: t.Any
) -> None:
    """Creating it is refused before any table is created. A base class of models needs no key, and has no table."""
    recorder.answer = lambda request: (400, {"__type": "ResourceNotFoundException", "message": "no"})
    base = type("Base", (db.Model,), {"text": UnicodeAttribute(null=True)})
    models.declare_thread(db)
    keyless = type("Keyless", (base,), {"Meta": type("Meta", (), {"table_name": "Keyless"}), **attributes})
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        call = db.create_all if create == "create_all" else t.cast("t.Any", keyless).create_table
        with pytest.raises(ConfigurationError, match="Keyless declares no hash key, which each table needs"):
            call()
    assert {request.operation for request in recorder.requests} == {"DescribeTable"}


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
def test_a_table_is_on_demand_unless_it_has_a_capacity(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, meta: dict[str, t.Any], billing: t.Any
) -> None:
    """Without a billing mode, capacity units make a table provisioned, and no units make it on-demand."""
    thread = models.declare_thread(db, **meta)
    recorder.answer = recorders.no_table
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        thread.create_table()
    body = recorder.requests[1].body
    assert {name: body[name] for name in ("BillingMode", "ProvisionedThroughput") if name in body} == billing


def test_create_all_without_models_says_so(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, caplog: pytest.LogCaptureFixture
) -> None:
    """Of two apps, the one without models logs a warning: it may have forgotten to import them."""
    empty, app = (
        make_app(name, host=recorder.url, region="us-east-1", allowed_models=allowed, **KEYS)
        for name, allowed in (("empty", []), ("app", None))
    )
    thread = models.declare_thread(db)
    with app.app_context():
        db.create_all()
    assert (thread.__name__, caplog.records) == ("Thread", [])
    with empty.app_context():
        db.create_all()
    assert "This app has no models. Import their modules" in caplog.text


def test_a_value_that_no_model_declares_is_not_requested(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """Two models of one table that declare no stream create a table without a stream."""
    declared = [
        models.declare_thread(db),
        type(db.Model)("User", (models.declare_thread(db),), {"__module__": __name__}),
    ]
    recorder.answer = recorders.no_table
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        db.create_all(models=declared)
    assert "StreamSpecification" not in recorder.requests[1].body


def test_another_process_may_be_faster(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
) -> None:
    """A table that another process creates or drops in between is no error; any other refusal is one."""
    codes = {"CreateTable": "ResourceInUseException", "DeleteTable": "ResourceNotFoundException"}
    exists = False

    def answer(request: recorders.Request) -> recorders.Answer:
        if request.operation in codes:
            code = codes[request.operation]
            return 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}
        if exists:
            return {"Table": {"TableName": "Thread", "TableStatus": "ACTIVE"}}
        return recorders.no_table(request)

    recorder.answer = answer
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        [table] = tables.find_tables(db.registry, models=[thread_model])
        assert tables.create([table]) == []
        exists = True
        assert tables.drop([table]) == []
        codes["DeleteTable"] = "ResourceInUseException"
        with pytest.raises(TableError, match="DeleteTable failed"):
            tables.drop([table])


def test_two_apps_drop_their_own_tables(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
) -> None:
    """The calls of each app go to its own region, with its own credentials."""
    for name, key in (("us-west-2", "US"), ("eu-west-1", "EU")):
        with make_app(name, host=recorder.url, region=name, **{**KEYS, "aws_access_key_id": key}).app_context():
            db.drop_all()
    assert {(request.region, request.access_key_id) for request in recorder.requests} == {
        ("us-west-2", "US"),
        ("eu-west-1", "EU"),
    }
    assert thread_model is not None


def test_the_tables_of_no_tenant_are_no_tenants_to_create_or_drop(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """For a tenant, ``create_all`` leaves out models with ``Meta.tenant = False``, and ``drop_all`` does, too."""
    boards.declare_board(db)
    plan = boards.declare_board(db, name="Plan", table_name="Plan", tenant=False)
    app = make_app(host=recorder.url, region="us-east-1", tenants={"acme": {"table_prefix": "a-"}}, **KEYS)
    with app.app_context():
        with db.tenant("acme"):
            db.create_all()
            db.drop_all()
            assert {request.body["TableName"] for request in recorder.requests} == {"a-Board"}
            recorder.requests.clear()
            with pytest.raises(dynaflask.TenantMismatch, match="Deleting the table of Plan for 'acme'"):
                db.drop_all(models=[plan])
            assert recorder.requests == []
        db.drop_all(models=[plan])
        assert {request.body["TableName"] for request in recorder.requests} == {"Plan"}
