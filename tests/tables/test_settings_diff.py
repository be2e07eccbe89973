"""The differences in what a table has beside its keys."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from dynaflask.tables.capacity import Capacity
from dynaflask.tables.difference import Difference
from dynaflask.tables.schema import Index
from dynaflask.tables.schema import Key
from dynaflask.tables.schema import Schema
from dynaflask.tables.schema_diff import compare

KEYS = (Key("forum", "HASH", "S"),)
BARE = Schema(KEYS)
# A table as DynamoDB describes it.
ACTUAL = Schema(
    KEYS,
    billing_mode="PAY_PER_REQUEST",
    table_class="STANDARD",
    sse="AWS_OWNED",
    maximum=Capacity(-1, -1),
    warm=Capacity(12_000, 4_000),
)
INDEX = Index("byViews", (Key("views", "HASH", "N"),), ("ALL",))
ACTUAL_INDEX = dataclasses.replace(INDEX, maximum=Capacity(-1, -1), warm=Capacity(12_000, 4_000), insights="DISABLED")
KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def with_(schema: Schema, **values: t.Any) -> Schema:
    return dataclasses.replace(schema, **values)


def with_index(schema: Schema, index: Index, **values: t.Any) -> Schema:
    return dataclasses.replace(schema, global_indexes=(dataclasses.replace(index, **values),))


def only(declared: Schema, actual: Schema) -> Difference:
    (difference,) = compare(declared, actual)
    return difference


def index_change(difference: Difference) -> t.Any:
    return difference.request["GlobalSecondaryIndexUpdates"][0]["Update"]


def test_what_is_unspecified_is_no_difference() -> None:
    """A table and an index may have any of these settings as long as no model declares them."""
    settings = {"table_class": "STANDARD_INFREQUENT_ACCESS", "sse": KEY_ARN, "maximum": Capacity(1, 1)}
    actual = with_(ACTUAL, **settings, recovery_days=7, resource_policy="{}", insights="THROTTLED_KEYS")
    assert compare(with_index(BARE, INDEX), with_index(actual, ACTUAL_INDEX)) == []


def test_the_table_class_can_be_changed() -> None:
    """The table class is changed in a request of its own."""
    difference = only(with_(BARE, table_class="STANDARD_INFREQUENT_ACCESS"), ACTUAL)
    assert difference.request == {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
    assert compare(with_(BARE, table_class="STANDARD"), ACTUAL) == []


class TestEncryption:
    """The key that encrypts the table."""

    @pytest.mark.parametrize(
        ("declared", "present"),
        [
            ("AWS_OWNED", "AWS_OWNED"),
            ("KMS", KEY_ARN),
            ("alias/forum", KEY_ARN),
            ("arn:aws:kms:eu-west-1:123456789012:alias/forum", KEY_ARN),
            (KEY_ARN, KEY_ARN),
            (KEY_ARN.rpartition("/")[2], KEY_ARN),
        ],
    )
    def test_the_same_key_is_no_difference(self, declared: str, present: str) -> None:
        """An id is the end of its ARN. Only KMS knows which key an alias stands for: any key is it."""
        assert compare(with_(BARE, sse=declared), with_(ACTUAL, sse=present)) == []

    @pytest.mark.parametrize(
        ("declared", "present"),
        [("AWS_OWNED", KEY_ARN), ("KMS", "AWS_OWNED"), ("alias/forum", "AWS_OWNED"), (KEY_ARN, "arn:other")],
    )
    def test_another_key_can_be_set(self, declared: str, present: str) -> None:
        """The request names the key."""
        difference = only(with_(BARE, sse=declared), with_(ACTUAL, sse=present))
        assert difference.request["SSESpecification"]["Enabled"] == (declared != "AWS_OWNED")


class TestMaximum:
    """The most units of an on-demand table."""

    def test_a_maximum_can_be_changed(self) -> None:
        """The units that the models do not specify stay."""
        difference = only(with_(BARE, maximum=Capacity(read=5)), with_(ACTUAL, maximum=Capacity(9, 9)))
        assert difference.request == {"OnDemandThroughput": {"MaxReadRequestUnits": 5, "MaxWriteRequestUnits": 9}}

    def test_a_maximum_can_be_removed(self) -> None:
        """-1 is no maximum, as DynamoDB describes a table without one."""
        assert compare(with_(BARE, maximum=Capacity(-1, -1)), ACTUAL) == []
        difference = only(with_(BARE, maximum=Capacity(-1)), with_(ACTUAL, maximum=Capacity(9, 9)))
        assert difference.declared == "unlimited read, 9 write"

    def test_the_maximum_of_an_index_can_be_changed(self) -> None:
        """A missing index gets it in the request that creates it."""
        declared = with_index(BARE, INDEX, maximum=Capacity(write=5))
        difference = only(declared, with_index(ACTUAL, ACTUAL_INDEX))
        assert index_change(difference)["OnDemandThroughput"] == {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 5}
        creation = only(declared, ACTUAL).request["GlobalSecondaryIndexUpdates"][0]["Create"]
        assert creation["OnDemandThroughput"] == {"MaxWriteRequestUnits": 5}

    def test_a_provisioned_table_has_no_maximum(self) -> None:
        """The setting is ignored, also for a table that becomes provisioned."""
        declared = with_index(with_(BARE, maximum=Capacity(5, 5)), INDEX, maximum=Capacity(5, 5))
        provisioned = with_index(with_(ACTUAL, billing_mode="PROVISIONED", capacity=Capacity(1, 1)), ACTUAL_INDEX)
        assert compare(declared, provisioned) == []
        becoming = with_(declared, billing_mode="PROVISIONED", capacity=Capacity(1, 1))
        assert only(becoming, with_index(ACTUAL, ACTUAL_INDEX)).what == "billing mode"


class TestWarmThroughput:
    """The units that a table serves at once."""

    def test_it_can_be_raised(self) -> None:
        """The units that are declared lower than they are stay: DynamoDB does not reduce them."""
        difference = only(with_(BARE, warm=Capacity(15_000, 1)), ACTUAL)
        assert difference.request == {
            "WarmThroughput": {"ReadUnitsPerSecond": 15_000, "WriteUnitsPerSecond": 4_000},
        }

    def test_more_than_declared_is_no_difference(self) -> None:
        """DynamoDB raises it as the traffic grows."""
        assert compare(with_(BARE, warm=Capacity(12_000, 3_000)), ACTUAL) == []

    def test_that_of_an_index_can_be_raised(self) -> None:
        """A missing index gets it in the request that creates it."""
        declared = with_index(BARE, INDEX, warm=Capacity(write=5_000))
        difference = only(declared, with_index(ACTUAL, ACTUAL_INDEX))
        assert index_change(difference)["WarmThroughput"] == {
            "ReadUnitsPerSecond": 12_000,
            "WriteUnitsPerSecond": 5_000,
        }
        creation = only(declared, ACTUAL).request["GlobalSecondaryIndexUpdates"][0]["Create"]
        assert creation["WarmThroughput"] == {"WriteUnitsPerSecond": 5_000}


class TestRecovery:
    """Point-in-time recovery."""

    @pytest.mark.parametrize(
        ("days", "present", "specification"),
        [
            (35, 0, {"PointInTimeRecoveryEnabled": True}),
            (35, 7, {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 35}),
            (7, 0, {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7}),
            (7, 35, {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7}),
            (0, 35, {"PointInTimeRecoveryEnabled": False}),
        ],
    )
    def test_the_days_can_be_changed(self, days: int, present: int, specification: dict[str, t.Any]) -> None:
        """0 days disable it. 35 days are DynamoDB's default: older releases of botocore know no others."""
        difference = only(with_(BARE, recovery_days=days), with_(ACTUAL, recovery_days=present))
        assert difference.operation == "UpdateContinuousBackups"
        assert difference.request == {"PointInTimeRecoverySpecification": specification}

    def test_disabled_is_as_unspecified(self) -> None:
        """A table without recovery has 0 days."""
        assert compare(with_(BARE, recovery_days=0), ACTUAL) == []


def test_a_policy_is_compared_as_json() -> None:
    """Spaces and the order of keys are no difference."""
    policy = {"Version": "2012-10-17", "Statement": []}
    text = json.dumps(policy)
    spaced = json.dumps(dict(reversed(policy.items())), indent=4)
    assert compare(with_(BARE, resource_policy=text), with_(ACTUAL, resource_policy=spaced)) == []
    for present in (None, "{}"):
        difference = only(with_(BARE, resource_policy=text), with_(ACTUAL, resource_policy=present))
        assert (difference.operation, difference.request) == ("PutResourcePolicy", {"Policy": text})


class TestInsights:
    """Contributor Insights."""

    @pytest.mark.parametrize(
        ("declared", "present", "request_"),
        [
            (
                "THROTTLED_KEYS",
                "DISABLED",
                {"ContributorInsightsAction": "ENABLE", "ContributorInsightsMode": "THROTTLED_KEYS"},
            ),
            ("ACCESSED_AND_THROTTLED_KEYS", "DISABLED", {"ContributorInsightsAction": "ENABLE"}),
            (
                "ACCESSED_AND_THROTTLED_KEYS",
                "THROTTLED_KEYS",
                {"ContributorInsightsAction": "ENABLE", "ContributorInsightsMode": "ACCESSED_AND_THROTTLED_KEYS"},
            ),
            ("DISABLED", "THROTTLED_KEYS", {"ContributorInsightsAction": "DISABLE"}),
        ],
    )
    def test_they_can_be_changed(self, declared: str, present: str, request_: dict[str, str]) -> None:
        """The mode is set where they are enabled, unless DynamoDB's default is enough."""
        difference = only(with_(BARE, insights=declared), with_(ACTUAL, insights=present))
        assert (difference.operation, difference.request) == ("UpdateContributorInsights", request_)

    def test_those_of_an_index_can_be_changed(self) -> None:
        """The insights of an existing index are changed. A missing index is created before."""
        declared = with_index(BARE, INDEX, insights="THROTTLED_KEYS")
        assert only(declared, with_index(ACTUAL, ACTUAL_INDEX)).request["IndexName"] == "byViews"
        creation, insights = compare(declared, ACTUAL)
        assert creation.what == "global index 'byViews'"
        assert insights.what == "contributor insights of global index 'byViews'"
