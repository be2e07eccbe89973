"""Conversions of single values: the same value, type and error as PynamoDB's, for regular and irregular input."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import typing as t

import pytest
from pynamodb.attributes import JSONAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import NumberSetAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UTCDateTimeAttribute
from pynamodb.attributes import VersionAttribute

from dynaflask.model.codec import values
from tests.support.accelerators import remove_msgspec
from tests.support.codecs import deserializes_like_pynamodb
from tests.support.codecs import serializes_like_pynamodb
from tests.support.strategies import ATTRIBUTES
from tests.support.strategies import UTC
from tests.support.strategies import Place
from tests.support.strategies import thing

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=UTC)


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
def test_a_number_is_deserialized(cls: t.Any, text: t.Any) -> None:
    """Any text gives PynamoDB's number or error: as an attribute, in a set, in a list and in a raw map."""
    value = {"NS": [text]} if cls is NumberSetAttribute else {"N": text}
    if cls is MapAttribute:
        value = {"M": {"x": value}}
    model = thing(own=cls(null=True), many=ListAttribute(of=cls, null=True))
    assert deserializes_like_pynamodb(model, {"own": value})
    assert deserializes_like_pynamodb(model, {"many": {"L": [{"NULL": True}, value]}})


@pytest.mark.parametrize("text", [*MOMENTS, *NOT_TEXT], ids=map(str, itertools.count()))
def test_a_datetime_is_deserialized(text: t.Any) -> None:
    """Any text gives PynamoDB's datetime or error, also where ``fromisoformat`` accepts more than PynamoDB."""
    assert deserializes_like_pynamodb(thing(own=UTCDateTimeAttribute()), {"own": {"S": text}})


@pytest.mark.parametrize(
    "text", ['{"a": 1}', "\ufeff1", '"\x01"', "[", b"1", *NOT_TEXT], ids=map(str, itertools.count())
)
def test_json_is_deserialized(text: t.Any) -> None:
    """Any text gives PynamoDB's JSON value or error."""
    assert deserializes_like_pynamodb(thing(own=JSONAttribute()), {"own": {"S": text}})


@pytest.mark.parametrize(
    "name", ["x", "self", "_user_instantiated", "null", "default", "attribute_values", "\ud800", 5, None]
)
def test_a_raw_map_is_deserialized(name: t.Any) -> None:
    """A key of a raw map may be the name of one of ``MapAttribute``'s own arguments."""
    model = thing(own=MapAttribute(), many=ListAttribute(of=MapAttribute, null=True))
    value = {"M": {name: {"BOOL": True}, "other": {"NULL": True}}}
    assert deserializes_like_pynamodb(model, {"own": value})
    assert deserializes_like_pynamodb(model, {"own": {"M": {}}, "many": {"L": [value]}})


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
def test_any_value_is_serialized(value: t.Any) -> None:
    """Any Python value gives PynamoDB's result or error for an attribute of any type, alone, in a list and in a map."""
    for make in ATTRIBUTES.values():
        instance = thing(own=make(null=True))()
        for assigned in (value, [value], {"x": value}, MapAttribute(x=value)):
            instance.attribute_values["own"] = assigned
            if not isinstance(value, dt.timedelta):
                assert serializes_like_pynamodb(instance)


@pytest.mark.parametrize("has_msgspec", [True, False])
@pytest.mark.parametrize("microsecond", [0, 1, 100_000, 999_999])
@pytest.mark.parametrize("year", [1, 999, 2026, 9999])
def test_a_datetime_is_serialized(
    year: int, microsecond: int, has_msgspec: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A datetime gives PynamoDB's text with msgspec and without: in UTC, in another time zone and in none."""
    if not has_msgspec:
        remove_msgspec(monkeypatch)
    zones = [UTC, None, dt.timezone(dt.timedelta(hours=5, minutes=30)), dt.timezone(dt.timedelta(seconds=-12345))]
    for zone in zones:
        value = dt.datetime(year, 6, 7, 8, 9, 10, microsecond, tzinfo=zone)
        assert values.serialize_utc(value) == UTCDateTimeAttribute().serialize(value)


@pytest.mark.parametrize("kind", ["B", "old B", "BS", "old BS"])
def test_binary_is_deserialized(kind: str) -> None:
    """Binary values and sets are read in PynamoDB's legacy encoding, which is Base64 twice, and in the plain one."""
    stored = {"B": "WVE9PQ=="} if kind.endswith("B") else {"BS": ["WVE9PQ==", "WWc9PQ=="]}
    assert deserializes_like_pynamodb(thing(own=ATTRIBUTES[kind]()), {"own": stored})
