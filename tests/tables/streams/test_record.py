"""``StreamRecord``: one change as objects of its model."""

from __future__ import annotations

import datetime as dt
import typing as t

import flask
import pytest
from pynamodb.attributes import DiscriminatorAttribute
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from tests.support import streams


def test_a_record_has_the_kind_of_change_and_the_item_before_and_after_it(
    app: flask.Flask, db: dynaflask.Dynamo
) -> None:
    """INSERT has a new item, MODIFY both, REMOVE an old one."""
    note = streams.declare_note(db)
    db.create_all(wait=True)
    item = note("1", 7, title="a")
    item.save()
    item.update([note.title.set("b")])
    item.delete()
    records = list(db.stream_records(streams.event_of(note)))
    titles = [(each.old and each.old.title, each.new and each.new.title) for each in records]
    assert [record.kind for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert titles == [(None, "a"), ("a", "b"), ("b", None)]
    for record in records:
        assert (record.model, record.keys, record.tenant, record.is_expiry) == (note, ("1", 7), None, False)
        assert record.table_name.endswith("-Note")
        assert record.created_at is not None
        assert abs(dt.datetime.now(dt.timezone.utc) - record.created_at) < dt.timedelta(hours=1)
    numbers = [record.sequence_number for record in records]
    assert numbers == sorted(set(numbers))


def test_binary_values_are_as_they_were_saved(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """An event has them in base64, at any depth; the legacy encoding of PynamoDB is base64 of that."""
    note = streams.declare_note(db)
    db.create_all(wait=True)
    values = {
        "picture": b"\x00\xff",
        "old_picture": b"old",
        "pictures": {b"one", b"\xfe"},
        "attachment": {"content": b"\x01"},
    }
    note("1", **values).save()
    (record,) = db.stream_records(streams.event_of(note))
    assert (record.new.picture, record.new.old_picture) == (b"\x00\xff", b"old")
    assert (record.new.pictures, record.new.attachment.content) == ({b"one", b"\xfe"}, b"\x01")


def test_a_stream_of_keys_has_no_items(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """With KEYS_ONLY, a record has the key and the model alone."""
    note = streams.declare_note(db, stream_view_type="KEYS_ONLY")
    db.create_all(wait=True)
    note("1", 2, title="a").save()
    (record,) = db.stream_records(streams.event_of(note))
    assert (record.model, record.keys, record.old, record.new) == (note, ("1", 2), None, None)
    with record.app_context():
        assert record.model.get(*record.keys).title == "a"


@pytest.mark.parametrize(
    ("identity", "is_expiry"),
    [
        ({"type": "Service", "principalId": "dynamodb.amazonaws.com"}, True),
        ({"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}, True),
        (None, False),
    ],
)
def test_the_end_of_a_time_to_live_can_be_told_from_a_deletion(
    app: flask.Flask, db: dynaflask.Dynamo, identity: t.Any, is_expiry: bool
) -> None:
    """``is_expiry`` is true if DynamoDB itself deleted the item, in the spelling of Lambda and of botocore."""
    note = streams.declare_note(db)
    db.create_all(wait=True)
    note("1").save()
    event = streams.event_of(note)
    event["Records"][0]["userIdentity"] = identity
    (record,) = db.stream_records(event)
    assert record.is_expiry is is_expiry


def test_a_record_without_a_time_has_none(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """The time is optional in DynamoDB's API."""
    note = streams.declare_note(db)
    db.create_all(wait=True)
    note("1").save()
    event = streams.event_of(note)
    del event["Records"][0]["dynamodb"]["ApproximateCreationDateTime"]
    assert [record.created_at for record in db.stream_records(event)] == [None]


def test_a_discriminator_selects_the_class(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """Several models of one table: each record has the class that its item names."""

    class Animal(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Animal"
            stream_view_type = "NEW_IMAGE"

        name = UnicodeAttribute(hash_key=True)
        kind = DiscriminatorAttribute()

    class Cat(Animal, discriminator="cat"):  # type: ignore[misc]
        pass

    class Dog(Animal, discriminator="dog"):  # type: ignore[misc]
        pass

    db.create_all(wait=True)
    Cat("Tom").save()
    Dog("Rex").save()
    event = streams.event_of(Animal)
    assert [(record.model, type(record.new)) for record in db.stream_records(event)] == [(Cat, Cat), (Dog, Dog)]
