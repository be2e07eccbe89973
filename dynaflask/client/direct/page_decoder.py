"""Decodes a large page item by item, and makes an object of each item at once.

A page of 1 MB is tens of thousands of dicts. To build them all before the first is used means waiting for memory.
"""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t

from dynaflask.client.codec.passthrough import is_plain_item

# Errors of malformed content. User code may raise others at any moment, such as a task's time limit; those propagate.
MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, StopIteration, TypeError, ValueError)
# The dicts of a smaller page stay in the CPU cache until they become objects, and orjson builds them faster.
MIN_BYTES = 262_144

ItemFactory = cabc.Callable[[t.Any], t.Any]

# Scans one JSON value of a text: (text, start) -> (value, end).
scan: t.Callable[[str, int], tuple[t.Any, int]] = t.cast("t.Any", json.JSONDecoder()).scan_once


class DecodedItem:
    """An item that has become an object. Its attributes stay readable, because PynamoDB may ask for its key.

    Args:
        instance: The object.
        text: Text of the response.
        start: Position of the item in the text.
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
    """The items of a response. All of them are plain: ``is_plain_item`` is true."""


def decode_page(body: bytes, make_item: ItemFactory) -> t.Any:
    """The content of a query's or scan's response, or ``None`` if the caller must decode it as a whole.

    Args:
        body: Body of the response.
        make_item: Makes an object of a plain item. It must not run user code.
    """
    if len(body) < MIN_BYTES:
        return None
    try:
        return _members(body.decode(), make_item)
    except MALFORMED:  # the usual decoder finds the fault again, and raises the right error
        return None


def _members(text: str, make_item: ItemFactory) -> dict[str, t.Any]:
    # DynamoDB writes no whitespace between tokens. A body with whitespace fails here.
    members: dict[str, t.Any] = {}
    position, mark = 0, "{"
    while text[position] == mark:
        name, position = scan(text, position + 1)
        _require(type(name) is str and text[position] == ":")
        is_page, start = name == "Items", position + 1
        members[name], position = _items(text, start, make_item) if is_page else scan(text, start)
        mark = ","
    _require(text[position:] == "}")
    return members


def _items(text: str, position: int, make_item: ItemFactory) -> tuple[DecodedPage, int]:
    page, mark = DecodedPage(), "["
    while text[position] == mark:
        start = position + 1
        item, position = scan(text, start)
        _require(is_plain_item(item))
        page.append(DecodedItem(make_item(item), text, start))
        mark = ","
    _require(text[position] == "]")
    return page, position + 1


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError
