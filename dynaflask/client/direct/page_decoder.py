"""A page whose items become objects one by one as it is decoded, and are at no time in memory all at once.

A page of 1 MB is tens of thousands of dicts. To make them all, and then to go through them, is to wait for memory.
"""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t

from dynaflask.client.tuned.passthrough import is_plain_item

# What content that is none raises. The program's own, such as a time limit's, may come at any moment, and goes on.
UNEXPECTED = (ArithmeticError, AttributeError, LookupError, RecursionError, StopIteration, TypeError, ValueError)
# The items of a smaller page stay near the processor until they are objects, and orjson makes them in less time.
MIN_BYTES = 262_144

ItemFactory = cabc.Callable[[t.Any], t.Any]

# JSON's value at a place of a text, and where it ends.
scan: t.Callable[[str, int], tuple[t.Any, int]] = t.cast("t.Any", json.JSONDecoder()).scan_once


class DecodedItem:
    """An item that has become an object. It still tells its attributes: PynamoDB may ask it for its keys.

    Args:
        instance: The object.
        text: The answer.
        start: Where the item begins in it.
    """

    __slots__ = ("_start", "_text", "instance")

    def __init__(self, instance: t.Any, text: str, start: int) -> None:
        self.instance = instance
        self._text = text
        self._start = start

    def __getitem__(self, name: str) -> t.Any:
        item, _ = scan(self._text, self._start)
        return item[name]


class DecodedPage(list[DecodedItem]):
    """The items of an answer, each of which was plain."""


def load(body: bytes, make: ItemFactory) -> t.Any:
    """What the answer to a query or a scan says; ``None`` where it is better decoded as a whole.

    Args:
        body: The body of the answer.
        make: Makes an object of a plain item, and runs nothing of the program's.
    """
    if len(body) < MIN_BYTES:
        return None
    try:
        return _members(body.decode(), make)
    except UNEXPECTED:  # what is wrong is found again, and named, on the usual way
        return None


def _members(text: str, make: ItemFactory) -> dict[str, t.Any]:
    # DynamoDB writes nothing between the marks.
    members: dict[str, t.Any] = {}
    at, mark = 0, "{"
    while text[at] == mark:
        name, at = scan(text, at + 1)
        _require(type(name) is str and text[at] == ":")
        members[name], at = _items(text, at + 1, make) if name == "Items" else scan(text, at + 1)
        mark = ","
    _require(text[at:] == "}")
    return members


def _items(text: str, at: int, make: ItemFactory) -> tuple[DecodedPage, int]:
    page, mark = DecodedPage(), "["
    while text[at] == mark:
        start = at + 1
        item, at = scan(text, start)
        _require(is_plain_item(item))
        page.append(DecodedItem(make(item), text, start))
        mark = ","
    _require(text[at] == "]")
    return page, at + 1


def _require(is_so: bool) -> None:
    if not is_so:
        raise ValueError
