"""``update_from``: an update of an item with the fields of a JSON body."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from dynaflask.model.bodies.fields import Field
from dynaflask.model.bodies.fields import fields_of
from dynaflask.model.bodies.loading import update_actions
from dynaflask.model.bodies.values import InvalidValue


class UpdateFromMixin:
    """A model method that updates an item from a mapping of fields."""

    def update_from(
        self,
        body: cabc.Mapping[str, t.Any],
        *,
        only: cabc.Collection[str] | None = None,
        exclude: cabc.Collection[str] = (),
        **options: t.Any,
    ) -> t.Any:
        """Update the item in one call: SET the fields that have a value, and REMOVE those that are null.

        Args:
            body: JSON, such as ``request.json``. It may repeat the keys of the item, unchanged.
            only: Names of the fields that the body may have; by default all.
            exclude: Names of the fields that the body may not have.
            **options: Options of PynamoDB's ``update``, such as ``condition``.

        Returns:
            The result of PynamoDB's ``update``.

        Raises:
            InvalidBody: The body does not fit; see :func:`dynaflask.views.load_item`. A view answers 400.
            UpdateError: DynamoDB refused.
        """
        model = t.cast("t.Any", type(self))
        changes = _without_own_keys(self, body) if isinstance(body, cabc.Mapping) else body
        actions = update_actions(model, changes, only=only, exclude=exclude)
        return t.cast("t.Any", self).update(actions=actions, **options)


def _without_own_keys(item: t.Any, body: cabc.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The body without the keys that the item has: a client may send back what it was sent."""
    fields = fields_of(type(item))
    return {name: value for name, value in body.items() if not _is_own_key(item, fields.get(name), name, value)}


def _is_own_key(item: t.Any, field: Field | None, name: str, value: t.Any) -> bool:
    if field is None or not field.is_key:
        return False
    try:
        return bool(field.read(value) == getattr(item, name))
    except InvalidValue:
        return False
