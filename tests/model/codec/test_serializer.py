"""A compiled serializer gives PynamoDB's items: equal values, types and errors for every schema and object."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import UnicodeAttribute

from dynaflask.client.codec.passthrough import is_plain_item
from dynaflask.model.base import Model
from dynaflask.model.codec.compiled import CompiledCodec
from tests.support import strategies
from tests.support.codecs import serializes_like_pynamodb
from tests.support.comparing import outcome
from tests.support.comparing import shape
from tests.support.strategies import Place
from tests.support.strategies import Trip
from tests.support.strategies import thing


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_object_is_serialized_like_pynamodb(data: st.DataObject) -> None:
    """Any object, valid or not, gives the same item or the same error."""
    assert serializes_like_pynamodb(data.draw(strategies.objects(data.draw(strategies.schemas()))))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_deserialized_object_is_serialized_like_pynamodb(data: st.DataObject) -> None:
    """An object that was made from an item gives PynamoDB's item."""
    model = data.draw(strategies.schemas())
    try:
        instance = model.from_raw_data(data.draw(strategies.items(model)))
    except Exception:  # noqa: BLE001 - the other test looks at errors
        return
    assert serializes_like_pynamodb(instance)


def test_a_missing_value_is_named_by_its_path() -> None:
    """The error for a missing value names the attribute, the index and the map that it is missing in."""
    model = thing(trips=ListAttribute(of=Trip), any=ListAttribute(null=True))
    trips = [Trip(), Trip(place=Place(city="x"))]
    assert outcome(model(trips=trips).serialize)[1] == "Attribute 'trips.[1].place.zip_code' cannot be None"
    assert serializes_like_pynamodb(model(trips=trips))
    assert serializes_like_pynamodb(model(trips=[], any=[1, [Place(city="x")]]))


@pytest.mark.parametrize("kind", [Place, MapAttribute])
def test_an_attribute_in_place_of_a_value_is_pynamodbs_error(kind: t.Any) -> None:
    """A map attribute of the class, assigned as a value, raises PynamoDB's error."""
    model = thing(one=kind(null=True), many=ListAttribute(of=kind, null=True), any=ListAttribute(null=True))
    for name in ("one", "many", "any"):
        instance = model()
        instance.attribute_values[name] = model.one if name == "one" else [model.one]
        assert serializes_like_pynamodb(instance)


def test_dynamodb_dicts_round_trip() -> None:
    """``to_dynamodb_dict`` and ``from_dynamodb_dict`` accept an object that has missing values."""
    model = thing(name=UnicodeAttribute(), place=Place(null=True))
    instance = model(place=Place(city="x"))
    other = model()
    other.from_dynamodb_dict(instance.to_dynamodb_dict())
    assert shape(other) == shape(instance)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_checked_serializer(data: st.DataObject) -> None:
    """It returns the item of the serializer or raises its error, and finds plain what a walk over the item does."""
    instance = data.draw(strategies.objects(data.draw(strategies.schemas())))
    codec = CompiledCodec(type(instance), base=Model)
    assert (codec.checked_serializer is None) == (codec.serializer is None)
    if codec.serializer is not None and codec.checked_serializer is not None:
        checked = outcome(lambda: codec.checked_serializer(instance)[0])
        assert checked == outcome(lambda: codec.serializer(instance))
        with contextlib.suppress(Exception):
            item, is_plain = codec.checked_serializer(instance)
            assert is_plain == is_plain_item(item)
