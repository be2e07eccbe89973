"""The decoders of a model's responses, whose items are structs."""

from __future__ import annotations

import typing as t

import pytest
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import UnicodeAttribute

from dynaflask.client.codec import json_codec
from dynaflask.client.direct.page_decoder import MALFORMED
from dynaflask.model.codec.struct_decoders import struct_decoder
from dynaflask.model.codec.struct_decoders import update_decoder
from tests.support.strategies import thing

pytestmark = pytest.mark.skipif(json_codec.msgspec is None, reason="msgspec is not installed")


NOTE = thing("Note", id=UnicodeAttribute(hash_key=True), text=UnicodeAttribute(null=True))


def body(member: str, **item: t.Any) -> bytes:
    """A response with an item."""
    return t.cast("bytes", json_codec.dump({member: {"id": {"S": "1"}, **item}}))


def test_a_read_skips_what_the_model_does_not_declare() -> None:
    """The object of an item has the attributes of its model."""
    decoder: t.Any = struct_decoder(NOTE)
    note = decoder.item(body("Item", text={"S": "hello"}, colour={"S": "red"}))["Item"]
    assert note.attribute_values == {"id": "1", "text": "hello"}


def test_an_update_refuses_what_the_model_does_not_declare() -> None:
    """The program also gets the item of an update as a dict, which must have each value as botocore returns it."""
    decoder = update_decoder(NOTE)
    content, note = t.cast("t.Any", decoder.update(body("Attributes", text={"S": "hello"})))
    assert (content["Attributes"]["text"], note.text) == ({"S": "hello"}, "hello")
    with pytest.raises(MALFORMED):
        decoder.update(body("Attributes", colour={"S": "red"}))


def test_a_model_with_a_binary_attribute_has_none() -> None:
    """botocore decodes binary values, and so must everything that takes its place."""
    picture = thing("Picture", id=UnicodeAttribute(hash_key=True), data=BinaryAttribute(legacy_encoding=False))
    assert struct_decoder(picture) is None
