"""How the local server differs from DynamoDB, as docs/explanation/local-server.md lists it.

Each test notices the end of a difference: if it fails with a newer release of ministack, its line on that page goes.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import botocore.session
import pytest

from dynaflask import local
from tests.support import servers
from tests.support.service_model import needs_member

HASH = [{"AttributeName": "id", "KeyType": "HASH"}]


@pytest.fixture(scope="module")
def client() -> cabc.Iterator[t.Any]:
    """A client of a server that all tests of this file share."""
    yield servers.client(local.endpoint())
    local.stop()


@pytest.fixture(scope="module", autouse=True)
def stopped() -> None:
    """The server of this file lives as long as its tests, unlike the server of other files."""


def create_table(client: t.Any, name: str, *, key_type: str = "S", **options: t.Any) -> dict[str, t.Any]:
    attributes = [{"AttributeName": "id", "AttributeType": key_type}]
    options = {"BillingMode": "PAY_PER_REQUEST"} | options
    if options["BillingMode"] == "PROVISIONED":
        options["ProvisionedThroughput"] = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    answer = client.create_table(TableName=name, KeySchema=HASH, AttributeDefinitions=attributes, **options)
    table: dict[str, t.Any] = answer["TableDescription"]
    return table


def test_a_filter_on_a_key_is_accepted(client: t.Any) -> None:
    """DynamoDB answers a query whose filter names a key of the table or the index with ValidationException."""
    create_table(client, "filtered")
    client.put_item(TableName="filtered", Item={"id": {"S": "a"}})
    answer = client.query(
        TableName="filtered",
        KeyConditionExpression="id = :id",
        FilterExpression="id <> :other",
        ExpressionAttributeValues={":id": {"S": "a"}, ":other": {"S": "b"}},
    )
    assert answer["Count"] == 1


@pytest.mark.parametrize(("spelling", "stored"), [("1.0", "1"), ("1E2", "100"), ("1e-5", "0.00001"), ("-0", "0")])
def test_a_number_key_is_found_only_as_it_is_stored(client: t.Any, spelling: str, stored: str) -> None:
    """DynamoDB compares the keys of number type by their value: it finds 1 as 1.0, too."""
    name = f"number-{stored}"
    create_table(client, name, key_type="N")
    client.put_item(TableName=name, Item={"id": {"N": spelling}})
    assert client.scan(TableName=name)["Items"] == [{"id": {"N": stored}}]
    assert "Item" not in client.get_item(TableName=name, Key={"id": {"N": spelling}})
    assert "Item" in client.get_item(TableName=name, Key={"id": {"N": stored}})


def test_calls_are_not_throttled(client: t.Any) -> None:
    """DynamoDB answers calls above a table's capacity with ProvisionedThroughputExceededException."""
    create_table(client, "provisioned", BillingMode="PROVISIONED")
    for number in range(50):
        client.put_item(TableName="provisioned", Item={"id": {"S": str(number)}, "text": {"S": "x" * 10_000}})


def test_any_key_pair_may_do_anything() -> None:
    """AWS checks the signature, and the permissions of the identity."""
    stranger = botocore.session.get_session().create_client(
        "dynamodb",
        "us-east-1",
        endpoint_url=local.endpoint(),
        aws_access_key_id="stranger",
        aws_secret_access_key="made up",
    )
    create_table(stranger, "strange")


def test_a_table_is_active_at_once(client: t.Any) -> None:
    """A table of DynamoDB is ``CREATING`` for some seconds, and its first calls fail with ResourceNotFoundException."""
    assert create_table(client, "active")["TableStatus"] == "ACTIVE"


@needs_member("CreateTableInput", "WarmThroughput")
def test_warm_throughput_is_ignored(client: t.Any) -> None:
    """DynamoDB shows the warm throughput of a table."""
    warm = {"ReadUnitsPerSecond": 13_000, "WriteUnitsPerSecond": 5_000}
    assert create_table(client, "warm", WarmThroughput=warm)["WarmThroughput"]["ReadUnitsPerSecond"] == 0


def test_a_resource_policy_of_a_new_table_is_ignored(client: t.Any) -> None:
    """DynamoDB attaches the policy that ``CreateTable`` has."""
    table = create_table(client, "policy", ResourcePolicy='{"Version": "2012-10-17", "Statement": []}')
    with pytest.raises(client.exceptions.PolicyNotFoundException):
        client.get_resource_policy(ResourceArn=table["TableArn"])


@needs_member("PointInTimeRecoverySpecification", "RecoveryPeriodInDays")
def test_the_days_of_recovery_are_ignored(client: t.Any) -> None:
    """DynamoDB shows the number of days that is set."""
    create_table(client, "recovery")
    specification = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7}
    client.update_continuous_backups(TableName="recovery", PointInTimeRecoverySpecification=specification)
    backups = client.describe_continuous_backups(TableName="recovery")["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    assert "RecoveryPeriodInDays" not in recovery


@needs_member("UpdateContributorInsightsInput", "ContributorInsightsMode")
def test_the_mode_of_insights_is_ignored(client: t.Any) -> None:
    """DynamoDB shows the mode that was set. The local server does not."""
    create_table(client, "insights")
    client.update_contributor_insights(
        TableName="insights", ContributorInsightsAction="ENABLE", ContributorInsightsMode="THROTTLED_KEYS"
    )
    assert "ContributorInsightsMode" not in client.describe_contributor_insights(TableName="insights")


def test_a_change_of_the_maximum_of_an_index_is_ignored(client: t.Any) -> None:
    """DynamoDB changes the maximum of an index of an on-demand table."""
    index = {"IndexName": "byId", "KeySchema": HASH, "Projection": {"ProjectionType": "ALL"}}
    create_table(
        client, "maximum", GlobalSecondaryIndexes=[{**index, "OnDemandThroughput": {"MaxReadRequestUnits": 5}}]
    )
    update = {"Update": {"IndexName": "byId", "OnDemandThroughput": {"MaxReadRequestUnits": 9}}}
    table = client.update_table(TableName="maximum", GlobalSecondaryIndexUpdates=[update])["TableDescription"]
    assert table["GlobalSecondaryIndexes"][0]["OnDemandThroughput"] == {"MaxReadRequestUnits": 5}
