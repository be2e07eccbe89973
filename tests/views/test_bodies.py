"""``load_item``: an item, or an update, of the JSON body of a request."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import json
import typing as t

import flask
import pytest
from pynamodb import attributes
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.views import load_item
from tests.support import engines
from tests.support import notes
from tests.support.notes import BODY
from tests.support.settings import MakeApp


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """A model with an attribute of every type."""
    return notes.declare_note(db)


def errors_of(call: cabc.Callable[[], object]) -> dict[str, str]:
    """The errors of a body that does not fit."""
    with pytest.raises(dynaflask.InvalidBody) as refused:
        call()
    return refused.value.errors


class TestNewItems:
    """A body becomes an unsaved item."""

    def test_it_has_python_values(self, note: t.Any) -> None:
        """Dates, binary values, sets, maps and custom types have the values of Python."""
        item = load_item(note, BODY)
        assert item.when == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)
        assert (item.picture, item.words, item.colour, item.price) == (b"bytes", {"one", "two"}, notes.Colour.RED, 150)
        assert (item.author.place.city, item.readers[0].name, item.views) == ("London", "Bob", 0)

    def test_every_error_is_named_at_once(self, note: t.Any) -> None:
        """One error names each field that is missing, unknown or wrong, at any depth."""
        body = {
            "views": "1",
            "author": {"place": {"floor": "2"}, "age": 3},
            "readers": [{"name": "Bob"}, {}],
            "tags": ["a", 1],
            "when": "2026-01-02T03:04:05",
            "unknown": 1,
        }
        assert errors_of(lambda: load_item(note, body)) == {
            "views": "The value must be a number.",
            "author.age": "There is no field 'age'.",
            "author.name": "The field is missing.",
            "author.place.floor": "The value must be a number.",
            "author.place.city": "The field is missing.",
            "readers.1.name": "The field is missing.",
            "tags.1": "The value must be a string.",
            "when": 'The time has no time zone. Add an offset, such as "Z" or "+01:00".',
            "unknown": "There is no field 'unknown'.",
            "subject": "The field is missing.",
        }

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"subject": None}, "subject"),
            ({"subject": ""}, "subject"),
            ({"subject": "\ud800"}, "subject"),
            ({"subject": "x" * 2049}, "subject"),
            ({"town": ""}, "town"),
            ({"views": True}, "views"),
            ({"views": float("nan")}, "views"),
            ({"views": 10**38 + 1}, "views"),
            ({"views": 1e200}, "views"),
            ({"price": float("inf")}, "price"),
            ({"author": None}, "author"),
            ({"author": "Ada"}, "author"),
            ({"readers": [None]}, "readers.0"),
            ({"tags": "a"}, "tags"),
            ({"when": "yesterday"}, "when"),
            ({"when": "2026-02-30T00:00:00Z"}, "when"),
            ({"when": "0001-01-01T00:00:00+01:00"}, "when"),
            ({"is_open": 1}, "is_open"),
            ({"picture": "%"}, "picture"),
            ({"words": []}, "words"),
            ({"words": ["a", "a"]}, "words"),
            ({"scores": [1, 1.0]}, "scores"),
            ({"raw": []}, "raw"),
            ({"raw": {"\ud800": 1}}, "raw"),
            ({"raw": {"x": "y" * 420_000}}, "body"),
            ({"loose": {}}, "loose"),
            ({"loose": json.loads("[" * 40 + "]" * 40)}, "loose"),
            ({"extra": float("inf")}, "extra"),
            ({"colour": "blue"}, "colour"),
        ],
    )
    def test_a_field_that_does_not_fit_is_named(self, note: t.Any, change: dict[str, t.Any], field: str) -> None:
        """What the attribute or DynamoDB cannot store is an error of its field."""
        assert list(errors_of(lambda: load_item(note, {**BODY, **change}))) == [field]

    @pytest.mark.parametrize("body", [None, [], 1, "text"])
    def test_a_body_must_be_an_object(self, note: t.Any, body: t.Any) -> None:
        """Another JSON value is an error of the body."""
        for call in (lambda: load_item(note, body), lambda: load_item(note, body, partial=True)):
            assert errors_of(call) == {"body": "The value must be an object."}

    def test_read_only_fields_are_ignored(self, note: t.Any, db: dynaflask.Dynamo) -> None:
        """A body sets neither the version nor the discriminator."""

        class Post(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Post"

            subject = UnicodeAttribute(hash_key=True)
            kind = attributes.DiscriminatorAttribute()

        class Question(Post, discriminator="question"):
            pass

        assert load_item(note, {**BODY, "version": 7}).version is None
        assert load_item(Question, {"subject": "why", "kind": "other"}).kind is Question
        assert list(errors_of(lambda: load_item(note, {"version": 7}, partial=True))) == ["body"]

    def test_a_key_with_a_default_may_be_missing(self, db: dynaflask.Dynamo) -> None:
        """A body may leave out a key that has a default."""

        class Job(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Job"

            key = UnicodeAttribute(hash_key=True, default_for_new=lambda: "made")

        assert load_item(Job, {}).key == "made"

    def test_only_some_fields_may_be_in_a_body(self, note: t.Any) -> None:
        """A field that ``only`` does not name, or ``exclude`` does, is unknown, and not required."""
        assert load_item(note, {"subject": "a"}, only=["subject", "views"]).subject == "a"
        assert load_item(note, {"subject": "a"}, exclude=["author"]).author is None
        for options in ({"only": ["subject"]}, {"exclude": ["is_open", "author"]}):
            errors = errors_of(lambda options=options: load_item(note, {"subject": "a", "is_open": False}, **options))
            assert list(errors) == ["is_open"]

    def test_a_wrong_name_is_a_mistake_of_the_program(self, note: t.Any) -> None:
        """A name that the model does not have would protect nothing; a string is not a list of names."""
        with pytest.raises(ValueError, match="Note has no attribute 'is_opne'. Its names are author, colour,"):
            load_item(note, BODY, exclude=["is_opne"])
        with pytest.raises(TypeError, match=r"take a list of names: \['subject'\]"):
            load_item(note, BODY, only="subject")


class TestUpdates:
    """With ``partial``, a body becomes the actions of an update."""

    @pytest.fixture
    def client(
        self, note: t.Any, db: dynaflask.Dynamo, make_app: MakeApp, ministack: engines.Engine, account: engines.Account
    ) -> cabc.Iterator[t.Any]:
        """A client of an app that updates notes."""
        app = make_app(host=ministack.url, region="us-east-1", **keys(account))

        @app.patch("/<subject>")
        def patch(subject: str) -> t.Any:
            note(subject).update(
                load_item(note, flask.request.json, partial=True, exclude=["is_open"]),
                condition=note.subject.exists(),
                add_version_condition=False,
            )
            return {"version": note.get(subject).version}

        with app.app_context():
            db.create_all(wait=True)
            load_item(note, BODY).save()
        yield app.test_client()
        with app.app_context():
            db.drop_all()

    def test_values_are_set_and_nulls_are_removed(self, client: t.Any, note: t.Any) -> None:
        """The item has the new values, lost what is null, and keeps the rest. The version counts."""
        changes = {"when": "2026-01-02T04:04:05.5+01:00", "author": {"name": "Eve"}, "tags": ["c"], "raw": None}
        assert client.patch("/hello", json={**changes, "town": None, "words": ["x"], "version": 9}).json == {
            "version": 2
        }
        with client.application.app_context():
            item = note.get("hello")
        assert item.when == dt.datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=dt.timezone.utc)
        assert (item.author.name, item.author.place, item.tags, item.words) == ("Eve", None, ["c"], {"x"})
        assert (item.raw, item.town, item.colour, item.picture) == (None, None, notes.Colour.RED, b"bytes")

    @pytest.mark.parametrize(
        ("body", "errors"),
        [
            ({"subject": "other"}, {"subject": "The field is part of the key, which cannot change."}),
            ({"author": None}, {"author": "The field cannot be null."}),
            ({"author": {}}, {"author.name": "The field is missing."}),
            ({"is_open": True}, {"is_open": "There is no field 'is_open'."}),
            ({"town": "x" * 2049}, {"town": "The value is too long: this key has at most 2048 bytes."}),
            ({}, {"body": "The body changes no field."}),
        ],
    )
    def test_a_body_that_does_not_fit_is_answered_in_json(
        self, client: t.Any, note: t.Any, body: t.Any, errors: t.Any
    ) -> None:
        """The response is 400, names each field, and nothing changes."""
        answer = client.patch("/hello", json=body)
        assert (answer.status_code, answer.content_type) == (400, "application/json")
        assert answer.json == {"code": 400, "message": "Input payload validation failed", "errors": errors}
        with client.application.app_context():
            assert note.get("hello").version == 1

    def test_a_default_may_be_removed(self, client: t.Any, note: t.Any) -> None:
        """A field with a default can be null: the item is read with its default."""
        assert client.patch("/hello", json={"views": 3}).status_code == 200
        assert client.patch("/hello", json={"views": None}).status_code == 200
        with client.application.app_context():
            assert note.get("hello").views == 0


class TestTenants:
    """The value of a ``TenantKey`` belongs to the tenant of the request, whatever the body says."""

    @pytest.fixture
    def letter(self, db: dynaflask.Dynamo) -> t.Any:
        """A model in a table that tenants share."""

        class Letter(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Letter"
                billing_mode = "PAY_PER_REQUEST"

            box = dynaflask.TenantKey(hash_key=True)
            author = dynaflask.TenantKey(null=True)
            pages = NumberAttribute(null=True)

        return Letter

    def test_two_apps_and_two_tenants_have_their_own_items(
        self, letter: t.Any, db: dynaflask.Dynamo, make_app: MakeApp, ministack: engines.Engine
    ) -> None:
        """One body, posted and patched for two tenants in two apps, makes four items that do not meet."""
        apps = [
            make_app(name, host=ministack.url, region="us-east-1", **keys(engines.Account())) for name in ("one", "two")
        ]
        for pages, app in enumerate(apps):
            with app.app_context():
                with db.without_tenant(reason="tables are made for all tenants"):
                    db.create_all(wait=True)
                for tenant in ("acme", "globex"):
                    with db.tenant(tenant):
                        load_item(letter, {"box": "acme#in", "author": "acme#ann"}).save()
                        letter("acme#in").update(load_item(letter, {"pages": pages, "author": "bob"}, partial=True))
        for pages, app in enumerate(apps):
            with app.app_context(), db.without_tenant(reason="to see the stored keys"):
                stored = {(item.box, item.author, item.pages) for item in letter.scan()}
                db.drop_all()
            assert stored == {(f"{name}#acme#in", f"{name}#bob", pages) for name in ("acme", "globex")}

    def test_a_null_removes_a_tenant_key_of_an_index(
        self,
        letter: t.Any,
        db: dynaflask.Dynamo,
        make_app: MakeApp,
        ministack: engines.Engine,
        account: engines.Account,
    ) -> None:
        """A key that only an index has can be removed."""
        with make_app(host=ministack.url, region="us-east-1", **keys(account)).app_context():
            with db.without_tenant(reason="tables are made for all tenants"):
                db.create_all(wait=True)
            with db.tenant("acme"):
                load_item(letter, {"box": "in", "author": "ann"}).save()
                letter("in").update(load_item(letter, {"author": None}, partial=True))
                assert letter.get("in").author is None
            with db.without_tenant(reason="tables are dropped for all tenants"):
                db.drop_all()


def keys(account: engines.Account) -> dict[str, str]:
    """The settings of an account's keys."""
    return {"aws_access_key_id": account.access_key_id, "aws_secret_access_key": "any"}
