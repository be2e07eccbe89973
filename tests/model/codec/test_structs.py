"""Structs: the types of a model's items. See ``test_responses.py`` for what becomes of them."""

from __future__ import annotations

import itertools
import typing as t

import msgspec
import pytest
from pynamodb.attributes import BinarySetAttribute
from pynamodb.attributes import BooleanAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute

from dynaflask.model.codec.structs import UnsupportedAttribute
from dynaflask.model.codec.structs import compile_item_struct
from tests.support.comparing import shape
from tests.support.strategies import thing


class Inner(MapAttribute[t.Any, t.Any]):
    """A map that a model has twice."""

    count = NumberAttribute(default=0)


def test_an_item_becomes_an_object() -> None:
    """The struct takes DynamoDB's names, and the function makes the object with its defaults first."""
    model = thing(
        name=UnicodeAttribute(attr_name="the name"),
        one=Inner(null=True),
        two=Inner(null=True),
        three=NumberAttribute(default=3),
    )
    struct, make, _ = compile_item_struct(model)
    item = msgspec.json.decode(b'{"the name":{"S":"a"},"two":{"M":{"count":{"N":"2"}}},"new":1}', type=struct)
    assert shape(make(item)) == shape(
        model.from_raw_data({"the name": {"S": "a"}, "two": {"M": {"count": {"N": "2"}}}})
    )


def test_any_attribute_may_be_absent() -> None:
    """An object has the values and the order of PynamoDB's, whichever attributes its item has."""
    model = thing(
        a=UnicodeAttribute(hash_key=True),
        b=Inner(),
        c=NumberAttribute(null=True),
        d=UnicodeSetAttribute(),
        e=NumberAttribute(default=3),
        f=BooleanAttribute(null=True, default=True),
    )
    item = {
        "a": {"S": "x"},
        "b": {"M": {"count": {"N": "2"}}},
        "c": {"N": "1.5"},
        "d": {"SS": ["x"]},
        "e": {"N": "4"},
        "f": {"BOOL": False},
    }
    struct, make, _ = compile_item_struct(model)
    for size in range(len(item) + 1):
        for names in itertools.combinations(item, size):
            part = {name: item[name] for name in names}
            ours, theirs = make(msgspec.convert(part, type=struct)), model.from_raw_data(part)
            assert shape(ours) == shape(theirs)
            assert list(ours.attribute_values) == list(theirs.attribute_values)


def test_objects_share_no_values() -> None:
    """A default of mutable type is made for each object."""
    model = thing(name=UnicodeAttribute(), tags=ListAttribute(default=list))
    struct, make, _ = compile_item_struct(model)
    one, other = (make(msgspec.json.decode(b"{}", type=struct)) for _ in range(2))
    assert one.attribute_values["tags"] is not other.attribute_values["tags"]


def test_a_binary_attribute_has_no_struct() -> None:
    """The error names the class and the attribute."""
    with pytest.raises(UnsupportedAttribute, match="Thing's 'data' is binary"):
        compile_item_struct(thing(data=BinarySetAttribute(legacy_encoding=False)))
