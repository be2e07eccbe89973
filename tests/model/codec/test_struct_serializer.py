"""The JSON of the structs is what msgspec makes of the items of ``fast_path.py``."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from pynamodb.attributes import BooleanAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.attributes import UTCDateTimeAttribute
from pynamodb.exceptions import AttributeNullError

from dynaflask.client.codec import json_codec
from dynaflask.client.codec.passthrough import is_plain
from dynaflask.client.plain_requests import decoded_items
from dynaflask.model.base import Model
from dynaflask.model.codec import struct_serializer
from dynaflask.model.codec.compiled import CompiledCodec
from dynaflask.model.codec.serializer import compile_checked_serializer
from dynaflask.model.codec.struct_serializer import compile_struct_maker
from tests.support import strategies
from tests.support.comparing import shape
from tests.support.strategies import UTC
from tests.support.strategies import thing

pytestmark = pytest.mark.skipif(json_codec.msgspec is None, reason="msgspec is not installed")


class Inner(MapAttribute[t.Any, t.Any]):
    """A map with an attribute that must have a value, and one that need not."""

    label = UnicodeAttribute(null=True)
    number = NumberAttribute(attr_name="100%")


class Quoted(MapAttribute[t.Any, t.Any]):
    """A map with a name that no struct has."""

    label = UnicodeAttribute(attr_name='"')


class Optional(MapAttribute[t.Any, t.Any]):
    """A map that may be empty."""

    label = UnicodeAttribute(null=True)


KEY = UnicodeAttribute(hash_key=True, attr_name="the 'name' \N{SNOWMAN} %s")


def encoder_of(model: t.Any) -> t.Any:
    """A function that returns the JSON of an object of a model; None if there is no fast path."""
    make_struct = compile_struct_maker(model, compile_checked_serializer(model, is_plain=is_plain))
    return make_struct and (lambda instance: json_codec.dump(make_struct(instance)))


def result(function: t.Any, instance: t.Any) -> t.Any:
    """What a function returns, or the type and the text of its error."""
    try:
        return function(instance)
    except Exception as error:  # noqa: BLE001 - any error is compared
        return type(error), str(error)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_object(data: st.DataObject) -> None:
    """The struct is encoded as the item, and read as the item. An object that has no item has no struct."""
    types = data.draw(st.lists(st.sampled_from(["S", "N", "BOOL", "SS", "NS"]), max_size=4))
    attributes = {
        f"value{place}": strategies.ATTRIBUTES[kind](null=data.draw(st.booleans())) for place, kind in enumerate(types)
    }
    place_type = data.draw(st.sampled_from([None, Inner, Optional]))
    place = {} if place_type is None else {"place": place_type(null=data.draw(st.booleans()))}
    model = thing(name=UnicodeAttribute(hash_key=True), **attributes, **place)
    functions = compile_checked_serializer(model, is_plain=is_plain)
    make_struct = compile_struct_maker(model, functions)
    instance = data.draw(strategies.objects(model))
    assert functions is not None
    assert make_struct is not None
    item, struct = result(functions.fast_path, instance), result(make_struct, instance)
    if type(item) is dict:
        # JSON does not have every text.
        assert json_codec.dump(struct) == json_codec.dump(item)
        assert shape(decoded_items([struct])) == shape([item])
    else:
        assert struct[0] is item[0] is KeyError


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_model(data: st.DataObject) -> None:
    """A model has an encoder if it has a fast path. Its JSON is that of the item for any object."""
    model = data.draw(strategies.schemas())
    codec = CompiledCodec(model, base=Model)
    instance = data.draw(strategies.objects(model))
    if codec.struct_serializer is None or codec.checked_serializer is None:
        return
    plain, encoded = result(codec.checked_serializer, instance), result(codec.struct_serializer, instance)
    if isinstance(encoded[0], json_codec.msgspec.Struct):
        encoded = *decoded_items(encoded[:1]), encoded[1]
    assert shape(encoded) == shape(plain)


@pytest.mark.parametrize("absent", [(), ("first",), ("last",), ("first", "last", "inner")], ids=str)
def test_names_and_absent_values(absent: tuple[str, ...]) -> None:
    """A name may have nearly any characters. An absent value leaves no member behind."""
    struct_serializer._typed_value.cache_clear()
    model = thing(
        first=UnicodeAttribute(null=True, attr_name="%b"),
        inner=Inner(null=True),
        key=KEY,
        last=UnicodeSetAttribute(null=True),
        at=UTCDateTimeAttribute(),
        is_open=BooleanAttribute(),
    )
    values = {
        "first": 'a "quoted" \N{SNOWMAN} %s\n',
        "inner": Inner(number=1.5),
        "key": "k",
        "last": {"x"},
        "at": dt.datetime(2026, 1, 2, tzinfo=UTC),
        "is_open": False,
    }
    instance = model(**{name: value for name, value in values.items() if name not in absent})
    assert encoder_of(model)(instance) == json_codec.dump(instance.serialize())


def test_a_lone_surrogate() -> None:
    """JSON has no lone surrogate: what is sent is the item, which botocore writes."""
    model = thing(key=KEY)
    instance = model("\ud800")
    assert encoder_of(model)(instance) is None
    codec = CompiledCodec(model, base=Model)
    assert codec.struct_serializer is not None
    struct, is_plain = codec.struct_serializer(instance)
    assert (decoded_items([struct]), is_plain) == ([instance.serialize()], True)


def test_other_objects() -> None:
    """An object with a value of another type is an item. One that has no item raises an error, and no KeyError."""

    class Text(str):
        """The program's own text."""

    model = thing(key=KEY)
    codec: t.Any = CompiledCodec(model, base=Model)
    item, is_plain = codec.struct_serializer(model(Text("k")))
    assert (type(item), item, is_plain) == (dict, {KEY.attr_name: {"S": "k"}}, False)
    with pytest.raises(AttributeNullError) as caught:
        codec.struct_serializer(model())
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "attributes",
    [
        {"many": ListAttribute()},
        {"quoted": UnicodeAttribute(attr_name='a "name"')},
        {"quoted": Quoted()},
        {"one": UnicodeAttribute(attr_name="same"), "two": UnicodeAttribute(attr_name="same")},
    ],
    ids=["a list", "a name in quotation marks", "such a name in a map", "one name twice"],
)
def test_some_models_have_none(attributes: dict[str, t.Any]) -> None:
    """A model without a fast path has no encoder. Nor has one with names that no struct has."""
    model = thing(key=KEY, **attributes)
    assert encoder_of(model) is None
    assert CompiledCodec(model, base=Model).struct_serializer is None


def test_two_models_of_one_name() -> None:
    """Each has its own attributes."""
    one, two = thing(key=KEY), thing(key=KEY, number=NumberAttribute())
    for model, values in ((one, {}), (two, {"number": 1}), (one, {})):
        instance = model(key="k", **values)
        assert encoder_of(model)(instance) == json_codec.dump(instance.serialize())


def test_a_model_that_pynamodb_serializes() -> None:
    """A model that overrides a method that the serializer would skip has no encoder."""
    model = thing(key=KEY, validate=lambda *_, **__: True)
    assert CompiledCodec(model, base=Model).struct_serializer is None
