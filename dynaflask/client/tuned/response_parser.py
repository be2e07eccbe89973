"""botocore's response parser without its walk over the items of an answer, where the walk would change nothing.

Half of a query was that walk. It copies what ``json.loads`` made, and decodes binary values.
"""

from __future__ import annotations

import collections.abc as cabc
import logging
import typing as t

from botocore.parsers import JSONParser
from botocore.parsers import ResponseParserFactory

from dynaflask.client.botocore_internals import lower_headers
from dynaflask.client.direct import page_decoder as streams
from dynaflask.client.tuned.json_codec import load
from dynaflask.client.tuned.passthrough import is_plain
from dynaflask.client.tuned.passthrough import is_plain_item

OK = 200
PROTOCOL = "json"
CAPACITY = ("TableName", "CapacityUnits")
# A float beyond this may have been an integer.
MAX_EXACT = 2.0**53

Checks = dict[str, cabc.Callable[[t.Any], bool]]

BEGINNING = 4096

# botocore logs each answer, if it is asked to.
_log = logging.getLogger(JSONParser.__module__)


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
    """The stock parser, which takes what its walk would leave as it is as it comes."""

    def parse(self, response: t.Any, shape: t.Any) -> t.Any:
        """The result of a call.

        Args:
            response: The answer, as botocore hands it on.
            shape: What may be in it.
        """
        parsed = read(response["body"], shape) if _may_be_plain(response, shape) else None
        if parsed is None:
            return self.walk(response, shape)
        return with_metadata(parsed, lower_headers(response["headers"]))

    def walk(self, response: t.Any, shape: t.Any) -> t.Any:
        """The result of a call whose answer is not all plain; see :meth:`parse`."""
        stock: t.Any = super()
        return stock.parse(response, shape)

    # botocore calls this for any map inside an answer. A version that does not will walk as ever.
    def _handle_map(self, shape: t.Any, value: t.Any) -> t.Any:
        stock: t.Any = super()
        if shape.value.name != "AttributeValue":
            return stock._handle_map(shape, value)
        for name, content in value.items():
            if not is_plain(content):
                value[name] = stock._parse_shape(shape.value, content)
        return value


def read(body: t.Any, shape: t.Any, make: streams.ItemFactory | None = None) -> dict[str, t.Any] | None:
    """The result of a data operation; ``None`` if the stock parser would make something else of it.

    Args:
        body: The body of the answer.
        shape: What may be in it.
        make: What makes objects of the items of a query or a scan, if the caller wants them so.
    """
    content = None if make is None else streams.load(body, make)
    if content is None and not _begins_binary(body):
        content = load(body)
    if type(content) is not dict:
        return None
    checks = OUTPUTS[shape.name]
    for name, value in content.items():
        if name not in checks or not checks[name](value):
            return None
    parsed = {name: content[name] for name in checks if name in content}
    if "ConsumedCapacity" in parsed:
        parsed["ConsumedCapacity"] = _in_order(parsed["ConsumedCapacity"])
    return parsed


def with_metadata(parsed: dict[str, t.Any], headers: dict[str, str]) -> dict[str, t.Any]:
    """Add what botocore says of every answer.

    Args:
        parsed: A result.
        headers: The answer's, by lower-case name.
    """
    known = {"RequestId": headers["x-amzn-requestid"]} if "x-amzn-requestid" in headers else {}
    parsed["ResponseMetadata"] = {**known, "HTTPStatusCode": OK, "HTTPHeaders": headers}
    return parsed


def _begins_binary(body: t.Any) -> bool:
    # What is binary is not plain, and a page is not to be loaded twice. Of items that are alike the first tells; to
    # search all of a page takes a third of what loading it does.
    return b'"B":' in body[:BEGINNING] or b'"BS":' in body[:BEGINNING]


def _may_be_plain(response: t.Any, shape: t.Any) -> bool:
    is_data = response["status_code"] == OK and shape is not None and shape.name in OUTPUTS
    return is_data and not _log.isEnabledFor(logging.DEBUG) and not response.get("context", {}).get("checksum")


def _are_items(value: t.Any) -> bool:
    return type(value) is streams.DecodedPage or (type(value) is list and all(map(is_plain_item, value)))


def _are_tables(value: t.Any) -> bool:
    return type(value) is dict and all(map(_are_items, value.values()))


def _are_found(value: t.Any) -> bool:
    return type(value) is list and all(map(_is_found, value))


def _is_found(value: t.Any) -> bool:
    return type(value) is dict and (not value or (value.keys() == {"Item"} and is_plain_item(value["Item"])))


def _is_count(value: t.Any) -> bool:
    return type(value) is int or (type(value) is float and abs(value) < MAX_EXACT)


def _is_capacity(value: t.Any) -> bool:
    """That of a table; one that tells of its indexes is left to the stock parser."""
    if type(value) is not dict or not value.keys() <= {*CAPACITY}:
        return False
    return type(value.get("TableName", "")) is str and _is_count(value.get("CapacityUnits", 0))


def _are_capacities(value: t.Any) -> bool:
    return type(value) is list and all(map(_is_capacity, value))


def _in_order(value: t.Any) -> t.Any:
    """A capacity, as the stock parser orders what DynamoDB says of it."""
    if type(value) is list:
        return [_in_order(capacity) for capacity in value]
    return {name: value[name] for name in CAPACITY if name in value}


def _is_empty(value: t.Any) -> bool:
    return type(value) is dict and not value


# What the answers of the data operations hold, by the name of their shape, in the order of botocore's data.
_SCANNED: Checks = {
    "Items": _are_items,
    "Count": _is_count,
    "ScannedCount": _is_count,
    "LastEvaluatedKey": is_plain_item,
    "ConsumedCapacity": _is_capacity,
}
_WRITTEN: Checks = {"Attributes": is_plain_item, "ConsumedCapacity": _is_capacity}
_TAKEN: Checks = {"Item": is_plain_item, "ConsumedCapacity": _is_capacity}
OUTPUTS: dict[str, Checks] = {
    "GetItemOutput": _TAKEN,
    "PutItemOutput": _WRITTEN,
    "UpdateItemOutput": _WRITTEN,
    "DeleteItemOutput": _WRITTEN,
    "QueryOutput": _SCANNED,
    "ScanOutput": _SCANNED,
    "BatchGetItemOutput": {
        "Responses": _are_tables,
        "UnprocessedKeys": _is_empty,
        "ConsumedCapacity": _are_capacities,
    },
    "BatchWriteItemOutput": {"UnprocessedItems": _is_empty, "ConsumedCapacity": _are_capacities},
    "TransactGetItemsOutput": {"ConsumedCapacity": _are_capacities, "Responses": _are_found},
    "TransactWriteItemsOutput": {"ConsumedCapacity": _are_capacities},
}
