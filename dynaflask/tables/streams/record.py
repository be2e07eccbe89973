"""``StreamRecord``: one change of one item, as objects of its model."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import typing as t

from dynaflask.model.typed import Model
from dynaflask.registry.blocks import ScopedBlock
from dynaflask.tables.json_lines import read_json
from dynaflask.tables.json_lines import write_json
from dynaflask.tables.schema import Json
from dynaflask.tables.streams.accounts import StreamedTable
from dynaflask.tables.streams.owners import TableOwners

Handler = t.Callable[["StreamRecord"], object]

# Who deletes an item whose time to live has passed. Lambda and botocore spell the field differently.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
TTL_SERVICE: t.Final = "dynamodb.amazonaws.com"


@dataclasses.dataclass(frozen=True, slots=True)
class StreamRecord:
    """One change of one item.

    Attributes:
        kind: ``"INSERT"``, ``"MODIFY"`` or ``"REMOVE"``.
        model: The class of the item.
        keys: The hash key, and the range key if the table has one: ``record.model.get(*record.keys)``.
        old: The item before the change; ``None`` if there was none, or if the stream does not have it.
        new: The item after the change; ``None`` if there is none, or if the stream does not have it.
        tenant: The tenant that the item belongs to, or None.
        table_name: The name of the table in DynamoDB.
        sequence_number: Identifies the record in its stream. Records of one item have rising numbers.
        created_at: Approximate time of the change, in UTC; ``None`` if the stream does not say it.
        is_expiry: True if DynamoDB deleted the item because its time to live had passed.
    """

    kind: str
    model: type[Model]
    keys: tuple[t.Any, ...]
    old: t.Any
    new: t.Any
    tenant: str | None
    table_name: str
    sequence_number: str
    created_at: dt.datetime | None
    is_expiry: bool
    _owners: TableOwners = dataclasses.field(repr=False, compare=False)

    def app_context(self) -> contextlib.AbstractContextManager[None]:
        """An app context of its own, for the tenant of the record."""
        return self._owners.context(self.tenant)

    def handle(self, handler: Handler) -> None:
        """Call a function with the record, in an app context for its tenant.

        Args:
            handler: The function.

        Raises:
            TypeError: It returned something that runs later, such as a coroutine.
        """
        # A plain function around the handler, so that a coroutine is refused. It would run in no context, or never.
        ScopedBlock(self.app_context)(lambda: handler(self))()


def read_record(record: Json, *, arn: str, owners: TableOwners) -> StreamRecord:
    """The record in DynamoDB's JSON, as an event of Lambda and botocore have it.

    Args:
        record: The record. Its binary values may be base64, as in an event, or bytes.
        arn: The ARN of its stream.
        owners: Finds tenant and model.

    Raises:
        StreamError: The record belongs to no table of the app, or the tenant or the model is not clear.
        TenantMismatch: The item belongs to another tenant than the context that reads the record.
    """
    table, change = StreamedTable.of_arn(arn), record["dynamodb"]
    # Both forms of a binary value become base64, and then bytes.
    keys, old, new = (read_json(write_json(change.get(name))) for name in ("Keys", "OldImage", "NewImage"))
    tenant = owners.tenant_of(table, keys)
    with owners.context(tenant):
        model = owners.model_of(table)
        key_values = tuple(_keys(model, keys))
        old_item, new_item = (None if image is None else model.from_raw_data(image) for image in (old, new))
    item = old_item if new_item is None else new_item
    return StreamRecord(
        kind=record["eventName"],
        model=model if item is None else type(item),
        keys=key_values,
        old=old_item,
        new=new_item,
        tenant=tenant,
        table_name=table.name,
        sequence_number=change["SequenceNumber"],
        created_at=_time(change.get("ApproximateCreationDateTime")),
        is_expiry=TTL_SERVICE in (record.get("userIdentity") or {}).values(),
        _owners=owners,
    )


def _keys(model: type[Model], keys: Json) -> t.Iterator[t.Any]:
    attributes = [each for each in model.get_attributes().values() if each.is_hash_key or each.is_range_key]
    for attribute in sorted(attributes, key=lambda attribute: attribute.is_range_key):
        yield attribute.deserialize(attribute.get_value(keys[attribute.attr_name]))


def _time(value: t.Any) -> dt.datetime | None:
    # An event has seconds of Unix time, and botocore a datetime.
    if isinstance(value, (int, float)):
        return dt.datetime.fromtimestamp(value, dt.timezone.utc)
    return t.cast("dt.datetime | None", value)
