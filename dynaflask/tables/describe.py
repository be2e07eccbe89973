"""The schema that a table has. Some of it needs a call of its own, which is made only if a model declares the part."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from pynamodb.constants import PROVISIONED_BILLING_MODE
from pynamodb.exceptions import TableError

from dynaflask.config.table_validators import AWS_MANAGED
from dynaflask.config.table_validators import AWS_OWNED
from dynaflask.config.table_validators import DEFAULT_INSIGHTS_MODE
from dynaflask.config.table_validators import INSIGHTS_DISABLED
from dynaflask.config.table_validators import MAX_RECOVERY_DAYS
from dynaflask.config.table_validators import TABLE_CLASSES
from dynaflask.operations.error_codes import POLICY_NOT_FOUND
from dynaflask.operations.error_codes import code_of
from dynaflask.tables.capacity import described_capacity
from dynaflask.tables.capacity import described_maximum
from dynaflask.tables.capacity import described_warm
from dynaflask.tables.schema import Index
from dynaflask.tables.schema import Json
from dynaflask.tables.schema import Schema
from dynaflask.tables.schema import keys_of
from dynaflask.tables.schema import projection_of
from dynaflask.tables.table import Table


def from_description(table: Json, *, ttl: Json | None = None, tags: cabc.Sequence[Json] | None = None) -> Schema:
    """The schema of a table as DynamoDB describes it.

    Args:
        table: ``Table`` of the response of ``DescribeTable``.
        ttl: ``TimeToLiveDescription`` of the response of ``DescribeTimeToLive``; ``None`` is unspecified.
        tags: ``Tags`` of the response of ``ListTagsOfResource``; ``None`` is unspecified.
    """
    types = {entry["AttributeName"]: entry["AttributeType"] for entry in table.get("AttributeDefinitions", ())}
    stream = table.get("StreamSpecification") or {}
    # DynamoDB names the attribute also when the time to live is off, and the view type also when the stream is off.
    has_ttl = ttl is not None and ttl.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
    return Schema(
        keys=keys_of(table["KeySchema"], types),
        global_indexes=tuple(_described_index(entry, types) for entry in table.get("GlobalSecondaryIndexes") or ()),
        local_indexes=tuple(_described_index(entry, types) for entry in table.get("LocalSecondaryIndexes") or ()),
        # A table that has always been provisioned has no summary.
        billing_mode=(table.get("BillingModeSummary") or {}).get("BillingMode") or PROVISIONED_BILLING_MODE,
        capacity=described_capacity(table),
        stream_view_type=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        ttl_attribute=ttl["AttributeName"] if ttl and has_ttl else None,
        tags=None if tags is None else {tag["Key"]: tag["Value"] for tag in tags},
        deletion_protection=bool(table.get("DeletionProtectionEnabled")),
        table_class=(table.get("TableClassSummary") or {}).get("TableClass") or TABLE_CLASSES[0],
        sse=_described_sse(table),
        maximum=described_maximum(table),
        warm=described_warm(table),
    )


def actual_schema(table: Table, description: Json) -> Schema:
    """The schema that a table has, as far as its models declare one.

    Args:
        table: The table.
        description: ``Table`` of the response of ``DescribeTable``.

    Raises:
        TableError: DynamoDB refused.
    """
    declared = table.schema
    ttl = table.call("DescribeTimeToLive", TableName=table.name) if declared.ttl_attribute else {}
    tags = list(_tags(table, description["TableArn"])) if declared.tags else None
    schema = from_description(description, ttl=ttl.get("TimeToLiveDescription"), tags=tags)
    return dataclasses.replace(
        schema,
        recovery_days=None if declared.recovery_days is None else _recovery_days(table),
        resource_policy=_resource_policy(table, description["TableArn"]) if declared.resource_policy else None,
        insights=_insights(table) if declared.insights else None,
        global_indexes=tuple(_with_insights(table, index) for index in schema.global_indexes),
    )


def _tags(table: Table, arn: str) -> cabc.Iterator[Json]:
    request = {"ResourceArn": arn}
    while True:
        page = table.call("ListTagsOfResource", **request)
        yield from page.get("Tags", ())
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def _recovery_days(table: Table) -> int:
    backups = table.call("DescribeContinuousBackups", TableName=table.name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription") or {}
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        return 0
    return t.cast("int", recovery.get("RecoveryPeriodInDays", MAX_RECOVERY_DAYS))


def _resource_policy(table: Table, arn: str) -> str | None:
    try:
        return t.cast("str", table.call("GetResourcePolicy", ResourceArn=arn)["Policy"])
    except TableError as error:
        if code_of(error) == POLICY_NOT_FOUND:
            return None
        raise


def _with_insights(table: Table, index: Index) -> Index:
    is_declared = any(each.name == index.name and each.insights for each in table.schema.global_indexes)
    return dataclasses.replace(index, insights=_insights(table, IndexName=index.name)) if is_declared else index


def _insights(table: Table, **index: str) -> str:
    insights = table.call("DescribeContributorInsights", TableName=table.name, **index)
    if insights["ContributorInsightsStatus"] not in {"ENABLED", "ENABLING"}:
        return INSIGHTS_DISABLED
    return t.cast("str", insights.get("ContributorInsightsMode", DEFAULT_INSIGHTS_MODE))


def _described_index(entry: Json, types: cabc.Mapping[str, str]) -> Index:
    return Index(
        entry["IndexName"],
        keys_of(entry["KeySchema"], types),
        projection_of(entry["Projection"]),
        described_capacity(entry),
        maximum=described_maximum(entry),
        warm=described_warm(entry),
    )


def _described_sse(table: Json) -> str:
    # DynamoDB describes no encryption with its own key.
    sse = table.get("SSEDescription") or {}
    if sse.get("SSEType") != "KMS" or sse.get("Status") in {"DISABLED", "DISABLING"}:
        return AWS_OWNED
    return t.cast("str", sse.get("KMSMasterKeyArn", AWS_MANAGED))
