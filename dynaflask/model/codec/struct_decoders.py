"""Decode a body by the structs of one model: :class:`StructDecoder`, :class:`UpdateDecoder`."""

from __future__ import annotations

import typing as t

from dynaflask.client.codec import json_codec
from dynaflask.client.codec.passthrough import capacity_in_order
from dynaflask.client.codec.passthrough import is_capacity
from dynaflask.client.direct.page_decoder import DecodedPage
from dynaflask.model.codec.structs import ItemStruct
from dynaflask.model.codec.structs import UnsupportedAttribute
from dynaflask.model.codec.structs import compile_item_struct

# Members that are the same for every model. The response parser checks them.
MEMBERS = ("Count", "ScannedCount", "LastEvaluatedKey", "UnprocessedKeys", "ConsumedCapacity")


class StructDecoder:
    """Decodes a body by the structs of one model. Its methods raise one of ``MALFORMED`` for a body that they refuse.

    Args:
        item: The struct of the model's items.
    """

    def __init__(self, item: ItemStruct) -> None:
        self._make = item.make
        self._key = item.key
        self._unset = json_codec.msgspec.UNSET
        page: t.Any = list[item.type]  # type: ignore[name-defined]
        self._read_page = _decoder_of(Items=page, Responses=dict[str, page], **dict.fromkeys(MEMBERS, t.Any))
        self._read_item = _decoder_of(Item=item.type, ConsumedCapacity=t.Any)

    def page(self, body: bytes) -> dict[str, t.Any]:
        """The content of the response to a query, a scan or a batch get, with objects for its items."""
        response, unset = self._read_page(body), self._unset
        content = {name: value for name in MEMBERS if (value := getattr(response, name)) is not unset}
        if response.Items is not unset:
            content["Items"] = self._objects(response.Items, body)
        if response.Responses is not unset:
            content["Responses"] = {name: self._objects(items, body) for name, items in response.Responses.items()}
        return content

    def item(self, body: bytes) -> dict[str, t.Any] | None:
        """The content of the response to a ``GetItem``; see :meth:`ResponseDecoder.decode_item`."""
        response, unset = self._read_item(body), self._unset
        found, capacity = response.Item, response.ConsumedCapacity
        content: dict[str, t.Any] = {}
        if found is not unset:
            # For PynamoDB, an item without attributes is no item.
            if getattr(found, self._key) is unset:
                return None
            content["Item"] = self._make(found)
        # In the order of the stock parser.
        if capacity is not unset:
            if not is_capacity(capacity):
                return None
            content["ConsumedCapacity"] = capacity_in_order(capacity)
        return content

    def _objects(self, items: list[t.Any], body: bytes) -> DecodedPage:
        # Not map(), for which a StopIteration of json's scanner would be the end of the items.
        make = self._make
        return DecodedPage([make(item) for item in items], body)


class UpdateDecoder:
    """As :class:`StructDecoder`, for the responses whose item the program gets as an object and as a dict.

    Args:
        item: The struct of the model's items. It refuses attributes that the model does not declare, so that botocore
            would change no value of an item that it accepts.
    """

    def __init__(self, item: ItemStruct) -> None:
        self._make = item.make
        self._unset = json_codec.msgspec.UNSET
        self._decode = json_codec.msgspec.json.decode
        self._read = _decoder_of(Attributes=item.type, ConsumedCapacity=t.Any)

    def update(self, body: bytes) -> tuple[dict[str, t.Any], t.Any] | None:
        """The content and the object; see :meth:`ResponseDecoder.decode_update`."""
        response = self._read(body)
        if response.Attributes is self._unset:
            return None
        content = self._decode(body)
        # In the order of the stock parser.
        result = {"Attributes": content["Attributes"]}
        if "ConsumedCapacity" in content:
            if not is_capacity(content["ConsumedCapacity"]):
                return None
            result["ConsumedCapacity"] = capacity_in_order(content["ConsumedCapacity"])
        return result, self._make(response.Attributes)


def _decoder_of(**types: t.Any) -> t.Callable[[bytes], t.Any]:
    """A function that decodes a body with these members, all of them optional, and raises for any other."""
    msgspec = json_codec.msgspec
    fields = [(name, member | msgspec.UnsetType, msgspec.UNSET) for name, member in types.items()]
    response = msgspec.defstruct("Response", fields, module=__name__, forbid_unknown_fields=True, gc=False)
    return t.cast("t.Callable[[bytes], t.Any]", msgspec.json.Decoder(response).decode)


def struct_decoder(model: t.Any) -> StructDecoder | None:
    """The decoder of a model's reads, or ``None`` if an attribute of the model has no struct.

    Args:
        model: The model's class.
    """
    try:
        return StructDecoder(compile_item_struct(model))
    except UnsupportedAttribute:
        return None


def update_decoder(model: t.Any) -> UpdateDecoder:
    """The decoder of a model's updates.

    Args:
        model: A model that has a :func:`struct_decoder`.
    """
    return UpdateDecoder(compile_item_struct(model, is_complete=True))
