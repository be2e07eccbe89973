"""The differences between a table and what its models declare, and the requests that remove them."""

from __future__ import annotations

import dataclasses

from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.constants import PROVISIONED_BILLING_MODE

from dynaflask.config.table_validators import INSIGHTS_DISABLED
from dynaflask.tables import settings_diff
from dynaflask.tables.capacity import Capacity
from dynaflask.tables.difference import Difference
from dynaflask.tables.difference import Differences
from dynaflask.tables.difference import index_update
from dynaflask.tables.difference import label
from dynaflask.tables.difference import update
from dynaflask.tables.schema import Index
from dynaflask.tables.schema import Json
from dynaflask.tables.schema import Schema
from dynaflask.tables.schema import attribute_definitions
from dynaflask.tables.schema import stream_specification
from dynaflask.tables.schema import tag_list

NEEDS_NEW_TABLE = "Only a new table can have it: dump the table, drop it, create it, and load the dump."
NEEDS_NEW_INDEX = (
    "DynamoDB cannot change the key or the projection of an index. Declare the new one under another name, sync, and"
    " prune this one when no program uses it."
)
NEEDS_NEW_STREAM = (
    "DynamoDB cannot change the view type of a stream. Disable the stream when its readers are done, and sync: that"
    " creates a new stream."
)
NEEDS_TTL_OFF = "A table has one such attribute. Disable its time to live, which may take an hour, and sync."
NEEDS_CAPACITY = "Declare read_capacity_units and write_capacity_units for it."
NO_TABLE = "Create it with `flask dynamo create` or db.create_all()."


def compare(declared: Schema, actual: Schema | None, *, prune: bool = False) -> list[Difference]:
    """The differences between a declared schema and an actual one, in the order in which to make the changes.

    What the declared schema does not specify is no difference.

    Args:
        declared: The schema that the models of the table declare.
        actual: The schema of the table; ``None`` if the table does not exist.
        prune: Report global indexes that no model declares, too.
    """
    if actual is None:
        return [Difference("table", "a table", "none", blocked_reason=NO_TABLE)]
    stray = _stray_indexes(declared, actual) if prune else ()
    # Stray indexes are deleted first: the changes after that find a table without them.
    pruned = dataclasses.replace(
        actual, global_indexes=tuple(index for index in actual.global_indexes if index not in stray)
    )
    return [
        *_keys(declared, actual),
        *_local_indexes(declared, actual),
        *map(_deletion, stray),
        *_billing(declared, pruned),
        *_global_indexes(declared, pruned),
        *settings_diff.table_class(declared, actual),
        *settings_diff.encryption(declared, actual),
        *settings_diff.maximum_throughput(declared, actual),
        *settings_diff.warm_throughput(declared, actual),
        *_stream(declared, actual),
        *_time_to_live(declared, actual),
        *_tags(declared, actual),
        *_deletion_protection(declared, actual),
        *settings_diff.point_in_time_recovery(declared, actual),
        *settings_diff.resource_policy(declared, actual),
        *settings_diff.contributor_insights(declared, actual),
    ]


def completions(declared: Schema) -> list[Difference]:
    """The differences of a table that ``CreateTable`` has just created, whose changes are operations of their own."""
    indexes = tuple(dataclasses.replace(index, insights=INSIGHTS_DISABLED) for index in declared.global_indexes)
    # CreateTable takes the policy, so that no one has the table without it. Some servers ignore it there.
    created = dataclasses.replace(
        declared,
        ttl_attribute=None,
        recovery_days=0,
        resource_policy=None,
        insights=INSIGHTS_DISABLED,
        global_indexes=indexes,
    )
    return compare(declared, created)


def _keys(declared: Schema, actual: Schema) -> Differences:
    if declared.keys != actual.keys:
        yield Difference("key", _text(declared.keys), _text(actual.keys), blocked_reason=NEEDS_NEW_TABLE)


def _local_indexes(declared: Schema, actual: Schema) -> Differences:
    present = {index.name: index for index in actual.local_indexes}
    for index in declared.local_indexes:
        present_index = present.get(index.name)
        if present_index is None or present_index.shape != index.shape:
            what = f"local index {index.name!r}"
            yield Difference(what, str(index), _text(present_index), blocked_reason=NEEDS_NEW_TABLE)


def _billing(declared: Schema, actual: Schema) -> Differences:
    wanted = declared.billing_mode
    if wanted is None:
        return
    if wanted != actual.billing_mode:
        yield _billing_mode(declared, actual)
    elif (
        wanted == PROVISIONED_BILLING_MODE
        and (units := declared.capacity.with_defaults(actual.capacity)) != actual.capacity
    ):
        yield update("capacity", units, actual.capacity, ProvisionedThroughput=units.request)


def _billing_mode(declared: Schema, actual: Schema) -> Difference:
    wanted = declared.billing_mode
    if wanted == PAY_PER_REQUEST_BILLING_MODE:
        return update("billing mode", wanted, actual.billing_mode, BillingMode=wanted)
    if None in declared.capacity:
        return Difference("billing mode", str(wanted), str(actual.billing_mode), blocked_reason=NEEDS_CAPACITY)
    capacities = {index.name: index.capacity.with_defaults(declared.capacity) for index in declared.global_indexes}
    # The change to provisioned billing needs the capacity of every index in the same request.
    updates = [
        index_update(index.name, ProvisionedThroughput=capacities.get(index.name, declared.capacity).request)
        for index in actual.global_indexes
    ]
    return update(
        "billing mode",
        wanted,
        actual.billing_mode,
        BillingMode=wanted,
        ProvisionedThroughput=declared.capacity.request,
        **({"GlobalSecondaryIndexUpdates": updates} if updates else {}),
    )


def _stray_indexes(declared: Schema, actual: Schema) -> tuple[Index, ...]:
    names = {index.name for index in declared.global_indexes}
    return tuple(index for index in actual.global_indexes if index.name not in names)


def _deletion(index: Index) -> Difference:
    return update(label(index), "no index", index, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": index.name}}])


def _global_indexes(declared: Schema, actual: Schema) -> Differences:
    present = {index.name: index for index in actual.global_indexes}
    billing_mode = declared.billing_mode or actual.billing_mode
    # A change of the billing mode sets the capacities of the indexes itself.
    keeps_billing = billing_mode == actual.billing_mode == PROVISIONED_BILLING_MODE
    capacity = declared.capacity.with_defaults(actual.capacity) if billing_mode == PROVISIONED_BILLING_MODE else None
    keys = [index.keys for index in (*actual.local_indexes, *actual.global_indexes)]
    for index in declared.global_indexes:
        present_index = present.get(index.name)
        if present_index is None:
            # Each index is a request of its own, which defines the attributes of the indexes before it, too.
            keys.append(index.keys)
            yield _new_index(index, attribute_definitions(actual.keys, *keys), capacity)
        elif present_index.shape != index.shape:
            yield Difference(label(index), str(index), str(present_index), blocked_reason=NEEDS_NEW_INDEX)
        elif (
            keeps_billing and (units := index.capacity.with_defaults(present_index.capacity)) != present_index.capacity
        ):
            updates = [index_update(index.name, ProvisionedThroughput=units.request)]
            what = f"capacity of {label(index)}"
            yield update(what, units, present_index.capacity, GlobalSecondaryIndexUpdates=updates)


def _new_index(index: Index, definitions: list[Json], capacity: Capacity | None) -> Difference:
    creation = {"Create": index.request(capacity)}
    return update(
        label(index), index, "no index", AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=[creation]
    )


def _stream(declared: Schema, actual: Schema) -> Differences:
    wanted, present = declared.stream_view_type, actual.stream_view_type
    if wanted is None or wanted == present:
        return
    if present is None:
        yield update("stream", wanted, "no stream", StreamSpecification=stream_specification(wanted))
    else:
        yield Difference("stream", wanted, present, blocked_reason=NEEDS_NEW_STREAM)


def _time_to_live(declared: Schema, actual: Schema) -> Differences:
    wanted, present = declared.ttl_attribute, actual.ttl_attribute
    if wanted is None or wanted == present:
        return
    if present is None:
        yield time_to_live(wanted)
    else:
        yield Difference("time to live", wanted, present, blocked_reason=NEEDS_TTL_OFF)


def time_to_live(attribute: str) -> Difference:
    """The difference of a table without time to live, as every new table is."""
    request = {"TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": True}}
    return Difference("time to live", attribute, "none", "UpdateTimeToLive", request)


def _tags(declared: Schema, actual: Schema) -> Differences:
    present = actual.tags or {}
    wanted = {key: value for key, value in (declared.tags or {}).items() if present.get(key) != value}
    if wanted:
        replaced = {key: present[key] for key in wanted if key in present}
        yield Difference("tags", _text(wanted), _text(replaced), "TagResource", {"Tags": tag_list(wanted)})


def _deletion_protection(declared: Schema, actual: Schema) -> Differences:
    wanted = declared.deletion_protection
    if wanted is not None and wanted != actual.deletion_protection:
        yield update("deletion protection", wanted, actual.deletion_protection, DeletionProtectionEnabled=wanted)


def _text(value: object) -> str:
    if isinstance(value, dict):
        value = tuple(f"{key}={content}" for key, content in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
