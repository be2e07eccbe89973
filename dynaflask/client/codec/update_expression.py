"""Update expressions as PynamoDB writes them, without the work that PynamoDB repeats for each part of one."""

from __future__ import annotations

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
    groups: dict[t.Any, list[t.Any]] = {}
    for action in actions:
        groups.setdefault(type(action), []).append(action)
    if not groups.keys() <= CLAUSES.keys():
        return None
    try:
        clauses = [
            f"{keyword} {', '.join([_expression(action, names, values) for action in groups[action_type]])}"
            for action_type, keyword in CLAUSES.items()
            if action_type in groups
        ]
    except LookupError:  # a type that is not in FORMATS
        return None
    # PynamoDB leaves out a parameter that is empty.
    update: dict[str, t.Any] = {UPDATE_EXPRESSION: " ".join(clauses) or None}
    if names:
        update[EXPRESSION_ATTRIBUTE_NAMES] = dict(zip(names.values(), names, strict=True))
    if values:
        update[EXPRESSION_ATTRIBUTE_VALUES] = values
    return update


def _expression(part: t.Any, names: dict[str, str], values: dict[str, t.Any]) -> str:
    """Text of an action or an operator. Adds its names and values to ``names`` and ``values``."""
    template, texts = FORMATS[type(part)], []
    for operand in part.values:
        operand_type = type(operand)
        if operand_type is Value:
            text = f":{len(values)}"
            values[text] = operand.values[0]
        elif operand_type is Path:
            text = _path(operand.values[0], names)
        else:
            text = _expression(operand, names, values)
        texts.append(text)
    return template.format(*texts)


def _path(segments: list[t.Any], names: dict[str, str]) -> str:
    segment = segments[0]
    # PynamoDB splits what may have an index.
    if len(segments) > 1 or type(segment) is not str or not segment.isidentifier():
        return substitute_names(segments, names)
    return names.get(segment) or names.setdefault(segment, f"#{len(names)}")
