"""What models declare of a table, what a table is, and the request that creates it."""

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
    """Meta answers for an app."""
    with make_app().app_context():
        yield


def test_what_nobody_says_is_none(db: dynaflask.Dynamo) -> None:
    """A bare model declares its keys alone."""
    schema = from_models([boards.declare_board(db)])
    assert [str(key) for key in schema.keys] == ["forum S HASH", "subject S RANGE"]
    said = (schema.billing_mode, schema.stream_view_type, schema.ttl_attribute, schema.tags, schema.deletion_protection)
    assert said == (None,) * 5


def test_a_capacity_is_a_provisioned_table(db: dynaflask.Dynamo) -> None:
    """As creation takes it."""
    assert from_models([boards.declare_board(db, read_capacity_units=1)]).billing_mode == "PROVISIONED"


def test_the_first_model_that_says_something_is_heard(db: dynaflask.Dynamo) -> None:
    """The indexes are those of all."""
    first = boards.declare_board(db, tags={"team": "forum"}, attributes={"one": boards.make_index("byOne", key="one")})
    second = boards.declare_board(db, name="Other", tags={}, **boards.PROVISIONED, attributes=boards.everything())
    schema = from_models([first, second])
    assert (schema.tags, schema.billing_mode) == ({"team": "forum"}, "PROVISIONED")
    assert [index.name for index in schema.global_indexes] == ["byOne", "byViews"]


def test_the_answer_does_for_the_table_of_create(db: dynaflask.Dynamo) -> None:
    """All that is declared is in the request, and nothing else."""
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


def test_a_table_of_which_nothing_is_said_is_billed_per_request(db: dynaflask.Dynamo) -> None:
    """It has no capacity, whoever mentions one."""
    request = from_models([boards.declare_board(db, attributes=boards.everything())]).create_request()
    assert request["BillingMode"] == "PAY_PER_REQUEST"
    assert "ProvisionedThroughput" not in request | request["GlobalSecondaryIndexes"][0]


def test_an_attribute_of_several_keys_is_defined_once(db: dynaflask.Dynamo) -> None:
    """DynamoDB refuses to hear it twice."""
    board = boards.declare_board(db, attributes={"a": boards.make_index("byA"), "b": boards.make_index("byB")})
    names = [entry["AttributeName"] for entry in from_models([board]).create_request()["AttributeDefinitions"]]
    assert names == ["forum", "subject", "views"]


def test_the_time_to_live_has_the_name_of_the_item(db: dynaflask.Dynamo) -> None:
    """Not that of the Python attribute."""
    board = boards.declare_board(db, attributes={"expires": boards.TTLAttribute(attr_name="ttl")})
    assert from_models([board]).ttl_attribute == "ttl"


def test_another_app_may_say_something_else(db: dynaflask.Dynamo, make_app: t.Callable[..., flask.Flask]) -> None:
    """Each app's settings are its own."""
    board = boards.declare_board(db)
    with make_app("other", models={"Board": {"deletion_protection": True, "tags": {"a": "b"}}}).app_context():
        assert from_models([board]).deletion_protection is True
    assert from_models([board]).deletion_protection is None


def test_a_provisioned_table_may_not_say_how_it_is_billed() -> None:
    """DynamoDB leaves the summary out, and the keys come in any order."""
    schema = from_description(DESCRIBED)
    assert schema.billing_mode == "PROVISIONED"
    assert [key.name for key in schema.keys] == ["forum", "subject"]


def test_no_units_are_no_capacity() -> None:
    """A table that is billed per request has zero of each."""
    units = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    assert from_description({**DESCRIBED, "ProvisionedThroughput": units}).capacity == Capacity(None, None)


@pytest.mark.parametrize(
    ("status", "attribute"), [("ENABLED", "ttl"), ("ENABLING", "ttl"), ("DISABLED", None), ("DISABLING", None)]
)
def test_a_time_to_live_that_is_off_is_none(status: str, attribute: str | None) -> None:
    """DynamoDB goes on to name its attribute."""
    ttl = {"TimeToLiveStatus": status, "AttributeName": "ttl"}
    assert from_description(DESCRIBED, ttl=ttl).ttl_attribute == attribute


def test_a_stream_that_is_off_is_none() -> None:
    """DynamoDB may go on to name its view."""
    stream = {"StreamEnabled": False, "StreamViewType": "NEW_IMAGE"}
    assert from_description({**DESCRIBED, "StreamSpecification": stream}).stream_view_type is None


def test_an_included_attribute_may_stand_anywhere(db: dynaflask.Dynamo) -> None:
    """The order of a projection is no difference."""
    (index,) = from_models([boards.declare_board(db, attributes=boards.everything())]).global_indexes
    entry: t.Any = index.request()
    entry["Projection"]["NonKeyAttributes"].reverse()
    definitions = [*DESCRIBED["AttributeDefinitions"], {"AttributeName": "views", "AttributeType": "N"}]
    table = {**DESCRIBED, "AttributeDefinitions": definitions, "GlobalSecondaryIndexes": [entry]}
    assert from_description(table).global_indexes[0].shape == index.shape
