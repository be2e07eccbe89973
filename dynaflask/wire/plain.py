"""What botocore's walks over items would leave as it is. All else is left to the walks.

is_plain(value)        an attribute's value
is_plain_item(item)    an item, or a key
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

# DynamoDB's types that the walk leaves as they are, and Python's of what they hold.
SCALARS = {"S": str, "N": str, "BOOL": bool, "NULL": bool}
SETS = frozenset({"SS", "NS"})


def is_plain(value: t.Any) -> bool:
    """Whether the walk over an attribute's value would return an equal one.

    It would not where there is something binary, or what a newer DynamoDB may add, or what no DynamoDB would answer.

    Args:
        value: What ``json.loads`` made of the value.
    """
    return _are_plain((value,))


def is_plain_item(item: t.Any) -> bool:
    """Whether the walk over an item would return an equal one.

    Args:
        item: The item, or a key, or the values of an expression.
    """
    return type(item) is dict and _are_plain(item.values())


def _are_plain(values: cabc.Iterable[t.Any]) -> bool:
    for value in values:
        if type(value) is not dict or len(value) != 1:
            return False
        for kind in value:
            content = value[kind]
        if SCALARS.get(kind) is not type(content) and not _is_plain_container(kind, content):
            return False
    return True


def _is_plain_container(kind: str, content: t.Any) -> bool:
    if kind == "M":
        return is_plain_item(content)
    if kind == "L":
        return type(content) is list and _are_plain(content)
    return kind in SETS and type(content) is list and {*map(type, content)} <= {str}
