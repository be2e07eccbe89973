"""What happens, in a form that can be compared: 1 is not True, 1 is not 1.0, and a map is more than its values."""

from __future__ import annotations

import typing as t

from pynamodb.attributes import AttributeContainer


def shape(value: t.Any) -> t.Any:
    """A value with all of its types, in its order."""
    if isinstance(value, AttributeContainer):
        return type(value), [(name, shape(held)) for name, held in vars(value).items()]
    if isinstance(value, dict):
        return type(value), [(shape(name), shape(held)) for name, held in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [shape(held) for held in value]
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(map(repr, map(shape, value)))
    return type(value), repr(value), getattr(value, "tzinfo", None)


def outcome(step: t.Callable[[], t.Any]) -> t.Any:
    """What a step comes to."""
    try:
        return shape(step())
    except Exception as error:  # noqa: BLE001 - whatever it is, both must raise it
        return type(error), str(error)
