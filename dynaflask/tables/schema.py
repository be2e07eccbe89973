"""``Schema``: a table as its models declare it, or as DynamoDB describes it."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.constants import PROVISIONED_BILLING_MODE

from dynaflask.config.table_validators import AWS_MANAGED
from dynaflask.config.table_validators import AWS_OWNED
from dynaflask.model.index_settings import index_settings
from dynaflask.model.pynamodb_internals import table_schema
from dynaflask.model.pynamodb_internals import ttl_attribute
from dynaflask.model.typed import Model
from dynaflask.registry.declaration import add_missing
from dynaflask.tables.capacity import UNSPECIFIED
from dynaflask.tables.capacity import Capacity

Json = dict[str, t.Any]


class Key(t.NamedTuple):
    """One attribute of the key of a table or an index.

    Attributes:
        name: The attribute's name.
        role: ``"HASH"`` or ``"RANGE"``.
        type: ``"S"``, ``"N"`` or ``"B"``.
    """

    name: str
    role: str
    type: str

    def __str__(self) -> str:
        return f"{self.name} {self.type} {self.role}"


@dataclasses.dataclass(frozen=True, slots=True)
class Index:
    """One secondary index.

    Attributes:
        name: Its name.
        keys: Its key, the hash key first.
        projection: The projection type, then the attributes that it includes.
        capacity: Its own capacity, if it is a global index of a provisioned table.
        maximum: Its maximum, if it is a global index of an on-demand table.
        warm: The warm throughput of a global index.
        insights: The mode of Contributor Insights of a global index, or ``"DISABLED"``.
    """

    name: str
    keys: tuple[Key, ...]
    projection: tuple[str, ...]
    capacity: Capacity = UNSPECIFIED
    maximum: Capacity = UNSPECIFIED
    warm: Capacity = UNSPECIFIED
    insights: str | None = None

    @property
    def shape(self) -> tuple[t.Any, ...]:
        """Key and projection, which DynamoDB cannot change."""
        return self.keys, self.projection

    def request(self, capacity: Capacity | None = None) -> Json:
        """The index in a request.

        Args:
            capacity: The capacity of the table, if it is provisioned and this is a global index. It fills in what the
                index does not specify.
        """
        projection_type, *attributes = self.projection
        request: Json = {
            "IndexName": self.name,
            "KeySchema": key_schema(self.keys),
            "Projection": {"ProjectionType": projection_type},
        }
        if attributes:
            request["Projection"]["NonKeyAttributes"] = attributes
        if capacity is not None:
            request["ProvisionedThroughput"] = self.capacity.with_defaults(capacity).request
        elif any(self.maximum):
            request["OnDemandThroughput"] = self.maximum.maximum_request
        if any(self.warm):
            request["WarmThroughput"] = self.warm.warm_request
        return request

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.keys))}; {' '.join(self.projection)}"


@dataclasses.dataclass(frozen=True, slots=True)
class Schema:
    """A table as its models declare it, or as DynamoDB describes it. ``None`` is unspecified.

    Attributes:
        keys: The table's key, the hash key first.
        global_indexes: The global secondary indexes.
        local_indexes: The local secondary indexes.
        billing_mode: ``"PROVISIONED"`` or ``"PAY_PER_REQUEST"``.
        capacity: The table's capacity.
        stream_view_type: What its stream contains, such as ``"NEW_IMAGE"``.
        ttl_attribute: The attribute that holds the time to live.
        tags: The tags.
        deletion_protection: True if DynamoDB refuses to delete the table.
        table_class: ``"STANDARD"`` or ``"STANDARD_INFREQUENT_ACCESS"``.
        sse: ``"AWS_OWNED"``, ``"KMS"``, or a key of KMS.
        maximum: The most units of an on-demand table.
        warm: The warm throughput.
        recovery_days: Days from which the table can be restored; 0 if it cannot.
        resource_policy: The resource-based policy, as JSON.
        insights: The mode of Contributor Insights, or ``"DISABLED"``.
    """

    keys: tuple[Key, ...]
    global_indexes: tuple[Index, ...] = ()
    local_indexes: tuple[Index, ...] = ()
    billing_mode: str | None = None
    capacity: Capacity = UNSPECIFIED
    stream_view_type: str | None = None
    ttl_attribute: str | None = None
    tags: cabc.Mapping[str, str] | None = None
    deletion_protection: bool | None = None
    table_class: str | None = None
    sse: str | None = None
    maximum: Capacity = UNSPECIFIED
    warm: Capacity = UNSPECIFIED
    recovery_days: int | None = None
    resource_policy: str | None = None
    insights: str | None = None

    def create_request(self) -> Json:
        """The request of ``CreateTable``, without the name. The default billing mode is on-demand, for any capacity."""
        billing_mode = self.billing_mode or PAY_PER_REQUEST_BILLING_MODE
        capacity = self.capacity if billing_mode == PROVISIONED_BILLING_MODE else None
        request = {
            "BillingMode": billing_mode,
            "KeySchema": key_schema(self.keys),
            "AttributeDefinitions": attribute_definitions(
                self.keys, *(index.keys for index in (*self.global_indexes, *self.local_indexes))
            ),
            "GlobalSecondaryIndexes": [index.request(capacity) for index in self.global_indexes],
            "LocalSecondaryIndexes": [index.request() for index in self.local_indexes],
            "ProvisionedThroughput": capacity and capacity.request,
            "StreamSpecification": self.stream_view_type and stream_specification(self.stream_view_type),
            "Tags": tag_list(self.tags or {}),
            "DeletionProtectionEnabled": self.deletion_protection,
            "TableClass": self.table_class,
            "SSESpecification": self.sse and sse_specification(self.sse),
            "OnDemandThroughput": None if capacity else self.maximum.maximum_request,
            "WarmThroughput": self.warm.warm_request,
            "ResourcePolicy": self.resource_policy,
        }
        return {name: value for name, value in request.items() if value not in (None, [], {})}


def from_models(models: cabc.Sequence[type[Model]]) -> Schema:
    """The schema that the models of one table declare together, in the current scope.

    The indexes are those of all models. Any other value comes from the first model that specifies it.

    Args:
        models: The models of the table.
    """
    merged = _merged(models)
    types = {entry["AttributeName"]: entry["AttributeType"] for entry in merged["attribute_definitions"]}
    capacity = Capacity(_first(models, "read_capacity_units"), _first(models, "write_capacity_units"))
    settings = {name: values for model in models for name, values in index_settings(model).items()}
    return Schema(
        keys=keys_of(merged["key_schema"], types),
        global_indexes=tuple(
            _declared_index(entry, types, settings[entry["index_name"]]) for entry in merged["global_secondary_indexes"]
        ),
        local_indexes=tuple(_declared_index(entry, types, {}) for entry in merged["local_secondary_indexes"]),
        billing_mode=_first(models, "billing_mode") or (PROVISIONED_BILLING_MODE if any(capacity) else None),
        capacity=capacity,
        stream_view_type=_first(models, "stream_view_type"),
        ttl_attribute=next((ttl.attr_name for model in models if (ttl := ttl_attribute(model))), None),
        tags=_first(models, "tags"),
        deletion_protection=_first(models, "deletion_protection"),
        table_class=_first(models, "table_class"),
        sse=_first(models, "sse"),
        maximum=Capacity.of_setting(_first(models, "on_demand_throughput")),
        warm=Capacity.of_setting(_first(models, "warm_throughput")),
        recovery_days=_first(models, "point_in_time_recovery"),
        resource_policy=_first(models, "resource_policy"),
        insights=_first(models, "contributor_insights"),
    )


def keys_of(schema: cabc.Iterable[Json], types: cabc.Mapping[str, str]) -> tuple[Key, ...]:
    """The keys of a key schema, the hash keys first, and otherwise in its order.

    Args:
        schema: The key schema.
        types: The type of each attribute.
    """
    keys = (Key(entry["AttributeName"], entry["KeyType"], types[entry["AttributeName"]]) for entry in schema)
    return tuple(sorted(keys, key=lambda key: key.role))


def projection_of(entry: Json) -> tuple[str, ...]:
    """The type of a projection, and the attributes that it includes, sorted."""
    return (entry["ProjectionType"], *sorted(entry.get("NonKeyAttributes") or ()))


def key_schema(keys: cabc.Iterable[Key]) -> list[Json]:
    """The ``KeySchema`` of a request."""
    return [{"AttributeName": key.name, "KeyType": key.role} for key in keys]


def attribute_definitions(*keys: cabc.Iterable[Key]) -> list[Json]:
    """The ``AttributeDefinitions`` of a request: the attributes of several keys, each once."""
    types = {each.name: each.type for key in keys for each in key}
    return [{"AttributeName": name, "AttributeType": attribute_type} for name, attribute_type in types.items()]


def stream_specification(view_type: str) -> Json:
    """The ``StreamSpecification`` of a request."""
    return {"StreamEnabled": True, "StreamViewType": view_type}


def sse_specification(key: str) -> Json:
    """The ``SSESpecification`` of a request."""
    if key == AWS_OWNED:
        return {"Enabled": False}
    return {"Enabled": True, "SSEType": "KMS", **({} if key == AWS_MANAGED else {"KMSMasterKeyId": key})}


def tag_list(tags: cabc.Mapping[str, str]) -> list[Json]:
    """The ``Tags`` of a request."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _merged(models: cabc.Iterable[type[Model]]) -> dict[str, list[t.Any]]:
    merged: dict[str, list[t.Any]] = {}
    for model in models:
        for name, entries in table_schema(model).items():
            add_missing(merged.setdefault(name, []), entries)
    return merged


def _first(models: cabc.Iterable[type[Model]], name: str) -> t.Any:
    values = (getattr(model.Meta, name, None) for model in models)
    return next((value for value in values if value is not None), None)


def _declared_index(entry: Json, types: cabc.Mapping[str, str], settings: Json) -> Index:
    units = entry.get("provisioned_throughput") or {}
    return Index(
        entry["index_name"],
        keys_of(entry["key_schema"], types),
        projection_of(entry["projection"]),
        Capacity(units.get("ReadCapacityUnits"), units.get("WriteCapacityUnits")),
        maximum=Capacity.of_setting(settings.get("on_demand_throughput")),
        warm=Capacity.of_setting(settings.get("warm_throughput")),
        insights=settings.get("contributor_insights"),
    )
