"""What botocore's walks over items would leave as it is. All else is left to the walks.

is_plain(value)        an attribute's value
is_plain_item(item)    an item, or a key
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

# DynamoDB's types that the walk leaves as they are, by Python's of what they hold; most hold text.
TEXTS = frozenset({"S", "N"})
FLAGS = frozenset({"BOOL", "NULL"})
SETS = frozenset({"SS", "NS"})
# Asked of what holds nothing but text.
_STRINGS = frozenset({str})


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
    # It is asked of each value of each item: what is spelt out here is so because it was measured.
    try:
        for value in values:
            if type(value) is not dict:
                return False
            [kind] = value
            content = value[kind]
            is_known = kind in TEXTS if type(content) is str else _is_plain_other(kind, content)
            if not is_known:
                return False
    except ValueError:  # it has no type, or several
        return False
    return True


def _is_plain_other(kind: str, content: t.Any) -> bool:
    if type(content) is bool:
        return kind in FLAGS
    if kind == "M":
        return is_plain_item(content)
    if type(content) is not list:
        return False
    return _STRINGS.issuperset(map(type, content)) if kind in SETS else kind == "L" and _are_plain(content)
