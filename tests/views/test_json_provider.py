"""Models and pages in ``jsonify``."""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
import json
import typing as t
import uuid

import flask
import pytest
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import BinarySetAttribute
from pynamodb.attributes import DiscriminatorAttribute
from pynamodb.attributes import DynamicMapAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import NumberSetAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.attributes import UTCDateTimeAttribute

import dynaflask
from tests.support import engines
from tests.support import models

MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.timezone.utc)


class Place(MapAttribute[t.Any, t.Any]):
    """A map with declared attributes."""

    town = UnicodeAttribute(attr_name="t")
    seen = UTCDateTimeAttribute(null=True)


class Loose(DynamicMapAttribute):
    """A map with declared and undeclared attributes."""

    town = UnicodeAttribute()


@pytest.fixture
def app() -> t.Iterator[flask.Flask]:
    """An app with the provider, in an app context."""
    app = flask.Flask("app")
    app.json = dynaflask.JSONProvider(app)
    with app.app_context():
        yield app


@pytest.mark.usefixtures("app")
class TestValues:
    """Each type of an attribute's value has a JSON form."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ({"b", "a"}, ["a", "b"]),
            ({10, 9, -1.5}, [-1.5, 9, 10]),
            (frozenset({b"\xff", b"\x00"}), ["AA==", "/w=="]),
            (b"\x00\xff", "AP8="),
            (bytearray(b"a"), "YQ=="),
            (memoryview(b"a"), "YQ=="),
            (MOMENT, "2026-01-02T03:04:05.000006+00:00"),
            (dt.date(2026, 1, 2), "2026-01-02"),
            (dt.time(3, 4), "03:04:00"),
            (decimal.Decimal("0.10"), "0.10"),
            (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ],
    )
    def test_a_value(self, value: object, expected: object) -> None:
        """A value has the same JSON alone and nested."""
        assert json.loads(flask.json.dumps(value)) == expected
        assert json.loads(flask.json.dumps({"deep": [{"nested": value}]})) == {"deep": [{"nested": expected}]}

    def test_a_set_of_several_types_is_not_sorted(self) -> None:
        """A set whose values cannot be compared is an array in any order."""
        assert sorted(map(str, json.loads(flask.json.dumps({"a", 1})))) == ["1", "a"]

    @pytest.mark.parametrize(
        "value",
        [object(), int, Place, itertools.count()],
        ids=["an object", "a class", "one with attributes", "an endless iterator"],
    )
    def test_another_value_is_an_error(self, value: object) -> None:
        """A value of another type raises Flask's ``TypeError``."""
        with pytest.raises(TypeError, match="not JSON serializable"):
            flask.json.dumps(value)


def test_a_model_is_an_object_of_its_attributes(
    ministack: engines.Engine, account: engines.Account, app: flask.Flask, db: dynaflask.Dynamo
) -> None:
    """A new model and one that was read have the same JSON, with the names of the class."""

    class Thing(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Thing"

        key = UnicodeAttribute(hash_key=True, attr_name="k")
        number = NumberAttribute()
        binary = BinaryAttribute(legacy_encoding=False)
        words = UnicodeSetAttribute()
        numbers = NumberSetAttribute()
        binaries = BinarySetAttribute(legacy_encoding=False)
        place = Place()
        anything = MapAttribute()
        places = ListAttribute(of=Place)
        moment = UTCDateTimeAttribute()
        expires = TTLAttribute()
        nothing = UnicodeAttribute(null=True)

    app.config.from_mapping(ministack.settings(account))
    db.init_app(app)
    db.create_all(wait=True)
    thing = Thing(
        "a",
        number=1.5,
        binary=b"\x00",
        words={"b", "a"},
        numbers={2, 1},
        binaries={b"\xff"},
        place=Place(town="Bonn", seen=MOMENT),
        anything={"list": [1, {"a": "b"}]},
        places=[Place(town="Ulm")],
        moment=MOMENT,
        expires=MOMENT.replace(microsecond=0),
    )
    thing.save()
    expected = {
        "key": "a",
        "number": 1.5,
        "binary": "AA==",
        "words": ["a", "b"],
        "numbers": [1, 2],
        "binaries": ["/w=="],
        "place": {"town": "Bonn", "seen": MOMENT.isoformat()},
        "anything": {"list": [1, {"a": "b"}]},
        "places": [{"town": "Ulm"}],
        "moment": MOMENT.isoformat(),
        "expires": "2026-01-02T03:04:05+00:00",
    }
    assert flask.jsonify(thing).json == expected
    assert flask.jsonify([Thing.get("a")]).json == [expected]
    for lazy in (lambda: Thing.scan(), lambda: Thing.query("a"), lambda: Thing.batch_get(["a"])):  # noqa: PLW0108
        assert flask.jsonify(lazy()).json == [expected]
        assert flask.jsonify(things=lazy()).json == {"things": [expected]}
    assert flask.jsonify(Thing.query("b")).json == []
    db.drop_all()


@pytest.mark.usefixtures("app")
def test_a_partly_declared_map_is_complete() -> None:
    """The JSON of a map has its declared and undeclared attributes."""
    place = Loose(town="Bonn", street={"number": 7})
    assert flask.jsonify(place).json == {"town": "Bonn", "street": {"number": 7}}


@pytest.mark.usefixtures("app")
def test_a_polymorphic_model_has_its_discriminator(db: dynaflask.Dynamo) -> None:
    """A discriminator has the value that items store."""

    class Pet(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Pet"

        name = UnicodeAttribute(hash_key=True)
        kind = DiscriminatorAttribute()

    class Cat(Pet, discriminator="Felis"):  # type: ignore[call-arg]
        pass

    assert flask.jsonify(Cat("Tom")).json == {"name": "Tom", "kind": "Felis"}


@pytest.mark.usefixtures("app")
def test_a_page_is_an_object(db: dynaflask.Dynamo) -> None:
    """A page has its items, its size and the cursor of the next page."""
    thread = models.declare_thread(db)
    page = dynaflask.Page([thread("flask", "a")], per_page=1, next_cursor="cursor", read_units=0.5)
    items = [{"forum_name": "flask", "subject": "a", "views": 0}]
    assert flask.jsonify(page).json == {"items": items, "per_page": 1, "next_cursor": "cursor"}


def test_the_provider_counts_per_app(app: flask.Flask, thread_model: t.Any) -> None:
    """An app without the provider cannot encode models."""
    assert flask.jsonify(thread_model("flask", "a")).json["subject"] == "a"
    with flask.Flask("other").app_context(), pytest.raises(TypeError, match="Thread is not JSON serializable"):
        flask.jsonify(thread_model("flask", "a"))


@pytest.mark.usefixtures("app")
def test_usage_is_an_object() -> None:
    """Sums of usage have their names, alone and by key."""
    usage = dynaflask.Usage(calls=2, read_units=0.5)
    assert flask.jsonify(usage).json["read_units"] == 0.5  # type: ignore[index]
    assert flask.jsonify({"acme": usage}).json["acme"]["calls"] == 2  # type: ignore[index]


def test_a_body_that_is_nested_too_deep_is_a_400(app: flask.Flask) -> None:
    """Python's parser ends with an error of its own, which Flask would answer with 500."""
    app.add_url_rule("/", view_func=lambda: {"body": flask.request.json}, methods=["POST"])
    answer = app.test_client().post("/", data="[" * 100_000 + "]" * 100_000, content_type="application/json")
    assert answer.status_code == 400
