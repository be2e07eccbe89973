"""Where a table differs from what its models declare, and what DynamoDB can do about it."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses

from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.constants import PROVISIONED_BILLING_MODE

from dynaflask.tables.schema import Capacity
from dynaflask.tables.schema import Index
from dynaflask.tables.schema import Json
from dynaflask.tables.schema import Schema
from dynaflask.tables.schema import attribute_definitions
from dynaflask.tables.schema import stream_specification
from dynaflask.tables.schema import tag_list

Differences = cabc.Iterator["Difference"]

ANOTHER_TABLE = "Only a new table can have it: dump this one, drop it, create it, and load the dump."
ANOTHER_INDEX = (
    "DynamoDB changes neither key nor projection of an index. Declare the new one under another name, sync, and prune"
    " this one when nobody reads it."
)
ANOTHER_STREAM = (
    "DynamoDB does not change a stream's view type. Switch the stream off when its readers are done, and sync: that"
    " makes a new stream."
)
ANOTHER_TTL = "A table has one such attribute. Switch its time to live off, which may take an hour, and sync."
NO_CAPACITY = "Declare read_capacity_units and write_capacity_units for it."
NO_TABLE = "`flask dynamo create` or db.create_all makes it."


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a table is not what its models declare.

    Attributes:
        what: What it is of the table: ``"billing mode"``, ``"global index 'byName'"``.
        declared: What the models say, in words.
        actual: What the table has, in words.
        operation: The operation that changes it; empty where DynamoDB cannot.
        request: What the operation is told, the table excepted.
        refusal: Why it cannot be changed in place, and what can be done.
    """

    what: str
    declared: str
    actual: str
    operation: str = ""
    request: Json = dataclasses.field(default_factory=dict, repr=False)
    blocked_reason: str = ""


def compare(declared: Schema, actual: Schema | None, *, prune: bool = False) -> list[Difference]:
    """The differences between what models declare and what a table is. What they leave unsaid is none.

    Args:
        declared: What the models of the table declare.
        actual: What the table is; ``None`` where there is none.
        prune: Whether a global index that no model declares is a difference.
    """
    if actual is None:
        return [Difference("table", "a table", "none", blocked_reason=NO_TABLE)]
    stray = _stray_indexes(declared, actual) if prune else ()
    kept = dataclasses.replace(
        actual, global_indexes=tuple(index for index in actual.global_indexes if index not in stray)
    )
    return [
        *_keys(declared, actual),
        *_local_indexes(declared, actual),
        *map(_deletion, stray),
        *_billing(declared, kept),
        *_global_indexes(declared, kept),
        *_stream(declared, actual),
        *_time_to_live(declared, actual),
        *_tags(declared, actual),
        *_deletion_protection(declared, actual),
    ]


def _keys(declared: Schema, actual: Schema) -> Differences:
    if declared.keys != actual.keys:
        yield Difference("key", _text(declared.keys), _text(actual.keys), blocked_reason=ANOTHER_TABLE)


def _local_indexes(declared: Schema, actual: Schema) -> Differences:
    present = {index.name: index for index in actual.local_indexes}
    for index in declared.local_indexes:
        found = present.get(index.name)
        if found is None or found.shape != index.shape:
            yield Difference(f"local index {index.name!r}", str(index), _text(found), blocked_reason=ANOTHER_TABLE)


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
        yield _update("capacity", units, actual.capacity, ProvisionedThroughput=units.request)


def _billing_mode(declared: Schema, actual: Schema) -> Difference:
    wanted = declared.billing_mode
    if wanted == PAY_PER_REQUEST_BILLING_MODE:
        return _update("billing mode", wanted, actual.billing_mode, BillingMode=wanted)
    if None in declared.capacity:
        return Difference("billing mode", str(wanted), str(actual.billing_mode), blocked_reason=NO_CAPACITY)
    said = {index.name: index.capacity.with_defaults(declared.capacity) for index in declared.global_indexes}
    # DynamoDB wants to hear the capacity of every index at once.
    updates = [_index_capacity(index.name, said.get(index.name, declared.capacity)) for index in actual.global_indexes]
    return _update(
        "billing mode",
        wanted,
        actual.billing_mode,
        BillingMode=wanted,
        ProvisionedThroughput=declared.capacity.request,
        **({"GlobalSecondaryIndexUpdates": updates} if updates else {}),
    )


def _stray_indexes(declared: Schema, actual: Schema) -> tuple[Index, ...]:
    wanted = {index.name for index in declared.global_indexes}
    return tuple(index for index in actual.global_indexes if index.name not in wanted)


def _deletion(index: Index) -> Difference:
    return _update(
        _label(index), "no index", index, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": index.name}}]
    )


def _global_indexes(declared: Schema, actual: Schema) -> Differences:
    present = {index.name: index for index in actual.global_indexes}
    billing_mode = declared.billing_mode or actual.billing_mode
    keeps_capacity = billing_mode == actual.billing_mode == PROVISIONED_BILLING_MODE
    capacity = declared.capacity.with_defaults(actual.capacity) if billing_mode == PROVISIONED_BILLING_MODE else None
    keys = [index.keys for index in (*actual.local_indexes, *actual.global_indexes)]
    for index in declared.global_indexes:
        found = present.get(index.name)
        if found is None:
            keys.append(index.keys)
            yield _new_index(index, attribute_definitions(actual.keys, *keys), capacity)
        elif found.shape != index.shape:
            yield Difference(_label(index), str(index), str(found), blocked_reason=ANOTHER_INDEX)
        elif keeps_capacity and (units := index.capacity.with_defaults(found.capacity)) != found.capacity:
            updates = [_index_capacity(index.name, units)]
            what = f"capacity of {_label(index)}"
            yield _update(what, units, found.capacity, GlobalSecondaryIndexUpdates=updates)


def _new_index(index: Index, definitions: list[Json], capacity: Capacity | None) -> Difference:
    creation = {"Create": index.request(capacity)}
    return _update(
        _label(index), index, "no index", AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=[creation]
    )


def _stream(declared: Schema, actual: Schema) -> Differences:
    wanted, found = declared.stream_view_type, actual.stream_view_type
    if wanted is None or wanted == found:
        return
    if found is None:
        yield _update("stream", wanted, "no stream", StreamSpecification=stream_specification(wanted))
    else:
        yield Difference("stream", wanted, found, blocked_reason=ANOTHER_STREAM)


def _time_to_live(declared: Schema, actual: Schema) -> Differences:
    wanted, found = declared.ttl_attribute, actual.ttl_attribute
    if wanted is None or wanted == found:
        return
    if found is None:
        yield time_to_live(wanted)
    else:
        yield Difference("time to live", wanted, found, blocked_reason=ANOTHER_TTL)


def time_to_live(attribute: str) -> Difference:
    """The lack of a time to live, which also a new table has."""
    request = {"TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": True}}
    return Difference("time to live", attribute, "none", "UpdateTimeToLive", request)


def _tags(declared: Schema, actual: Schema) -> Differences:
    present = actual.tags or {}
    wanted = {key: value for key, value in (declared.tags or {}).items() if present.get(key) != value}
    if wanted:
        found = {key: present[key] for key in wanted if key in present}
        yield Difference("tags", _text(wanted), _text(found), "TagResource", {"Tags": tag_list(wanted)})


def _deletion_protection(declared: Schema, actual: Schema) -> Differences:
    wanted = declared.deletion_protection
    if wanted is not None and wanted != actual.deletion_protection:
        yield _update("deletion protection", wanted, actual.deletion_protection, DeletionProtectionEnabled=wanted)


def _update(what: str, declared: object, actual: object, **request: object) -> Difference:
    return Difference(what, str(declared), str(actual), "UpdateTable", request)


def _index_capacity(name: str, capacity: Capacity) -> Json:
    return {"Update": {"IndexName": name, "ProvisionedThroughput": capacity.request}}


def _label(index: Index) -> str:
    return f"global index {index.name!r}"


def _text(value: object) -> str:
    if isinstance(value, dict):
        value = tuple(f"{key}={content}" for key, content in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
