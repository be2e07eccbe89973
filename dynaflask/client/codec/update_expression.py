"""Update expressions as PynamoDB writes them, without the work that PynamoDB repeats for each part of one."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from pynamodb.constants import EXPRESSION_ATTRIBUTE_NAMES
from pynamodb.constants import EXPRESSION_ATTRIBUTE_VALUES
from pynamodb.constants import UPDATE_EXPRESSION
from pynamodb.expressions import operand as operands
from pynamodb.expressions import update as updates
from pynamodb.expressions.operand import Path
from pynamodb.expressions.operand import Value
from pynamodb.expressions.util import substitute_names

# In PynamoDB's order, which numbers the placeholders of names and values.
CLAUSES = {
    updates.SetAction: "SET",
    updates.RemoveAction: "REMOVE",
    updates.AddAction: "ADD",
    updates.DeleteAction: "DELETE",
}
# Private classes of PynamoDB, which operators such as `+` return. If one is gone, PynamoDB writes updates that use it.
COMPOSED = ("_Increment", "_Decrement", "_ListAppend", "_IfNotExists")
FORMATS: dict[t.Any, str] = {
    part_type: part_type.format_string
    for part_type in (*CLAUSES, *(getattr(operands, name) for name in COMPOSED if hasattr(operands, name)))
}


def serialize_update(actions: t.Any) -> dict[str, t.Any] | None:
    """The parameters of an update without a condition: its expression, names and values.

    Args:
        actions: Actions of the update.

    Returns:
        The parameters, or ``None`` if PynamoDB must write them: an action or operand has another type.

    Raises:
        ValueError: A path is malformed.
    """
    if type(actions) is not list:
        return None
    names: dict[str, str] = {}
    values: dict[str, t.Any] = {}
    clauses: dict[t.Any, list[t.Any]] = {action_type: [] for action_type in CLAUSES}
    try:
        for action in actions:
            clauses[type(action)].append(action)
        parts = [_clause(action_type, group, names, values) for action_type, group in clauses.items() if group]
    except LookupError:  # a type that is not in CLAUSES or FORMATS
        return None
    names_by_placeholder = {placeholder: name for name, placeholder in names.items()}
    # PynamoDB leaves out a parameter that is empty.
    optional = {EXPRESSION_ATTRIBUTE_NAMES: names_by_placeholder, EXPRESSION_ATTRIBUTE_VALUES: values}
    return {UPDATE_EXPRESSION: " ".join(parts) or None, **{name: value for name, value in optional.items() if value}}


def _clause(action_type: t.Any, actions: cabc.Iterable[t.Any], names: dict[str, str], values: dict[str, t.Any]) -> str:
    return f"{CLAUSES[action_type]} {', '.join([_expression(action, names, values) for action in actions])}"


def _expression(part: t.Any, names: dict[str, str], values: dict[str, t.Any]) -> str:
    """Text of an action or operand. Adds its names and values to ``names`` and ``values``."""
    part_type = type(part)
    if part_type is Path:
        return _path(part.values[0], names)
    if part_type is Value:
        placeholder = f":{len(values)}"
        values[placeholder] = part.values[0]
        return placeholder
    return FORMATS[part_type].format(*[_expression(value, names, values) for value in part.values])


def _path(segments: list[t.Any], names: dict[str, str]) -> str:
    segment = segments[0]
    if len(segments) > 1 or type(segment) is not str or not segment or "[" in segment or "]" in segment:
        return substitute_names(segments, names)
    return names.get(segment) or names.setdefault(segment, f"#{len(names)}")
