"""The schema that models declare, the schema that DynamoDB describes, and the request that creates a table."""

from __future__ import annotations

import typing as t

import flask
import pytest

import dynaflask
from dynaflask.tables.schema import Capacity
from dynaflask.tables.schema import from_description
from dynaflask.tables.schema import from_models
from tests.support import boards

DESCRIBED = {
    "KeySchema": [{"AttributeName": "subject", "KeyType": "RANGE"}, {"AttributeName": "forum", "KeyType": "HASH"}],
    "AttributeDefinitions": [
        {"AttributeName": "forum", "AttributeType": "S"},
        {"AttributeName": "subject", "AttributeType": "S"},
    ],
}


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
        "KeySchema": DESCRIBED["KeySchema"][::-1],
        "AttributeDefinitions": [*DESCRIBED["AttributeDefinitions"], {"AttributeName": "views", "AttributeType": "N"}],
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


def test_the_order_of_a_projection_is_no_difference(db: dynaflask.Dynamo) -> None:
    """The attributes that an index includes are compared without their order."""
    (index,) = from_models([boards.declare_board(db, attributes=boards.everything())]).global_indexes
    entry: t.Any = index.request()
    entry["Projection"]["NonKeyAttributes"].reverse()
    definitions = [*DESCRIBED["AttributeDefinitions"], {"AttributeName": "views", "AttributeType": "N"}]
    table = {**DESCRIBED, "AttributeDefinitions": definitions, "GlobalSecondaryIndexes": [entry]}
    assert from_description(table).global_indexes[0].shape == index.shape
