"""botocore's response parser without its walk over items that the walk would not change.

The walk copies what ``json.loads`` returns and decodes binary values. It took half of the time of a query.
"""

from __future__ import annotations

import collections.abc as cabc
import logging
import typing as t

from botocore.parsers import JSONParser
from botocore.parsers import ResponseParserFactory

from dynaflask.client.botocore_internals import lower_headers
from dynaflask.client.codec.json_codec import load
from dynaflask.client.codec.passthrough import ATTRIBUTE_VALUE
from dynaflask.client.codec.passthrough import capacity_in_order
from dynaflask.client.codec.passthrough import is_capacity
from dynaflask.client.codec.passthrough import is_count
from dynaflask.client.codec.passthrough import is_plain
from dynaflask.client.codec.passthrough import is_plain_item
from dynaflask.client.direct import page_decoder
from dynaflask.exceptions import DamagedResponse

OK = 200
PROTOCOL = "json"
# Number of bytes of a response that are searched for binary values.
SEARCHED_BYTES = 4096

MemberPredicates = dict[str, cabc.Callable[[t.Any], bool]]

# botocore logs each response at DEBUG. At that level its own code parses, which logs.
_log = logging.getLogger(JSONParser.__module__)


class ParserFactory(ResponseParserFactory):
    """The session component ``response_parser_factory``: the stock one, with another parser for DynamoDB's protocol."""

    def __init__(self) -> None:
        super().__init__()
        self._parser = PassthroughParser()

    def create_parser(self, protocol_name: str) -> t.Any:
        """A parser for the responses of a protocol.

        Args:
            protocol_name: Name of the protocol in botocore's service description. STS has another than DynamoDB.
        """
        # A parser has no state, so one serves all clients and threads.
        return self._parser if protocol_name == PROTOCOL else super().create_parser(protocol_name)


class PassthroughParser(JSONParser):
    """The stock parser, but values that its walk would not change are returned without the walk."""

    def parse(self, response: t.Any, shape: t.Any) -> t.Any:
        """The result of a call.

        Args:
            response: Status, headers and body of the response.
            shape: Output shape of the operation.
        """
        parsed = parse_plain(response["body"], shape.name) if _may_be_plain(response, shape) else None
        if parsed is None:
            return self.parse_stock(response, shape)
        add_metadata(parsed, lower_headers(response["headers"]))
        return parsed

    def parse_stock(self, response: t.Any, shape: t.Any) -> t.Any:
        """The result of a call by botocore's own code; see :meth:`parse`.

        Raises:
            DamagedResponse: The body is JSON, but not what DynamoDB sends. botocore raises an ``AttributeError``.
        """
        stock: t.Any = super()
        try:
            return stock.parse(response, shape)
        except page_decoder.MALFORMED as error:
            raise DamagedResponse(
                error=f"A response with status {response['status_code']} is not the JSON object that DynamoDB sends"
                f" ({type(error).__name__}). The request may have been applied."
            ) from error

    # A private method: the walk calls it for each map of a response. In a botocore without it, the walk goes through
    # the items, with the same result.
    def _handle_map(self, shape: t.Any, value: t.Any) -> t.Any:
        stock: t.Any = super()
        if shape.value.name != ATTRIBUTE_VALUE:
            return stock._handle_map(shape, value)
        for name, content in value.items():
            if not is_plain(content):
                value[name] = stock._parse_shape(shape.value, content)
        return value


def parse_plain(body: t.Any, shape: str, decoder: page_decoder.PageDecoder | None = None) -> dict[str, t.Any] | None:
    """The result of a data-plane operation, or ``None`` if the stock parser must parse the response.

    Args:
        body: Body of the response.
        shape: Name of the output shape of the operation.
        decoder: Makes objects of the items of a page. Without it, the result has DynamoDB's items.
    """
    content = None if decoder is None else decoder.decode(body)
    if content is None and not _starts_with_binary(body):
        content = load(body)
    if type(content) is not dict:
        return None
    predicates = OUTPUTS[shape]
    for name, value in content.items():
        if name not in predicates or not predicates[name](value):
            return None
    # In the order of the stock parser.
    parsed = content if len(content) < 2 else {name: content[name] for name in predicates if name in content}  # noqa: PLR2004
    if "ConsumedCapacity" in parsed:
        parsed["ConsumedCapacity"] = capacity_in_order(parsed["ConsumedCapacity"])
    return parsed


def add_metadata(parsed: dict[str, t.Any], headers: dict[str, str]) -> None:
    """Add the ``ResponseMetadata`` that botocore adds to each result.

    Args:
        parsed: The result.
        headers: Headers of the response by lower-case name.
    """
    metadata: dict[str, t.Any] = {"HTTPStatusCode": OK, "HTTPHeaders": headers}
    request_id = headers.get("x-amzn-requestid")
    parsed["ResponseMetadata"] = metadata if request_id is None else {"RequestId": request_id, **metadata}


def _starts_with_binary(body: t.Any) -> bool:
    # A response with binary values goes to the stock parser, which loads it again. Items of a page are alike, so the
    # first ones show it. A search of the whole page takes a third of the time of a load.
    start = body[:SEARCHED_BYTES]
    return b'"B":' in start or b'"BS":' in start


def _may_be_plain(response: t.Any, shape: t.Any) -> bool:
    is_data_plane = response["status_code"] == OK and shape is not None and shape.name in OUTPUTS
    return is_data_plane and not _log.isEnabledFor(logging.DEBUG) and not response.get("context", {}).get("checksum")


def _are_items(value: t.Any) -> bool:
    return type(value) is page_decoder.DecodedPage or (type(value) is list and all(map(is_plain_item, value)))


def _are_tables(value: t.Any) -> bool:
    return type(value) is dict and all(map(_are_items, value.values()))


def _are_item_responses(value: t.Any) -> bool:
    return type(value) is list and all(map(_is_item_response, value))


def _is_item_response(value: t.Any) -> bool:
    return type(value) is dict and (not value or (value.keys() == {"Item"} and is_plain_item(value["Item"])))


def _are_capacities(value: t.Any) -> bool:
    return type(value) is list and all(map(is_capacity, value))


def _is_empty(value: t.Any) -> bool:
    return type(value) is dict and not value


# Members of the output shapes, in the order of botocore's service description, each with its predicate.
_PAGE: MemberPredicates = {
    "Items": _are_items,
    "Count": is_count,
    "ScannedCount": is_count,
    "LastEvaluatedKey": is_plain_item,
    "ConsumedCapacity": is_capacity,
}
_WRITE: MemberPredicates = {"Attributes": is_plain_item, "ConsumedCapacity": is_capacity}
_GET: MemberPredicates = {"Item": is_plain_item, "ConsumedCapacity": is_capacity}
OUTPUTS: dict[str, MemberPredicates] = {
    "GetItemOutput": _GET,
    "PutItemOutput": _WRITE,
    "UpdateItemOutput": _WRITE,
    "DeleteItemOutput": _WRITE,
    "QueryOutput": _PAGE,
    "ScanOutput": _PAGE,
    "BatchGetItemOutput": {
        "Responses": _are_tables,
        "UnprocessedKeys": _is_empty,
        "ConsumedCapacity": _are_capacities,
    },
    "BatchWriteItemOutput": {"UnprocessedItems": _is_empty, "ConsumedCapacity": _are_capacities},
    "TransactGetItemsOutput": {"ConsumedCapacity": _are_capacities, "Responses": _are_item_responses},
    "TransactWriteItemsOutput": {"ConsumedCapacity": _are_capacities},
}
