"""JSON types of attributes: what ``to_json`` writes, ``from_json`` reads."""

from __future__ import annotations

import copy
import datetime as dt
import typing as t

import pytest
from pynamodb import attributes

from dynaflask.model.bodies.json_types import json_type_of
from dynaflask.model.bodies.values import InvalidValue
from tests.support import notes

MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)


def _id_of(value: t.Any) -> str:
    if isinstance(value, attributes.Attribute):
        return ""
    return f"set {sorted(value)}" if isinstance(value, set) else repr(value)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (attributes.UnicodeAttribute(), "text"),
        (attributes.NumberAttribute(), 1.5),
        (attributes.VersionAttribute(), 2),
        (attributes.BooleanAttribute(), True),
        (attributes.UTCDateTimeAttribute(), MOMENT),
        (attributes.TTLAttribute(), MOMENT.replace(year=2030)),
        (attributes.BinaryAttribute(legacy_encoding=False), b"\x00\xff"),
        (attributes.UnicodeSetAttribute(), {"a", "b"}),
        (attributes.NumberSetAttribute(), {1, 2.5}),
        (attributes.BinarySetAttribute(legacy_encoding=False), {b"a"}),
        (attributes.ListAttribute(of=attributes.BinaryAttribute), [b"a"]),
        (attributes.ListAttribute(), [1, {"a": None}]),
        (attributes.JSONAttribute(), {"a": [1, None]}),
        (notes.ColourAttribute(), notes.Colour.RED),
        (notes.CentAttribute(), 150),
    ],
    # Not the values, for a set is printed in another order by each worker.
    ids=_id_of,
)
def test_a_value_survives_json(attribute: t.Any, value: t.Any) -> None:
    """JSON of a value is read as the same value."""
    json_type = json_type_of(attribute)
    assert json_type.from_json(json_type.to_json(value)) == value
    assert copy.deepcopy(json_type) is json_type


def test_a_key_is_not_empty() -> None:
    """The schema and the reader of a key refuse an empty string."""
    json_type = json_type_of(attributes.UnicodeAttribute(hash_key=True))
    assert json_type.schema == {"type": "string", "minLength": 1}
    with pytest.raises(InvalidValue, match="cannot be empty"):
        json_type.from_json("")


def test_an_unknown_type_of_attribute_takes_anything() -> None:
    """An attribute of another type than DynamoDB's common ones has no schema."""
    assert json_type_of(attributes.NullAttribute()).schema == {}


class Place(attributes.MapAttribute[t.Any, t.Any]):
    """A map with declared attributes."""

    street = attributes.UnicodeAttribute()
    since = attributes.UTCDateTimeAttribute(null=True)


def test_a_map_is_written_by_its_attributes() -> None:
    """Each attribute of a map is written as its type says, also in a list. An attribute without a value is missing."""
    home, work = Place(street="a", since=MOMENT), Place(street="b")
    written = [{"street": "a", "since": MOMENT.isoformat()}, {"street": "b"}]
    assert json_type_of(Place()).to_json(home) == written[0]
    json_type = json_type_of(attributes.ListAttribute(of=Place))
    assert json_type.schema == {"type": "array", "items": {"type": "object"}}
    assert json_type.to_json([home, work]) == written
