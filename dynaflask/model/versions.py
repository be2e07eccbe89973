"""Versions of items: an update that does not check the version still counts it."""

from __future__ import annotations

import typing as t

from dynaflask.model.pynamodb_internals import version_attribute


class Unchecked(list[t.Any]):
    """The actions of an update that does not check the version of the item."""


class VersionMixin:
    """Model methods that count the version of an item that was not read, if the model has a ``VersionAttribute``."""

    def update(self, actions: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
        """Change an item; see PynamoDB."""
        return t.cast("t.Any", super()).update(_marked(actions, options), *args, **options)

    def get_update_kwargs_from_instance(self, actions: t.Any, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Parameters of an update in a transaction; see PynamoDB."""
        request = t.cast("t.Any", super()).get_update_kwargs_from_instance(_marked(actions, options), *args, **options)
        return t.cast("dict[str, t.Any]", request)

    def _handle_version_attribute(self, *, attributes: t.Any = None, actions: t.Any = None) -> t.Any:
        condition = t.cast("t.Any", super())._handle_version_attribute(attributes=attributes, actions=actions)
        attribute = version_attribute(self)
        if attribute is not None and isinstance(actions, Unchecked):
            # PynamoDB sets the version of an object that was not read to 1, also if the item has a higher one.
            actions[-1] = attribute.add(1)
        return condition


def _marked(actions: t.Any, options: dict[str, t.Any]) -> t.Any:
    is_checked = options.get("add_version_condition", True)
    return actions if is_checked or not isinstance(actions, list) else Unchecked(actions)
