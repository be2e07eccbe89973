"""Results in a form that can be compared exactly: 1 is not True, 1 is not 1.0, and a map is more than its values."""

from __future__ import annotations

import typing as t

from pynamodb.attributes import AttributeContainer


def shape(value: t.Any) -> t.Any:
    """A value with the types of all its parts, in their order."""
    if isinstance(value, AttributeContainer):
        return type(value), [(name, shape(part)) for name, part in vars(value).items()]
    if isinstance(value, dict):
        return type(value), [(shape(name), shape(part)) for name, part in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [shape(part) for part in value]
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(map(repr, map(shape, value)))
    return type(value), repr(value), getattr(value, "tzinfo", None)


def outcome(step: t.Callable[[], t.Any]) -> t.Any:
    """The result of a step, or its error."""
    try:
        return shape(step())
    except Exception as error:  # noqa: BLE001 - any error is compared
        return type(error), str(error)
