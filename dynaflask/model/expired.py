"""``Meta.hide_expired``: items whose time to live has passed are as if absent, although DynamoDB has not deleted them.

The reads of the model's connection hide them: `dynaflask.client.expiry.ExpiryConnection`.
"""

from __future__ import annotations

import typing as t

from pynamodb.constants import ALL

from dynaflask.model.pynamodb_internals import hash_key_name
from dynaflask.model.pynamodb_internals import indexes
from dynaflask.model.pynamodb_internals import ttl_attribute


def is_hiding(model: t.Any) -> bool:
    """True if the reads of a model hide expired items."""
    declaration = model.__declaration__
    return declaration is not None and declaration.expiry is not None


def declare_expiry(model: t.Any) -> None:
    """Note by which attribute the items of a model expire, if its ``Meta`` hides expired items.

    Raises:
        TypeError: The model has no ``TTLAttribute``, or another one than its base class, or an index without it.
    """
    declaration = model.__declaration__
    # A base class may declare no hash key; its subclasses are checked in turn.
    if declaration is None or not declaration.hides_expired or hash_key_name(model) is None:
        return
    attribute = ttl_attribute(model)
    if attribute is None:
        raise TypeError(f"{model.__name__}.Meta.hide_expired needs a TTLAttribute in {model.__name__}.")
    if declaration.expiry not in {None, attribute.attr_name}:
        raise TypeError(
            f"{model.__name__} has the TTLAttribute {attribute.attr_name!r}, and its table expires by"
            f" {declaration.expiry!r}. A table has one time to live."
        )
    for index in indexes(model).values():
        if not _has_attribute(index, attribute):
            # Its items would look as if they never expired.
            raise TypeError(
                f"The index {index.Meta.index_name!r} of {model.__name__} does not contain {attribute.attr_name!r}, by"
                " which Meta.hide_expired hides items. Use AllProjection, or add it to the IncludeProjection."
            )
    declaration.expiry = attribute.attr_name


def _has_attribute(index: t.Any, attribute: t.Any) -> bool:
    projection = index.Meta.projection
    if projection.projection_type == ALL or attribute.is_hash_key or attribute.is_range_key:
        return True
    keys = {key.attr_name for key in index.Meta.attributes.values()}
    return attribute.attr_name in {*keys, *(projection.non_key_attributes or ())}
