"""Where a table differs from what is declared, and what DynamoDB can do about it."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from dynaflask.tables.schema import Capacity
from dynaflask.tables.schema import Index
from dynaflask.tables.schema import Key
from dynaflask.tables.schema import Schema
from dynaflask.tables.schema_diff import Difference
from dynaflask.tables.schema_diff import compare

KEYS = (Key("forum", "HASH", "S"),)
BY_VIEWS = Index("byViews", (Key("views", "HASH", "N"),), ("ALL",))
BY_AUTHOR = Index("byAuthor", (Key("author", "HASH", "S"),), ("ALL",))
BARE = Schema(KEYS)
ON_DEMAND = Schema(KEYS, billing_mode="PAY_PER_REQUEST", deletion_protection=False, tags={})
PROVISIONED = dataclasses.replace(ON_DEMAND, billing_mode="PROVISIONED", capacity=Capacity(3, 2))


def with_(schema: Schema, **values: t.Any) -> Schema:
    return dataclasses.replace(schema, **values)


def only(declared: Schema, actual: Schema | None, **options: t.Any) -> Difference:
    (found,) = compare(declared, actual, **options)
    return found


def index_updates(found: Difference) -> t.Any:
    return found.request["GlobalSecondaryIndexUpdates"]


@pytest.mark.parametrize(
    "actual",
    [
        ON_DEMAND,
        PROVISIONED,
        with_(ON_DEMAND, stream_view_type="NEW_IMAGE", ttl_attribute="ttl", tags={"a": "b"}, deletion_protection=True),
        with_(ON_DEMAND, global_indexes=(BY_VIEWS,), local_indexes=(BY_AUTHOR,)),
    ],
)
def test_what_is_unsaid_is_no_difference(actual: Schema) -> None:
    """Whatever the table has of it."""
    assert compare(BARE, actual) == []


def test_a_missing_table_is_one_difference() -> None:
    """And none that a change could mend."""
    found = only(with_(BARE, ttl_attribute="ttl"), None)
    assert (found.what, found.actual) == ("table", "none")
    assert "flask dynamo create" in found.blocked_reason


@pytest.mark.parametrize("key", [Key("forum", "HASH", "N"), Key("name", "HASH", "S")])
def test_a_key_cannot_be_changed(key: Key) -> None:
    """Neither its name nor its type."""
    found = only(with_(BARE, keys=(key,)), ON_DEMAND)
    assert (found.declared, found.actual) == (str(key), "forum S HASH")
    assert "Only a new table" in found.blocked_reason


@pytest.mark.parametrize("present", [(), (with_(t.cast("t.Any", BY_VIEWS), projection=("KEYS_ONLY",)),)])
def test_a_local_index_cannot_be_changed(present: tuple[Index, ...]) -> None:
    """Neither made nor altered."""
    found = only(with_(BARE, local_indexes=(BY_VIEWS,)), with_(ON_DEMAND, local_indexes=present))
    assert "Only a new table" in found.blocked_reason


def test_a_local_index_that_is_there_is_no_difference() -> None:
    """Nor is another."""
    declared = with_(BARE, local_indexes=(BY_VIEWS,))
    assert compare(declared, with_(ON_DEMAND, local_indexes=(BY_AUTHOR, BY_VIEWS))) == []


class TestBilling:
    """The billing mode and the capacity."""

    def test_a_table_can_become_billed_per_request(self) -> None:
        """What is said of its capacity is left out."""
        declared = with_(PROVISIONED, billing_mode="PAY_PER_REQUEST")
        assert only(declared, PROVISIONED).request == {"BillingMode": "PAY_PER_REQUEST"}

    def test_a_table_can_become_provisioned_with_its_indexes(self) -> None:
        """An index that says nothing of its own gets what the table gets."""
        declared = with_(PROVISIONED, global_indexes=(with_(t.cast("t.Any", BY_VIEWS), capacity=Capacity(read=9)),))
        found = only(declared, with_(ON_DEMAND, global_indexes=(BY_VIEWS, BY_AUTHOR)))
        assert found.request["ProvisionedThroughput"] == {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}
        units = [update["Update"]["ProvisionedThroughput"] for update in index_updates(found)]
        assert [tuple(each.values()) for each in units] == [(9, 2), (3, 2)]

    def test_it_takes_a_capacity(self) -> None:
        """Half of one is not enough."""
        declared = with_(BARE, billing_mode="PROVISIONED", capacity=Capacity(read=1))
        assert "Declare read_capacity_units" in only(declared, ON_DEMAND).blocked_reason

    def test_a_capacity_can_be_changed(self) -> None:
        """The half that is unsaid stays."""
        found = only(with_(BARE, billing_mode="PROVISIONED", capacity=Capacity(read=7)), PROVISIONED)
        assert found.request == {"ProvisionedThroughput": {"ReadCapacityUnits": 7, "WriteCapacityUnits": 2}}

    def test_the_capacity_may_be_left_to_others(self) -> None:
        """As to automatic scaling: PROVISIONED alone says nothing of it."""
        assert compare(with_(BARE, billing_mode="PROVISIONED"), PROVISIONED) == []


class TestGlobalIndexes:
    """The global indexes."""

    def test_a_new_one_can_be_made(self) -> None:
        """The request defines the attributes of all keys."""
        declared = with_(BARE, global_indexes=(BY_VIEWS,))
        found = only(declared, with_(ON_DEMAND, global_indexes=(BY_AUTHOR,)))
        assert [entry["AttributeName"] for entry in found.request["AttributeDefinitions"]] == [
            "forum",
            "author",
            "views",
        ]
        assert "ProvisionedThroughput" not in index_updates(found)[0]["Create"]

    def test_each_is_a_change_of_its_own(self) -> None:
        """DynamoDB makes one at a time, and the later know of the earlier."""
        first, second = compare(with_(BARE, global_indexes=(BY_VIEWS, BY_AUTHOR)), ON_DEMAND)
        assert [len(found.request["AttributeDefinitions"]) for found in (first, second)] == [2, 3]
        assert [len(index_updates(found)) for found in (first, second)] == [1, 1]

    def test_one_of_a_provisioned_table_has_a_capacity(self) -> None:
        """The table's, where it says none."""
        found = only(with_(BARE, global_indexes=(BY_VIEWS,)), PROVISIONED)
        units = index_updates(found)[0]["Create"]["ProvisionedThroughput"]
        assert units == {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}

    def test_its_capacity_can_be_changed(self) -> None:
        """Where the table is provisioned."""
        declared = with_(BARE, global_indexes=(with_(t.cast("t.Any", BY_VIEWS), capacity=Capacity(5, 5)),))
        present = (with_(t.cast("t.Any", BY_VIEWS), capacity=Capacity(1, 1)),)
        found = only(declared, with_(PROVISIONED, global_indexes=present))
        assert index_updates(found)[0]["Update"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
        assert compare(declared, with_(ON_DEMAND, global_indexes=present)) == []

    def test_a_billing_mode_brings_the_capacities_along(self) -> None:
        """They are not changed a second time."""
        declared = with_(PROVISIONED, global_indexes=(with_(t.cast("t.Any", BY_VIEWS), capacity=Capacity(5, 5)),))
        assert only(declared, with_(ON_DEMAND, global_indexes=(BY_VIEWS,))).what == "billing mode"

    @pytest.mark.parametrize(
        "changes", [{"projection": ("KEYS_ONLY",)}, {"keys": BY_AUTHOR.keys}, {"projection": ("INCLUDE", "author")}]
    )
    def test_its_key_and_projection_cannot_be_changed(self, changes: dict[str, t.Any]) -> None:
        """The way is another name."""
        present = (with_(t.cast("t.Any", BY_VIEWS), **changes),)
        found = only(with_(BARE, global_indexes=(BY_VIEWS,)), with_(ON_DEMAND, global_indexes=present))
        assert "under another name" in found.blocked_reason
        assert found.operation == ""

    def test_a_stray_one_goes_on_demand_alone(self) -> None:
        """Another program may read it."""
        declared, actual = (
            with_(BARE, global_indexes=(BY_VIEWS,)),
            with_(ON_DEMAND, global_indexes=(BY_VIEWS, BY_AUTHOR)),
        )
        assert compare(declared, actual) == []
        assert index_updates(only(declared, actual, prune=True)) == [{"Delete": {"IndexName": "byAuthor"}}]

    def test_a_stray_one_goes_first(self) -> None:
        """A new one may need its room, and does not define its attributes."""
        declared, actual = with_(BARE, global_indexes=(BY_VIEWS,)), with_(ON_DEMAND, global_indexes=(BY_AUTHOR,))
        gone, made = compare(declared, actual, prune=True)
        assert "Delete" in index_updates(gone)[0]
        assert {"AttributeName": "author", "AttributeType": "S"} not in made.request["AttributeDefinitions"]


def test_a_stream_can_be_switched_on() -> None:
    """With the view that is declared."""
    found = only(with_(BARE, stream_view_type="NEW_IMAGE"), ON_DEMAND)
    assert found.request == {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}}


def test_the_view_of_a_stream_cannot_be_changed() -> None:
    """A new stream would leave its readers behind."""
    found = only(with_(BARE, stream_view_type="NEW_IMAGE"), with_(ON_DEMAND, stream_view_type="KEYS_ONLY"))
    assert "view type" in found.blocked_reason


def test_a_time_to_live_can_be_switched_on() -> None:
    """By an operation of its own."""
    assert only(with_(BARE, ttl_attribute="ttl"), ON_DEMAND).operation == "UpdateTimeToLive"


def test_the_attribute_of_a_time_to_live_cannot_be_changed() -> None:
    """There is an hour in between."""
    found = only(with_(BARE, ttl_attribute="ttl"), with_(ON_DEMAND, ttl_attribute="expires"))
    assert "an hour" in found.blocked_reason


def test_the_tags_that_are_declared_are_set() -> None:
    """Others are left alone."""
    actual = with_(ON_DEMAND, tags={"team": "shop", "cost": "7", "stays": "yes"})
    found = only(with_(BARE, tags={"team": "forum", "new": "1", "cost": "7"}), actual)
    assert (found.operation, found.declared, found.actual) == ("TagResource", "team=forum, new=1", "team=shop")
    assert [tag["Key"] for tag in found.request["Tags"]] == ["team", "new"]


@pytest.mark.parametrize("declared", [True, False])
def test_deletion_protection_can_be_switched(declared: bool) -> None:
    """Both ways."""
    found = only(with_(BARE, deletion_protection=declared), with_(ON_DEMAND, deletion_protection=not declared))
    assert found.request == {"DeletionProtectionEnabled": declared}


def test_all_that_is_as_declared_is_no_difference() -> None:
    """Each thing that is compared."""
    values = {"stream_view_type": "NEW_IMAGE", "ttl_attribute": "ttl", "tags": {"a": "b"}, "deletion_protection": True}
    same = with_(PROVISIONED, global_indexes=(BY_VIEWS,), **values)
    assert compare(same, same) == []
