"""The items of a batch, serialized without the steps that are the same for all of them."""

from __future__ import annotations

import collections.abc as cabc
import functools
import typing as t

import pynamodb.connection
import pynamodb.models
from pynamodb.attributes import AttributeContainer

from dynaflask.client.connection import Connection
from dynaflask.client.patches import Originals
from dynaflask.client.table_connection import TableConnection
from dynaflask.model.codec.serializer import CheckedSerializer
from dynaflask.model.item_tenant import ItemTenantMixin
from dynaflask.model.item_tenant import in_call
from dynaflask.model.item_tenant import remember_tenant
from dynaflask.model.item_tenant import require_own_tenant
from dynaflask.model.item_tenant import require_same_scope
from dynaflask.model.item_tenant import require_unchanged
from dynaflask.model.pynamodb_internals import count_version
from dynaflask.model.pynamodb_internals import version_attribute
from dynaflask.model.versions import VersionMixin
from dynaflask.registry.context import current_scope
from dynaflask.registry.scope import Scope

# What a batch calls for each object, to serialize it and to count its version.
STEPS = ("serialize", "_container_serialize", "_handle_version_attribute", "update_local_version_attribute")
STEP_NAMES = frozenset(STEPS)


@functools.cache
def usual_steps(base: type) -> Originals:
    """The methods that a batch may skip, as they are before a test patches them.

    Args:
        base: The base class of all models.
    """
    owners = (base, ItemTenantMixin, VersionMixin, pynamodb.models.Model, AttributeContainer)
    # Not skipped: a patch of them gets the items that ``serialize`` returns.
    senders = (pynamodb.connection.TableConnection, pynamodb.connection.Connection, TableConnection, Connection)
    return Originals({**dict.fromkeys(owners, STEPS), **dict.fromkeys(senders, ("batch_write_item",))})


class BatchItems:
    """The items of the objects of one batch.

    Args:
        base: The base class of all models.
        find_serializer: Finds the serializer of a model in the current scope, or None.

    Attributes:
        are_plain: True if botocore would send each item since the last :meth:`begin` unchanged.
    """

    def __init__(self, base: type, find_serializer: t.Callable[[t.Any], CheckedSerializer | None]) -> None:
        self.are_plain = True
        self._usual_steps = usual_steps(base)
        self._find_serializer = find_serializer
        self._serializers: dict[type, CheckedSerializer | None] = {}
        self._are_usual = True
        self._scope: Scope | None = None

    def begin(self, model: t.Any) -> None:
        """Start a commit. A patch, a block or a change of the context may have come since the last one."""
        self._scope = current_scope(model.__dynamo__)
        self._serializers.clear()
        self.are_plain = self._are_usual = True

    def item_of(self, instance: t.Any) -> dict[str, t.Any]:
        """The item of an object, with its next version."""
        serialize = self._serializer_of(instance)
        if serialize is None:
            self.are_plain = self._are_usual = False
            item: dict[str, t.Any] = instance.serialize()
            count_version(instance, item)
            return item
        tenant = require_own_tenant(instance, self._scope)
        item, is_plain = serialize(instance)
        require_unchanged(instance, tenant, self._scope)
        if not is_plain:
            self.are_plain = False
        return item

    def end(self, model: t.Any) -> None:
        """End the serialization of a commit's items.

        Raises:
            RuntimeError: As of ``require_same_scope``.
        """
        require_same_scope(model, self._scope)

    def mark_saved(self, instances: cabc.Iterable[t.Any]) -> None:
        """Give objects the versions and the tenant of their items, as after a save."""
        scope = self._scope
        if self._are_usual and (scope is None or scope.known_tenant is None):
            return
        for instance in instances:
            if self._serializer_of(instance) is None:
                with in_call(scope, instance):
                    instance.update_local_version_attribute()
            else:
                remember_tenant(instance, scope)

    def _serializer_of(self, instance: t.Any) -> CheckedSerializer | None:
        model = type(instance)
        try:
            serialize = self._serializers[model]
        except KeyError:
            serialize = self._serializers[model] = self._find_serializer(model) if self._is_usual(model) else None
        return serialize if STEP_NAMES.isdisjoint(vars(instance)) else None

    def _is_usual(self, model: t.Any) -> bool:
        """True if neither a model nor a patch overrides one of the steps, and the model has no version."""
        if not self._usual_steps.are_in_place() or version_attribute(model) is not None:
            return False
        return self._usual_steps.classes.issuperset(
            cls for cls in model.__mro__ if not STEP_NAMES.isdisjoint(vars(cls))
        )
