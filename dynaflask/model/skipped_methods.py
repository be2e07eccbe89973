"""The methods that the fast path skips. If the program or a test has replaced one, PynamoDB makes the call."""

from __future__ import annotations

import collections.abc as cabc
import functools

import pynamodb.models
from pynamodb.attributes import AttributeContainer

from dynaflask.client.connection import skipped_methods
from dynaflask.client.patches import Originals
from dynaflask.model.item_tenant import ItemTenantMixin
from dynaflask.model.tenant_guard import TenantGuardMixin
from dynaflask.model.versions import VersionMixin

# Methods of a model, by the operation.
STEPS: dict[str, tuple[str, ...]] = {
    "get": ("_get_connection", "_serialize_keys", "_hash_key_attribute", "_range_key_attribute"),
    "save": (
        "_get_connection",
        "_get_save_args",
        "_handle_version_attribute",
        "_hash_key_attribute",
        "_range_key_attribute",
        "serialize",
        "_container_serialize",
        "update_local_version_attribute",
    ),
    "update": (
        "_get_connection",
        "_get_hash_range_key_serialized_values",
        "_handle_version_attribute",
        "_get_discriminator_class",
        "deserialize",
        "_container_deserialize",
    ),
    "delete": ("_get_connection", "_get_hash_range_key_serialized_values", "_handle_version_attribute"),
    # For each object that a batch saves.
    "batch_write": (
        "serialize",
        "_container_serialize",
        "_handle_version_attribute",
        "update_local_version_attribute",
    ),
}
# The method of a connection and of a table.
CALLS = {
    "get": "get_item",
    "save": "put_item",
    "update": "update_item",
    "delete": "delete_item",
    "batch_write": "batch_write_item",
}


class SkippedMethods:
    """The methods that the fast path of one operation skips, as they are before a test patches them.

    Args:
        base: The base class of all models.
        operation: Name of the operation's method of a model.
        mixin: The base of it that takes the fast path. The bases after it are skipped.

    Attributes:
        names: Names of the model's methods.
    """

    def __init__(self, base: type, operation: str, *, mixin: type) -> None:
        self.names = frozenset((operation, *STEPS[operation]))
        self._owners = (
            base,
            TenantGuardMixin,
            VersionMixin,
            ItemTenantMixin,
            pynamodb.models.Model,
            AttributeContainer,
        )
        # A model is compared with its base, which finds a patch of the first owner of a method. The further ones are
        # compared themselves, as is the operation: a base that comes before the mixin may override it.
        owned, found = {}, {operation}
        for owner in self._owners:
            names = self.names & vars(owner).keys()
            owned[owner] = names & found
            found |= names
        self._owned = Originals({**owned, **skipped_methods(CALLS[operation])})
        self._inherited = Originals({base: STEPS[operation]})
        self._mixin = mixin

    def has_other_base(self, model: type) -> bool:
        """True if a base that is not ours comes after the mixin and overrides one of the methods."""
        bases = model.__mro__[model.__mro__.index(self._mixin) + 1 :]
        return any(self.names & vars(cls).keys() for cls in bases if cls not in self._owners)

    def of(self, model: type) -> Originals:
        """The methods, for one model: neither it nor a patch may override one."""
        return self._owned.and_inherited(model, self._inherited)


@functools.cache
def methods_skipped_by(base: type, mixin: type, operation: str) -> SkippedMethods:
    """The methods that the fast path of an operation skips.

    Args:
        base: The base class of all models.
        mixin: The base of it that takes the fast path.
        operation: As of :class:`SkippedMethods`.
    """
    return SkippedMethods(base, operation, mixin=mixin)


class SkippedByOperation(dict[str, Originals | None]):
    """The methods that the fast path of a model skips, by the operation; ``None`` for an operation without one.

    They are found at the first use of an operation. The classes are those that were remembered before.

    Args:
        model: The model's class.
        steps: Returns the steps of an operation.
        operations: The operations that have a fast path.
    """

    def __init__(
        self, model: type, steps: cabc.Callable[[str], SkippedMethods], *, operations: cabc.Container[str]
    ) -> None:
        super().__init__()
        self._model = model
        self._steps = steps
        self._operations = operations

    def __missing__(self, operation: str) -> Originals | None:
        steps = self._steps(operation) if operation in self._operations else None
        skipped = None if steps is None or steps.has_other_base(self._model) else steps.of(self._model)
        # Two threads may find the same.
        self[operation] = skipped
        return skipped
