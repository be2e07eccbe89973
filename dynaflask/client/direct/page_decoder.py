"""Items of a response that become objects while it is decoded.

A model gives the transport a :class:`PageDecoder`. :func:`decode_page` uses the standard library. It makes
each object as soon as its item is decoded: a page of 1 MB would be tens of thousands of dicts, which do not fit in the
CPU cache.
"""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t

from dynaflask.client.codec.passthrough import is_plain_item

# Errors of malformed content. User code may raise others at any moment, such as a task's time limit; those propagate.
MALFORMED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    StopIteration,
    TypeError,
    ValueError,
)
# The dicts of a smaller page stay in the CPU cache until they become objects, and decoding it as a whole is faster.
MIN_BYTES = 262_144

ItemFactory = cabc.Callable[[t.Any], t.Any]

# Scans one JSON value of a text: (text, start) -> (value, end).
scan: t.Callable[[str, int], tuple[t.Any, int]] = t.cast("t.Any", json.JSONDecoder()).scan_once


class PageDecoder(t.Protocol):
    """Decodes the pages of one model."""

    def decode(self, body: bytes) -> dict[str, t.Any] | None:
        """The content of a response, whose items are a :class:`DecodedPage`; None if the caller must decode it.

        Args:
            body: Body of the response to a query, a scan or a batch get.
        """


class DecodedPage(list[t.Any]):
    """The items of a response as objects. What DynamoDB sent for them passed ``is_plain_item``, or stricter checks.

    Args:
        instances: The objects.
        body: Body of the response.
    """

    __slots__ = ("_body",)

    def __init__(self, instances: cabc.Iterable[t.Any], body: bytes) -> None:
        super().__init__(instances)
        self._body = body

    def item(self, index: int) -> dict[str, t.Any]:
        """An item of a query or a scan as DynamoDB sent it. The body is decoded again: few programs ask."""
        return t.cast("dict[str, t.Any]", json.loads(self._body)["Items"][index])


def decode_page(body: bytes, make_item: ItemFactory) -> dict[str, t.Any] | None:
    """The content of a query's or scan's response, or ``None`` if the caller must decode it as a whole.

    Args:
        body: Body of the response.
        make_item: Makes an object of a plain item. It must not run user code.
    """
    if len(body) < MIN_BYTES:
        return None
    try:
        members = _members(body.decode(), make_item)
    except MALFORMED:  # the usual decoder finds the fault again, and raises the right error
        return None
    if "Items" in members:
        members["Items"] = DecodedPage(members["Items"], body)
    return members


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


def _items(text: str, position: int, make_item: ItemFactory) -> tuple[list[t.Any], int]:
    instances, mark = [], "["
    while text[position] == mark:
        item, position = scan(text, position + 1)
        _require(is_plain_item(item))
        instances.append(make_item(item))
        mark = ","
    _require(text[position] == "]")
    return instances, position + 1


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError
