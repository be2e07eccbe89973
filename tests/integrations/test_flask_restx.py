"""Flask-RESTX: models of PynamoDB models, validation of bodies, and pages."""

from __future__ import annotations

import base64
import collections.abc as cabc
import datetime as dt
import json
import typing as t

import flask
import flask_restx
import pytest
from pynamodb import attributes
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import PynamoDBException
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.pagination import ResultIterator
from werkzeug.exceptions import BadRequest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

import dynaflask
from dynaflask.integrations import flask_restx as restx
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.notes import Colour
from tests.support.notes import ColourAttribute
from tests.support.notes import Person
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

Json = t.Any


def declare_note(db: dynaflask.Dynamo) -> t.Any:
    """A model with an attribute of every type."""

    class Note(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Note"
            billing_mode = "PAY_PER_REQUEST"

        subject = UnicodeAttribute(hash_key=True)
        views = NumberAttribute(default=0)
        author = Person()
        readers = ListAttribute(of=Person, null=True)
        tags = ListAttribute(of=UnicodeAttribute, default=list)
        files = ListAttribute(of=attributes.BinaryAttribute, null=True)
        loose = ListAttribute(null=True)
        when = attributes.UTCDateTimeAttribute(attr_name="w", null=True)
        until = attributes.TTLAttribute(null=True)
        is_open = attributes.BooleanAttribute(default=True)
        picture = attributes.BinaryAttribute(null=True, legacy_encoding=False)
        extra = attributes.JSONAttribute(null=True)
        raw: t.Any = MapAttribute(null=True)
        words = attributes.UnicodeSetAttribute()
        scores = attributes.NumberSetAttribute()
        blobs = attributes.BinarySetAttribute(legacy_encoding=False)
        colour = ColourAttribute(null=True)
        nothing = attributes.NullAttribute(null=True)
        version = attributes.VersionAttribute()

    return Note


BODY: Json = {
    "subject": "hello",
    "author": {"name": "Ada", "place": {"city": "London", "floor": 2}},
    "readers": [{"name": "Bob", "place": None}],
    "tags": ["a", "b"],
    "files": ["Ynl0ZXM="],
    "loose": [1, {"a": [None, True]}],
    "when": "2026-01-02T03:04:05+00:00",
    "until": "2030-01-02T03:04:05+00:00",
    "is_open": False,
    "picture": "Ynl0ZXM=",
    "extra": [1, {"x": None}],
    "raw": {"x": {"y": 1.5}},
    "words": ["one", "two"],
    "scores": [1, 2.5],
    "blobs": ["Ynl0ZXM="],
    "colour": "red",
}


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """A model with an attribute of every type."""
    return declare_note(db)


@pytest.fixture
def make_rest_app(
    db: dynaflask.Dynamo, note: t.Any, make_app: cabc.Callable[..., flask.Flask], ministack: engines.Engine
) -> cabc.Callable[..., flask.Flask]:
    """Makes an app with an API that stores notes."""

    def make(name: str = "app", **settings: t.Any) -> flask.Flask:
        app = make_app(name, host=ministack.url, **{"region": "us-east-1", **settings})
        app.secret_key = "secret"
        api = flask_restx.Api(app, validate=True)
        model = restx.model_of(api, note)

        @api.route("/notes")
        class Notes(flask_restx.Resource):  # type: ignore[misc]
            @api.expect(model)
            @api.marshal_with(model)
            def post(self) -> t.Any:
                item = restx.item_of(note, api.payload)
                item.save()
                return note.get(item.subject)

            @api.expect(restx.page_parser())
            @api.marshal_with(restx.page_of(api, restx.model_of(api, note, name="Short", only=["subject"])))
            def get(self) -> t.Any:
                return db.paginate(note.scan)

        with app.app_context():
            db.create_all(wait=True)
        return app

    return make


@pytest.fixture
def keys(account: engines.Account) -> dict[str, t.Any]:
    """The credentials of a new account."""
    return {"aws_access_key_id": account.access_key_id, "aws_secret_access_key": "any"}


def test_every_type_of_value_survives_a_round_trip(
    make_rest_app: cabc.Callable[..., flask.Flask], keys: dict[str, t.Any]
) -> None:
    """A posted body is stored, read and returned unchanged, with defaults filled in."""
    answer = make_rest_app(**keys).test_client().post("/notes", json=BODY)
    assert answer.status_code == 200, answer.text
    assert answer.json == {**BODY, "views": 0, "version": 1, "nothing": None}


def test_an_item_has_python_values(note: t.Any) -> None:
    """``item_of`` converts dates, binary values, sets and maps to Python values."""
    item = restx.item_of(note, BODY)
    assert item.when == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)
    assert (item.picture, item.words, item.colour) == (b"bytes", {"one", "two"}, Colour.RED)
    assert (item.author.place.city, item.readers[0].name) == ("London", "Bob")


def test_the_document_describes_every_field(make_rest_app: cabc.Callable[..., flask.Flask], keys: t.Any) -> None:
    """The Swagger document has types, formats, required fields and nested models."""
    document = make_rest_app(**keys).test_client().get("/swagger.json").json
    assert document
    definitions = document["definitions"]
    nested = {"NoteAuthor", "NoteAuthorPlace", "NoteReaders", "NoteReadersPlace"}
    assert set(definitions) == {"Note", "Short", "ShortPage", *nested}
    assert definitions["Note"]["required"] == ["author", "subject"]
    assert definitions["NoteAuthorPlace"]["required"] == ["city"]
    fields = definitions["Note"]["properties"]
    assert fields["subject"] == {"type": "string", "minLength": 1}
    assert fields["views"] == {"type": "number", "default": 0}
    assert fields["when"] == fields["until"] == {"type": "string", "format": "date-time"}
    assert fields["picture"] == {"type": "string", "format": "byte"}
    assert fields["author"] == {"$ref": "#/definitions/NoteAuthor"}
    assert fields["readers"]["items"] == {"$ref": "#/definitions/NoteReaders"}
    assert fields["words"] == {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 1}
    assert fields["raw"]["type"] == "object"
    assert fields["version"] == {"type": "integer", "readOnly": True}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"subject": None}, "subject"),
        ({"subject": ""}, "subject"),
        ({"subject": 1}, "subject"),
        ({"subject": "\ud800"}, "subject"),
        ({"views": "1"}, "views"),
        ({"views": True}, "views"),
        ({"views": float("nan")}, "views"),
        ({"views": float("inf")}, "views"),
        ({"views": 10**40 + 1}, "views"),
        ({"views": 1e200}, "views"),
        ({"version": 1.5}, "version"),
        ({"author": "Ada"}, "author"),
        ({"author": {}}, "author.name"),
        ({"author": {"name": "Ada", "place": {"floor": 1}}}, "author.place.city"),
        ({"author": {"name": "Ada", "place": {"city": 1}}}, "author.place.city"),
        ({"author": {"name": "Ada", "colour": "red"}}, "author.colour"),
        ({"readers": [{"name": "Bob"}, {"name": 1}]}, "readers.1.name"),
        ({"readers": [None]}, "readers.0"),
        ({"tags": ["a", 1]}, "tags.1"),
        ({"tags": "a"}, "tags"),
        ({"when": "yesterday"}, "when"),
        ({"when": 1}, "when"),
        ({"picture": "%"}, "picture"),
        ({"files": ["%"]}, "files.0"),
        ({"words": []}, "words"),
        ({"words": ["a", "a"]}, "words"),
        ({"raw": []}, "raw"),
        ({"raw": {"x": float("nan")}}, "raw"),
        ({"raw": {"\ud800": 1}}, "raw"),
        ({"loose": [10**50 + 1]}, "loose"),
        ({"loose": json.loads("[" * 200 + "]" * 200)}, "loose"),
        ({"colour": "blue"}, "colour"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_an_invalid_field_is_named(
    db: dynaflask.Dynamo, change: dict[str, Json], field: str, request: pytest.FixtureRequest
) -> None:
    """A 400 names the invalid field at any depth."""
    app, note = flask.Flask("app"), declare_note(db)
    api = flask_restx.Api(app, validate=True)

    @api.route("/notes")
    class Notes(flask_restx.Resource):  # type: ignore[misc]
        @api.expect(restx.model_of(api, note))
        def post(self) -> t.Any:
            restx.item_of(note, api.payload)

    body = json.dumps({**BODY, **change})
    answer = app.test_client().post("/notes", data=body, content_type="application/json")
    assert answer.status_code == 400, answer.text
    assert list(answer.json["errors"]) == [field]


@pytest.mark.parametrize("body", ["[]", "null", "1", '"text"'])
def test_a_body_must_be_an_object(note: t.Any, body: str) -> None:
    """A body that is no object is a 400 with the field 'body'."""
    model = restx.model_of(flask_restx.Api(), note)
    with pytest.raises(BadRequest, match="body: ") as refused:
        model.validate(json.loads(body))
    assert list(t.cast("t.Any", refused.value).data["errors"]) == ["body"]


def test_all_invalid_fields_are_named(note: t.Any) -> None:
    """One error names every missing and every unknown field."""
    model = restx.model_of(flask_restx.Api(), note)
    with pytest.raises(BadRequest) as refused:
        model.validate({"colour": "red", "a": 1, "b": 2})
    assert sorted(t.cast("t.Any", refused.value).data["errors"]) == ["a", "author", "b", "subject"]


def test_item_of_names_an_invalid_field(note: t.Any) -> None:
    """``item_of`` raises a 400 for an invalid field even if the API does not validate."""
    for body, field in (
        ({"colour": "blue"}, "colour"),
        ({"author": {"none": 1}}, "author.none"),
        ({"readers": [1]}, "readers.0"),
        ({"readers": 1}, "readers"),
        ([], "body"),
    ):
        with pytest.raises(BadRequest, match=f"^400 Bad Request: {field}: "):
            restx.item_of(note, body)


def test_a_model_with_some_fields_and_another_name(note: t.Any) -> None:
    """``only`` and ``name`` make a model of some fields under another name."""
    api = flask_restx.Api()
    model = restx.model_of(api, note, name="NewNote", only=["subject", "author"])
    assert (model.name, sorted(model), sorted(api.models)) == (
        "NewNote",
        ["author", "subject"],
        ["NewNote", "NewNoteAuthor", "NewNoteAuthorPlace"],
    )


def test_the_api_may_check_formats(note: t.Any) -> None:
    """The formats of ``Api(format_checker=...)`` are checked in addition."""
    checker = restx.validation.jsonschema.FormatChecker(formats=())
    checker.checks("byte")(lambda value: value != "Ynl0ZXM=")
    model = restx.model_of(flask_restx.Api(), note)
    model.validate(BODY)
    with pytest.raises(BadRequest, match="picture"):
        model.validate(BODY, format_checker=checker)


def test_a_model_can_be_cloned(note: t.Any) -> None:
    """A clone of a model, which copies its fields, marshals items."""
    api = flask_restx.Api()
    clone = api.clone("Clone", restx.model_of(api, note), {"more": flask_restx.fields.String})
    assert flask_restx.marshal(restx.item_of(note, BODY), clone)["when"] == BODY["when"]


def test_undeclared_values_are_marshalled(note: t.Any) -> None:
    """In a raw map or list, sets become lists and binary values Base64 strings."""
    item = note("hello", raw={"words": {"b", "a"}, "bytes": b"bytes"}, loose=[{"x": b"bytes"}])
    shown = flask_restx.marshal(item, restx.model_of(flask_restx.Api(), note, only=["raw", "loose"]))
    assert shown == {"raw": {"words": ["a", "b"], "bytes": "Ynl0ZXM="}, "loose": [{"x": "Ynl0ZXM="}]}


def test_a_discriminator_is_read_only(db: dynaflask.Dynamo) -> None:
    """A discriminator is in the response, and ``item_of`` ignores it in a body."""

    class Post(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Post"

        subject = UnicodeAttribute(hash_key=True)
        kind = attributes.DiscriminatorAttribute()

    class Question(Post, discriminator="question"):
        pass

    model = restx.model_of(flask_restx.Api(), Question)
    body = {"subject": "why", "kind": "answer"}
    model.validate({"subject": "why"})
    assert flask_restx.marshal(restx.item_of(Question, body), model) == {"subject": "why", "kind": "question"}


def test_a_naive_time_is_utc(note: t.Any) -> None:
    """A naive datetime is marshalled as UTC, as PynamoDB stores it."""
    item = note("hello", when=dt.datetime(2026, 1, 2))  # noqa: DTZ001
    assert flask_restx.marshal(item, restx.model_of(flask_restx.Api(), note))["when"] == "2026-01-02T00:00:00+00:00"


def test_two_apps_have_their_own_documents_and_items(
    db: dynaflask.Dynamo, note: t.Any, make_rest_app: cabc.Callable[..., flask.Flask], keys: dict[str, t.Any]
) -> None:
    """Behind one dispatcher each app has its own document address and its own items."""
    us, eu = (make_rest_app(region, region=region, **keys) for region in ("us-west-2", "eu-west-1"))
    client = Client(DispatcherMiddleware(flask.Flask("start"), {"/us": us, "/eu": eu}))
    assert client.post("/us/notes", json=BODY).status_code == 200
    assert [client.get(f"/{name}/swagger.json").json["basePath"] for name in ("us", "eu")] == ["/us", "/eu"]
    counts = []
    for app in (us, eu):
        with app.app_context():
            counts.append(note.count())
            db.drop_all()
    assert counts == [1, 0]


def test_a_page_is_marshalled(make_rest_app: cabc.Callable[..., flask.Flask], keys: dict[str, t.Any]) -> None:
    """A page has its items and the URL of the next page, with the path that the app is mounted at."""
    app = make_rest_app(**keys)
    client = Client(DispatcherMiddleware(flask.Flask("start"), {"/us": app}))
    for subject in ("one", "two", "three"):
        client.post("/us/notes", json={**BODY, "subject": subject})
    first = client.get("/us/notes?per_page=2").json
    second = client.get(first["next_url"]).json
    assert first["next_url"].startswith("/us/notes?per_page=2&cursor=")
    assert [(len(page["items"]), page["per_page"], page["has_next"]) for page in (first, second)] == [
        (2, 2, True),
        (1, 2, False),
    ]
    assert (second["next_cursor"], second["next_url"]) == (None, None)
    subjects = [item["subject"] for page in (first, second) for item in page["items"]]
    assert sorted(subjects) == ["one", "three", "two"]


def test_a_cursor_of_another_app_is_refused(
    make_rest_app: cabc.Callable[..., flask.Flask], keys: dict[str, t.Any]
) -> None:
    """Another app answers a page's URL with a 400."""
    us, eu = (make_rest_app(region, region=region, **keys).test_client() for region in ("us-west-2", "eu-west-1"))
    for subject in ("one", "two"):
        us.post("/notes", json={**BODY, "subject": subject})
    link = us.get("/notes?per_page=1").json["next_url"]  # type: ignore[index]
    assert [client.get(link).status_code for client in (us, eu)] == [200, 400]


@pytest.mark.parametrize(("query", "expected"), [("", (None, None)), ("?cursor=a&per_page=5", ("a", 5))])
def test_the_parser_reads_the_arguments_of_a_page(query: str, expected: tuple[str | None, int | None]) -> None:
    """The parser reads ``cursor`` and ``per_page`` from the query string."""
    with flask.Flask("app").test_request_context(f"/{query}"):
        arguments = restx.page_parser().parse_args()
    assert (arguments.cursor, arguments.per_page) == expected


@pytest.mark.parametrize("per_page", ["0", "-1", "many"])
def test_a_wrong_page_size_is_named(per_page: str) -> None:
    """A wrong ``per_page`` is a 400 that names the argument."""
    with flask.Flask("app").test_request_context(f"/?per_page={per_page}"):
        with pytest.raises(BadRequest) as refused:
            restx.page_parser().parse_args()
    assert list(t.cast("t.Any", refused.value).data["errors"]) == ["per_page"]


class TestTenantKeys:
    """A client sees and sends a ``TenantKey`` without the tenant's name."""

    @pytest.fixture
    def letter(self, db: dynaflask.Dynamo) -> t.Any:
        """A model in a shared table, whose index has a tenant key, too."""

        class Letter(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Letter"
                billing_mode = "PAY_PER_REQUEST"

            box = dynaflask.TenantKey(hash_key=True)
            number = NumberAttribute(range_key=True)
            author = dynaflask.TenantKey(null=True)
            folder = dynaflask.TenantKey(default="new")

        return Letter

    @pytest.fixture
    def client(
        self, db: dynaflask.Dynamo, letter: t.Any, make_app: MakeApp, ministack: engines.Engine, keys: dict[str, t.Any]
    ) -> t.Iterator[t.Any]:
        """A client of an API that stores letters for the tenant of the header ``Tenant``."""
        app = make_app(host=ministack.url, region="us-east-1", **keys)
        db.tenant_loader(lambda: flask.request.headers.get("Tenant") if flask.request else None)
        api = flask_restx.Api(app, validate=True)
        model = restx.model_of(api, letter)

        @api.route("/letters")
        class Letters(flask_restx.Resource):  # type: ignore[misc]
            @api.expect(model)
            @api.marshal_with(model)
            def post(self) -> t.Any:
                item = restx.item_of(letter, api.payload)
                item.save()
                return item

            @api.marshal_list_with(model)
            def get(self) -> t.Any:
                return list(letter.query("in"))

        with app.app_context(), db.without_tenant(reason="tables are made for all tenants"):
            db.create_all(wait=True)
        yield app.test_client()
        with app.app_context(), db.without_tenant(reason="tables are dropped for all tenants"):
            stored = {item.box for item in letter.scan()}
            db.drop_all()
        assert stored <= {"acme#in", "globex#in", "globex#acme#in"}

    def test_a_tenant_key_is_shown_and_taken_without_the_tenant(self, client: t.Any) -> None:
        """Two tenants post the same body, and each reads its own item as it posted it."""
        for number, tenant in enumerate(("acme", "globex")):
            body = {"box": "in", "number": number, "author": "ann", "folder": "new"}
            posted = client.post("/letters", json=body, headers={"Tenant": tenant})
            assert (posted.status_code, posted.json) == (200, body)
            assert client.get("/letters", headers={"Tenant": tenant}).json == [body]

    def test_a_body_cannot_choose_the_tenant(self, client: t.Any) -> None:
        """A value that looks like another tenant's stored key belongs to the tenant of the request."""
        body = {"box": "acme#in", "number": 1}
        assert client.post("/letters", json=body, headers={"Tenant": "globex"}).json["box"] == "acme#in"
        assert client.get("/letters", headers={"Tenant": "acme"}).json == []

    def test_another_tenants_item_is_not_shown(self, client: t.Any, db: dynaflask.Dynamo, letter: t.Any) -> None:
        """An item of one tenant cannot be marshalled for another."""
        model = restx.model_of(flask_restx.Api(), letter)
        with client.application.app_context():
            with db.tenant("acme"):
                item = letter("in", 1)
                assert flask_restx.marshal(item, model)["box"] == "in"
            with db.tenant("globex"), pytest.raises(dynaflask.TenantMismatch):
                flask_restx.marshal(item, model)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"subject": 5}, "subject"),
        ({"subject": ""}, "subject"),
        ({"views": "many"}, "views"),
        ({"views": True}, "views"),
        ({"tags": "abc"}, "tags"),
        ({"tags": ["a", 1]}, "tags.1"),
        ({"words": []}, "words"),
        ({"words": "ab"}, "words"),
        ({"author": {"name": 1}}, "author.name"),
        ({"author": []}, "author"),
        ({"readers": [{"name": "Bob"}, {"name": 1}]}, "readers.1.name"),
        ({"readers": "ab"}, "readers"),
        ({"when": "yesterday"}, "when"),
        ({"is_open": "no"}, "is_open"),
        ({"raw": []}, "raw"),
    ],
)
def test_item_of_refuses_a_value_that_the_attribute_cannot_store(
    note: t.Any, change: dict[str, Json], field: str
) -> None:
    """A value of another type is a 400 that names the field, also if the API does not validate."""
    with pytest.raises(BadRequest) as refused:
        restx.item_of(note, {**BODY, **change})
    assert list(t.cast("t.Any", refused.value).data["errors"]) == [field]


class TestSizes:
    """``item_of`` refuses what DynamoDB is too small for: the client gets 400, and nothing is sent."""

    @pytest.fixture
    def parcel(self, db: dynaflask.Dynamo) -> t.Any:
        """A model with every role of a key."""

        class ByCity(GlobalSecondaryIndex[t.Any]):
            class Meta:
                index_name = "by-city"
                projection = AllProjection()

            town = UnicodeAttribute(hash_key=True, attr_name="t")
            city = UnicodeAttribute(range_key=True)

        class Parcel(db.Model):  # type: ignore[name-defined, misc]
            class Meta:
                table_name = "Parcel"

            owner = UnicodeAttribute(hash_key=True)
            label = attributes.BinaryAttribute(range_key=True, legacy_encoding=False, attr_name="l")
            town = UnicodeAttribute(null=True, attr_name="t")
            city = UnicodeAttribute(null=True)
            words = attributes.UnicodeSetAttribute(null=True)
            raw: t.Any = MapAttribute(null=True)
            loose: t.Any = ListAttribute(null=True)
            count = NumberAttribute(null=True)
            by_city = ByCity()

        return Parcel

    @staticmethod
    def body(**fields: Json) -> Json:
        """A body with these fields."""
        return {"owner": "ann", "label": "YQ==", **fields}

    @pytest.mark.parametrize(
        ("field", "longest"),
        [
            ("owner", "x" * 2048),
            ("owner", "\u00e9" * 1024),
            ("label", base64.b64encode(b"x" * 1023).decode()),
            ("town", "x" * 2048),
            ("city", "x" * 1024),
        ],
    )
    def test_a_key_has_a_limit(self, parcel: t.Any, field: str, longest: str) -> None:
        """Hash keys have up to 2048 bytes and range keys up to 1024, of the table and of an index."""
        assert restx.item_of(parcel, self.body(**{field: longest}))
        too_long = base64.b64encode(b"x" * 1025).decode() if field == "label" else longest + "x"
        with pytest.raises(BadRequest, match="too long: this key has at most (1024|2048) bytes") as refused:
            restx.item_of(parcel, self.body(**{field: too_long}))
        assert list(t.cast("t.Any", refused.value).data["errors"]) == [field]

    @pytest.mark.parametrize(
        "fields",
        [
            {"words": ["x" * 200_000, "y" * 250_000]},
            {"raw": {"x" * 5: {"y": "z" * 420_000}}},
            {"raw": {"x" * 420_000: 1}},
            {"loose": ["\u00e9" * 210_000]},
        ],
        ids=["set", "map", "name", "list"],
    )
    def test_an_item_has_a_limit(self, parcel: t.Any, fields: Json) -> None:
        """An item has up to 400 kB, with the names of its attributes."""
        with pytest.raises(BadRequest, match="too large: it has at most 409600 bytes") as refused:
            restx.item_of(parcel, self.body(**fields))
        assert list(t.cast("t.Any", refused.value).data["errors"]) == ["body"]

    def test_an_item_at_the_limit_is_accepted(self, parcel: t.Any) -> None:
        """What DynamoDB may accept is not refused."""
        assert restx.item_of(parcel, self.body(loose=["x" * 409_000, 1, None, True], count=1))

    def test_a_tenant_is_part_of_the_key(self, db: dynaflask.Dynamo, make_app: MakeApp) -> None:
        """A key that is too long with the name of the current tenant is refused; without a tenant it is not checked."""

        class Box(db.Model):  # type: ignore[name-defined, misc]
            class Meta:
                table_name = "Box"

            name = dynaflask.TenantKey(hash_key=True)

        with make_app(region="us-east-1").app_context():
            with db.tenant("a"):
                assert restx.item_of(Box, {"name": "x" * 2046})
            with db.tenant("ab"), pytest.raises(BadRequest, match="too long"):
                restx.item_of(Box, {"name": "x" * 2046})
            assert restx.item_of(Box, {"name": "x" * 2046})


@pytest.mark.parametrize("only", [None, ["author"], ["readers"]])
@pytest.mark.parametrize(
    "make",
    [lambda items: ResultIterator(len, (), {}), iter, lambda items: (item for item in items)],
    ids=["a query", "an iterator", "a generator"],
)
def test_a_lazy_result_is_refused(note: t.Any, make: t.Callable[[t.Any], t.Any], only: list[str] | None) -> None:
    """A query that is not a list cannot be marshalled: Flask-RESTX would answer one object of nulls."""
    model = restx.model_of(flask_restx.Api(), note, only=only)
    with flask.Flask("app").app_context(), pytest.raises(TypeError, match="Return a list"):
        flask_restx.marshal(make([note("hello")]), model)


def test_a_page_is_not_an_item(note: t.Any) -> None:
    """The model of an item does not marshal a page; the message names the model that does."""
    page = dynaflask.Page([note("hello")], per_page=1, next_cursor=None, read_units=1)
    with pytest.raises(TypeError, match="page_of"):
        flask_restx.marshal(page, restx.model_of(flask_restx.Api(), note))


def test_resources_without_a_model_may_use_the_providers_json(note: t.Any) -> None:
    """``RESTX_JSON`` gives Flask-RESTX, which ignores ``app.json``, the conversions of the JSON provider."""
    app = flask.Flask("app")
    app.config["RESTX_JSON"] = {"default": dynaflask.JSONProvider.default}
    api = flask_restx.Api(app)

    @api.route("/notes")
    class Notes(flask_restx.Resource):  # type: ignore[misc]
        def get(self) -> t.Any:
            return {"notes": [note("hello", words={"b", "a"}, when=dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc))]}

    (shown,) = app.test_client().get("/notes").json["notes"]  # type: ignore[index]
    assert (shown["subject"], shown["words"], shown["when"]) == ("hello", ["a", "b"], "2026-01-02T00:00:00+00:00")


class TestPartial:
    """``model_of(partial=True)`` describes the body of a PATCH, which ``update_from`` applies."""

    def test_it_requires_no_field_and_has_no_key(self, note: t.Any) -> None:
        """Keys are unknown, fields optional, and a map is replaced as a whole."""
        api = flask_restx.Api()
        model = restx.model_of(api, note, partial=True)
        assert (model.name, "subject" in model, "required" in model.__schema__) == ("NoteUpdate", False, False)
        assert "default" not in model.__schema__["properties"]["views"]
        model.validate({"views": None, "author": {"name": "Ada"}})
        for body, field in (({"subject": "a"}, "subject"), ({"author": {}}, "author.name"), ({"views": "1"}, "views")):
            with pytest.raises(BadRequest) as refused:
                model.validate(body)
            assert list(t.cast("t.Any", refused.value).data["errors"]) == [field]

    def test_a_patch_changes_the_item(
        self, db: dynaflask.Dynamo, note: t.Any, make_app: MakeApp, ministack: engines.Engine, keys: dict[str, t.Any]
    ) -> None:
        """Values are set, nulls removed, and what the model cannot describe is a 400 of ``update_from``."""
        app = make_app(host=ministack.url, region="us-east-1", **keys)
        api = flask_restx.Api(app, validate=True)

        @api.route("/notes/<subject>")
        class OneNote(flask_restx.Resource):  # type: ignore[misc]
            @api.expect(restx.model_of(api, note, partial=True, exclude=["is_open"]))
            @api.marshal_with(restx.model_of(api, note))
            def patch(self, subject: str) -> t.Any:
                item = note.get_or_404(subject)
                item.update_from(api.payload)
                return item

        with app.app_context():
            db.create_all(wait=True)
            restx.item_of(note, BODY).save()
        client = app.test_client()
        changed = client.patch("/notes/hello", json={"tags": ["c"], "when": None, "version": 7}).json
        refused = client.patch("/notes/hello", json={"author": None}).json
        unknown = client.patch("/notes/hello", json={"is_open": True}).json
        with app.app_context():
            db.drop_all()
        assert changed
        assert (changed["tags"], changed["when"], changed["version"]) == (["c"], None, 2)
        assert (refused or {})["errors"] == {"author": "The field cannot be null."}
        assert list((unknown or {})["errors"]) == ["is_open"]


def test_an_item_has_only_the_fields_that_the_view_allows(note: t.Any) -> None:
    """``only`` and ``exclude`` protect other fields, also if the API does not validate; a wrong name is an error."""
    assert restx.item_of(note, {"subject": "a"}, only=["subject"]).subject == "a"
    with pytest.raises(BadRequest, match="views: There is no field 'views'"):
        restx.item_of(note, {"subject": "a", "views": 9}, exclude=["views"])
    with pytest.raises(ValueError, match="no attribute 'veiws'"):
        restx.model_of(flask_restx.Api(), note, exclude=["veiws"])


@pytest.mark.parametrize(
    ("code", "status"),
    [("ConditionalCheckFailedException", 409), ("ExpiredTokenException", 503), ("AccessDeniedException", 500)],
)
def test_the_errors_of_dynamodb_reach_the_app(
    note: t.Any, make_app: MakeApp, recorder: recorders.Recorder, code: str, status: int
) -> None:
    """With ``pass_errors_on``, a resource answers as the app does. The other app has Flask-RESTX's 500 for all."""
    answers = {}
    for name in ("passing", "other"):
        settings = {"host": recorder.url, "region": "us-east-1", "error_handlers": True, "json_errors": True, **KEYS}
        app = make_app(name, max_retry_attempts=0, **settings)
        api = flask_restx.Api(app)
        if name == "passing":
            restx.pass_errors_on(api)
        api.add_resource(type("Notes", (flask_restx.Resource,), {"get": lambda self: note.get("a").subject}), "/note")
        recorder.answer = lambda request: {}
        missing = app.test_client().get("/note")
        recorder.answer = lambda request: (400, {"__type": f"x#{code}", "message": "no"})
        refused = app.test_client().get("/note")
        answers[name] = [(answer.status_code, answer.is_json) for answer in (missing, refused)]
    assert answers == {"passing": [(404, True), (status, True)], "other": [(500, True), (500, True)]}


def test_an_error_handler_of_the_api_takes_precedence(
    note: t.Any, make_app: MakeApp, recorder: recorders.Recorder
) -> None:
    """A handler that the API has already is kept."""
    settings = {"host": recorder.url, "region": "us-east-1", "error_handlers": True, **KEYS}
    app = make_app(max_retry_attempts=0, **settings)
    api = flask_restx.Api(app)

    @api.errorhandler(PynamoDBException)
    def explain(error: Exception) -> t.Any:
        return {"message": "own"}, 418

    restx.pass_errors_on(api)
    api.add_resource(type("Notes", (flask_restx.Resource,), {"get": lambda self: note.get("a").subject}), "/note")
    recorder.answer = lambda request: {}
    answer = app.test_client().get("/note")
    assert (answer.status_code, answer.json) == (418, {"message": "own"})
