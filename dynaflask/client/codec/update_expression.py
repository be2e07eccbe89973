"""Update expressions as PynamoDB writes them. It writes each form of an update once.

Two updates have one form if they differ in nothing but names and values: ``SET #0 = #0 + :0`` adds to any number. So
what is kept has no name and no value, and is the same for every app, model and tenant.
"""

from __future__ import annotations

import typing as t

from pynamodb.constants import EXPRESSION_ATTRIBUTE_NAMES
from pynamodb.constants import EXPRESSION_ATTRIBUTE_VALUES
from pynamodb.constants import UPDATE_EXPRESSION
from pynamodb.expressions import operand as operands
from pynamodb.expressions import update as updates
from pynamodb.expressions.operand import Path
from pynamodb.expressions.operand import Value
from pynamodb.expressions.update import Update

# In PynamoDB's order, which numbers the placeholders of names and values.
CLAUSES = (updates.SetAction, updates.RemoveAction, updates.AddAction, updates.DeleteAction)
POSITIONS: dict[t.Any, int] = {action_type: position for position, action_type in enumerate(CLAUSES)}
# Private classes of PynamoDB, which operators such as `+` return. If one is gone, PynamoDB writes updates that use it.
COMPOSED = ("_Increment", "_Decrement", "_ListAppend", "_IfNotExists")
FORMATS: dict[t.Any, str] = {
    operator: operator.format_string
    for operator in (getattr(operands, name) for name in COMPOSED if hasattr(operands, name))
}
# A program has a few. Indexes of lists are part of a form, and may be many.
MAX_FORMS = 1000
_are_texts = frozenset({str}).issuperset


class Form(t.NamedTuple):
    """What all updates of one form have in common.

    Attributes:
        expression: The expression.
        names: The placeholders of names, in the order of the names.
        values: The placeholders of values, in the order of the values.
    """

    expression: str
    names: tuple[str, ...]
    values: tuple[str, ...]


_forms: dict[tuple[t.Any, ...], Form] = {}


def serialize_update(actions: t.Any) -> dict[str, t.Any] | None:
    """The parameters of an update without a condition: its expression, names and values.

    Args:
        actions: Actions of the update.

    Returns:
        The parameters, or ``None`` if PynamoDB must write or refuse them: there is no action, or one has another type.

    Raises:
        ValueError: A path is malformed.
    """
    if type(actions) is not list or not actions:
        return None
    key: list[t.Any] = []
    names: dict[str, int] = {}
    values: list[t.Any] = []
    position = 0
    try:
        for action in actions:
            action_type, previous = type(action), position
            position = POSITIONS[action_type]
            if position < previous:
                return serialize_update(sorted(actions, key=lambda action: POSITIONS[type(action)]))
            key.append(action_type)
            _read(action.values, key, names, values)
    except (AttributeError, LookupError, TypeError):  # another type of action or operand, or a path of no texts
        return None
    are_names = _are_texts(map(type, names)) and "" not in names and "]" not in "".join(names)
    form = (_forms.get(tuple(key)) or _learn(tuple(key), actions, names, values)) if are_names else None
    if form is None:
        return None
    update: dict[str, t.Any] = {
        UPDATE_EXPRESSION: form.expression,
        EXPRESSION_ATTRIBUTE_NAMES: dict(zip(form.names, names, strict=True)),
    }
    # PynamoDB leaves out a parameter that is empty.
    if values:
        update[EXPRESSION_ATTRIBUTE_VALUES] = dict(zip(form.values, values, strict=True))
    return update


def _read(parts: tuple[t.Any, ...], key: list[t.Any], names: dict[str, int], values: list[t.Any]) -> None:
    """Add the names and values of operands, and to the key of the form their types and the numbers of their names.

    Each type or format tells what follows it, so that two forms never have one key.
    """
    for part in parts:
        part_type = type(part)
        if part_type is Path:
            key.append(Path)
            for segment in part.values[0]:
                name = segment
                if "[" in segment:
                    name, _, index = segment.partition("[")
                    key.append(index)
                key.append(names.setdefault(name, len(names)))
        elif part_type is Value:
            key.append(Value)
            values.append(part.values[0])
        else:
            key.append(FORMATS[part_type])
            _read(part.values, key, names, values)


def _learn(key: tuple[t.Any, ...], actions: list[t.Any], names: dict[str, int], values: list[t.Any]) -> Form | None:
    """The form of an update that PynamoDB writes; None if PynamoDB numbers names or values in another order."""
    their_names: dict[str, str] = {}
    their_values: dict[str, t.Any] = {}
    expression = t.cast("str", Update(*actions).serialize(their_names, their_values))
    if [*their_names] != [*names] or [*map(id, their_values.values())] != [*map(id, values)]:
        return None
    if len(_forms) >= MAX_FORMS:
        _forms.clear()
    form = _forms[key] = Form(expression, tuple(their_names.values()), tuple(their_values))
    return form
