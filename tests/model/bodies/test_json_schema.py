"""``schema_of``: the JSON schema of the bodies that ``load_item`` takes."""

from __future__ import annotations

import copy
import typing as t

import flask
import flask_smorest
import jsonschema
import openapi_spec_validator
import pytest
from pynamodb import attributes
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.views import load_item
from dynaflask.views import schema_of
from tests.support import notes
from tests.support.notes import BODY

PLACE = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "floor": {"type": ["number", "null"]}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """A model with an attribute of every type."""
    return notes.declare_note(db)


def is_valid(schema: t.Any, body: t.Any) -> bool:
    """True if a body fits a schema."""
    return bool(jsonschema.Draft202012Validator(schema).is_valid(body))


def test_the_schema_describes_every_field(note: t.Any) -> None:
    """It has types, formats, defaults, nested objects, and what is required, nullable and read-only."""
    schema = schema_of(note)
    jsonschema.Draft202012Validator.check_schema(schema)
    properties = schema["properties"]
    assert (schema["title"], schema["required"], schema["additionalProperties"]) == (
        "Note",
        ["author", "subject"],
        False,
    )
    assert properties["subject"] == {"type": "string", "minLength": 1}
    assert properties["views"] == {"type": ["number", "null"], "default": 0}
    assert properties["when"] == {"type": ["string", "null"], "format": "date-time"}
    assert properties["author"]["properties"]["place"] == {**PLACE, "type": ["object", "null"]}
    assert properties["version"] == {"type": "integer", "readOnly": True}
    assert properties["extra"] == {}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"views": None},
        {"author": {"name": "Ada", "place": None}},
        {"subject": None},
        {"subject": ""},
        {"views": "1"},
        {"author": {}},
        {"author": None},
        {"readers": [{"name": 1}]},
        {"tags": [1]},
        {"is_open": 1},
        {"words": []},
        {"words": ["a", "a"]},
        {"raw": []},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_body_fits_the_schema_if_it_can_be_loaded(note: t.Any, change: dict[str, t.Any]) -> None:
    """jsonschema and ``load_item`` agree."""
    body = {**BODY, **change}
    try:
        load_item(note, body)
    except dynaflask.InvalidBody:
        assert not is_valid(schema_of(note), body)
    else:
        assert is_valid(schema_of(note), body)


@pytest.mark.parametrize("change", [{}, {"views": None}, {"author": None}, {"subject": "a"}, {"town": "a"}], ids=str)
def test_a_partial_schema_is_that_of_an_update(note: t.Any, change: dict[str, t.Any]) -> None:
    """A PATCH requires no field, has no key and at least one change."""
    try:
        load_item(note, change, partial=True)
    except dynaflask.InvalidBody:
        assert not is_valid(schema_of(note, partial=True), change)
    else:
        assert is_valid(schema_of(note, partial=True), change)


def test_the_schema_of_some_fields(note: t.Any) -> None:
    """``only`` and ``exclude`` are those of ``load_item``."""
    assert list(schema_of(note, only=["subject", "views"])["properties"]) == ["subject", "views"]
    assert "author" not in schema_of(note, exclude=["author"])["properties"]


def test_a_discriminator_is_a_string(db: dynaflask.Dynamo) -> None:
    """The schema has the discriminator as a string, because responses contain it."""

    class Post(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Post"

        subject = UnicodeAttribute(hash_key=True)
        kind = attributes.DiscriminatorAttribute()

    assert schema_of(Post)["properties"]["kind"] == {"type": "string", "readOnly": True}


def test_a_map_inside_of_itself_ends() -> None:
    """The second level of a recursive map is an object of anything."""

    class Part(MapAttribute[str, t.Any]):
        parts: t.Any = ListAttribute(null=True)

    Part.get_attributes()["parts"].element_type = Part
    inner = schema_of(Part)["properties"]["parts"]["items"]["properties"]["parts"]["items"]
    assert inner == {"type": "object"}


def test_a_default_that_is_no_json_is_not_shown(db: dynaflask.Dynamo) -> None:
    """A default that the attribute itself cannot write is left out."""

    class Sample(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Sample"

        key = UnicodeAttribute(hash_key=True)
        colour = notes.ColourAttribute(default=t.cast("t.Any", "red"))

    assert schema_of(Sample)["properties"]["colour"] == {"type": ["string", "null"]}


def test_an_unknown_dialect_is_refused(note: t.Any) -> None:
    """The message names the dialects."""
    with pytest.raises(ValueError, match=r"'2020-12' or 'openapi-3\.0', not '3'"):
        schema_of(note, dialect="3")


@pytest.mark.parametrize(("version", "dialect"), [("3.0.3", "openapi-3.0"), ("3.1.0", "2020-12")])
def test_a_document_of_openapi_is_valid(note: t.Any, version: str, dialect: str) -> None:
    """Flask-Smorest's document with these schemas is valid, also if two apps have one each."""
    for name in ("one", "two"):
        app = flask.Flask(name)
        app.config.from_mapping(API_TITLE=name, API_VERSION="1", OPENAPI_VERSION=version)
        blueprint = flask_smorest.Blueprint("notes", "notes")

        @blueprint.route("/notes", methods=["POST", "PATCH"])
        @blueprint.doc(requestBody={"content": {"application/json": {"schema": schema_of(note, dialect=dialect)}}})
        def add() -> dict[str, str]:
            return {"subject": load_item(note, flask.request.json).subject}

        api = flask_smorest.Api(app)
        api.register_blueprint(blueprint)
        api.spec.components.schema("NoteUpdate", schema_of(note, partial=True, dialect=dialect))
        with app.app_context():
            document = copy.deepcopy(api.spec.to_dict())
        openapi_spec_validator.validate(document)
        shown = document["paths"]["/notes"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert shown["properties"]["when"].get("nullable", False) == (version == "3.0.3")
        answer = app.test_client().post("/notes", json={})
        assert (answer.status_code, sorted(answer.json["errors"])) == (400, ["author", "subject"])  # type: ignore[index]
