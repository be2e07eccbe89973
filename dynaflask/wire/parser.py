"""botocore's response parser without its walk over the items of an answer, where the walk would change nothing.

Half of a query was that walk. It copies what ``json.loads`` made, and decodes binary values.
"""

from __future__ import annotations

import typing as t

from botocore.parsers import JSONParser
from botocore.parsers import ResponseParserFactory

PROTOCOL = "json"
SCALARS = frozenset({"S", "N", "BOOL", "NULL"})
SETS = frozenset({"SS", "NS"})


class ParserFactory(ResponseParserFactory):
    """A session's component ``response_parser_factory``: the stock one, but for the protocol of DynamoDB."""

    def __init__(self) -> None:
        super().__init__()
        self._parser = Parser()

    def create_parser(self, protocol_name: str) -> t.Any:
        """A parser of the answers of a protocol.

        Args:
            protocol_name: As in botocore's data. STS has another than DynamoDB.
        """
        # A parser keeps nothing of what it parsed, so that one serves all answers.
        return self._parser if protocol_name == PROTOCOL else super().create_parser(protocol_name)


class Parser(JSONParser):
    """The stock parser, which takes the attributes of an item as they come if its walk would leave them so."""

    # botocore calls this for any map inside an answer. A version that does not will walk as ever.
    def _handle_map(self, shape: t.Any, value: t.Any) -> t.Any:
        stock: t.Any = super()
        if shape.value.name != "AttributeValue":
            return stock._handle_map(shape, value)
        for name, content in value.items():
            if not is_plain(content):
                value[name] = stock._parse_shape(shape.value, content)
        return value


def is_plain(value: t.Any) -> bool:
    """Whether the walk over an attribute's value would return an equal one.

    It would not where there is something binary, or what a newer DynamoDB may add, or what no DynamoDB would answer.

    Args:
        value: What ``json.loads`` made of the value.
    """
    if type(value) is not dict or len(value) != 1:
        return False
    ((kind, content),) = value.items()
    if kind in SCALARS:
        return content is not None
    if kind == "M":
        return type(content) is dict and all(map(is_plain, content.values()))
    if kind == "L":
        return type(content) is list and all(map(is_plain, content))
    return kind in SETS and type(content) is list
