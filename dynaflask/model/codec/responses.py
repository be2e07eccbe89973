"""Decode the responses to a model's reads into objects: :class:`ResponseDecoder`."""

from __future__ import annotations

import typing as t

from dynaflask.client.botocore_internals import cached_property
from dynaflask.client.codec import json_codec
from dynaflask.client.direct.page_decoder import MALFORMED
from dynaflask.client.direct.page_decoder import decode_page
from dynaflask.model.codec.values import Convert

if t.TYPE_CHECKING:
    from dynaflask.model.codec.struct_decoders import StructDecoder
    from dynaflask.model.codec.struct_decoders import UpdateDecoder

# Number of bytes of responses after which a model's structs are compiled. Compiling takes a millisecond, which structs
# of eleven attributes save on about 100 kB. A model that reads less in all does not pay for them.
MIN_BYTES = 100_000


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
        from dynaflask.model.codec.struct_decoders import update_decoder  # noqa: PLC0415 - see MIN_BYTES

        return update_decoder(self._model)

    @cached_property
    def _structs(self) -> StructDecoder | None:
        from dynaflask.model.codec.struct_decoders import struct_decoder  # noqa: PLC0415 - see MIN_BYTES

        return struct_decoder(self._model)


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
