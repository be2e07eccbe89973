"""An update's expression, as PynamoDB writes it, without what PynamoDB does anew for each part of it."""

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

# In PynamoDB's order, by which it numbers names and values.
CLAUSES = {
    updates.SetAction: "SET",
    updates.RemoveAction: "REMOVE",
    updates.AddAction: "ADD",
    updates.DeleteAction: "DELETE",
}
# What operators make of operands. PynamoDB names them for itself alone.
COMPOSED = ("_Increment", "_Decrement", "_ListAppend", "_IfNotExists")
FORMATS: dict[t.Any, str] = {
    kind: kind.format_string
    for kind in (*CLAUSES, *(getattr(operands, name) for name in COMPOSED if hasattr(operands, name)))
}


def update_of(actions: t.Any) -> dict[str, t.Any] | None:
    """The expression of an update without a condition, with its names and values, as a request has them.

    Args:
        actions: What is to be done.

    Returns:
        ``None`` if there is anything among them that is PynamoDB's to write.

    Raises:
        ValueError: A path is none.
    """
    if type(actions) is not list:
        return None
    names: dict[str, str] = {}
    values: dict[str, t.Any] = {}
    clauses: dict[t.Any, list[t.Any]] = {kind: [] for kind in CLAUSES}
    try:
        for action in actions:
            clauses[type(action)].append(action)
        parts = [_clause(kind, clauses[kind], names, values) for kind in CLAUSES if clauses[kind]]
    except LookupError:  # of another kind
        return None
    # PynamoDB leaves out what is empty.
    by_placeholder = {placeholder: name for name, placeholder in names.items()}
    found = {EXPRESSION_ATTRIBUTE_NAMES: by_placeholder, EXPRESSION_ATTRIBUTE_VALUES: values}
    return {UPDATE_EXPRESSION: " ".join(parts) or None, **{name: held for name, held in found.items() if held}}


def _clause(kind: t.Any, actions: cabc.Iterable[t.Any], names: dict[str, str], values: dict[str, t.Any]) -> str:
    return f"{CLAUSES[kind]} {', '.join([_text(action, names, values) for action in actions])}"


def _text(part: t.Any, names: dict[str, str], values: dict[str, t.Any]) -> str:
    """An action or an operand. Its names and values are added to those that there are."""
    kind = type(part)
    if kind is Path:
        return _path(part.values[0], names)
    if kind is Value:
        placeholder = f":{len(values)}"
        values[placeholder] = part.values[0]
        return placeholder
    return FORMATS[kind].format(*[_text(one, names, values) for one in part.values])


def _path(segments: list[t.Any], names: dict[str, str]) -> str:
    segment = segments[0]
    if len(segments) > 1 or type(segment) is not str or not segment or "[" in segment or "]" in segment:
        return substitute_names(segments, names)
    return names.get(segment) or names.setdefault(segment, f"#{len(names)}")
