"""The fast path of a serializer. ``test_serializer.py`` compares its items with PynamoDB's for any object."""

from __future__ import annotations

import collections
import datetime as dt
import itertools
import typing as t

import pytest
from pynamodb.attributes import BooleanAttribute
from pynamodb.attributes import JSONAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import NumberSetAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.attributes import UTCDateTimeAttribute

from dynaflask.client.codec.passthrough import is_plain_item
from dynaflask.model.codec.serializer import compile_serializer
from tests.support.codecs import serializes_like_pynamodb
from tests.support.strategies import UTC
from tests.support.strategies import Upper
from tests.support.strategies import thing


class Inner(MapAttribute[t.Any, t.Any]):
    """A map with an attribute that must have a value, and one that need not."""

    count = NumberAttribute(attr_name="c")
    label = UnicodeAttribute(null=True)


class Text(str):
    """A text of another type than str."""

    __slots__ = ()


THING = thing(
    name=UnicodeAttribute(hash_key=True, attr_name="the name"),
    flag=BooleanAttribute(),
    number=NumberAttribute(),
    at=UTCDateTimeAttribute(),
    inner=Inner(),
    words=UnicodeSetAttribute(),
    numbers=NumberSetAttribute(null=True),
    note=UnicodeAttribute(null=True),
)
VALUES: dict[str, t.Any] = {
    "name": "Ada",
    "flag": True,
    "number": 1.5,
    "at": dt.datetime(2026, 1, 2, tzinfo=UTC),
    "inner": Inner(count=3),
    "words": {"a"},
    "numbers": {1, 2.5},
    "note": "x",
}


def fast_path_of(model: t.Any) -> t.Any:
    """The fast path of a model; None if there is none."""
    serialize = compile_serializer(model)
    return serialize.__globals__.get("fast_path_of_Thing")


@pytest.mark.parametrize("absent", [(), ("numbers",), ("note",), ("numbers", "note")], ids=str)
def test_values_of_the_types_of_their_attributes(absent: tuple[str, ...]) -> None:
    """The item is PynamoDB's, in its order, and botocore sends it unchanged."""
    instance = THING(**{name: value for name, value in VALUES.items() if name not in absent})
    item = fast_path_of(THING)(instance)
    assert list(item.items()) == list(instance.serialize().items())
    assert is_plain_item(item)
    assert serializes_like_pynamodb(instance)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, None) for name in VALUES if name not in {"words", "numbers", "note"}],
        *[("name", 5), ("name", Text("a")), ("note", Text("a")), ("flag", 1), ("number", True), ("at", "2026")],
        *[("words", set()), ("words", frozenset({"a"})), ("words", {"a", Text("b")}), ("numbers", set())],
        *[("inner", Inner()), ("inner", Inner(count="3")), ("inner", {"count": 3}), ("inner", Inner(label="x"))],
    ],
    ids=map(str, itertools.count()),
)
def test_any_other_object(name: str, value: t.Any) -> None:
    """A value that is absent, or of another type, is left to the serializer, whose item or error is PynamoDB's."""
    instance = THING(**VALUES)
    instance.attribute_values[name] = value
    with pytest.raises(KeyError):
        fast_path_of(THING)(instance)
    assert serializes_like_pynamodb(instance)


def test_an_attribute_that_was_never_set() -> None:
    """An object without an entry for an attribute is left to the serializer."""
    instance = THING(name="Ada")
    with pytest.raises(KeyError):
        fast_path_of(THING)(instance)


def test_a_map_that_is_no_value() -> None:
    """The attribute of the class in place of a map has no values."""
    instance = THING(**VALUES)
    instance.attribute_values["inner"] = THING.inner
    with pytest.raises(KeyError):
        fast_path_of(THING)(instance)


def test_values_in_another_mapping_do_not_change() -> None:
    """A dict that makes the entries that are read keeps its own."""
    instance = THING(**VALUES)
    instance.attribute_values = collections.defaultdict(str, VALUES)
    del instance.attribute_values["note"]
    with pytest.raises(KeyError):
        fast_path_of(THING)(instance)
    assert serializes_like_pynamodb(instance)
    assert "note" not in instance.attribute_values


@pytest.mark.parametrize("attribute", [Upper(), JSONAttribute(), ListAttribute()], ids=["override", "JSON", "list"])
def test_some_models_have_none(attribute: t.Any) -> None:
    """An override may be the program's code, and a list may have any values: the serializer looks at each attribute."""
    assert fast_path_of(thing(own=attribute)) is None
