"""The differences in what a table has beside its keys: class, encryption, throughput, backups, policy, insights."""

from __future__ import annotations

import json

from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE

from dynaflask.config.table_validators import AWS_MANAGED
from dynaflask.config.table_validators import AWS_OWNED
from dynaflask.config.table_validators import DEFAULT_INSIGHTS_MODE
from dynaflask.config.table_validators import INSIGHTS_DISABLED
from dynaflask.config.table_validators import MAX_RECOVERY_DAYS
from dynaflask.tables.capacity import Capacity
from dynaflask.tables.difference import Difference
from dynaflask.tables.difference import Differences
from dynaflask.tables.difference import index_update
from dynaflask.tables.difference import label
from dynaflask.tables.difference import update
from dynaflask.tables.schema import Schema
from dynaflask.tables.schema import sse_specification


def table_class(declared: Schema, actual: Schema) -> Differences:
    """The table class. DynamoDB allows two changes in 30 days."""
    wanted = declared.table_class
    if wanted not in {None, actual.table_class}:
        yield update("table class", wanted, actual.table_class, TableClass=wanted)


def encryption(declared: Schema, actual: Schema) -> Differences:
    """The key that encrypts the table."""
    wanted = declared.sse
    if wanted is not None and not _is_same_key(wanted, actual.sse or AWS_OWNED):
        yield update("encryption", wanted, actual.sse, SSESpecification=sse_specification(wanted))


def maximum_throughput(declared: Schema, actual: Schema) -> Differences:
    """The maximum of an on-demand table, and of its indexes."""
    if (declared.billing_mode or actual.billing_mode) != PAY_PER_REQUEST_BILLING_MODE:
        return
    what, units = "on-demand throughput", declared.maximum.with_defaults(actual.maximum)
    if units != actual.maximum:
        yield update(what, units, actual.maximum, OnDemandThroughput=units.maximum_request)
    present = {index.name: index.maximum for index in actual.global_indexes}
    for index in declared.global_indexes:
        # A missing index gets its maximum when it is created.
        maximum = present.get(index.name, index.maximum)
        units = index.maximum.with_defaults(maximum)
        if units != maximum:
            updates = [index_update(index.name, OnDemandThroughput=units.maximum_request)]
            yield update(f"{what} of {label(index)}", units, maximum, GlobalSecondaryIndexUpdates=updates)


def warm_throughput(declared: Schema, actual: Schema) -> Differences:
    """The warm throughput of a table and its indexes. DynamoDB raises it as the traffic grows, and never reduces it."""
    what, units = "warm throughput", _raised(declared.warm, actual.warm)
    if units != actual.warm:
        yield update(what, units, actual.warm, WarmThroughput=units.warm_request)
    present = {index.name: index.warm for index in actual.global_indexes}
    for index in declared.global_indexes:
        # A missing index gets its throughput when it is created.
        warm = present.get(index.name, index.warm)
        units = _raised(index.warm, warm)
        if units != warm:
            updates = [index_update(index.name, WarmThroughput=units.warm_request)]
            yield update(f"{what} of {label(index)}", units, warm, GlobalSecondaryIndexUpdates=updates)


def point_in_time_recovery(declared: Schema, actual: Schema) -> Differences:
    """The days from which the table can be restored."""
    days, present = declared.recovery_days, actual.recovery_days or 0
    if days is None or days == present:
        return
    # DynamoDB's default is left out, because older releases of botocore know no days and no modes.
    has_days = days > 0 and (days, present) != (MAX_RECOVERY_DAYS, 0)
    specification = {"PointInTimeRecoveryEnabled": days > 0, **({"RecoveryPeriodInDays": days} if has_days else {})}
    request = {"PointInTimeRecoverySpecification": specification}
    what = "point-in-time recovery"
    yield Difference(what, f"{days} days", f"{present} days", "UpdateContinuousBackups", request)


def resource_policy(declared: Schema, actual: Schema) -> Differences:
    """The resource-based policy."""
    wanted, present = declared.resource_policy, actual.resource_policy
    if wanted is not None and (present is None or json.loads(wanted) != json.loads(present)):
        yield Difference("resource policy", wanted, present or "none", "PutResourcePolicy", {"Policy": wanted})


def contributor_insights(declared: Schema, actual: Schema) -> Differences:
    """The insights of a table, and of its indexes."""
    what = "contributor insights"
    if declared.insights not in {None, actual.insights}:
        yield _insights(what, str(declared.insights), actual.insights)
    present = {index.name: index.insights for index in actual.global_indexes}
    for index in declared.global_indexes:
        insights = present.get(index.name, INSIGHTS_DISABLED)
        if index.insights not in {None, insights}:
            yield _insights(f"{what} of {label(index)}", str(index.insights), insights, IndexName=index.name)


def _is_same_key(wanted: str, present: str) -> bool:
    # Which key an alias stands for, and which one AWS manages, is known to KMS alone.
    if wanted == AWS_MANAGED or "alias/" in wanted:
        return present != AWS_OWNED
    return present == wanted or present.endswith(f"/{wanted}")


def _raised(wanted: Capacity, present: Capacity) -> Capacity:
    units = zip(wanted, present, strict=True)
    return Capacity(*(more if less is None or (more or 0) > less else less for more, less in units))


def _insights(what: str, wanted: str, present: str | None, **index: str) -> Difference:
    present = present or INSIGHTS_DISABLED
    request = {**index, "ContributorInsightsAction": "DISABLE" if wanted == INSIGHTS_DISABLED else "ENABLE"}
    if wanted != INSIGHTS_DISABLED and (wanted, present) != (DEFAULT_INSIGHTS_MODE, INSIGHTS_DISABLED):
        request["ContributorInsightsMode"] = wanted
    return Difference(what, wanted, present, "UpdateContributorInsights", request)
