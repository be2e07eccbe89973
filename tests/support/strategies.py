"""Hypothesis strategies: models with any attributes, their objects and items, and shapes of DynamoDB's API."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import enum
import math
import typing as t

from hypothesis import strategies as st
from pynamodb.attributes import Attribute
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import BinarySetAttribute
from pynamodb.attributes import BooleanAttribute
from pynamodb.attributes import DynamicMapAttribute
from pynamodb.attributes import JSONAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NullAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import NumberSetAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.attributes import UTCDateTimeAttribute
from pynamodb.attributes import VersionAttribute

import dynaflask

db = dynaflask.Dynamo()
UTC = dt.timezone.utc
Item = dict[str, t.Any]


class Upper(UnicodeAttribute):
    """Overrides both conversions."""

    def serialize(self, value: t.Any) -> t.Any:
        return value.upper()

    def deserialize(self, value: t.Any) -> t.Any:
        return value.lower()


class Place(MapAttribute[t.Any, t.Any]):
    city = UnicodeAttribute()
    zip_code = NumberAttribute(attr_name="zip")
    since = UTCDateTimeAttribute(null=True)
    is_open = BooleanAttribute(default=True)


class Trip(MapAttribute[t.Any, t.Any]):
    place = Place(null=True)
    stops = ListAttribute(of=Place, null=True)
    notes = MapAttribute[t.Any, t.Any](null=True)
    tags = UnicodeSetAttribute(default=set)
    loud = Upper(null=True)


class Loose(DynamicMapAttribute):
    number = NumberAttribute(null=True)


def thing(name: str = "Thing", /, base: t.Any = None, **namespace: t.Any) -> t.Any:
    """A model with these attributes."""
    meta = type("Meta", (), {"table_name": "things"})
    return type(db.Model)(name, (base or db.Model,), {"Meta": meta, **namespace})


# Schemas, items and objects.

ATTRIBUTES: dict[str, t.Callable[..., Attribute[t.Any]]] = {
    "S": UnicodeAttribute,
    "N": NumberAttribute,
    "BOOL": BooleanAttribute,
    "B": lambda **options: BinaryAttribute(legacy_encoding=False, **options),
    "old B": lambda **options: BinaryAttribute(legacy_encoding=True, **options),
    "BS": lambda **options: BinarySetAttribute(legacy_encoding=False, **options),
    "old BS": lambda **options: BinarySetAttribute(legacy_encoding=True, **options),
    "SS": UnicodeSetAttribute,
    "NS": NumberSetAttribute,
    "JSON": JSONAttribute,
    "time": UTCDateTimeAttribute,
    "NULL": NullAttribute,
    "TTL": TTLAttribute,
    "version": VersionAttribute,
    "M": MapAttribute,
    "L": ListAttribute,
    "Place": Place,
    "Trip": Trip,
    "Loose": Loose,
    "Upper": Upper,
    **{
        f"list of {of.__name__}": lambda of=of, **options: ListAttribute(of=of, **options)
        for of in (
            *(
                UnicodeAttribute,
                NumberAttribute,
                BinaryAttribute,
                BinarySetAttribute,
                UnicodeSetAttribute,
                TTLAttribute,
            ),
            *(UTCDateTimeAttribute, VersionAttribute, MapAttribute, ListAttribute, Place, Trip, Loose, Upper),
            *(BooleanAttribute, JSONAttribute, NumberSetAttribute, NullAttribute),
        )
    },
}
DEFAULTS = {"S": "x", "N": 7, "BOOL": False, "SS": set, "L": list, "M": dict, "Place": dict, "JSON": dict, "version": 1}

texts = st.text(st.characters(), max_size=5) | st.sampled_from(["", "\ud800", "\x00", "Zürich"])
numerals = st.one_of(
    st.integers().map(str),
    st.integers(-(10**38), 10**38).map(str),
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(
        ["1e5", "1E-130", "-0", "007", "1.", "+1", " 1", "1 ", "1_0", "NaN", "[1]", '"1"', "", "x", "9" * 38]
    ),
)
good_moments = st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.%f+0000").zfill(31))
moments = st.one_of(
    good_moments,
    st.sampled_from(
        [
            *("2026-11-22T24:00:00.000000+0000", "2026-11-22 12:30:00.000000+0000", "2026-11-22T12:30:00,000000+0000"),
            *("2026-W01-1T12:30:00.0000000+0000", "2026-11-22T12:30:00.0+0100+0000", "999-11-22T12:30:00.000000+0000"),
            *("2026-11-22T12:30:60.000000+0000", "2026-11-22T12:30:00.000000+0100", "2026-11-22T12:30:00.000000+00:00"),
            *(
                "٢٠٢٦-11-22T12:30:00.000000+0000",
                "2026-11-22T12:30:00.+00001+0000",
                "2026-11-22T 2:30:00.000000+0000",
                "x",
            ),
        ]
    ),
)
blobs = st.binary(max_size=8) | st.integers(60_000, 70_000).map(bytes)
documents = st.sampled_from(['{"a": [1, null]}', "[", '"\x01"', "\ufeff1", "1e400"])
STORED: dict[str, st.SearchStrategy[t.Any]] = {
    "S": texts | moments | documents,
    "N": numerals,
    "BOOL": st.booleans(),
    "B": blobs,
    "SS": st.lists(texts, max_size=3),
    "NS": st.lists(numerals, max_size=3),
    "BS": st.lists(blobs, max_size=3),
    "NULL": st.just(True),
}
GOOD = {
    **STORED,
    "N": st.integers().map(str) | st.floats(allow_nan=False).map(repr) | st.integers(10**37, 10**38).map(str),
}
GOOD["NS"] = st.lists(GOOD["N"], max_size=3)
names = st.sampled_from(
    ["city", "zip", "since", "is_open", "place", "stops", "notes", "tags", "self", "null", "x", "\ud800"]
)
wrong = st.sampled_from(
    [None, 0, "", "S", [], ["S"], {}, {"S": None}, {"X": "y"}, {"S": "a", "NULL": True}, {"N": 5}, {"M": 1}]
)


def typed(values: cabc.Mapping[str, st.SearchStrategy[t.Any]]) -> st.SearchStrategy[t.Any]:
    return st.one_of([value.map(lambda value, kind=kind: {kind: value}) for kind, value in values.items()])


def nested(inner: st.SearchStrategy[t.Any]) -> st.SearchStrategy[t.Any]:
    return typed({"L": st.lists(inner, max_size=3), "M": st.dictionaries(names, inner, max_size=4)})


good = st.recursive(typed(GOOD), nested, max_leaves=8)
stored = st.recursive(typed(STORED) | wrong, nested, max_leaves=8)
zones = st.sampled_from([UTC, dt.timezone(dt.timedelta(hours=5, minutes=30))])
moments_in_python = st.datetimes() | st.datetimes(timezones=zones)
good_values = st.recursive(
    st.none() | texts | st.integers() | st.floats() | st.booleans() | st.binary(max_size=4) | st.just({1, 2.5}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
values = st.recursive(
    st.one_of(
        *(st.none(), texts, st.integers(), st.floats(), st.booleans(), st.binary(max_size=4), st.datetimes()),
        st.datetimes(timezones=zones),
        st.sampled_from([{1, 2.5}, {"a"}, {b"a"}, set(), {1, "a"}, {True}, dt.timedelta(1), object, 10**40, math.nan]),
        st.builds(Place, city=texts, zip_code=st.none() | st.integers()),
        st.builds(Loose, number=st.integers(), other=texts),
        st.just(Place()),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(names, inner, max_size=3),
        st.builds(Trip, place=st.builds(Place, city=texts, zip_code=st.integers()), stops=st.lists(inner, max_size=2)),
    ),
    max_leaves=8,
)


@st.composite
def schemas(draw: st.DrawFn, **keys: t.Callable[[], Attribute[t.Any]]) -> t.Any:
    """A model with a few attributes of any type, and the named ones."""
    kinds = draw(st.lists(st.sampled_from(sorted(ATTRIBUTES)), min_size=1, max_size=6))
    namespace: Item = {name: make() for name, make in keys.items()}
    for number, kind in enumerate(kinds):
        if kind in ("version", "TTL") and kind in kinds[:number]:
            continue
        options: Item = {"null": draw(st.booleans())}
        if kind in DEFAULTS and draw(st.booleans()):
            options["default"] = DEFAULTS[kind]
        if draw(st.booleans()):
            options["attr_name"] = f"stored{number}"
        namespace[f"python{number}"] = ATTRIBUTES[kind](**options)
    return thing(**namespace)


@st.composite
def keyed_schemas(draw: st.DrawFn) -> tuple[t.Any, list[str]]:
    """A model with a key of any form and a few attributes of any type, and the names of its keys."""
    types = draw(st.sampled_from([["S"], ["N"], ["B"], ["S", "S"], ["S", "N"]]))
    keys = {
        f"key{place}": ATTRIBUTES[key_type](hash_key=place == 0, range_key=place == 1)
        for place, key_type in enumerate(types)
    }
    return draw(schemas(**{name: lambda key=key: key for name, key in keys.items()})), list(keys)


STORED_BY_CLASS = {
    JSONAttribute: st.sampled_from(['{"a": [1, null, 2.5]}', '"\x01"', "1e400", "NaN", '"\\ud800"']),
    UTCDateTimeAttribute: good_moments,
    TTLAttribute: st.integers(0, 2**33).map(str) | st.sampled_from(["1.5", "-7"]),
    VersionAttribute: st.integers().map(str) | st.sampled_from(["2.0", "1e3"]),
    NullAttribute: st.just(True),
}


def fitting(cls: t.Any, element_type: t.Any = None) -> st.SearchStrategy[t.Any]:
    """A typed value that DynamoDB may store for an attribute."""
    if issubclass(cls, MapAttribute) and cls is not MapAttribute:
        values = {
            attribute.attr_name: fitting(type(attribute), getattr(attribute, "element_type", None))
            for attribute in cls.get_attributes().values()
        }
        return st.fixed_dictionaries({}, optional=values).map(lambda value: {"M": value})
    if element_type is not None:
        return st.lists(fitting(element_type) | st.just({"NULL": True}), max_size=3).map(lambda value: {"L": value})
    if issubclass(cls, (MapAttribute, ListAttribute)):
        of = st.lists(good, max_size=3) if issubclass(cls, ListAttribute) else st.dictionaries(names, good, max_size=4)
        return of.map(lambda value: {cls.attr_type: value})
    return STORED_BY_CLASS.get(cls, GOOD[cls.attr_type]).map(lambda value: {cls.attr_type: value})


@st.composite
def items(draw: st.DrawFn, model: t.Any) -> Item:
    """An item of the model, sometimes with a wrong value."""
    declared = model.get_attributes().values()
    typed_values = {
        attribute.attr_name: fitting(type(attribute), getattr(attribute, "element_type", None))
        for attribute in declared
    }
    item = draw(st.fixed_dictionaries({}, optional=typed_values))
    if draw(st.integers(0, 3)) == 0:
        item[draw(st.sampled_from(sorted(typed_values)))] = draw(stored)
    return {**item, **draw(st.dictionaries(names, stored, max_size=1))}


VALUES: dict[t.Any, st.SearchStrategy[t.Any]] = {
    "S": texts,
    "N": st.integers() | st.floats() | st.booleans(),
    "BOOL": st.booleans() | st.just(1),
    "B": st.binary(max_size=4),
    "SS": st.sets(texts, max_size=3) | st.lists(texts, max_size=2),
    "NS": st.sets(st.integers() | st.floats() | st.booleans(), max_size=3),
    "BS": st.sets(st.binary(max_size=4), max_size=3),
    "NULL": st.none() | st.integers(),
}
VALUES_BY_CLASS = {
    JSONAttribute: st.sampled_from([{"a": [1, None]}, "x", 1.5, [], object]),
    UTCDateTimeAttribute: moments_in_python,
    TTLAttribute: st.datetimes(timezones=zones),
    VersionAttribute: st.integers() | st.sampled_from([2.0, 2.5, True, math.nan]),
}


def assigned(cls: t.Any, element_type: t.Any = None) -> st.SearchStrategy[t.Any]:
    """A Python value that a program may assign to an attribute."""
    if issubclass(cls, MapAttribute) and cls is not MapAttribute:
        values = {
            name: assigned(type(attribute), getattr(attribute, "element_type", None))
            for name, attribute in cls.get_attributes().items()
        }
        return st.fixed_dictionaries({}, optional=values).map(lambda values: cls(**values))
    if element_type is not None:
        return st.lists(assigned(element_type) | st.none(), max_size=3)
    if issubclass(cls, ListAttribute):
        return st.lists(good_values, max_size=3)
    if cls is MapAttribute:
        plain_names = st.sampled_from(["city", "x", "\ud800", "null"])
        return st.dictionaries(plain_names, good_values, max_size=3).map(lambda values: cls(**values))
    return VALUES_BY_CLASS.get(cls, VALUES[cls.attr_type])


@st.composite
def objects(draw: st.DrawFn, model: t.Any) -> t.Any:
    """An object of the model, sometimes with a wrong value."""
    instance = model()
    for name, attribute in model.get_attributes().items():
        if draw(st.integers(0, 5)):
            value = draw(assigned(type(attribute), getattr(attribute, "element_type", None)))
            instance.attribute_values[name] = value
    if draw(st.integers(0, 3)) == 0:
        instance.attribute_values[draw(st.sampled_from(sorted(model.get_attributes())))] = draw(values)
    return instance


# Values for the shapes of DynamoDB's API, valid and not.

VALUE_TYPES = ["S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL", "X"]
# Types that some JSON encoders accept and others do not.


class Size(str, enum.Enum):
    SMALL = "small"


class Name(str):
    __slots__ = ()


class Pair(t.NamedTuple):
    one: int
    other: int


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: int


SCALARS = {
    "string": st.text(max_size=5),
    "boolean": st.booleans(),
    "integer": st.integers(0, 99),
    "long": st.integers(0, 99),
    "float": st.floats(0, 99),
    "double": st.floats(0, 99),
}


class Shapes:
    """Values in the place of a shape, which most often fit it.

    Args:
        names: The names in maps.
        scalars: Values that are neither a map nor a list.
        blobs: Binary values.
        anything: Values that may stand in any place.
        newer: Members of structures that botocore does not know.
        has_wrong_parts: True if any part may be wrong; False if attribute values alone may be.
    """

    def __init__(
        self,
        *,
        names: st.SearchStrategy[t.Any],
        scalars: st.SearchStrategy[t.Any],
        blobs: st.SearchStrategy[t.Any],
        anything: st.SearchStrategy[t.Any],
        newer: cabc.Sequence[str] = (),
        has_wrong_parts: bool = True,
    ) -> None:
        self._names = names
        self._scalars = scalars
        self._blobs = blobs
        self._anything = anything
        self._newer = dict.fromkeys(newer, anything)
        self._wrong = anything if has_wrong_parts else st.nothing()
        self.attribute_values = st.deferred(lambda: self._attribute_values())  # noqa: PLW0108 - no method will do

    def of(self, shape: t.Any) -> st.SearchStrategy[t.Any]:
        """Values in the place of one shape."""
        if shape.name == "AttributeValue":
            return self.attribute_values
        if shape.type_name == "structure":
            return self._structures(shape)
        if shape.type_name == "map":
            return st.dictionaries(self._names, self.of(shape.value), max_size=3) | self._wrong
        if shape.type_name == "list":
            return st.lists(self.of(shape.member), max_size=3) | self._wrong
        return SCALARS[shape.type_name] if self._wrong.is_empty else self._scalars

    def _structures(self, shape: t.Any) -> st.SearchStrategy[t.Any]:
        members = {name: self.of(member) for name, member in shape.members.items()}
        required = {} if not self._wrong.is_empty else {name: members.pop(name) for name in shape.required_members}
        structures = st.fixed_dictionaries(required, optional={**members, **self._newer})
        return structures | self._wrong if self._newer else structures

    def _attribute_values(self) -> st.SearchStrategy[t.Any]:
        return st.one_of(
            st.fixed_dictionaries({"S": st.text(max_size=5)}),
            st.fixed_dictionaries({"N": st.decimals().map(str)}),
            st.fixed_dictionaries({"BOOL": st.booleans()}),
            st.just({"NULL": True}),
            st.fixed_dictionaries({"SS": st.lists(st.text(max_size=5), max_size=3)}),
            st.fixed_dictionaries({"B": self._blobs}),
            st.fixed_dictionaries({"BS": st.lists(self._blobs, max_size=3)}),
            st.fixed_dictionaries({"M": st.dictionaries(self._names, self.attribute_values, max_size=3)}),
            st.fixed_dictionaries({"L": st.lists(self.attribute_values, max_size=3)}),
            # A value of another type, as a program may assign it to an attribute.
            st.dictionaries(st.sampled_from(["S", "N", "B", "NULL", "BOOL"]), self._anything, min_size=1, max_size=1),
            st.dictionaries(
                st.sampled_from(["SS", "NS", "BS"]), st.lists(self._anything, max_size=2), min_size=1, max_size=1
            ),
            # Not a value of DynamoDB's.
            st.dictionaries(st.sampled_from(VALUE_TYPES), self._wrong, max_size=2)
            if not self._wrong.is_empty
            else st.nothing(),
            self._wrong,
        )


json_names = st.sampled_from(["S", "N", "B", "BS", "M", "__type", "title"]) | st.text(max_size=5)
json_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANSWERED = Shapes(
    names=json_names,
    scalars=json_scalars,
    blobs=st.sampled_from(["AAEC/w==", "", "odd", "é", "====", None, 7]),
    anything=st.recursive(
        json_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_names, inner, max_size=3)
    ),
    newer=["NewerThanBotocore"],
)

given_names = st.sampled_from(["S", "N", "B", "title"]) | st.text(max_size=5)
given_blobs = st.binary(max_size=5) | st.text(max_size=3) | st.builds(bytearray, st.binary(max_size=5))
given_scalars = st.one_of(
    *(json_scalars, given_blobs, st.text(st.characters(), max_size=3), st.decimals(), st.datetimes()),
    st.sampled_from([..., *Size, Name("x"), 10**40, dt.date(2026, 1, 2), Pair(1, 2), Point(1, 2)]),
)
given_anything = st.recursive(
    given_scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(given_names, inner, max_size=3),
        st.tuples(inner),
        st.frozensets(st.text(max_size=2), max_size=2),
    ),
)
ASKED = Shapes(names=given_names, scalars=given_scalars, blobs=given_blobs, anything=given_anything)
ASKED_OF_ITEMS = Shapes(
    names=given_names, scalars=given_scalars, blobs=given_blobs, anything=given_anything, has_wrong_parts=False
)
