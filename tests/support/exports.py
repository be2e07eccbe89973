"""A request with every option of a new table, for the tests of infrastructure documents."""

from __future__ import annotations

import json
import typing as t

from dynaflask.tables.export_table import INSIGHTS
from dynaflask.tables.export_table import ExportedTable

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "dynamodb:Scan", "Resource": "*"}],
}
THROUGHPUT: dict[str, t.Any] = {
    "OnDemandThroughput": {"MaxReadRequestUnits": 50, "MaxWriteRequestUnits": 60},
    "WarmThroughput": {"ReadUnitsPerSecond": 13000, "WriteUnitsPerSecond": 5000},
}
EVERYTHING: dict[str, t.Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "forum", "KeyType": "HASH"}, {"AttributeName": "subject", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "author", "AttributeType": "S"},
        {"AttributeName": "forum", "AttributeType": "S"},
        {"AttributeName": "subject", "AttributeType": "S"},
        {"AttributeName": "views", "AttributeType": "N"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "byAuthor",
            "KeySchema": [
                {"AttributeName": "author", "KeyType": "HASH"},
                {"AttributeName": "forum", "KeyType": "HASH"},
                {"AttributeName": "views", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["answers"]},
            "ContributorInsightsSpecification": {"Enabled": True, "Mode": "ACCESSED_AND_THROTTLED_KEYS"},
            **THROUGHPUT,
        }
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "local",
            "KeySchema": [
                {"AttributeName": "forum", "KeyType": "HASH"},
                {"AttributeName": "views", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    "Tags": [{"Key": "team", "Value": "${forum} at 5 %{"}],
    "DeletionProtectionEnabled": True,
    "TableClass": "STANDARD",
    "SSESpecification": {
        "Enabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": "arn:aws:kms:eu-west-1:123456789012:key/1",
    },
    **THROUGHPUT,
    "ResourcePolicy": json.dumps(POLICY),
    "ContributorInsightsSpecification": {"Enabled": True, "Mode": "THROTTLED_KEYS"},
    "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7},
}


def full_table() -> ExportedTable:
    """A table with every option, except a capacity, which excludes others of them."""
    return ExportedTable("ThreadTable", "Thread", has_prefix=True, request=EVERYTHING)


def provisioned_table() -> ExportedTable:
    """A table with a capacity, as its index has."""
    capacity = {"ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}}
    (index,) = EVERYTHING["GlobalSecondaryIndexes"]
    plain = {name: value for name, value in index.items() if name not in {*THROUGHPUT, INSIGHTS}}
    request = {
        "BillingMode": "PROVISIONED",
        **{name: EVERYTHING[name] for name in ("KeySchema", "AttributeDefinitions")},
        "GlobalSecondaryIndexes": [{**plain, **capacity}],
        "LocalSecondaryIndexes": EVERYTHING["LocalSecondaryIndexes"],
        **capacity,
    }
    return ExportedTable("PostTable", "Post", has_prefix=False, request=request)
