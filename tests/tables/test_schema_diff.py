"""The differences between a table and what its models declare, and the requests that remove them."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from dynaflask.tables.capacity import Capacity
from dynaflask.tables.difference import Difference
from dynaflask.tables.schema import Index
from dynaflask.tables.schema import Key
from dynaflask.tables.schema import Schema
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
    (difference,) = compare(declared, actual, **options)
    return difference


def index_updates(difference: Difference) -> t.Any:
    return difference.request["GlobalSecondaryIndexUpdates"]


@pytest.mark.parametrize(
    "actual",
    [
        ON_DEMAND,
        PROVISIONED,
        with_(ON_DEMAND, stream_view_type="NEW_IMAGE", ttl_attribute="ttl", tags={"a": "b"}, deletion_protection=True),
        with_(ON_DEMAND, global_indexes=(BY_VIEWS,), local_indexes=(BY_AUTHOR,)),
    ],
)
def test_what_is_unspecified_is_no_difference(actual: Schema) -> None:
    """A schema that specifies only its keys has no differences from any table with those keys."""
    assert compare(BARE, actual) == []


def test_a_missing_table_is_one_difference() -> None:
    """A missing table is the only difference, and its reason says how to create it."""
    difference = only(with_(BARE, ttl_attribute="ttl"), None)
    assert (difference.what, difference.actual) == ("table", "none")
    assert "flask dynamo create" in difference.blocked_reason


@pytest.mark.parametrize("key", [Key("forum", "HASH", "N"), Key("name", "HASH", "S")])
def test_a_key_cannot_be_changed(key: Key) -> None:
    """A key with another name or another type needs a new table."""
    difference = only(with_(BARE, keys=(key,)), ON_DEMAND)
    assert (difference.declared, difference.actual) == (str(key), "forum S HASH")
    assert "Only a new table" in difference.blocked_reason


@pytest.mark.parametrize("present", [(), (with_(t.cast("t.Any", BY_VIEWS), projection=("KEYS_ONLY",)),)])
def test_a_local_index_cannot_be_changed(present: tuple[Index, ...]) -> None:
    """A local index that is missing or different needs a new table."""
    difference = only(with_(BARE, local_indexes=(BY_VIEWS,)), with_(ON_DEMAND, local_indexes=present))
    assert "Only a new table" in difference.blocked_reason


def test_a_local_index_as_declared_is_no_difference() -> None:
    """A local index as declared is no difference, and neither is one that no model declares."""
    declared = with_(BARE, local_indexes=(BY_VIEWS,))
    assert compare(declared, with_(ON_DEMAND, local_indexes=(BY_AUTHOR, BY_VIEWS))) == []


class TestBilling:
    """The billing mode and the capacity."""

    def test_a_table_can_become_on_demand(self) -> None:
        """The request for on-demand billing has no capacity, although the models declare one."""
        declared = with_(PROVISIONED, billing_mode="PAY_PER_REQUEST")
        assert only(declared, PROVISIONED).request == {"BillingMode": "PAY_PER_REQUEST"}

    def test_a_table_can_become_provisioned_with_its_indexes(self) -> None:
        """The request has the capacity of every index; an index without its own gets the table's."""
        declared = with_(PROVISIONED, global_indexes=(with_(t.cast("t.Any", BY_VIEWS), capacity=Capacity(read=9)),))
        difference = only(declared, with_(ON_DEMAND, global_indexes=(BY_VIEWS, BY_AUTHOR)))
        assert difference.request["ProvisionedThroughput"] == {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}
        units = [update["Update"]["ProvisionedThroughput"] for update in index_updates(difference)]
        assert [tuple(each.values()) for each in units] == [(9, 2), (3, 2)]

    def test_provisioned_billing_needs_a_capacity(self) -> None:
        """Read units without write units block the change, and the reason says what to declare."""
        declared = with_(BARE, billing_mode="PROVISIONED", capacity=Capacity(read=1))
        assert "Declare read_capacity_units" in only(declared, ON_DEMAND).blocked_reason

    def test_a_capacity_can_be_changed(self) -> None:
        """A change of the read units keeps the write units that the models do not specify."""
        difference = only(with_(BARE, billing_mode="PROVISIONED", capacity=Capacity(read=7)), PROVISIONED)
        assert difference.request == {"ProvisionedThroughput": {"ReadCapacityUnits": 7, "WriteCapacityUnits": 2}}

    def test_an_unspecified_capacity_is_no_difference(self) -> None:
        """PROVISIONED without units leaves the capacity to auto scaling."""
        assert compare(with_(BARE, billing_mode="PROVISIONED"), PROVISIONED) == []


class TestGlobalIndexes:
    """The global secondary indexes."""

    def test_a_missing_index_can_be_created(self) -> None:
        """The request defines the attributes of all keys, also those of existing indexes."""
        declared = with_(BARE, global_indexes=(BY_VIEWS,))
        difference = only(declared, with_(ON_DEMAND, global_indexes=(BY_AUTHOR,)))
        assert [entry["AttributeName"] for entry in difference.request["AttributeDefinitions"]] == [
            "forum",
            "author",
            "views",
        ]
        assert "ProvisionedThroughput" not in index_updates(difference)[0]["Create"]

    def test_each_index_is_a_request_of_its_own(self) -> None:
        """DynamoDB creates one index at a time; a later request defines the attributes of the earlier ones, too."""
        first, second = compare(with_(BARE, global_indexes=(BY_VIEWS, BY_AUTHOR)), ON_DEMAND)
        assert [len(difference.request["AttributeDefinitions"]) for difference in (first, second)] == [2, 3]
        assert [len(index_updates(difference)) for difference in (first, second)] == [1, 1]

    def test_a_new_index_of_a_provisioned_table_has_a_capacity(self) -> None:
        """An index without its own capacity is created with the table's."""
        difference = only(with_(BARE, global_indexes=(BY_VIEWS,)), PROVISIONED)
        units = index_updates(difference)[0]["Create"]["ProvisionedThroughput"]
        assert units == {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}

    def test_the_capacity_of_an_index_can_be_changed(self) -> None:
        """The capacity of an index is compared if the table is provisioned, and ignored if it is on-demand."""
        declared = with_(BARE, global_indexes=(with_(t.cast("t.Any", BY_VIEWS), capacity=Capacity(5, 5)),))
        present = (with_(t.cast("t.Any", BY_VIEWS), capacity=Capacity(1, 1)),)
        difference = only(declared, with_(PROVISIONED, global_indexes=present))
        assert index_updates(difference)[0]["Update"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
        assert compare(declared, with_(ON_DEMAND, global_indexes=present)) == []

    def test_a_change_of_billing_sets_the_capacities_of_indexes(self) -> None:
        """A change to provisioned billing is one difference, with no second one for an index's capacity."""
        declared = with_(PROVISIONED, global_indexes=(with_(t.cast("t.Any", BY_VIEWS), capacity=Capacity(5, 5)),))
        assert only(declared, with_(ON_DEMAND, global_indexes=(BY_VIEWS,))).what == "billing mode"

    @pytest.mark.parametrize(
        "changes", [{"projection": ("KEYS_ONLY",)}, {"keys": BY_AUTHOR.keys}, {"projection": ("INCLUDE", "author")}]
    )
    def test_the_key_and_projection_of_an_index_cannot_be_changed(self, changes: dict[str, t.Any]) -> None:
        """The reason says to declare the index under another name, and there is no operation."""
        present = (with_(t.cast("t.Any", BY_VIEWS), **changes),)
        difference = only(with_(BARE, global_indexes=(BY_VIEWS,)), with_(ON_DEMAND, global_indexes=present))
        assert "under another name" in difference.blocked_reason
        assert difference.operation == ""

    def test_a_stray_index_is_deleted_only_with_prune(self) -> None:
        """An index that no model declares is no difference without ``prune``: another program may use it."""
        declared, actual = (
            with_(BARE, global_indexes=(BY_VIEWS,)),
            with_(ON_DEMAND, global_indexes=(BY_VIEWS, BY_AUTHOR)),
        )
        assert compare(declared, actual) == []
        assert index_updates(only(declared, actual, prune=True)) == [{"Delete": {"IndexName": "byAuthor"}}]

    def test_a_stray_index_is_deleted_first(self) -> None:
        """Deletions come before creations, whose requests do not define the deleted index's attributes."""
        declared, actual = with_(BARE, global_indexes=(BY_VIEWS,)), with_(ON_DEMAND, global_indexes=(BY_AUTHOR,))
        deletion, creation = compare(declared, actual, prune=True)
        assert "Delete" in index_updates(deletion)[0]
        assert {"AttributeName": "author", "AttributeType": "S"} not in creation.request["AttributeDefinitions"]


def test_a_stream_can_be_enabled() -> None:
    """A table without a stream gets one with the declared view type."""
    difference = only(with_(BARE, stream_view_type="NEW_IMAGE"), ON_DEMAND)
    assert difference.request == {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}}


def test_the_view_of_a_stream_cannot_be_changed() -> None:
    """Another view type is blocked, because a new stream would lose its readers."""
    difference = only(with_(BARE, stream_view_type="NEW_IMAGE"), with_(ON_DEMAND, stream_view_type="KEYS_ONLY"))
    assert "view type" in difference.blocked_reason


def test_a_time_to_live_can_be_enabled() -> None:
    """The operation is ``UpdateTimeToLive``."""
    assert only(with_(BARE, ttl_attribute="ttl"), ON_DEMAND).operation == "UpdateTimeToLive"


def test_the_attribute_of_a_time_to_live_cannot_be_changed() -> None:
    """Another attribute is blocked; the reason says to disable the time to live first, which takes an hour."""
    difference = only(with_(BARE, ttl_attribute="ttl"), with_(ON_DEMAND, ttl_attribute="expires"))
    assert "an hour" in difference.blocked_reason


def test_the_tags_that_are_declared_are_set() -> None:
    """Declared tags that are missing or different are set; other tags are not touched."""
    actual = with_(ON_DEMAND, tags={"team": "shop", "cost": "7", "stays": "yes"})
    difference = only(with_(BARE, tags={"team": "forum", "new": "1", "cost": "7"}), actual)
    assert (difference.operation, difference.declared, difference.actual) == (
        "TagResource",
        "team=forum, new=1",
        "team=shop",
    )
    assert [tag["Key"] for tag in difference.request["Tags"]] == ["team", "new"]


@pytest.mark.parametrize("declared", [True, False])
def test_deletion_protection_can_be_changed(declared: bool) -> None:
    """Deletion protection can be enabled and disabled."""
    difference = only(with_(BARE, deletion_protection=declared), with_(ON_DEMAND, deletion_protection=not declared))
    assert difference.request == {"DeletionProtectionEnabled": declared}


def test_a_table_as_declared_has_no_difference() -> None:
    """A schema with every value has no difference from itself."""
    values = {"stream_view_type": "NEW_IMAGE", "ttl_attribute": "ttl", "tags": {"a": "b"}, "deletion_protection": True}
    same = with_(PROVISIONED, global_indexes=(BY_VIEWS,), **values)
    assert compare(same, same) == []
