"""The schema that a table has: on real engines, what is created or changed as declared has no difference."""

from __future__ import annotations

import typing as t

import pytest
from pynamodb.exceptions import TableError

import dynaflask
from dynaflask import tables
from dynaflask.tables.capacity import Capacity
from dynaflask.tables.describe import from_description
from dynaflask.tables.schema import from_models
from tests.support import boards
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.service_model import needs_member
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

DESCRIBED = {
    "KeySchema": [{"AttributeName": "subject", "KeyType": "RANGE"}, {"AttributeName": "forum", "KeyType": "HASH"}],
    "AttributeDefinitions": [
        {"AttributeName": "forum", "AttributeType": "S"},
        {"AttributeName": "subject", "AttributeType": "S"},
    ],
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "dynamodb:*", "Resource": "*"}],
}
# Each engine has a part of DynamoDB.
SETTINGS: dict[str, dict[str, t.Any]] = {
    "ministack": {
        "table_class": "STANDARD_INFREQUENT_ACCESS",
        "sse": "KMS",
        "on_demand_throughput": {"read": 100},
        "point_in_time_recovery": True,
        "resource_policy": POLICY,
        "contributor_insights": True,
    },
    "moto": {
        "warm_throughput": {"read": 13_000},
        "point_in_time_recovery": 7,
        "resource_policy": POLICY,
    },
}
INDEX_SETTINGS: dict[str, dict[str, t.Any]] = {
    "ministack": {"on_demand_throughput": {"write": 50}, "contributor_insights": True},
    "moto": {"warm_throughput": {"write": 5_000}},
}


def what(drift: t.Mapping[tables.Table, t.Sequence[tables.Difference]]) -> list[str]:
    return [difference.what for differences in drift.values() for difference in differences]


@needs_member("PointInTimeRecoverySpecification", "RecoveryPeriodInDays")
@pytest.mark.usefixtures("engine_app")
class TestRealTables:
    """Tables of real engines."""

    @pytest.fixture
    def settings(self, engine: engines.Engine) -> dict[str, t.Any]:
        """The settings that the engine has. DynamoDB has all of them."""
        return SETTINGS.get(engine.name, {**SETTINGS["ministack"], **SETTINGS["moto"]})

    @pytest.fixture
    def index_settings(self, engine: engines.Engine) -> dict[str, t.Any]:
        """The settings of an index that the engine has."""
        return INDEX_SETTINGS.get(engine.name, {**INDEX_SETTINGS["ministack"], **INDEX_SETTINGS["moto"]})

    def test_a_table_is_created_with_all_of_its_settings(
        self, db: dynaflask.Dynamo, settings: dict[str, t.Any], index_settings: dict[str, t.Any]
    ) -> None:
        """A new table has no differences, and neither has its index."""
        attributes = {**boards.everything(), "by_views": boards.make_index("byViews", **index_settings)}
        board = boards.declare_board(db, **settings, attributes=attributes)
        db.create_all(wait=True)
        assert tables.diff(db.registry) == {}
        assert board.exists()

    def test_a_table_gets_all_of_its_settings(self, db: dynaflask.Dynamo, settings: dict[str, t.Any]) -> None:
        """``diff`` names each setting of an existing table, and ``sync`` leaves no difference."""
        boards.declare_board(db).create_table(wait=True)
        board = boards.declare_board(db, **settings)
        names = {
            "table_class": "table class",
            "sse": "encryption",
            "on_demand_throughput": "on-demand throughput",
            "warm_throughput": "warm throughput",
            "point_in_time_recovery": "point-in-time recovery",
            "resource_policy": "resource policy",
            "contributor_insights": "contributor insights",
        }
        assert what(tables.diff(db.registry, models=[board])) == [names[name] for name in names if name in settings]
        assert tables.sync(db.registry, models=[board], wait=True) == {}
        assert tables.diff(db.registry, models=[board]) == {}

    def test_a_new_index_gets_its_settings(self, db: dynaflask.Dynamo, index_settings: dict[str, t.Any]) -> None:
        """``sync`` creates an index with its throughput, and then enables its insights."""
        boards.declare_board(db).create_table(wait=True)
        board = boards.declare_board(db, attributes={"by_views": boards.make_index("byViews", **index_settings)})
        assert what(tables.sync(db.registry, models=[board], wait=True)) == []
        assert tables.diff(db.registry, models=[board]) == {}

    def test_settings_are_taken_back(self, db: dynaflask.Dynamo, engine: engines.Engine) -> None:
        """The values that disable a setting are declared as any other."""
        has_all = engine.name != "moto"
        on: dict[str, t.Any] = {"point_in_time_recovery": True}
        off: dict[str, t.Any] = {"point_in_time_recovery": False}
        if has_all:
            on |= {"sse": "alias/forum", "contributor_insights": True, "on_demand_throughput": {"read": 9, "write": 9}}
            off |= {"sse": "AWS_OWNED", "contributor_insights": False, "on_demand_throughput": {"read": -1}}
        boards.declare_board(db, **on)
        db.create_all(wait=True)
        assert tables.diff(db.registry) == {}
        board = boards.declare_board(db, **off)
        assert len(what(tables.diff(db.registry, models=[board]))) == len(off)
        tables.sync(db.registry, models=[board], wait=True)
        assert tables.diff(db.registry, models=[board]) == {}


def test_the_settings_of_a_bind_are_defaults(
    make_app: MakeApp, ministack: engines.Engine, db: dynaflask.Dynamo
) -> None:
    """Two apps, with one model: each table has the settings of its app, unless the model declares its own."""
    shared = {"on_demand_throughput": {"read": 5}}
    first, second = engines.Account(), engines.Account()
    apps = [
        make_app(name, **settings, **own)
        for name, settings, own in (
            ("bare", lower(ministack.settings(first)), {}),
            ("safe", lower(ministack.settings(second)), {"sse": "KMS", "point_in_time_recovery": True, **shared}),
        )
    ]
    board = boards.declare_board(db, on_demand_throughput={"write": 7})
    maxima, encrypted = [], []
    for app in apps:
        with app.app_context():
            db.create_all(wait=True)
            assert tables.diff(db.registry) == {}
            description = board.describe_table()
            maxima.append(description["OnDemandThroughput"])
            encrypted.append("SSEDescription" in description)
            db.drop_all()
    assert maxima == [{"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 7}] * 2
    assert encrypted == [False, True]


def test_each_tenant_may_have_its_own_key(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> None:
    """The tables of two tenants are encrypted with different keys."""
    tenants = {name: {"table_prefix": f"{name}-", "sse": f"alias/{name}"} for name in ("acme", "globex")}
    settings = {**lower(ministack.settings(account)), "tenants": tenants}
    board = boards.declare_board(db)
    keys = []
    with make_app(**settings).app_context():
        for name in tenants:
            with db.tenant(name):
                db.create_all(wait=True)
                keys.append(board.describe_table()["SSEDescription"]["KMSMasterKeyArn"])
                db.drop_all()
    assert keys == ["alias/acme", "alias/globex"]


def lower(settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {name.removeprefix("DYNAMODB_").lower(): value for name, value in settings.items()}


def test_what_no_model_declares_is_not_read(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """A call that needs another permission is made only for what a model declares."""
    board = boards.declare_board(db)
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        tables.diff(db.registry, models=[board])
    assert [request.operation for request in recorder.requests] == ["DescribeTable"]


def test_an_error_of_a_read_is_an_error(make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo) -> None:
    """Only a missing policy is no policy: a refused call is not."""
    denied = {"__type": "com.amazonaws.dynamodb.v20120810#AccessDeniedException", "message": "no"}
    recorder.answer = lambda request: (
        (400, denied) if request.operation == "GetResourcePolicy" else recorders.plain_answer(request)
    )
    board = boards.declare_board(db, resource_policy=POLICY)
    with (
        make_app(host=recorder.url, region="us-east-1", **KEYS).app_context(),
        pytest.raises(TableError, match="GetResourcePolicy failed"),
    ):
        tables.diff(db.registry, models=[board])


@needs_member("DescribeContributorInsightsOutput", "ContributorInsightsMode")
@pytest.mark.parametrize(
    ("insights", "expected"),
    [
        ({"ContributorInsightsStatus": "ENABLED", "ContributorInsightsMode": "THROTTLED_KEYS"}, []),
        ({"ContributorInsightsStatus": "ENABLING"}, ["contributor insights"]),
        ({"ContributorInsightsStatus": "FAILED"}, ["contributor insights"]),
    ],
)
def test_insights_have_a_mode(
    make_app: MakeApp,
    recorder: recorders.Recorder,
    db: dynaflask.Dynamo,
    insights: dict[str, str],
    expected: list[str],
) -> None:
    """Without a mode, insights have DynamoDB's default. Insights that failed are disabled."""
    recorder.answer = lambda request: (
        insights if request.operation == "DescribeContributorInsights" else recorders.plain_answer(request)
    )
    board = boards.declare_board(db, contributor_insights="THROTTLED_KEYS")
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        drift = what(tables.diff(db.registry, models=[board]))
    assert [part for part in drift if part == "contributor insights"] == expected


def test_a_description_without_billing_summary_is_provisioned() -> None:
    """DynamoDB describes a table without ``BillingModeSummary`` as provisioned; the hash key is put first."""
    schema = from_description(DESCRIBED)
    assert schema.billing_mode == "PROVISIONED"
    assert [key.name for key in schema.keys] == ["forum", "subject"]


def test_zero_units_are_unspecified() -> None:
    """DynamoDB describes an on-demand table with zero units."""
    units = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    assert from_description({**DESCRIBED, "ProvisionedThroughput": units}).capacity == Capacity(None, None)


@pytest.mark.parametrize(
    ("status", "attribute"), [("ENABLED", "ttl"), ("ENABLING", "ttl"), ("DISABLED", None), ("DISABLING", None)]
)
def test_a_disabled_time_to_live_is_none(status: str, attribute: str | None) -> None:
    """DynamoDB names the attribute of a disabled time to live, too."""
    ttl = {"TimeToLiveStatus": status, "AttributeName": "ttl"}
    assert from_description(DESCRIBED, ttl=ttl).ttl_attribute == attribute


def test_a_disabled_stream_is_none() -> None:
    """DynamoDB may name the view type of a disabled stream."""
    stream = {"StreamEnabled": False, "StreamViewType": "NEW_IMAGE"}
    assert from_description({**DESCRIBED, "StreamSpecification": stream}).stream_view_type is None


@pytest.mark.usefixtures("engine_app")
def test_the_order_of_a_projection_is_no_difference(db: dynaflask.Dynamo) -> None:
    """The attributes that an index includes are compared without their order."""
    (index,) = from_models([boards.declare_board(db, attributes=boards.everything())]).global_indexes
    entry: t.Any = index.request()
    entry["Projection"]["NonKeyAttributes"].reverse()
    definitions = [*DESCRIBED["AttributeDefinitions"], {"AttributeName": "views", "AttributeType": "N"}]
    table = {**DESCRIBED, "AttributeDefinitions": definitions, "GlobalSecondaryIndexes": [entry]}
    assert from_description(table).global_indexes[0].shape == index.shape


@pytest.mark.parametrize(
    ("described", "key"),
    [
        (None, "AWS_OWNED"),
        ({"Status": "DISABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn"}, "AWS_OWNED"),
        ({"Status": "ENABLED", "SSEType": "AES256"}, "AWS_OWNED"),
        ({"Status": "UPDATING", "SSEType": "KMS", "KMSMasterKeyArn": "arn"}, "arn"),
        ({"Status": "ENABLED", "SSEType": "KMS"}, "KMS"),
    ],
)
def test_a_table_without_a_key_of_kms_has_dynamodbs(described: t.Any, key: str) -> None:
    """DynamoDB does not describe the encryption by its own key."""
    assert from_description({**DESCRIBED, "SSEDescription": described}).sse == key


def test_a_table_has_the_defaults_of_dynamodb() -> None:
    """Without a class, a maximum and a warm throughput in its description."""
    schema = from_description(DESCRIBED)
    assert (schema.table_class, schema.maximum, schema.warm) == ("STANDARD", (-1, -1), (0, 0))
