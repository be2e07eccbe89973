"""The items of a batch, serialized without the steps that are the same for all of them."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from pynamodb.constants import PUT

from dynaflask.client.plain_requests import PlainItems
from dynaflask.client.plain_requests import decoded_items
from dynaflask.client.table_connection import TableConnection
from dynaflask.model.codec.serializer import CheckedSerializer
from dynaflask.model.codec_lookup import codec_in
from dynaflask.model.item_tenant import claim
from dynaflask.model.item_tenant import require_own_tenant
from dynaflask.model.item_tenant import require_same_scope
from dynaflask.model.item_tenant import require_unchanged
from dynaflask.model.pynamodb_internals import count_version
from dynaflask.model.pynamodb_internals import serialized_keys
from dynaflask.model.skipped_methods import STEPS
from dynaflask.registry.context import current_scope
from dynaflask.registry.scope import Scope

Json = dict[str, t.Any]
STEP_NAMES = frozenset(STEPS["batch_write"])


class BatchItems:
    """The items of the objects of one commit of a batch.

    Args:
        model: The model whose items are written.

    Attributes:
        are_plain: True if botocore would send each item unchanged.
    """

    def __init__(self, model: t.Any) -> None:
        self.are_plain = True
        self._model = model
        # Before the table: `serialize` compares the scope, so that the items are for the table's tenant.
        self._scope: Scope | None = current_scope(model.__dynamo__)
        self._table = table = model._get_connection()
        codec = codec_in(self._scope, model)
        # None if the connection must build the request.
        self._requests = None if codec is None else codec.item_fast_path.batch_requests(table)
        self._takes_structs = self._requests is not None and self._requests.takes_structs
        self._serializers: dict[type, CheckedSerializer | None] = {}
        self._may_have_versions = False

    def serialize(self, operations: cabc.Sequence[Json]) -> tuple[list[t.Any], list[Json]]:
        """The items of the objects to save, with their next versions, and the keys of the objects to delete.

        An item may be a struct, for :meth:`send` alone.

        Args:
            operations: The pending operations of PynamoDB's batch.

        Raises:
            TenantMismatch: An object is another tenant's.
            RuntimeError: As of ``require_same_scope``.
        """
        items, scope = [], self._scope
        has_tenant = scope is not None and scope.known_tenant is not None
        saved = [operation["item"] for operation in operations if operation["action"] == PUT]
        # Most batches delete nothing.
        deleted = [] if len(saved) == len(operations) else [one["item"] for one in operations if one["action"] != PUT]
        for instance in saved:
            serialize = self._serializer_of(instance)
            if serialize is None:
                self.are_plain, self._may_have_versions = False, True
                item = instance.serialize()
                count_version(instance, item)
            else:
                tenant = require_own_tenant(instance, scope)
                item, is_plain = serialize(instance)
                require_unchanged(instance, tenant, scope)
                self.are_plain &= is_plain
            if has_tenant:
                # Before the write: DynamoDB may have done it although the call fails.
                claim(instance, scope)
            items.append(item)
        keys = list(map(serialized_keys, deleted))
        require_same_scope(self._model, scope)
        return items, keys

    def send(self, items: list[t.Any], keys: list[Json]) -> Json:
        """The response to the request with these items and keys.

        Args:
            items: The items of the objects to save.
            keys: The keys of the objects to delete.

        Raises:
            RuntimeError: As of :meth:`.PlainCalls.send_batch_write`.
        """
        request, table = None, self._table
        if self._requests is not None and self.are_plain:
            request = self._requests.batch_write(PlainItems(items), keys)
        if request is not None:
            return t.cast("Json", table.connection.send_batch_write(table.table_name, request))
        put_items = decoded_items(items)
        # A program may put another connection in place of the model's.
        if self.are_plain and type(table) is TableConnection:
            put_items = PlainItems(put_items)
        return t.cast("Json", table.batch_write_item(put_items=put_items, delete_items=keys))

    def count_versions(self, instances: cabc.Iterable[t.Any]) -> None:
        """Give saved objects the versions of their items, as after a save."""
        if not self._may_have_versions:
            return
        for instance in instances:
            if self._serializer_of(instance) is None:
                instance.update_local_version_attribute()

    def _serializer_of(self, instance: t.Any) -> CheckedSerializer | None:
        """The serializer of an object; None if it has a version, or if something overrides a step."""
        model = type(instance)
        try:
            serialize = self._serializers[model]
        except KeyError:
            codec = codec_in(self._scope, model)
            serialize = self._serializers[model] = (
                None if codec is None else codec.item_fast_path.batch_serializer(takes_structs=self._takes_structs)
            )
        return serialize if STEP_NAMES.isdisjoint(instance.__dict__) else None
