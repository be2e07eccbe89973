"""Predicates for values that botocore's walk over the shapes copies without a change. All other values take the walk.

is_plain(value)          an attribute value
is_plain_item(item)      an item, or a key
is_capacity(value)       a consumed capacity
capacity_in_order(value) the same, with its members in the order of botocore's
predicate_for(shape)     a predicate for the values of a shape of botocore's service description
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import typing as t

# DynamoDB's type tags of values that the walk does not change, by the Python type of the content.
TEXT_TYPES = frozenset({"S", "N"})
FLAG_TYPES = frozenset({"BOOL", "NULL"})
SET_TYPES = frozenset({"SS", "NS"})
_STRINGS = frozenset({str})

ATTRIBUTE_VALUE = "AttributeValue"
# Shapes of a scalar that the walk does not change. It converts floats and binary values.
SCALAR_SHAPES = frozenset({"string", "boolean", "integer", "long"})
# Exact types only: msgspec also writes subclasses of them, and types that botocore refuses.
SCALAR_TYPES = frozenset({str, int, bool})

CAPACITY_MEMBERS = ("TableName", "CapacityUnits")
# Above this limit, a float may stand for an integer that it cannot represent exactly.
MAX_EXACT_FLOAT = 2.0**53

Predicate = cabc.Callable[[t.Any], bool]


def is_plain(value: t.Any) -> bool:
    """True if the walk over an attribute value would return an equal value.

    False for a value with something binary in it, with a type that a newer DynamoDB may add, or with malformed content.

    Args:
        value: The value, as ``json.loads`` returns it.
    """
    return _are_plain((value,))


def is_plain_item(item: t.Any) -> bool:
    """True if the walk over an item would return an equal item.

    Args:
        item: An item, a key, or the values of an expression.
    """
    return type(item) is dict and _are_plain(item.values()) and _STRINGS.issuperset(map(type, item))


def is_count(value: t.Any) -> bool:
    """True for a number of items or units that the walk would not change.

    Args:
        value: The number.
    """
    return type(value) is int or (type(value) is float and abs(value) < MAX_EXACT_FLOAT)


def is_capacity(value: t.Any) -> bool:
    """True for a consumed capacity that the stock parser would not change.

    Args:
        value: The value, as ``json.loads`` returns it.
    """
    # The stock parser takes the capacity of a request that asks for the indexes, too.
    if type(value) is not dict or not value.keys() <= {*CAPACITY_MEMBERS}:
        return False
    return type(value.get("TableName", "")) is str and is_count(value.get("CapacityUnits", 0))


def capacity_in_order(value: t.Any) -> t.Any:
    """A consumed capacity, or a list of them, with its members in the order of the stock parser.

    Args:
        value: A value for which ``is_capacity`` is true.
    """
    if type(value) is list:
        return [capacity_in_order(capacity) for capacity in value]
    return {name: value[name] for name in CAPACITY_MEMBERS if name in value}


def predicate_for(shape: t.Any, *, ancestors: frozenset[str] = frozenset()) -> Predicate:
    """A predicate: True for a value that fits the shape and that the walk would not change.

    To build a predicate takes long, so build it once for each shape.

    Args:
        shape: A shape of botocore's service description.
        ancestors: Names of the shapes that contain it. A shape that contains itself has the predicate ``never``.
    """
    shape_type, path = shape.type_name, ancestors | {shape.name}
    if shape.name == ATTRIBUTE_VALUE:
        return is_plain
    if shape_type in SCALAR_SHAPES:
        return _is_scalar
    if shape_type == "list":
        is_member = predicate_for(shape.member, ancestors=path)
        return _are_scalars if is_member is _is_scalar else functools.partial(_is_list, is_member)
    if shape_type == "map":
        return _map_predicate(predicate_for(shape.value, ancestors=path))
    if shape_type == "structure" and shape.name not in ancestors:
        members = {name: predicate_for(member, ancestors=path) for name, member in shape.members.items()}
        scalars = frozenset(name for name, is_member in members.items() if is_member is _is_scalar)
        return functools.partial(_is_structure, members, scalars)
    return never


def _map_predicate(is_value: Predicate) -> Predicate:
    if is_value is is_plain:
        return is_plain_item
    return _are_scalar_values if is_value is _is_scalar else functools.partial(_is_map, is_value)


def never(value: t.Any) -> bool:
    """False for any value: botocore handles it."""
    return False


# The functions below run for each value of each item. Loops and calls are written out where it was measurably faster.


def _are_plain(values: cabc.Iterable[t.Any]) -> bool:
    try:
        for value in values:
            if type(value) is not dict:
                return False
            [type_tag] = value
            content = value[type_tag]
            is_known = type_tag in TEXT_TYPES if type(content) is str else _is_plain_other(type_tag, content)
            if not is_known:
                return False
    except ValueError:  # the value has no type tag, or several
        return False
    return True


def _is_plain_other(type_tag: str, content: t.Any) -> bool:
    if type(content) is bool:
        return type_tag in FLAG_TYPES
    if type_tag == "M":
        return is_plain_item(content)
    if type(content) is not list:
        return False
    return _STRINGS.issuperset(map(type, content)) if type_tag in SET_TYPES else type_tag == "L" and _are_plain(content)


def _is_scalar(value: t.Any) -> bool:
    return type(value) in SCALAR_TYPES


def _are_scalars(value: t.Any) -> bool:
    return type(value) is list and SCALAR_TYPES.issuperset(map(type, value))


def _are_scalar_values(value: t.Any) -> bool:
    is_map = type(value) is dict and _STRINGS.issuperset(map(type, value))
    return is_map and SCALAR_TYPES.issuperset(map(type, value.values()))


def _is_list(is_member: Predicate, value: t.Any) -> bool:
    return type(value) is list and all(map(is_member, value))


def _is_map(is_value: Predicate, value: t.Any) -> bool:
    return type(value) is dict and _STRINGS.issuperset(map(type, value)) and all(map(is_value, value.values()))


def _is_structure(members: dict[str, Predicate], scalars: frozenset[str], value: t.Any) -> bool:
    if type(value) is not dict:
        return False
    for name, part in value.items():
        # Most members of a request are scalars: no call for those.
        if name in scalars:
            if type(part) not in SCALAR_TYPES:
                return False
        elif name not in members or not members[name](part):
            return False
    return True
