"""A compiled deserializer gives PynamoDB's objects: equal values, types and errors for every schema and item."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from pynamodb.attributes import DiscriminatorAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute

from tests.support import strategies
from tests.support.codecs import deserializes_like_pynamodb
from tests.support.codecs import pynamodb_deserialize
from tests.support.codecs import serializes_like_pynamodb
from tests.support.strategies import Item
from tests.support.strategies import Trip
from tests.support.strategies import db
from tests.support.strategies import thing


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_item_is_deserialized_like_pynamodb(data: st.DataObject) -> None:
    """Any item, valid or not, gives the same object or the same error."""
    model = data.draw(strategies.schemas())
    assert deserializes_like_pynamodb(model, data.draw(strategies.items(model)))


def test_objects_share_no_values() -> None:
    """A change to one object's values shows in no other object."""
    model = thing(name=UnicodeAttribute(hash_key=True), trip=Trip(null=True))
    item = {"name": {"S": "a"}, "trip": {"M": {"place": {"M": {"city": {"S": "x"}, "zip": {"N": "2"}}}}}}
    one, other = model.from_raw_data(item), model.from_raw_data(item)
    one.trip.tags.add("x")
    one.trip.place.city = one.name = "changed"
    assert (other.name, other.trip.tags, other.trip.place.city) == ("a", set(), "x")


def test_default_factories_run_as_often_as_in_pynamodb() -> None:
    """A default factory with a side effect is called as often as PynamoDB calls it."""
    counts = [itertools.count(), itertools.count()]
    place = [
        type(MapAttribute)("P", (MapAttribute,), {"x": NumberAttribute(default=lambda n=n: next(n))}) for n in counts
    ]
    compiled, stock = (
        thing(
            x=NumberAttribute(default=lambda count=count: next(count)),
            m=p(default=dict),
            l=ListAttribute(of=p, default=list),
        )
        for count, p in zip(counts, place, strict=True)
    )
    item = {"l": {"L": [{"M": {}}, {"M": {}}]}}
    one, other = compiled.from_raw_data(item), pynamodb_deserialize(stock, item)
    assert (one.x, one.m.x, [p.x for p in one.l]) == (other.x, other.m.x, [p.x for p in other.l])
    assert next(counts[0]) == next(counts[1])


class Base(db.Model):  # type: ignore[misc,name-defined]
    Meta = type("Meta", (), {"table_name": "bases"})
    id = UnicodeAttribute(hash_key=True)
    kind = DiscriminatorAttribute(attr_name="cls")
    size = NumberAttribute(default=1)


class Child(Base, discriminator="child"):
    toy = UnicodeAttribute(null=True)


class Odd(Base, discriminator="odd"):
    def __bool__(self) -> bool:
        return True


@pytest.mark.parametrize("model", [Base, Child, Odd])
@pytest.mark.parametrize(
    "kind", [{"cls": {"S": "child"}}, {"cls": {"S": "odd"}}, {"cls": {"S": "?"}}, {"cls": {"N": "1"}}, {}]
)
def test_a_discriminator_picks_the_class(model: t.Any, kind: Item) -> None:
    """An item becomes an object of the class that its discriminator names, or raises PynamoDB's error."""
    assert deserializes_like_pynamodb(model, {"id": {"S": "a"}, "toy": {"S": "b"}, **kind})


def test_a_subclass_may_be_declared_after_first_use() -> None:
    """A discriminator finds a class that is declared after the deserializer was compiled."""
    Base.from_raw_data({"cls": {"S": "child"}})
    late = type(Base)("Late", (Base,), {}, discriminator="late")
    assert type(Base.from_raw_data({"cls": {"S": "late"}})) is late


def test_a_map_with_a_discriminator_is_left_to_pynamodb() -> None:
    """A map whose class depends on its discriminator gives PynamoDB's objects."""
    shaped = type(MapAttribute)("Shaped", (MapAttribute,), {"kind": DiscriminatorAttribute()})
    circle = type(shaped)("Circle", (shaped,), {"r": NumberAttribute()}, discriminator="circle")
    model = thing(one=shaped(), many=ListAttribute(of=shaped))
    value = {"M": {"kind": {"S": "circle"}, "r": {"N": "1"}}}
    assert deserializes_like_pynamodb(model, {"one": value, "many": {"L": [value]}})
    assert serializes_like_pynamodb(model(one=circle(r=1), many=[circle(r=2)]))


@pytest.mark.parametrize("odd", [{"NULL": True}, {"S": "two"}, {}])
def test_an_element_of_another_type_is_pynamodbs_error(odd: Item) -> None:
    """A NULL in a typed list is None, and an element of another type is PynamoDB's error."""
    model = thing(ages=ListAttribute(of=NumberAttribute, null=True))
    assert deserializes_like_pynamodb(model, {"ages": {"L": [{"N": "1"}, odd, {"N": "3"}]}})


def test_a_map_may_contain_its_own_class() -> None:
    """A map whose list has elements of the map's own class is converted to any depth."""
    node = type(MapAttribute)(
        "Node", (MapAttribute,), {"name": UnicodeAttribute(), "children": ListAttribute(null=True)}
    )
    node.children.element_type = node
    value = {"M": {"name": {"S": "a"}, "children": {"L": [{"M": {"name": {"S": "b"}}}]}}}
    model = thing(root=node())
    assert deserializes_like_pynamodb(model, {"root": value})
    assert serializes_like_pynamodb(pynamodb_deserialize(model, {"root": value}))
