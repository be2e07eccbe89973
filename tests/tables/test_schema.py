"""The schema that models declare, and the request that creates a table."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.attributes import DiscriminatorAttribute

import dynaflask
from dynaflask.tables.schema import from_models
from tests.support import boards


@pytest.fixture(autouse=True)
def context(make_app: t.Callable[..., flask.Flask]) -> t.Iterator[None]:
    """A context of an app, in which ``Meta`` resolves."""
    with make_app().app_context():
        yield


def test_what_no_model_declares_is_unspecified(db: dynaflask.Dynamo) -> None:
    """A model without settings declares its keys and nothing else."""
    schema = from_models([boards.declare_board(db)])
    assert [str(key) for key in schema.keys] == ["forum S HASH", "subject S RANGE"]
    values = (
        schema.billing_mode,
        schema.stream_view_type,
        schema.ttl_attribute,
        schema.tags,
        schema.deletion_protection,
    )
    assert values == (None,) * 5


def test_a_capacity_makes_a_table_provisioned(db: dynaflask.Dynamo) -> None:
    """A model with capacity units and no billing mode declares a provisioned table."""
    assert from_models([boards.declare_board(db, read_capacity_units=1)]).billing_mode == "PROVISIONED"


def test_the_first_model_that_specifies_a_value_decides_it(db: dynaflask.Dynamo) -> None:
    """Several models on one table: the indexes are those of all, other values are the first one's."""
    first = boards.declare_board(db, tags={"team": "forum"}, attributes={"one": boards.make_index("byOne", key="one")})
    second = boards.declare_board(db, name="Other", tags={}, **boards.PROVISIONED, attributes=boards.everything())
    schema = from_models([first, second])
    assert (schema.tags, schema.billing_mode) == ({"team": "forum"}, "PROVISIONED")
    assert [index.name for index in schema.global_indexes] == ["byOne", "byViews"]


def test_the_create_request_has_everything_declared(db: dynaflask.Dynamo) -> None:
    """The request of ``CreateTable`` has what the models declare, and nothing else."""
    board = boards.declare_board(
        db,
        **boards.PROVISIONED,
        stream_view_type="NEW_IMAGE",
        tags={"team": "forum"},
        deletion_protection=True,
        attributes={"lo": boards.make_local_index("lo"), "two": boards.make_index("byTwo", write_capacity_units=9)},
    )
    request = from_models([board]).create_request()
    (local,), (index,) = request.pop("LocalSecondaryIndexes"), request.pop("GlobalSecondaryIndexes")
    assert "ProvisionedThroughput" not in local
    assert index["ProvisionedThroughput"] == {"ReadCapacityUnits": 3, "WriteCapacityUnits": 9}
    assert request == {
        "BillingMode": "PROVISIONED",
        "KeySchema": [{"AttributeName": "forum", "KeyType": "HASH"}, {"AttributeName": "subject", "KeyType": "RANGE"}],
        "AttributeDefinitions": [
            {"AttributeName": "forum", "AttributeType": "S"},
            {"AttributeName": "subject", "AttributeType": "S"},
            {"AttributeName": "views", "AttributeType": "N"},
        ],
        "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2},
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        "Tags": [{"Key": "team", "Value": "forum"}],
        "DeletionProtectionEnabled": True,
    }


def test_a_table_without_settings_is_on_demand(db: dynaflask.Dynamo) -> None:
    """The request of a table without billing mode and capacity is on-demand, its indexes included."""
    request = from_models([boards.declare_board(db, attributes=boards.everything())]).create_request()
    assert request["BillingMode"] == "PAY_PER_REQUEST"
    assert "ProvisionedThroughput" not in request | request["GlobalSecondaryIndexes"][0]


def test_an_attribute_of_several_keys_is_defined_once(db: dynaflask.Dynamo) -> None:
    """``AttributeDefinitions`` has an attribute once, as DynamoDB requires."""
    board = boards.declare_board(db, attributes={"a": boards.make_index("byA"), "b": boards.make_index("byB")})
    names = [entry["AttributeName"] for entry in from_models([board]).create_request()["AttributeDefinitions"]]
    assert names == ["forum", "subject", "views"]


def test_the_time_to_live_has_its_name_in_the_items(db: dynaflask.Dynamo) -> None:
    """The name of a ``TTLAttribute`` is its ``attr_name``, not the name in the class."""
    board = boards.declare_board(db, attributes={"expires": boards.TTLAttribute(attr_name="ttl")})
    assert from_models([board]).ttl_attribute == "ttl"


def test_two_apps_may_declare_different_settings(db: dynaflask.Dynamo, make_app: t.Callable[..., flask.Flask]) -> None:
    """A model's schema has the settings of the current app."""
    board = boards.declare_board(db)
    with make_app("other", models={"Board": {"deletion_protection": True, "tags": {"a": "b"}}}).app_context():
        assert from_models([board]).deletion_protection is True
    assert from_models([board]).deletion_protection is None


EVERY_SETTING: dict[str, t.Any] = {
    "table_class": "STANDARD",
    "sse": "alias/forum",
    "point_in_time_recovery": True,
    "on_demand_throughput": {"read": 5},
    "warm_throughput": {"write": 6},
    "contributor_insights": True,
    "resource_policy": {"Version": "2012-10-17"},
}


def test_the_create_request_has_the_settings_that_it_can_have(db: dynaflask.Dynamo) -> None:
    """``CreateTable`` takes the policy as well, so that a table is never without it."""
    index = boards.make_index("byViews", on_demand_throughput={"write": 7}, warm_throughput={"read": 8})
    request = from_models([boards.declare_board(db, **EVERY_SETTING, attributes={"by": index})]).create_request()
    (index_request,) = request["GlobalSecondaryIndexes"]
    assert request["TableClass"] == "STANDARD"
    assert request["SSESpecification"] == {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/forum"}
    assert request["OnDemandThroughput"] == {"MaxReadRequestUnits": 5}
    assert request["WarmThroughput"] == {"WriteUnitsPerSecond": 6}
    assert request["ResourcePolicy"] == '{"Version":"2012-10-17"}'
    assert index_request["OnDemandThroughput"] == {"MaxWriteRequestUnits": 7}
    assert index_request["WarmThroughput"] == {"ReadUnitsPerSecond": 8}


def test_a_provisioned_table_has_no_maximum(db: dynaflask.Dynamo) -> None:
    """DynamoDB refuses ``OnDemandThroughput`` for it; a default of the app may say one."""
    index = boards.make_index("byViews", on_demand_throughput={"write": 7})
    board = boards.declare_board(db, **boards.PROVISIONED, on_demand_throughput={"read": 5}, attributes={"by": index})
    request = from_models([board]).create_request()
    assert "OnDemandThroughput" not in request | request["GlobalSecondaryIndexes"][0]


@pytest.mark.parametrize(
    ("key", "specification"), [("AWS_OWNED", {"Enabled": False}), ("KMS", {"Enabled": True, "SSEType": "KMS"})]
)
def test_the_encryption_is_a_specification(db: dynaflask.Dynamo, key: str, specification: dict[str, t.Any]) -> None:
    """DynamoDB's own key is no encryption by KMS; the key that AWS manages has no name."""
    assert from_models([boards.declare_board(db, sse=key)]).create_request()["SSESpecification"] == specification


def test_an_index_of_a_subclass_has_its_settings(db: dynaflask.Dynamo) -> None:
    """The schema of a model with a discriminator has the indexes of its subclasses, with their settings."""
    kind = {"kind": DiscriminatorAttribute()}
    base = boards.declare_board(db, attributes=kind)
    index = boards.make_index("byViews", warm_throughput={"read": 8})
    subclass = type(base)("Pinned", (base,), {"__module__": __name__, "by_views": index}, discriminator="pinned")
    (declared,) = from_models([base]).global_indexes
    assert declared.warm == (8, None)
    assert from_models([subclass]).global_indexes == (declared,)
