"""Create, drop, compare and change the tables of an app's models."""

from __future__ import annotations

import typing as t

import flask
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
from tests.support import engines
from tests.support import models
from tests.support import recorder as recorders
from tests.support.service_model import needs_member
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

THREE_TWO = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}


@pytest.fixture
def app(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> t.Iterator[flask.Flask]:
    """An app on a real engine, with a second bind in another region."""
    with engine.app(account, db, DYNAMODB_BINDS={"eu": {"region": "eu-west-1"}}) as app:
        yield app


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
    recorder.answer = no_table
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
    recorder.answer = no_table
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        db.create_all(models=declared)
    assert "StreamSpecification" not in recorder.requests[1].body


def no_table(request: recorders.Request) -> recorders.Answer:
    """An answer function by which no table exists."""
    if request.operation != "DescribeTable":
        return None
    return 400, {"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "message": "no"}


def test_wait_polls_until_the_tables_are_ready(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo, monkeypatch: t.Any
) -> None:
    """``wait`` asks again while a table is being created or deleted."""
    monkeypatch.setattr("dynaflask.tables.manage.POLL_SECONDS", 0.01)
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
    monkeypatch.setattr("dynaflask.tables.manage.POLL_SECONDS", 0)
    states = iter([None])

    def answer(request: recorders.Request) -> recorders.Answer:
        if state is None or next(states, state) is None:
            return no_table(request)
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
            return described("ACTIVE", None) if "CreateTable" in operations else no_table(request)
        if request.operation == "UpdateContinuousBackups":
            is_refused = operations.count("UpdateContinuousBackups") <= refusals
            return (400, refused) if is_refused else {}
        return None

    return answer


def test_the_backups_of_a_new_table_are_waited_for(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, monkeypatch: t.Any
) -> None:
    """DynamoDB refuses to configure them for some seconds."""
    monkeypatch.setattr("dynaflask.tables.manage.POLL_SECONDS", 0)
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
    monkeypatch.setattr("dynaflask.tables.manage.POLL_SECONDS", 0)
    recorder.answer = backups_after(recorder, refusals=10_000)
    boards.declare_board(db, point_in_time_recovery=True)
    app = make_app(host=recorder.url, region="us-east-1", **KEYS)
    with app.app_context(), pytest.raises(TableError, match="UpdateContinuousBackups failed"):
        db.create_all()


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
        return no_table(request)

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


EVERY_SETTING: dict[str, t.Any] = {
    **boards.PROVISIONED,
    "stream_view_type": "NEW_IMAGE",
    "tags": {"team": "forum"},
    "deletion_protection": True,
}


def what(drift: t.Mapping[tables.Table, t.Sequence[tables.Difference]]) -> list[str]:
    """What differs, for all tables."""
    return [difference.what for differences in drift.values() for difference in differences]


@pytest.fixture
def unprotected(db: dynaflask.Dynamo, app: flask.Flask) -> t.Iterator[None]:
    """Disables the deletion protection of the board after the test, so that the board can be dropped."""
    yield
    board = boards.declare_board(db, deletion_protection=False)
    tables.sync(db.registry, models=[board])


@pytest.mark.usefixtures("app", "unprotected")
class TestSync:
    """``status``, ``diff`` and ``sync`` on a real engine."""

    def test_a_table_is_created_as_declared(self, db: dynaflask.Dynamo) -> None:
        """A table that was just created has no differences, with every setting declared."""
        board = boards.declare_board(db, **EVERY_SETTING, attributes=boards.everything())
        db.create_all(wait=True)
        assert tables.diff(db.registry) == {}
        assert board.exists()

    def test_everything_that_can_be_changed_is(self, db: dynaflask.Dynamo) -> None:
        """``sync`` makes every change that DynamoDB can make in place, and no difference remains."""
        boards.declare_board(db).create_table(wait=True)
        attributes = {**boards.everything(), "two": boards.make_index("byTwo", key="two")}
        board = boards.declare_board(db, **EVERY_SETTING, attributes=attributes)
        assert what(tables.diff(db.registry, models=[board])) == [
            "billing mode",
            "global index 'byViews'",
            "global index 'byTwo'",
            "stream",
            "time to live",
            "tags",
            "deletion protection",
        ]
        assert tables.sync(db.registry, models=[board], wait=True) == {}
        assert tables.diff(db.registry, models=[board]) == {}

    def test_what_cannot_be_changed_remains(self, db: dynaflask.Dynamo) -> None:
        """``sync`` returns the differences that DynamoDB cannot change, and makes the other changes."""
        boards.declare_board(db).create_table(wait=True)
        attributes = {"lo": boards.make_local_index("lo")}
        board = boards.declare_board(db, deletion_protection=True, attributes=attributes)
        remaining = tables.sync(db.registry, models=[board], wait=True)
        assert what(remaining) == what(tables.diff(db.registry, models=[board])) == ["local index 'lo'"]

    def test_an_index_that_no_model_declares_can_be_pruned(self, db: dynaflask.Dynamo) -> None:
        """Only ``prune`` deletes an index, and only one that no model on the table declares."""
        boards.declare_board(db, attributes=boards.everything()).create_table(wait=True)
        board = boards.declare_board(db)
        other = boards.declare_board(db, name="Post", attributes=boards.everything())
        assert tables.diff(db.registry, models=[board], prune=True) == {}
        del other
        other = boards.declare_board(db, name="Post")
        assert tables.sync(db.registry, models=[board]) == {}
        assert "GlobalSecondaryIndexes" in board.describe_table()
        tables.sync(db.registry, models=[board, other], prune=True, wait=True)
        assert not board.describe_table().get("GlobalSecondaryIndexes")

    def test_sync_does_not_create_tables(self, db: dynaflask.Dynamo) -> None:
        """A missing table remains as a difference."""
        board = boards.declare_board(db)
        assert what(tables.sync(db.registry, wait=True)) == ["table"]
        assert not board.exists()

    def test_the_status_has_every_table(self, db: dynaflask.Dynamo) -> None:
        """The status has missing tables, too, and the item count and models of existing ones."""
        board = boards.declare_board(db)
        (missing,) = tables.status(db.registry)
        db.create_all(wait=True)
        board("flask", "hello").save()
        (present,) = tables.status(db.registry)
        assert (missing.state, missing.items, [difference.what for difference in missing.differences]) == (
            None,
            0,
            ["table"],
        )
        assert (present.state, present.items, present.differences) == ("ACTIVE", 1, [])
        assert present.table.models == (board,)

    def test_a_protected_table_is_not_dropped(self, db: dynaflask.Dynamo) -> None:
        """``drop_all`` does not disable deletion protection: DynamoDB's refusal is the error."""
        board = boards.declare_board(db, deletion_protection=True)
        db.create_all(wait=True)
        assert [status.is_protected for status in tables.status(db.registry)] == [True]
        with pytest.raises(TableError, match="DeleteTable failed for table test-.* \\(bind default, us-east-1, http"):
            db.drop_all()
        assert board.exists()


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
    monkeypatch.setattr("dynaflask.tables.manage.POLL_SECONDS", 0.01)
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


def test_tags_are_read_from_all_pages(make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo) -> None:
    """A tag on the second page of ``ListTagsOfResource`` is known."""
    pages = iter([{"Tags": [{"Key": "a", "Value": "1"}], "NextToken": "more"}, {"Tags": [{"Key": "b", "Value": "2"}]}])
    recorder.answer = lambda request: (
        next(pages) if request.operation == "ListTagsOfResource" else recorders.plain_answer(request)
    )
    board = boards.declare_board(db, tags={"a": "1", "b": "2"})
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        assert "tags" not in what(tables.diff(db.registry, models=[board]))
    assert recorder.requests[-1].body["NextToken"] == "more"


def test_two_apps_change_their_own_tables(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> None:
    """A setting of one app for a model does not change the other app's table."""
    board = boards.declare_board(db)
    shared = {name.removeprefix("DYNAMODB_").lower(): value for name, value in ministack.settings(account).items()}
    ours = make_app("ours", **shared)
    theirs = make_app("theirs", **{**shared, "region": "eu-west-1"}, models={"Board": {"deletion_protection": True}})
    for app in (ours, theirs):
        with app.app_context():
            board.create_table(wait=True)
    with theirs.app_context():
        assert what(tables.diff(db.registry)) == ["deletion protection"]
        tables.sync(db.registry)
    with ours.app_context():
        assert not board.describe_table()["DeletionProtectionEnabled"]
        db.drop_all()
    with theirs.app_context():
        assert board.describe_table()["DeletionProtectionEnabled"]


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
