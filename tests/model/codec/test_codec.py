"""By plan or by PynamoDB: equal values, equal types, equal errors, for every schema and item."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import itertools
import math
import typing as t
import unittest.mock

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from pynamodb import attributes
from pynamodb.attributes import Attribute
from pynamodb.attributes import AttributeContainer
from pynamodb.attributes import BooleanAttribute
from pynamodb.attributes import DiscriminatorAttribute
from pynamodb.attributes import JSONAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import NumberSetAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UTCDateTimeAttribute
from pynamodb.attributes import VersionAttribute

import dynaflask
from tests.support import strategies
from tests.support.comparing import outcome
from tests.support.comparing import shape
from tests.support.strategies import ATTRIBUTES
from tests.support.strategies import UTC
from tests.support.strategies import Item
from tests.support.strategies import Place
from tests.support.strategies import Trip
from tests.support.strategies import Upper
from tests.support.strategies import db
from tests.support.strategies import thing

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=UTC)


def plain_read(model: t.Any, item: t.Any) -> t.Any:
    return t.cast("t.Any", AttributeContainer._instantiate).__func__(model, item)


def plain_write(instance: t.Any) -> t.Any:
    return AttributeContainer._container_serialize(instance, null_check=True)


def reads_the_same(model: t.Any, item: t.Any) -> bool:
    """An item becomes the same object, or fails the same; and it fills an object as PynamoDB does."""
    assert outcome(lambda: model.from_raw_data(item)) == outcome(lambda: plain_read(model, item))
    one, other = model(), model()
    by_plan = outcome(lambda: one.deserialize(item))
    by_pynamodb = outcome(lambda: AttributeContainer._container_deserialize(other, item))
    assert (by_plan, shape(one)) == (by_pynamodb, shape(other))
    return True


def writes_the_same(instance: t.Any) -> bool:
    """An object becomes the same item, or fails the same."""
    assert outcome(instance.serialize) == outcome(lambda: plain_write(instance))
    return True


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_item_is_read_as_pynamodb_reads_it(data: st.DataObject) -> None:
    """Any item, right or wrong, becomes the same object of any model, or fails the same."""
    model = data.draw(strategies.schemas())
    assert reads_the_same(model, data.draw(strategies.items(model)))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_object_is_written_as_pynamodb_writes_it(data: st.DataObject) -> None:
    """Any object, right or wrong, becomes the same item, or fails the same."""
    assert writes_the_same(data.draw(strategies.objects(data.draw(strategies.schemas()))))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_object_that_was_read_is_written_as_pynamodb_writes_it(data: st.DataObject) -> None:
    """What was read goes back the same."""
    model = data.draw(strategies.schemas())
    try:
        instance = model.from_raw_data(data.draw(strategies.items(model)))
    except Exception:  # noqa: BLE001 - the other test looks at errors
        return
    assert writes_the_same(instance)


NUMERALS = [
    "1e5",
    "1E-130",
    "-0",
    "007",
    "1.",
    "+1",
    " 1",
    "1 ",
    "1_0",
    "NaN",
    "-Infinity",
    "[1]",
    '"1"',
    "",
    "1 2",
    "9" * 38,
]
MOMENTS = [
    *("2026-11-22T12:30:00.000000+0000", "2026-11-22T24:00:00.000000+0000", "2026-11-22 12:30:00.000000+0000"),
    *("2026-11-22T12:30:00,000000+0000", "2026-11-22T12:30:00.0+0100+0000", "999-11-22T12:30:00.000000+0000"),
    *("2026-02-30T12:30:00.000000+0000", "2026-11-22T12:30:60.000000+0000", "2026-11-22T12:30:00.000000+0100"),
    *("٢٠٢٦-11-22T12:30:00.000000+0000", "2026-11-22T12:30:00.+00001+0000", "2026-11-22T 2:30:00.000000+0000", "x"),
]
NOT_TEXT = [None, 5, 1.5, b"5", [], {}]


@pytest.mark.parametrize("text", [*NUMERALS, "1.5", "1700000000.75", b"1", *NOT_TEXT], ids=map(str, itertools.count()))
@pytest.mark.parametrize("cls", [NumberAttribute, VersionAttribute, TTLAttribute, NumberSetAttribute, MapAttribute])
def test_a_numeral_is_read_as_pynamodb_reads_it(cls: t.Any, text: t.Any) -> None:
    """Right or wrong, as a number, in a set, in a list and in a raw map."""
    value = {"NS": [text]} if cls is NumberSetAttribute else {"N": text}
    if cls is MapAttribute:
        value = {"M": {"x": value}}
    model = thing(own=cls(null=True), many=ListAttribute(of=cls, null=True))
    assert reads_the_same(model, {"own": value})
    assert reads_the_same(model, {"many": {"L": [{"NULL": True}, value]}})


@pytest.mark.parametrize("text", [*MOMENTS, *NOT_TEXT], ids=map(str, itertools.count()))
def test_a_moment_is_read_as_pynamodb_reads_it(text: t.Any) -> None:
    """Right or wrong; ``fromisoformat`` alone would take more."""
    assert reads_the_same(thing(own=UTCDateTimeAttribute()), {"own": {"S": text}})


@pytest.mark.parametrize(
    "text", ['{"a": 1}', "\ufeff1", '"\x01"', "[", b"1", *NOT_TEXT], ids=map(str, itertools.count())
)
def test_json_is_read_as_pynamodb_reads_it(text: t.Any) -> None:
    """Right or wrong."""
    assert reads_the_same(thing(own=JSONAttribute()), {"own": {"S": text}})


@pytest.mark.parametrize(
    "name", ["x", "self", "_user_instantiated", "null", "default", "attribute_values", "\ud800", 5, None]
)
def test_any_name_in_a_raw_map_is_read_as_pynamodb_reads_it(name: t.Any) -> None:
    """Some names mean more than themselves to PynamoDB."""
    model = thing(own=MapAttribute(), many=ListAttribute(of=MapAttribute, null=True))
    value = {"M": {name: {"BOOL": True}, "other": {"NULL": True}}}
    assert reads_the_same(model, {"own": value})
    assert reads_the_same(model, {"own": {"M": {}}, "many": {"L": [value]}})


@pytest.mark.parametrize(
    "value",
    [
        *(
            math.nan,
            math.inf,
            -0.0,
            1e300,
            10**40,
            True,
            None,
            "",
            b"",
            {2.5, math.inf, True},
            set(),
            {1, "a"},
            {b"a"},
        ),
        *(NOON, NOON.replace(tzinfo=None), NOON.replace(year=9), NOON.astimezone(dt.timezone(dt.timedelta(hours=-9)))),
        *(
            dt.datetime(1, 1, 1, tzinfo=UTC),
            NOON.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-9))),
            dt.timedelta(1),
            object(),
        ),
        *({"a": {"b": [1, None, {1}]}}, [1, [2.5, [math.nan]]], Place(city="x"), UnicodeAttribute(), UnicodeAttribute),
    ],
    ids=map(str, itertools.count()),
)
def test_any_value_is_written_as_pynamodb_writes_it(value: t.Any) -> None:
    """By an attribute of any type, and in a list and a map of any."""
    for make in ATTRIBUTES.values():
        instance = thing(own=make(null=True))()
        for held in (value, [value], {"x": value}, MapAttribute(x=value)):
            instance.attribute_values["own"] = held
            if not isinstance(value, dt.timedelta):
                assert writes_the_same(instance)


# Each step that may be overridden.


def item_of(model: t.Any, **values: t.Any) -> Item:
    return plain_write(model(**values))


@pytest.fixture
def model() -> t.Any:
    return thing(name=UnicodeAttribute(hash_key=True), count=NumberAttribute(default=0), trip=Trip(null=True))


ITEM = {
    "name": {"S": "a"},
    "count": {"N": "1"},
    "trip": {"M": {"place": {"M": {"city": {"S": "x"}, "zip": {"N": "2"}}}}},
}


def test_an_item_is_read_by_plan(model: t.Any) -> None:
    """PynamoDB's own method is not called where nothing is overridden."""
    model.from_raw_data(ITEM)
    with unittest.mock.patch.object(AttributeContainer, "_container_deserialize", side_effect=AssertionError):
        assert model.from_raw_data(ITEM).trip.place.city == "x"


def test_an_object_is_written_by_plan(model: t.Any) -> None:
    """PynamoDB's own method is not called where nothing is overridden."""
    instance = model.from_raw_data(ITEM)
    expected = instance.serialize()
    with unittest.mock.patch.object(AttributeContainer, "_container_serialize", side_effect=AssertionError):
        assert instance.serialize() == expected


def test_no_data_is_refused_as_by_pynamodb(model: t.Any) -> None:
    """``from_raw_data(None)`` says what PynamoDB says."""
    with pytest.raises(ValueError, match="Received no data"):
        model.from_raw_data(None)


def test_one_way_serves_a_page(model: t.Any) -> None:
    """PynamoDB looks ``from_raw_data`` up once for all items of a query."""
    make = model.from_raw_data
    assert shape([make(ITEM), make(data=ITEM)]) == shape([plain_read(model, ITEM)] * 2)


def test_objects_share_nothing(model: t.Any) -> None:
    """What one object does to its values is not seen in another, nor in the item."""
    one, other = model.from_raw_data(ITEM), model.from_raw_data(ITEM)
    one.trip.tags.add("x")
    one.trip.place.city = one.name = "changed"
    assert (other.name, other.trip.tags, other.trip.place.city) == ("a", set(), "x")


OBJECT_STEPS: dict[str, t.Callable[..., t.Any]] = {
    "__init__": lambda self, *args, **kwargs: (
        super(type(self), self).__init__(*args, **kwargs),
        vars(self).update(x=1),
    )[0],
    "__setattr__": lambda self, name, value: object.__setattr__(self, name, value.upper() if name == "name" else value),
    "__getattribute__": lambda self, name: "got" if name == "name" else object.__getattribute__(self, name),
    "__bool__": lambda self: False,
    "__len__": lambda self: 0,
    "_set_defaults": lambda self, _user_instantiated=True: self.attribute_values.update(name="default"),
    "_set_discriminator": lambda self: self.attribute_values.update(name="discriminator"),
    "_set_attributes": lambda self, **given: self.attribute_values.update(given, extra=1),
    "_instantiate": classmethod(lambda cls, item: cls("instantiated")),
    "get_attributes": classmethod(lambda cls: {"name": cls._attributes["name"]}),
    "_get_discriminator_class": classmethod(lambda cls, item: None),
    "__getattr__": lambda self, name: "missing",
    "attribute_values": property(lambda self: {"name": "property"}, lambda self, value: None),
}


@pytest.mark.parametrize("step", OBJECT_STEPS)
def test_a_model_that_overrides_a_step_goes_pynamodbs_way(step: str) -> None:
    """Its own method is called, for objects from items and items from objects."""
    model = thing(name=UnicodeAttribute(hash_key=True), count=NumberAttribute(default=0), **{step: OBJECT_STEPS[step]})
    plain = outcome(lambda: model._instantiate({"name": {"S": "a"}}))
    assert outcome(lambda: model.from_raw_data({"name": {"S": "a"}})) == plain
    instance = object.__new__(model)
    object.__setattr__(instance, "__dict__", {"attribute_values": {"name": "b", "count": 3}})
    assert writes_the_same(instance)


@pytest.mark.parametrize(
    "method", ["serialize", "deserialize", "from_raw_data", "_container_serialize", "_container_deserialize"]
)
def test_a_models_own_method_is_called(method: str) -> None:
    """What a model defines over PynamoDB's public and private methods is what runs."""
    called = []

    def own(*args: t.Any, **kwargs: t.Any) -> t.Any:
        called.append(method)

    model = thing(
        name=UnicodeAttribute(hash_key=True), **{method: classmethod(own) if method == "from_raw_data" else own}
    )
    model.from_raw_data({"name": {"S": "a"}})
    model("a").serialize()
    model("a").deserialize({"name": {"S": "a"}})
    assert called == [method]


@pytest.mark.parametrize("method", ["from_raw_data", "_container_serialize", "_container_deserialize"])
def test_the_method_of_a_base_beneath_is_called(method: str) -> None:
    """A mixin that stands between ``db.Model`` and PynamoDB's in the order of bases is not passed over."""
    import pynamodb.models

    called = []

    def own(*args: t.Any, **kwargs: t.Any) -> t.Any:
        called.append(method)

    mixin = type(pynamodb.models.Model)(
        "Mixin", (pynamodb.models.Model,), {method: classmethod(own) if method == "from_raw_data" else own}
    )

    class Mixed(db.Model, mixin):  # type: ignore[misc,name-defined,valid-type]
        name = UnicodeAttribute(hash_key=True)

    Mixed.from_raw_data({"name": {"S": "a"}})
    Mixed("a").serialize()
    Mixed("a").deserialize({"name": {"S": "a"}})
    assert called == [method]


class Loud(UnicodeAttribute):
    def get_value(self, value: Item) -> t.Any:
        return "got " + value["S"]


class Assigned(UnicodeAttribute):
    def __set__(self, instance: t.Any, value: t.Any) -> None:
        super().__set__(instance, value and value * 2)


class Fetched(UnicodeAttribute):
    def __get__(self, instance: t.Any, owner: t.Any) -> t.Any:
        return self if instance is None else "fetched"


class EarlyUTC(UTCDateTimeAttribute):
    @staticmethod
    def _fast_parse_utc_date_string(date_string: str) -> dt.datetime:
        return NOON


class Validated(MapAttribute[t.Any, t.Any]):
    city = UnicodeAttribute()

    def validate(self, **_: t.Any) -> bool:
        return False


@cabc.Mapping.register
class Mapped(MapAttribute[t.Any, t.Any]):
    city = UnicodeAttribute(null=True)

    def keys(self) -> t.Any:
        return self.attribute_values.keys()


class Called(MapAttribute[t.Any, t.Any]):
    city = UnicodeAttribute(null=True)

    def __init__(self, **given: t.Any) -> None:
        super().__init__(**given)
        self.is_called = True


@pytest.mark.parametrize("attribute", [Upper, Loud, Assigned, Fetched, EarlyUTC, Validated, Mapped, Called])
def test_an_attribute_that_overrides_a_step_is_asked(attribute: t.Any) -> None:
    """Its own method is called, for it alone, for it in a list, and for it in a map."""
    within = type(MapAttribute)("Within", (MapAttribute,), {"own": attribute(null=True)})
    model = thing(own=attribute(null=True), many=ListAttribute(of=attribute, null=True), within=within(null=True))
    value = (
        {"M": {"city": {"S": "x"}}} if issubclass(attribute, MapAttribute) else {"S": "2026-11-22T12:00:00.000000+0000"}
    )
    item = {"own": value, "many": {"L": [value]}, "within": {"M": {"own": value}}}
    assert reads_the_same(model, item)
    assert writes_the_same(plain_read(model, item))


@pytest.mark.parametrize("name", ["serialize", "deserialize", "get_value"])
def test_a_changed_attribute_is_noticed(model: t.Any, name: str) -> None:
    """A method replaced on an attribute is called from the next call on, and no more once it is put back."""
    before = shape([model.from_raw_data(ITEM), model("a").serialize()])
    with unittest.mock.patch.object(model.name, name, return_value="patched"):
        assert "patched" in repr(model.from_raw_data(ITEM)) + repr(model("a").serialize())
    assert shape([model.from_raw_data(ITEM), model("a").serialize()]) == before


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (UnicodeAttribute, "serialize"),
        (UnicodeAttribute, "deserialize"),
        (NumberAttribute, "deserialize"),
        (Attribute, "__set__"),
    ],
)
def test_a_changed_class_is_noticed(model: t.Any, owner: t.Any, name: str) -> None:
    """A method replaced on PynamoDB's class is called from the next call on."""
    model.from_raw_data(ITEM)
    model("a").serialize()
    with unittest.mock.patch.object(owner, name, autospec=True, return_value="patched") as replaced:
        outcome(lambda: model.from_raw_data(ITEM))
        outcome(model("a").serialize)
    assert replaced.called


@pytest.mark.parametrize("change", [{"default": 5}, {"null": True}, {"attr_path": ["other"]}, {"attr_type": "S"}])
def test_a_changed_option_is_noticed(model: t.Any, change: Item) -> None:
    """An attribute's option changed after first use holds from the next call on."""
    instance = model("a", count=None)
    assert reads_the_same(model, {})
    assert writes_the_same(instance)
    for name, value in change.items():
        setattr(vars(model)["count"], name, value)
    assert reads_the_same(model, {"count": {"S": "1"}})
    assert reads_the_same(model, {})
    assert writes_the_same(instance)


def test_another_way_to_read_numbers_is_noticed(model: t.Any) -> None:
    """PynamoDB's table of attributes by type may be changed."""
    raw = thing("Raw", data=MapAttribute())
    item = {"data": {"M": {"x": {"N": "1"}}}}
    assert raw.from_raw_data(item).data.x == 1
    with unittest.mock.patch.dict(attributes.DESERIALIZE_CLASS_MAP, {"N": UnicodeAttribute()}):
        assert raw.from_raw_data(item).data.x == "1"


@pytest.mark.parametrize("cls", [UnicodeAttribute, NumberSetAttribute, BooleanAttribute])
def test_a_changed_class_is_noticed_in_a_raw_map(cls: t.Any) -> None:
    """What a raw map holds goes by PynamoDB's classes, too."""
    model = thing(data=MapAttribute())
    item = {"data": {"M": {"x": {cls.attr_type: ["1"]}}}}
    model.from_raw_data(item).serialize()
    with unittest.mock.patch.object(cls, "deserialize", return_value="patched"):
        assert model.from_raw_data(item).data.x == "patched"
    with unittest.mock.patch.object(cls, "serialize", return_value="patched", create=True):
        assert writes_the_same(model(data={"x": "a", "y": {1}, "z": True}))


def test_an_attribute_added_later_is_noticed(model: t.Any) -> None:
    """The attributes are those that the class has now."""
    assert model.from_raw_data(ITEM).count == 1
    del model._attributes["count"]
    assert reads_the_same(model, ITEM)
    assert writes_the_same(model("a"))


def test_an_attribute_that_was_replaced_is_left_to_pynamodb() -> None:
    """A class attribute that hides PynamoDB's goes PynamoDB's way."""
    model = thing(name=UnicodeAttribute(), count=NumberAttribute(default=0))
    model.count = 5
    assert reads_the_same(model, ITEM)


def test_defaults_are_made_as_often_as_by_pynamodb() -> None:
    """A default that counts comes to the same number."""
    counts = [itertools.count(), itertools.count()]
    place = [
        type(MapAttribute)("P", (MapAttribute,), {"x": NumberAttribute(default=lambda n=n: next(n))}) for n in counts
    ]
    by_plan, by_pynamodb = (
        thing(
            x=NumberAttribute(default=lambda count=count: next(count)),
            m=p(default=dict),
            l=ListAttribute(of=p, default=list),
        )
        for count, p in zip(counts, place, strict=True)
    )
    item = {"l": {"L": [{"M": {}}, {"M": {}}]}}
    one, other = by_plan.from_raw_data(item), plain_read(by_pynamodb, item)
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
    """An item becomes an object of the class that it names, or the same error."""
    assert reads_the_same(model, {"id": {"S": "a"}, "toy": {"S": "b"}, **kind})


def test_a_subclass_declared_later_is_noticed() -> None:
    """A discriminator learns its classes as they come."""
    Base.from_raw_data({"cls": {"S": "child"}})
    late = type(Base)("Late", (Base,), {}, discriminator="late")
    assert type(Base.from_raw_data({"cls": {"S": "late"}})) is late


def test_a_map_in_a_discriminating_map_is_read() -> None:
    """A map with a discriminator is left to PynamoDB."""
    shaped = type(MapAttribute)("Shaped", (MapAttribute,), {"kind": DiscriminatorAttribute()})
    circle = type(shaped)("Circle", (shaped,), {"r": NumberAttribute()}, discriminator="circle")
    model = thing(one=shaped(), many=ListAttribute(of=shaped))
    value = {"M": {"kind": {"S": "circle"}, "r": {"N": "1"}}}
    assert reads_the_same(model, {"one": value, "many": {"L": [value]}})
    assert writes_the_same(model(one=circle(r=1), many=[circle(r=2)]))


@pytest.mark.parametrize("odd", [{"NULL": True}, {"S": "two"}, {}])
def test_an_odd_element_of_a_list_is_read_as_by_pynamodb(odd: Item) -> None:
    """Nothing is nothing, and another type is an error."""
    model = thing(ages=ListAttribute(of=NumberAttribute, null=True))
    assert reads_the_same(model, {"ages": {"L": [{"N": "1"}, odd, {"N": "3"}]}})


def test_a_map_within_itself_is_read() -> None:
    """A map whose list is of its own kind is left to PynamoDB from there on."""
    node = type(MapAttribute)(
        "Node", (MapAttribute,), {"name": UnicodeAttribute(), "children": ListAttribute(null=True)}
    )
    node.children.element_type = node
    value = {"M": {"name": {"S": "a"}, "children": {"L": [{"M": {"name": {"S": "b"}}}]}}}
    model = thing(root=node())
    assert reads_the_same(model, {"root": value})
    assert writes_the_same(plain_read(model, {"root": value}))


def test_what_is_missing_in_a_map_is_named_by_its_path() -> None:
    """The error says where: in which attribute, element and map."""
    model = thing(trips=ListAttribute(of=Trip), any=ListAttribute(null=True))
    trips = [Trip(), Trip(place=Place(city="x"))]
    assert outcome(model(trips=trips).serialize)[1] == "Attribute 'trips.[1].place.zip_code' cannot be None"
    assert writes_the_same(model(trips=trips))
    assert writes_the_same(model(trips=[], any=[1, [Place(city="x")]]))


@pytest.mark.parametrize("kind", [Place, MapAttribute])
def test_an_attribute_in_place_of_a_value_is_refused_as_by_pynamodb(kind: t.Any) -> None:
    """A map that a class declares holds no values."""
    model = thing(one=kind(null=True), many=ListAttribute(of=kind, null=True), any=ListAttribute(null=True))
    for name in ("one", "many", "any"):
        instance = model()
        instance.attribute_values[name] = model.one if name == "one" else [model.one]
        assert writes_the_same(instance)


@pytest.mark.parametrize("transport", [None, "tuned", "direct"])
def test_an_app_may_ask_for_pynamodbs_way(db: dynaflask.Dynamo, make_app: t.Any, transport: str | None) -> None:
    """With the stock transport PynamoDB's own methods run, in that app alone."""
    model = type(db.Model)(
        "Other", (db.Model,), {"Meta": type("Meta", (), {"table_name": "o"}), "id": UnicodeAttribute(hash_key=True)}
    )
    ways = {}
    for name, options in {"stock": {"transport": "stock"}, "other": {"transport": transport}}.items():
        with make_app(name, **options).app_context():
            model.from_raw_data({"id": {"S": "a"}})
            with unittest.mock.patch.object(AttributeContainer, "_container_deserialize") as plain:
                model.from_raw_data({"id": {"S": "a"}})
            ways[name] = plain.called
    assert ways == {"stock": True, "other": False}


def test_a_model_that_the_app_cannot_reach_is_written_all_the_same(make_app: t.Any) -> None:
    """An object becomes an item without a table."""
    with make_app().app_context():
        assert thing(id=UnicodeAttribute(), Meta=type("Meta", (), {"bind_key": "unknown"}))(id="a").serialize() == {
            "id": {"S": "a"}
        }


def test_an_adopted_model_is_read_by_plan(db: dynaflask.Dynamo) -> None:
    """``db.register`` gives an existing model plans, too."""
    import pynamodb.models

    class Plain(pynamodb.models.Model):
        Meta = type("Meta", (), {"table_name": "plain"})
        id = UnicodeAttribute(hash_key=True)

    db.register(Plain)
    Plain.from_raw_data({"id": {"S": "a"}})
    with unittest.mock.patch.object(AttributeContainer, "_container_deserialize", side_effect=AssertionError):
        assert Plain.from_raw_data({"id": {"S": "a"}}).id == "a"


def test_json_dicts_go_both_ways() -> None:
    """``to_dynamodb_dict`` and its like see what is missing as PynamoDB does."""
    model = thing(name=UnicodeAttribute(), place=Place(null=True))
    instance = model(place=Place(city="x"))
    other = model()
    other.from_dynamodb_dict(instance.to_dynamodb_dict())
    assert shape(other) == shape(instance)
