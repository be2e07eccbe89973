"""Decode the responses to a model's reads into objects: :class:`ResponseDecoder`."""

from __future__ import annotations

import typing as t

from dynaflask.client.botocore_internals import cached_property
from dynaflask.client.codec import json_codec
from dynaflask.client.codec.passthrough import capacity_in_order
from dynaflask.client.codec.passthrough import is_capacity
from dynaflask.client.direct.page_decoder import MALFORMED
from dynaflask.client.direct.page_decoder import DecodedPage
from dynaflask.client.direct.page_decoder import decode_page
from dynaflask.model.codec.structs import ItemStruct
from dynaflask.model.codec.structs import UnsupportedAttribute
from dynaflask.model.codec.structs import compile_item_struct
from dynaflask.model.codec.values import Convert

# Number of bytes of responses after which a model's structs are compiled. Compiling takes a millisecond, which structs
# of eleven attributes save on about 100 kB. A model that reads less in all does not pay for them.
MIN_BYTES = 100_000
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


class ResponseDecoder:
    """Decodes the responses to the reads of one model: from bytes to objects, and the same for every app and tenant.

    An attribute that the model does not declare is skipped: PynamoDB ignores it, too. Only its JSON is checked.

    Args:
        model: A model whose deserializer runs no user code.
        make: Makes an object of a plain item: the deserializer's function.

    Attributes:
        make: That function.
    """

    def __init__(self, model: t.Any, make: Convert) -> None:
        self.make = make
        self._model = model
        self._bytes = 0

    def decode(self, body: bytes) -> dict[str, t.Any] | None:
        """The content of a response to a query, a scan or a batch get; see :class:`.PageDecoder`.

        Args:
            body: Body of the response.
        """
        structs = self._structs_for(body)
        if structs is not None:
            try:
                return structs.page(body)
            except MALFORMED:  # the slow path finds the fault again, and raises the right error
                pass
        return decode_page(body, self.make)

    def decode_item(self, body: bytes) -> dict[str, t.Any] | None:
        """The content of a response to ``GetItem``, with the object of its item; None if the caller must decode it.

        Args:
            body: Body of the response.
        """
        structs = self._structs_for(body)
        if structs is None:
            return None
        try:
            return structs.item(body)
        except MALFORMED:
            return None

    def decode_update(self, body: bytes) -> tuple[dict[str, t.Any], t.Any] | None:
        """The content of a response to ``UpdateItem``, and the object of the new item; None as of :meth:`decode_item`.

        Args:
            body: Body of the response.
        """
        is_ready = self._structs_for(body) is not None
        try:
            return self._update_structs.update(body) if is_ready else None
        except MALFORMED:
            return None

    def _structs_for(self, body: bytes) -> StructDecoder | None:
        if self._bytes < MIN_BYTES:
            self._bytes += len(body)
            return None
        # msgspec does not look into the texts that it skips. json would refuse the body.
        if json_codec.msgspec is None or not (body.isascii() or _is_text(body)):
            return None
        return self._structs

    @cached_property
    def _update_structs(self) -> UpdateDecoder:
        return UpdateDecoder(compile_item_struct(self._model, is_complete=True))

    @cached_property
    def _structs(self) -> StructDecoder | None:
        try:
            return StructDecoder(compile_item_struct(self._model))
        except UnsupportedAttribute:
            return None


class UpdatedItem:
    """Decodes the response to one update, and keeps the values of the new item.

    Args:
        responses: Decodes the responses of the model; None if it has no such decoder.

    Attributes:
        values: The ``attribute_values`` of the new item; None if the caller must deserialize it.
    """

    __slots__ = ("_responses", "values")

    def __init__(self, responses: ResponseDecoder | None) -> None:
        self._responses = responses
        self.values: dict[str, t.Any] | None = None

    def __call__(self, body: bytes) -> dict[str, t.Any] | None:
        """The content of a response; see :meth:`ResponseDecoder.decode_update`."""
        decoded = None if self._responses is None else self._responses.decode_update(body)
        if decoded is None:
            return None
        content, made = decoded
        self.values = made.attribute_values
        return content


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
