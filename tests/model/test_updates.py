"""``update_from``: an update of an item with the fields of a JSON body."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.exceptions import UpdateError

import dynaflask
from tests.support import engines
from tests.support import notes
from tests.support.notes import BODY
from tests.support.settings import MakeApp


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """A model with an attribute of every type."""
    return notes.declare_note(db)


@pytest.fixture
def make_notes(
    db: dynaflask.Dynamo, note: t.Any, make_app: MakeApp, ministack: engines.Engine
) -> t.Iterator[t.Callable[[str], flask.Flask]]:
    """Makes an app whose table has one note."""
    apps = []

    def make(name: str) -> flask.Flask:
        app = make_app(
            name,
            host=ministack.url,
            region="us-east-1",
            aws_access_key_id=engines.Account().access_key_id,
            aws_secret_access_key="any",
        )
        apps.append(app)
        with app.app_context():
            db.create_all(wait=True)
            note("hello", author=notes.Person(name=name), town="Bonn").save()
        return app

    yield make
    for app in apps:
        with app.app_context():
            db.drop_all()


def test_an_item_is_updated_in_its_own_app(make_notes: t.Callable[[str], flask.Flask], note: t.Any) -> None:
    """Values are set, and nulls removed, in the item and in the table of the current app, and in no other."""
    one, two = map(make_notes, ("one", "two"))
    with one.app_context():
        item = note.get("hello")
        item.update_from({"views": 5, "town": None, "author": {"name": "Eve"}})
        assert (item.views, item.town, item.author.name, item.version) == (5, None, "Eve", 2)
        assert note.get("hello").author.name == "Eve"
    with two.app_context():
        item = note.get("hello")
        assert (item.views, item.town, item.author.name, item.version) == (0, "Bonn", "two", 1)


def test_a_client_may_send_back_the_key(make_notes: t.Callable[[str], flask.Flask], note: t.Any) -> None:
    """The key of the item is accepted if it is unchanged; a map is not a model, and has no such method."""
    with make_notes("app").app_context():
        item = note.get("hello")
        item.update_from({**BODY, "colour": None})
        assert (item.subject, item.when.year) == ("hello", 2026)
        for key in ("other", 5):
            with pytest.raises(dynaflask.InvalidBody, match="^400 Bad Request: subject: "):
                item.update_from({"subject": key, "views": 1})
        with pytest.raises(dynaflask.InvalidBody, match="body: The body changes no field"):
            item.update_from({"subject": "hello"})


def test_the_options_are_those_of_update(make_notes: t.Callable[[str], flask.Flask], note: t.Any) -> None:
    """A condition that is not met is PynamoDB's error, and ``only`` limits the fields."""
    with make_notes("app").app_context():
        item = note.get("hello")
        with pytest.raises(UpdateError):
            item.update_from({"views": 1}, condition=note.views > 7)
        with pytest.raises(dynaflask.InvalidBody, match="There is no field 'views'"):
            item.update_from({"views": 1}, only=["town"])
        with pytest.raises(dynaflask.InvalidBody, match="must be an object"):
            item.update_from(t.cast("t.Any", []))
