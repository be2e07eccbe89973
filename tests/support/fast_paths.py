"""The calls that have a fast path."""

from __future__ import annotations

import typing as t

from tests.support.comparing import shape

Calls = dict[str, t.Callable[[], t.Any]]


def calls_of(model: t.Any, item: t.Any, *keys: t.Any) -> Calls:
    """One call of each operation on an item."""
    name = next(name for name, attribute in model.get_attributes().items() if not attribute.is_hash_key)
    condition = getattr(model, name).exists()
    actions = [getattr(model, name).remove()]
    return {
        "get": lambda: shape(model.get(*keys)),
        "consistent get": lambda: shape(model.get(*keys, consistent_read=True)),
        "get of some": lambda: shape(model.get(*keys, attributes_to_get=[name])),
        "save": item.save,
        "save on a condition": lambda: item.save(condition),
        "update": lambda: item.update(actions),
        "update on a condition": lambda: item.update(actions, condition=condition),
        "update of nothing": lambda: item.update([]),
        "delete": item.delete,
        "delete on a condition": lambda: item.delete(condition),
    }
