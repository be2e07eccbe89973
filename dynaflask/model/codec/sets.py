"""DynamoDB's sets, which have no order: JSON of one set may be two lists."""

from __future__ import annotations

import typing as t

SETS: t.Final = frozenset({"SS", "NS", "BS"})


def sort_sets(value: t.Any) -> t.Any:
    """The value with each of its sets sorted, to compare it with another: Python's order differs between processes.

    Args:
        value: A value, an item or a request, in DynamoDB's JSON.
    """
    if isinstance(value, list):
        return [sort_sets(content) for content in value]
    if not isinstance(value, dict):
        return value
    # By their repr: an element of a wrong type is DynamoDB's to refuse.
    return {
        name: sorted(content, key=repr) if name in SETS and isinstance(content, list) else sort_sets(content)
        for name, content in value.items()
    }
