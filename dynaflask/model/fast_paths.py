"""The operations of a model that take its fast path, if they can."""

from __future__ import annotations

import typing as t

from dynaflask.model.codec_lookup import find_codec
from dynaflask.model.item_tenant import require_same_tenant
from dynaflask.model.running_calls import in_call
from dynaflask.registry.context import current_scope

if t.TYPE_CHECKING:
    from dynaflask.model.item_fast_path import ItemFastPath


class FastPathMixin:
    """Model methods that take the fast path if they can. The arguments and the results are PynamoDB's."""

    @classmethod
    def get(cls, *args: t.Any, **options: t.Any) -> t.Any:  # noqa: D417 - PynamoDB has the signature
        """The item with these keys.

        Args:
            hash_key: The hash key.
            range_key: The range key, where the table has one.
            consistent_read: True to read what the last write left, for twice the capacity units.
            attributes_to_get: Names of the attributes to read; by default all.

        Raises:
            DoesNotExist: There is no such item. ``Thread.DoesNotExist`` is a subclass for each model.
            GetError: DynamoDB refused.
        """
        scope, fast_path = _fast_path_of(cls)
        if fast_path is None or not fast_path.applies_to("get"):
            item = t.cast("t.Any", super()).get(*args, **options)
            require_same_tenant(cls, scope)
            return item
        return fast_path.get(scope, *args, **options)

    def save(self, *args: t.Any, **options: t.Any) -> t.Any:
        """Write an item; see PynamoDB."""
        scope, fast_path = _fast_path_of(type(self))
        if fast_path is None or not fast_path.applies_to("save", self):
            with in_call(scope, self):
                return t.cast("t.Any", super()).save(*args, **options)
        return fast_path.save(scope, self, *args, **options)

    def update(self, *args: t.Any, **options: t.Any) -> t.Any:
        """Change an item; see PynamoDB."""
        scope, fast_path = _fast_path_of(type(self))
        if fast_path is None or not fast_path.applies_to("update", self):
            with in_call(scope, self):
                return t.cast("t.Any", super()).update(*args, **options)
        return fast_path.update(scope, self, *args, **options)

    def delete(self, *args: t.Any, **options: t.Any) -> t.Any:
        """Delete an item; see PynamoDB."""
        scope, fast_path = _fast_path_of(type(self))
        if fast_path is None or not fast_path.applies_to("delete", self):
            return t.cast("t.Any", super()).delete(*args, **options)
        return fast_path.delete(scope, self, *args, **options)

    def refresh(self, *args: t.Any, **options: t.Any) -> t.Any:
        """Read the item again, into the object; see PynamoDB."""
        with in_call(current_scope(t.cast("t.Any", self).__dynamo__), self):
            return t.cast("t.Any", super()).refresh(*args, **options)


def _fast_path_of(model: t.Any) -> tuple[t.Any, ItemFastPath | None]:
    """The current scope and the model's fast path; None in its place if there is no scope, or its codec is not used."""
    scope = current_scope(model.__dynamo__)
    codec = None if scope is None else scope.codec_for(model, find_codec)
    return scope, None if codec is None else codec.item_fast_path
