"""A model with an attribute of every type, and a body that fits it."""

from __future__ import annotations

import enum
import typing as t

from pynamodb import attributes
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex

import dynaflask


class Colour(enum.Enum):
    """The value type of a custom attribute."""

    RED = "red"


class ColourAttribute(UnicodeAttribute):
    """An attribute with its own serialisation."""

    def serialize(self, value: t.Any) -> t.Any:
        return value.value

    def deserialize(self, value: t.Any) -> t.Any:
        return Colour(value)


class CentAttribute(NumberAttribute):
    """A number with its own serialisation: cents in Python, euros in DynamoDB and in JSON."""

    def serialize(self, value: t.Any) -> str:
        return super().serialize(value / 100)

    def deserialize(self, value: str) -> t.Any:
        return round(super().deserialize(value) * 100)


class Place(MapAttribute[str, t.Any]):
    """A nested map."""

    city = UnicodeAttribute()
    floor = NumberAttribute(null=True)


class Person(MapAttribute[str, t.Any]):
    """A map with declared attributes."""

    name = UnicodeAttribute()
    place = Place(null=True)


class ByTown(GlobalSecondaryIndex[t.Any]):
    """An index with keys of its own."""

    class Meta:
        """Read only the index."""

        index_name = "by-town"
        projection = AllProjection()

    town = UnicodeAttribute(hash_key=True, attr_name="t")


def declare_note(db: dynaflask.Dynamo) -> t.Any:
    """The model."""

    class Note(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Note"
            billing_mode = "PAY_PER_REQUEST"

        subject = UnicodeAttribute(hash_key=True)
        views = NumberAttribute(default=0)
        author = Person()
        readers = ListAttribute(of=Person, null=True)
        tags = ListAttribute(of=UnicodeAttribute, default=list)
        loose = ListAttribute(null=True)
        when = attributes.UTCDateTimeAttribute(attr_name="w", null=True)
        is_open = attributes.BooleanAttribute(default=True)
        picture = attributes.BinaryAttribute(null=True, legacy_encoding=False)
        extra = attributes.JSONAttribute(null=True)
        raw: t.Any = MapAttribute(null=True)
        words = attributes.UnicodeSetAttribute(null=True)
        scores = attributes.NumberSetAttribute(null=True)
        colour = ColourAttribute(null=True)
        price = CentAttribute(null=True)
        town = UnicodeAttribute(attr_name="t", null=True)
        version = attributes.VersionAttribute()
        by_town = ByTown()

    return Note


BODY: t.Final = {
    "subject": "hello",
    "author": {"name": "Ada", "place": {"city": "London", "floor": 2}},
    "readers": [{"name": "Bob", "place": None}],
    "tags": ["a", "b"],
    "loose": [1, {"a": [None, True]}],
    "when": "2026-01-02T03:04:05Z",
    "is_open": False,
    "picture": "Ynl0ZXM=",
    "extra": [1, {"x": None}],
    "raw": {"x": {"y": 1.5}},
    "words": ["one", "two"],
    "scores": [1, 2.5],
    "colour": "red",
    "price": 1.5,
    "town": "Bonn",
}
