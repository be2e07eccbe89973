"""The fields of a body: compiled once per class."""

from __future__ import annotations

import gc
import typing as t
import weakref

import pytest
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.model.bodies.fields import fields_of
from dynaflask.model.bodies.fields import read_new
from dynaflask.model.bodies.values import InvalidValue
from tests.support import notes


def test_a_class_is_compiled_once(db: dynaflask.Dynamo) -> None:
    """The fields of a class are the same object at each call."""
    note = notes.declare_note(db)
    assert fields_of(note) is fields_of(note)


def test_the_roles_of_fields(db: dynaflask.Dynamo) -> None:
    """Keys, defaults, nullable and read-only fields are told apart."""
    fields = fields_of(notes.declare_note(db))
    assert {name for name, field in fields.items() if field.is_required} == {"subject", "author"}
    assert {name for name, field in fields.items() if field.is_key} == {"subject"}
    assert {name for name, field in fields.items() if field.is_read_only} == {"version"}
    assert {name for name, field in fields.items() if not field.is_nullable} == {"subject", "author"}


def test_a_map_may_contain_itself() -> None:
    """A map of maps of its own class is read at any depth."""

    class Part(MapAttribute[str, t.Any]):
        name = UnicodeAttribute()
        parts: t.Any = ListAttribute(null=True)

    Part.get_attributes()["parts"].element_type = Part
    values = read_new(fields_of(Part), {"name": "a", "parts": [{"name": "b", "parts": [{"name": "c"}]}]})
    assert values["parts"][0].parts[0].name == "c"
    with pytest.raises(InvalidValue) as refused:
        read_new(fields_of(Part), {"name": "a", "parts": [{"name": "b", "parts": [{}]}]})
    assert list(refused.value.errors) == ["parts.0.parts.0.name"]


def test_a_model_that_the_program_drops_is_collected(db: dynaflask.Dynamo) -> None:
    """Compiled fields keep no class alive."""
    note = notes.declare_note(db)
    fields_of(note)
    reference = weakref.ref(note)
    del note
    gc.collect()
    assert reference() is None
