"""Which requests botocore's walk over their shapes would leave as they are, and find nothing wrong with."""

from __future__ import annotations

import collections.abc as cabc
import functools
import typing as t

from dynaflask.client.tuned.passthrough import is_plain
from dynaflask.client.tuned.passthrough import is_plain_item

ATTRIBUTE = "AttributeValue"
# The walk looks into floats and binary values.
TAKEN_AS_THEY_COME = frozenset({"string", "boolean", "integer", "long"})
# orjson would write a subclass, too, and much more.
OPTIONS = frozenset({str, int, bool})

Check = cabc.Callable[[t.Any], bool]


def check_of(shape: t.Any, *, inside: frozenset[str] = frozenset()) -> Check:
    """What says whether a value fits a shape, and is as it will be sent. To make one takes long, to ask it does not.

    Args:
        shape: A shape of botocore's data.
        inside: The shapes that it is a part of.
    """
    kind, within = shape.type_name, inside | {shape.name}
    if shape.name == ATTRIBUTE:
        return is_plain
    if kind in TAKEN_AS_THEY_COME:
        return _is_option
    if kind == "list":
        return _members_check(shape.member, within)
    if kind == "map":
        return _entries_check(shape.value, within)
    if kind == "structure" and shape.name not in inside:
        members = {name: check_of(member, inside=within) for name, member in shape.members.items()}
        options = frozenset(name for name, check in members.items() if check is _is_option)
        return functools.partial(_is_structure, members, options)
    return never


def never(value: t.Any) -> bool:
    """No value fits: all is left to botocore."""
    return False


def _members_check(shape: t.Any, within: frozenset[str]) -> Check:
    check = check_of(shape, inside=within)
    return _are_options if check is _is_option else functools.partial(_are_all, check)


def _entries_check(shape: t.Any, within: frozenset[str]) -> Check:
    if shape.name == ATTRIBUTE:
        return is_plain_item
    check = check_of(shape, inside=within)
    return _are_named_options if check is _is_option else functools.partial(_are_entries, check)


# Most of a request is options: each is looked at where it stands, without a call of its own.


def _is_option(value: t.Any) -> bool:
    return type(value) in OPTIONS


def _are_options(value: t.Any) -> bool:
    return type(value) is list and OPTIONS.issuperset(map(type, value))


def _are_named_options(value: t.Any) -> bool:
    return type(value) is dict and OPTIONS.issuperset(map(type, value.values()))


def _are_all(check: Check, value: t.Any) -> bool:
    return type(value) is list and all(map(check, value))


def _are_entries(check: Check, value: t.Any) -> bool:
    return type(value) is dict and all(map(check, value.values()))


def _is_structure(members: dict[str, Check], options: frozenset[str], value: t.Any) -> bool:
    if type(value) is not dict:
        return False
    for name, part in value.items():
        if name in options:
            if type(part) not in OPTIONS:
                return False
        elif name not in members or not members[name](part):
            return False
    return True
