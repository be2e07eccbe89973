"""Flask-Admin: lists, filters, forms and tokens of a model's pages."""

from __future__ import annotations

import collections.abc as cabc
import html
import inspect
import re
import typing as t
import urllib.parse

import flask
import flask_admin
import pytest
import wtforms
from flask_admin.form import BaseForm
from pynamodb import attributes
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import PutError
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex
from werkzeug.test import TestResponse

import dynaflask
from dynaflask.integrations.flask_admin import AttributeFilter
from dynaflask.integrations.flask_admin import ModelView
from dynaflask.model.bodies.fields import fields_of
from dynaflask.testing import count_operations
from dynaflask.views import load_item
from tests.support import engines
from tests.support.notes import BODY
from tests.support.notes import declare_note

STALE = "The item has changed since this form was opened"


class ByState(GlobalSecondaryIndex[t.Any]):
    """Posts by their state and views."""

    class Meta:
        """Read only the index."""

        index_name = "byState"
        projection = AllProjection()

    state = UnicodeAttribute(hash_key=True)
    views = NumberAttribute(range_key=True)


def declare_post(db: dynaflask.Dynamo, *, hash_key: t.Any = None, **meta: t.Any) -> t.Any:
    """A model with two keys, an index, and no version."""

    class Post(db.Model):  # type: ignore[name-defined]
        Meta = type("Meta", (), {"table_name": "Post", "billing_mode": "PAY_PER_REQUEST", **meta})
        forum = hash_key or UnicodeAttribute(hash_key=True)
        subject = UnicodeAttribute(range_key=True)
        text = UnicodeAttribute(null=True)
        state = UnicodeAttribute(default="open")
        views = NumberAttribute(default=0)
        pinned = attributes.BooleanAttribute(null=True)
        by_state = ByState()

    return Post


class View(ModelView):
    """A view that shows everything, two items on a page."""

    can_export = True
    can_view_details = True
    page_size = 2


class Client:
    """A person with a browser, without its JavaScript."""

    def __init__(self, app: flask.Flask, endpoint: str = "post") -> None:
        self.app = app
        self.url = f"/admin/{endpoint}/"
        self.http = app.test_client()

    def get(self, path: str = "", **arguments: str) -> TestResponse:
        """A page, by its path below the list or by a link."""
        url = path if path.startswith("/") else f"{self.url}{path}"
        return self.http.get(url, query_string=arguments or None)

    def rows(self, page: TestResponse | None = None, column: str = "subject", **arguments: str) -> list[str]:
        """The values of a column of the list."""
        text = (page or self.get(**arguments)).text
        return [html.unescape(value.strip()) for value in re.findall(rf'<td class="col-{column}">([^<]*)</td>', text)]

    def open(self, *keys: t.Any, path: str = "edit/") -> TestResponse:
        """The form of an item."""
        return self.get(path, id=flask.json.dumps(keys))

    def submit(self, page: TestResponse, **fields: str) -> TestResponse:
        """Send the form of a page, with changes, and follow the redirect."""
        data = {**form_of(page), **fields}
        return self.http.post(page.request.full_path, data=data, follow_redirects=True)

    def post(self, path: str, **fields: t.Any) -> TestResponse:
        """Send a form of the list, with its token."""
        token = form_of(self.get())["csrf_token"]
        data = {"csrf_token": token, **fields}
        return self.http.post(f"{self.url}{path}", data=data, follow_redirects=True)


def form_of(page: TestResponse) -> dict[str, str]:
    """The fields that a browser would send back."""
    text = page.text
    inputs = {
        html.unescape(name.group(1)): html.unescape(value.group(1)) if value else ""
        for tag in re.findall(r"<input [^>]*>", text)
        if (name := re.search(r'name="([^"]*)"', tag)) and ('type="checkbox"' not in tag or "checked" in tag)
        if 'type="submit"' not in tag
        for value in [re.search(r'value="([^"]*)"', tag)]
    }
    areas = re.findall(r'<textarea [^>]*name="([^"]*)"[^>]*>\r?\n([^<]*)</textarea>', text)
    selects = re.findall(r'<select [^>]*name="([^"]*)">(.*?)</select>', text, re.DOTALL)
    chosen = {name: re.search(r'selected value="([^"]*)"', options) for name, options in selects}
    return {
        **inputs,
        # Browsers send a line's end as two characters.
        **{name: html.unescape(value).replace("\n", "\r\n") for name, value in areas},
        **{name: match.group(1) if match else "" for name, match in chosen.items()},
    }


def link(page: TestResponse, text: str) -> str | None:
    """The address of a link of the pager."""
    match = re.search(rf'<a class="page-link" href="([^"]*)">{text}</a>', page.text)
    return html.unescape(match.group(1)) if match else None


def messages(page: TestResponse) -> str:
    """The messages at the top of a page."""
    found = re.findall(r'<div class="alert[^>]*>.*?</button>(.*?)</div>', page.text, re.DOTALL)
    return html.unescape(" ".join(" ".join(found).split()))


MakeAdmin = cabc.Callable[..., flask.Flask]


@pytest.fixture
def make_admin(
    make_app: cabc.Callable[..., flask.Flask],
    db: dynaflask.Dynamo,
    ministack: engines.Engine,
    account: engines.Account,
) -> MakeAdmin:
    """Makes an app with these views and their tables."""

    def make(*views: ModelView, name: str = "app", create: bool = True, **settings: t.Any) -> flask.Flask:
        own = {key.removeprefix("DYNAMODB_").lower(): value for key, value in ministack.settings(account).items()}
        app = make_app(name, **{**own, **settings})
        app.secret_key = "secret"
        app.config["TESTING"] = True
        admin = flask_admin.Admin(app)
        for view in views:
            admin.add_view(view)
        if create:
            with app.app_context():
                db.create_all(wait=True)
        return app

    return make


@pytest.fixture
def post(db: dynaflask.Dynamo) -> t.Any:
    """A model with two keys and an index."""
    return declare_post(db)


@pytest.fixture
def client(make_admin: MakeAdmin, post: t.Any) -> Client:
    """A person who looks at the posts of an app."""
    return Client(make_admin(View(post)))


def save(client: Client, model: t.Any, *subjects: str, forum: t.Any = "flask", **values: t.Any) -> None:
    """Save an item for each subject."""
    with client.app.app_context():
        for subject in subjects:
            model(forum, subject, **values).save()


def load(client: Client, model: t.Any, *keys: t.Any) -> t.Any:
    """An item, as it is stored."""
    with client.app.app_context():
        return model.get(*keys, consistent_read=True)


# The list


def test_an_empty_table_has_one_page(client: Client) -> None:
    """The list of an empty table has a message and no links."""
    page = client.get()
    assert "There are no items in the table." in page.text
    assert (link(page, "First"), link(page, "Next")) == (None, None)


def test_each_page_links_to_the_next_and_to_the_first(client: Client, post: t.Any) -> None:
    """The pages have each item once; the last page, though it is full, has no next one."""
    save(client, post, "a", "b", "c", "d")
    first = client.get()
    second = client.get(t.cast("str", link(first, "Next")))
    assert (client.rows(first), client.rows(second)) == (["a", "b"], ["c", "d"])
    assert (link(first, "First"), link(second, "Next")) == (None, None)
    assert client.rows(client.get(t.cast("str", link(second, "First")))) == ["a", "b"]


def test_a_page_is_returned_to(client: Client, post: t.Any) -> None:
    """A person who edits an item of the second page comes back to it."""
    save(client, post, "a", "b", "c")
    second = client.get(t.cast("str", link(client.get(), "Next")))
    edit = client.get(html.unescape(re.findall(r'href="([^"]*/edit/[^"]*)"', second.text)[0]))
    assert client.rows(client.submit(edit, text="new")) == ["c"]


def test_a_cursor_of_other_filters_shows_the_first_page(client: Client, post: t.Any) -> None:
    """A cursor that is not valid is no error: the person sees the first page, and why."""
    save(client, post, "a", "b", "c")
    for cursor in ["nonsense", "7"]:
        page = client.get(page=cursor)
        assert client.rows(page) == ["a", "b"]
        assert "Here is the first one" in messages(page)


def test_columns_start_with_the_keys(make_admin: MakeAdmin, db: dynaflask.Dynamo) -> None:
    """The list has a column for each attribute, keys first; values are those of the model's JSON."""
    note = declare_note(db)
    client = Client(make_admin(View(note)), "note")
    with client.app.app_context():
        load_item(note, BODY).save()
    page = client.get()
    assert re.findall(r"column-header col-(\w+)", page.text)[:2] == ["subject", "author"]
    shown = [client.rows(page, name)[0] for name in ("picture", "price", "words", "colour", "author", "when")]
    assert shown == [
        "Ynl0ZXM=",
        "1.5",
        "one, two",
        "red",
        '{"name": "Ada", "place": {"city": "London", "floor": 2}}',
        "2026-01-02 03:04:05+00:00",
    ]


def test_a_custom_column_is_shown(make_admin: MakeAdmin, post: t.Any) -> None:
    """A column may be a property of the model."""
    post.shout = property(lambda self: self.subject.upper())
    view = type("Shouting", (View,), {"column_list": ["subject", "shout"]})
    client = Client(make_admin(view(post)))
    save(client, post, "a")
    assert client.rows(column="shout") == ["A"]


# Filters


def arguments(view: ModelView, **chosen: str) -> dict[str, str]:
    """The query string of filters: ``forum_equals="flask"``."""
    numbers = {f"{each.attribute.attr_name}_{each._operation}".replace(" ", "_"): i for i, each in filters(view)}
    return {f"flt{i}_{numbers[name]}": value for i, (name, value) in enumerate(chosen.items())}


def filters(view: ModelView) -> list[tuple[int, t.Any]]:
    """The filters of a view with their numbers."""
    return list(enumerate(view._filters))


@pytest.mark.parametrize(
    ("chosen", "operation", "index", "found"),
    [
        ({"forum_equals": "flask"}, "Query", None, ["a1", "a2"]),
        ({"forum_equals": "flask", "subject_starts_with": "a2"}, "Query", None, ["a2"]),
        ({"forum_equals": "flask", "subject_at_least": "a1", "subject_at_most": "a1"}, "Scan", None, ["a1"]),
        ({"forum_equals": "flask", "views_at_least": "2"}, "Query", None, ["a2"]),
        ({"forum_starts_with": "fl"}, "Scan", None, ["a1", "a2"]),
        ({"state_equals": "open"}, "Query", "byState", ["a1", "a2", "b3"]),
        ({"state_equals": "open", "views_at_most": "2"}, "Query", "byState", ["a1", "a2"]),
        # The narrower of two queries.
        ({"forum_equals": "flask", "state_equals": "open", "views_equals": "2"}, "Query", "byState", ["a2"]),
        ({"subject_equals": "b3"}, "Scan", None, ["b3"]),
        ({"forum_equals": "nothing"}, "Query", None, []),
    ],
)
def test_filters_with_a_hash_key_are_a_query(
    make_admin: MakeAdmin, post: t.Any, *, chosen: t.Any, operation: str, index: str | None, found: list[str]
) -> None:
    """A filter for a hash key queries the table or the index; all others scan the table."""
    view = type("Long", (View,), {"page_size": 20})(post)
    client = Client(make_admin(view))
    for views, subject in enumerate(["a1", "a2", "b3"], start=1):
        save(client, post, subject, forum="flask" if views < 3 else "django", views=views)
    with count_operations(client.app) as counts:
        assert sorted(client.rows(**arguments(view, **chosen))) == found
    assert {(each.operation, each.index_name) for each in counts.operations} == {(operation, index)}


def test_a_value_of_another_type_is_refused(make_admin: MakeAdmin, post: t.Any) -> None:
    """A filter value that is none of the attribute is named in a message."""
    view = View(post)
    client = Client(make_admin(view))
    assert "Invalid Filter Value: many" in messages(client.get(**arguments(view, views_equals="many")))


def test_a_view_chooses_its_filters(make_admin: MakeAdmin, db: dynaflask.Dynamo) -> None:
    """``column_filters`` takes attributes and filters; an attribute has those that its type supports."""
    note = declare_note(db)

    class Long(AttributeFilter):
        """Notes with a long subject."""

        def apply(self, query: t.Any, value: t.Any) -> t.Any:
            return self.attribute.startswith(f"long {value}")

    names = fields_of(note)
    view = type("Chosen", (View,), {"column_filters": ["is_open", "when", Long(names["subject"], "Long")]})(note)
    assert [str(each.operation()) for _, each in filters(view)] == ["equals", "equals", "at least", "at most", "equals"]
    client = Client(make_admin(view), "note")
    with client.app.app_context():
        for subject in ("short", "long one"):
            load_item(note, {**BODY, "subject": subject, "is_open": subject == "short"}).save()
    assert client.rows(flt0_0="true") == ["short"]
    # With a condition of its own, a filter of a hash key is no query.
    assert client.rows(flt0_4="one") == ["long one"]
    with pytest.raises(ValueError, match="no attribute 'missing'"):
        type("Wrong", (View,), {"column_filters": ["missing"]})(note)
    with pytest.raises(Exception, match="Unsupported filter type author"):
        type("Wrong", (View,), {"column_filters": ["author"]})(note)


# Details and export


def test_details_show_one_item(client: Client, post: t.Any) -> None:
    """The details have the values of an item; an unknown item is a message."""
    save(client, post, "a", text="the text")
    assert "the text" in client.open("flask", "a", path="details/").text
    page = client.http.get(f"{client.url}details/", query_string={"id": '["flask","x"]'}, follow_redirects=True)
    assert "Record does not exist." in messages(page)


def test_an_export_has_all_items_of_the_filters(make_admin: MakeAdmin, post: t.Any) -> None:
    """An export has every page, whichever page it was started from, and may be limited."""
    view = View(post)
    client = Client(make_admin(view))
    save(client, post, "a", "b", "c")
    save(client, post, "d", forum="django")
    cursor = urllib.parse.parse_qs(urllib.parse.urlsplit(link(client.get(), "Next")).query)["page"][0]
    query = {**arguments(view, forum_equals="flask"), "page": t.cast("str", cursor)}
    lines = client.get("export/csv/", **query).text.splitlines()
    assert [line.split(",")[1] for line in lines] == ["Subject", "a", "b", "c"]
    view.export_max_rows = 2
    assert len(client.get("export/csv/", **query).text.splitlines()) == 3


# Forms


def test_a_new_item_is_created(client: Client, post: t.Any) -> None:
    """The form shows the defaults; an empty field that may be null is not stored."""
    page = client.get("new/")
    assert {"views": "0", "state": "open"}.items() <= form_of(page).items()
    answer = client.submit(page, forum="flask", subject="a", views="12", pinned="false")
    assert "successfully created" in messages(answer)
    item = load(client, post, "flask", "a")
    assert (item.views, item.state, item.text, item.pinned) == (12, "open", None, False)


def test_a_new_item_replaces_no_other(client: Client, post: t.Any) -> None:
    """A second item with the same keys is refused, and the form keeps what was typed."""
    save(client, post, "a", text="first")
    answer = client.submit(client.get("new/"), forum="flask", subject="a", text="second")
    assert "There is an item with these keys." in messages(answer)
    assert form_of(answer)["text"] == "second"
    assert load(client, post, "flask", "a").text == "first"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"subject": ""}, "This field is required."),
        ({"views": "many"}, "The value must be a number."),
        ({"views": '"1"'}, "The value must be a number."),
        ({"views": "1e400"}, "The number is out of range"),
        ({"views": "[" * 50_000}, "The value must be a number."),
        ({"subject": "x" * 1025}, "1024 bytes"),
        ({"text": "x" * 410_000}, "The item is too large"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_of_the_form(
    client: Client, post: t.Any, fields: dict[str, str], reason: str
) -> None:
    """Nothing is written, and the form says why."""
    answer = client.submit(client.get("new/"), **{"forum": "flask", "subject": "a", **fields})
    assert reason in html.unescape(answer.text)
    with client.app.app_context():
        assert post.count() == 0


def test_every_type_survives_an_edit(make_admin: MakeAdmin, db: dynaflask.Dynamo) -> None:
    """A form that is sent back unchanged writes nothing, and a form with all fields makes an equal item."""
    note = declare_note(db)
    client = Client(make_admin(View(note)), "note")
    with client.app.app_context():
        load_item(note, BODY).save()
    page = client.open("hello")
    with count_operations(client.app) as counts:
        assert "successfully saved" in messages(client.submit(page))
    assert "UpdateItem" not in counts.by_operation
    client.http.post(f"{client.url}new/", data={**form_of(page), "subject": "copy"})
    with client.app.app_context():
        values = [note.get(key).attribute_values for key in ("hello", "copy")]
    # Maps are equal only to themselves.
    first, second = ({**each, "subject": None, "author": None, "readers": None, "raw": None} for each in values)
    assert first == second
    assert values[1]["author"].place.city == "London"
    assert values[1]["readers"][0].name == "Bob"
    assert values[1]["raw"]["x"]["y"] == 1.5


def csrf(client: Client) -> str:
    """A token of the person's session."""
    return form_of(client.get())["csrf_token"]


def test_an_error_in_a_nested_field_names_it(make_admin: MakeAdmin, db: dynaflask.Dynamo) -> None:
    """JSON of a map is checked by its declared attributes."""
    client = Client(make_admin(View(declare_note(db))), "note")
    answer = client.submit(client.get("new/"), subject="a", author='{"place": {"city": 1}}')
    assert "name: The field is missing." in html.unescape(answer.text)
    assert "place.city: The value must be a string." in html.unescape(answer.text)
    answer = client.submit(client.get("new/"), subject="a", author="{")
    assert "The value must be JSON, such as 12" in html.unescape(answer.text)


def test_an_edit_changes_what_the_person_changed(client: Client, post: t.Any) -> None:
    """Other attributes, also those that the model does not declare, stay as they are; an emptied field is removed."""
    save(client, post, "a", text="old\nlines", views=3, pinned=True)
    with client.app.app_context():
        key = {"forum": {"S": "flask"}, "subject": {"S": "a"}}
        raw = post._get_connection().connection.client
        raw.update_item(TableName=post.Meta.table_name, Key=key, UpdateExpression="SET unknown_one = :o",
                        ExpressionAttributeValues={":o": {"S": "kept"}})  # fmt: skip
    page = client.open("flask", "a")
    assert form_of(page)["text"] == "old\r\nlines"
    client.submit(page, views="4", pinned="")
    item = load(client, post, "flask", "a")
    assert (item.text, item.views, item.pinned) == ("old\nlines", 4, None)
    with client.app.app_context():
        assert raw.get_item(TableName=post.Meta.table_name, Key=key)["Item"]["unknown_one"] == {"S": "kept"}


def test_an_empty_string_stays_one(client: Client, post: t.Any) -> None:
    """A required string that is empty already does not keep a person from editing the item."""
    save(client, post, "a", text="", state="x")
    client.submit(client.open("flask", "a"), state="y")
    assert load(client, post, "flask", "a").text == ""


def test_an_edit_changes_no_keys(client: Client, post: t.Any) -> None:
    """The keys are shown, and what a client sends in them is ignored."""
    save(client, post, "a")
    page = client.open("flask", "a")
    assert list(form_of(page))[:4] == ["item_state_token", "csrf_token", "forum", "subject"]
    assert "readonly" in page.text
    client.submit(page, forum="django", subject="b", text="new")
    with client.app.app_context():
        assert [(item.forum, item.subject, item.text) for item in post.scan()] == [("flask", "a", "new")]


def test_a_stale_form_is_refused(client: Client, post: t.Any) -> None:
    """If the item has changed since its form was opened, nothing is written, however often the form is sent."""
    save(client, post, "a", text="one")
    page = client.open("flask", "a")
    save(client, post, "a", text="two")
    again = client.submit(page, text="three")
    assert STALE in messages(again)
    assert STALE in messages(client.submit(again, text="three"))
    assert load(client, post, "flask", "a").text == "two"


def test_an_item_that_changes_during_the_edit_is_not_overwritten(make_admin: MakeAdmin, db: dynaflask.Dynamo) -> None:
    """A version that changes between the read and the write of an edit fails the write; the form says so."""
    note = declare_note(db)

    class Racing(View):
        """A view during which somebody else writes."""

        def on_model_change(self, form: t.Any, model: t.Any, is_created: bool) -> None:
            other = note.get(model.subject)
            other.town = "theirs"
            other.save()

    client = Client(make_admin(Racing(note)), "note")
    with client.app.app_context():
        load_item(note, BODY).save()
    assert STALE in messages(client.submit(client.open("hello"), town="ours"))
    assert load(client, note, "hello").town == "theirs"


def test_an_edit_does_not_bring_back_a_deleted_item(make_admin: MakeAdmin, post: t.Any) -> None:
    """An item that is deleted between the read and the write of an edit stays deleted."""
    view = type("Racing", (View,), {"on_model_change": lambda self, form, model, is_created: model.delete()})
    client = Client(make_admin(view(post)))
    save(client, post, "a")
    page = client.open("flask", "a")
    assert STALE in messages(client.submit(page, text="new"))
    assert "Record does not exist." in messages(client.submit(page, text="new"))
    assert client.rows() == []


def test_a_hook_takes_part_in_the_change(make_admin: MakeAdmin, post: t.Any) -> None:
    """What ``on_model_change`` sets is written in the same call; it may make the item too large."""
    calls = []

    class Hooked(View):
        """A view with both hooks."""

        def on_model_change(self, form: t.Any, model: t.Any, is_created: bool) -> None:
            model.state = "x" * 410_000 if model.text == "large" else "by hook"

        def after_model_change(self, form: t.Any, model: t.Any, is_created: bool) -> None:
            calls.append(is_created)

        def after_model_delete(self, model: t.Any) -> None:
            calls.append(model.subject)

    client = Client(make_admin(Hooked(post)))
    client.submit(client.get("new/"), forum="flask", subject="a")
    assert load(client, post, "flask", "a").state == "by hook"
    assert "The value is too long" in client.submit(client.open("flask", "a"), text="large").text
    client.submit(client.open("flask", "a"), text="small")
    client.post("delete/", id='["flask","a"]')
    assert calls == [True, False, "a"]


def test_other_errors_leave_the_view(make_admin: MakeAdmin, post: t.Any) -> None:
    """An error that is no conflict is the app's, as that of any view."""
    client = Client(make_admin(View(post), create=False))
    page = client.get("new/")
    with pytest.raises(PutError):
        client.submit(page, forum="flask", subject="a")


# Deletion


def test_items_are_deleted(client: Client, post: t.Any) -> None:
    """One item by its button, or several as an action; an item that is gone is skipped."""
    save(client, post, "a", "b", "c")
    assert "successfully deleted" in messages(client.post("delete/", id='["flask","a"]'))
    answer = client.post("action/", action="delete", rowid=['["flask","b"]', '["flask","a"]'])
    assert "Record was successfully deleted." in messages(answer)
    assert client.rows(answer) == ["c"]


def test_a_changed_item_is_not_deleted(make_admin: MakeAdmin, db: dynaflask.Dynamo) -> None:
    """A version that changes during the deletion keeps the item."""
    note = declare_note(db)
    view = type("Racing", (View,), {"on_model_delete": lambda self, model: note.get(model.subject).save()})
    client = Client(make_admin(view(note)), "note")
    with client.app.app_context():
        load_item(note, BODY).save()
    assert "has just changed" in messages(client.post("delete/", id='["hello"]'))
    assert client.rows() == ["hello"]


def test_a_view_without_deletion_has_no_action(make_admin: MakeAdmin, post: t.Any) -> None:
    """``can_delete = False`` removes the button and the action."""
    client = Client(make_admin(type("Safe", (View,), {"can_delete": False})(post)))
    save(client, post, "a")
    client.http.post(f"{client.url}action/", data={"action": "delete", "rowid": '["flask","a"]'})
    assert client.rows() == ["a"]


# Keys


@pytest.mark.parametrize("key", ['a,b."c"', "<&>'#%2F?=", "line\nend", " ", "\U0001f600", "\\", "null"])
def test_any_character_of_a_key_works(client: Client, post: t.Any, key: str) -> None:
    """The id of an item is exact, in links and in forms."""
    save(client, post, key, forum=key)
    edit = client.get(html.unescape(re.findall(r'href="([^"]*/edit/[^"]*)"', client.get().text)[0]))
    client.submit(edit, text="new")
    assert load(client, post, key, key).text == "new"
    item_id = html.unescape(re.findall(r'name="rowid" class="action-checkbox" value="([^"]*)"', client.get().text)[0])
    client.post("delete/", id=item_id)
    assert client.rows() == []


@pytest.mark.parametrize(
    ("attribute", "key", "text"),
    [
        (BinaryAttribute(hash_key=True, legacy_encoding=False), b"\x00\xff", '"AP8="'),
        (NumberAttribute(hash_key=True), -12, "-12"),
        (NumberAttribute(hash_key=True), 1.5, "1.5"),
    ],
)
def test_keys_of_each_type_work(
    make_admin: MakeAdmin, db: dynaflask.Dynamo, attribute: t.Any, key: t.Any, text: str
) -> None:
    """Binary keys and numbers are created, opened and filtered by."""
    post = declare_post(db, hash_key=attribute)
    view = View(post)
    client = Client(make_admin(view))
    client.submit(client.get("new/"), forum=text.strip('"'), subject="a")
    assert client.submit(client.get("edit/", id=f'[{text},"a"]'), text="new").status_code == 200
    assert load(client, post, key, "a").text == "new"
    assert client.rows(**arguments(view, forum_equals=text.strip('"'))) == ["a"]


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", '["flask"]', '["flask","a","b"]', '[1,"a"]', "{}", "null", "[" * 50_000, f'["{"x" * 2049}","a"]'],
)
def test_an_id_of_no_item_is_not_found(client: Client, text: str) -> None:
    """An id that somebody made up is a message, and reads nothing."""
    with count_operations(client.app) as counts:
        client.get("edit/", id=text)
    assert "GetItem" not in counts.by_operation


# Tokens


def test_a_forged_request_is_refused(client: Client, post: t.Any) -> None:
    """A form without the token of the session, or with another one, changes nothing."""
    save(client, post, "a", text="old")
    edit = client.open("flask", "a")
    for path, data in [
        ("new/", {"forum": "flask", "subject": "b"}),
        (edit.request.full_path, {**form_of(edit), "text": "new"}),
        ("delete/", {"id": '["flask","a"]'}),
        ("action/", {"action": "delete", "rowid": '["flask","a"]'}),
    ]:
        for token in ["", "##forged", csrf(Client(client.app))]:
            url = path if path.startswith("/") else f"{client.url}{path}"
            assert client.http.post(url, data={**data, "csrf_token": token}).status_code == 400
    assert load(client, post, "flask", "a").text == "old"
    assert client.rows() == ["a"]


def test_rules_of_a_form_keep_its_tokens(make_admin: MakeAdmin, post: t.Any) -> None:
    """A form with rules, which drop the fields that they do not name, is protected as any other."""
    view = type("Ruled", (View,), {"form_rules": ["forum", "subject", "text"]})
    with pytest.warns(UserWarning, match="Fields missing from ruleset"):
        client = Client(make_admin(view(post)))
    answer = client.submit(client.get("new/"), forum="flask", subject="a", text="one")
    assert "successfully created" in messages(answer)
    page = client.open("flask", "a")
    assert client.submit(page, csrf_token="forged").status_code == 400
    save(client, post, "a", text="two")
    assert STALE in messages(client.submit(page, text="three"))


def test_options_of_forms(make_admin: MakeAdmin, post: t.Any) -> None:
    """Flask-Admin's options choose, order and replace the fields."""

    class Chosen(View):
        """Each option."""

        form_columns = ("subject", "forum", "text")
        form_args: t.ClassVar = {"text": {"label": "Words", "validators": [wtforms.validators.Length(max=3)]}}
        form_overrides: t.ClassVar = {"forum": wtforms.StringField}
        form_extra_fields: t.ClassVar = {"note": wtforms.StringField("Why")}

    client = Client(make_admin(Chosen(post)))
    page = client.get("new/")
    assert [name for name in form_of(page) if name not in {"csrf_token", "url"}] == ["subject", "forum", "note", "text"]
    assert ">Words" in page.text
    assert "longer than 3" in client.submit(page, forum="flask", subject="a", text="long").text
    client.submit(page, forum="flask", subject="a", text="abc")
    assert load(client, post, "flask", "a").state == "open"
    page = client.open("flask", "a")
    client.submit(page, text="")
    assert load(client, post, "flask", "a").text is None


def test_a_form_of_the_program_is_used(make_admin: MakeAdmin, post: t.Any) -> None:
    """A view may bring its own form and base class; an edit is checked against the item all the same."""

    class Own(BaseForm):  # type: ignore[misc]
        text = wtforms.StringField()

    client = Client(make_admin(type("OwnForm", (View,), {"form": Own, "form_base_class": BaseForm})(post)))
    save(client, post, "a", text="one")
    page = client.open("flask", "a")
    client.submit(page, text="two")
    assert load(client, post, "flask", "a").text == "two"
    assert STALE in messages(client.submit(page, text="three"))


def test_a_partial_form_leaves_the_other_fields(client: Client, post: t.Any) -> None:
    """A field that a client does not send is unchanged."""
    save(client, post, "a", text="old", views=3)
    page = client.open("flask", "a")
    tokens = {name: form_of(page)[name] for name in ("csrf_token", "item_state_token")}
    client.http.post(page.request.full_path, data={**tokens, "views": "4", "pinned": ""})
    item = load(client, post, "flask", "a")
    assert (item.text, item.views) == ("old", 4)


# Apps and tenants


def test_two_apps_show_their_own_items(make_admin: MakeAdmin, post: t.Any) -> None:
    """One view class and one model serve two apps; a form of one is refused by the other."""
    eu, us = (Client(make_admin(View(post), name=name, table_prefix=f"{name}-")) for name in ("eu", "us"))
    save(eu, post, "a", text="eu")
    save(us, post, "a", text="us")
    save(us, post, "b")
    assert (eu.rows(), us.rows()) == (["a"], ["a", "b"])
    page = eu.open("flask", "a")
    with us.http.session_transaction() as session, eu.http.session_transaction() as other:
        session["csrf"] = other["csrf"]
    assert us.submit(page, text="new").status_code == 400
    eu.submit(page, text="new")
    assert (load(eu, post, "flask", "a").text, load(us, post, "flask", "a").text) == ("new", "us")


@pytest.fixture
def shared(db: dynaflask.Dynamo) -> t.Any:
    """A model with all tenants in one table."""
    return declare_post(db, hash_key=dynaflask.TenantKey(hash_key=True))


@pytest.fixture
def tenants(db: dynaflask.Dynamo) -> None:
    """The tenant of a request is in its header, or in a query argument."""
    db.tenant_loader(lambda: flask.request.headers.get("Tenant") if flask.has_request_context() else None)


class TenantClient(Client):
    """A person of a tenant."""

    def __init__(self, app: flask.Flask, tenant: str) -> None:
        super().__init__(app)
        self.http.environ_base["HTTP_TENANT"] = tenant


@pytest.mark.usefixtures("tenants")
def test_a_tenant_sees_its_own_tables(make_admin: MakeAdmin, db: dynaflask.Dynamo, post: t.Any) -> None:
    """With a table for each tenant, the pages are those of the current tenant, and so are its forms."""
    names = {"acme": {"table_prefix": "acme-"}, "blue": {"table_prefix": "blue-"}}
    app = make_admin(View(post), create=False, tenants=names)
    for tenant in names:
        with app.app_context(), db.tenant(tenant):
            db.create_all(wait=True)
            post("flask", "a", text=tenant).save()
    acme = TenantClient(app, "acme")
    page, new = acme.open("flask", "a"), acme.get("new/")
    assert form_of(page)["text"] == "acme"
    # The same session, now for another tenant.
    acme.http.environ_base["HTTP_TENANT"] = "blue"
    assert acme.submit(page, text="wrong").status_code == 400
    assert acme.submit(new, forum="flask", subject="wrong").status_code == 400
    assert form_of(acme.open("flask", "a"))["text"] == "blue"
    assert acme.rows() == ["a"]


@pytest.mark.usefixtures("tenants")
def test_a_tenant_sees_its_part_of_a_shared_table(make_admin: MakeAdmin, db: dynaflask.Dynamo, shared: t.Any) -> None:
    """The tenant's name is in no page, and no form or id reaches another tenant's items."""
    view = View(shared)
    app = make_admin(view)
    acme, blue = (TenantClient(app, tenant) for tenant in ("acme", "blue"))
    for client, text in [(acme, "ours"), (blue, "theirs")]:
        client.submit(client.get("new/"), forum="flask", subject="a", text=text)
    page = acme.get(**arguments(view, forum_equals="flask"))
    assert (acme.rows(page), acme.rows(page, "forum"), acme.rows(page, "text")) == (["a"], ["flask"], ["ours"])
    edit = acme.open("flask", "a")
    assert form_of(edit)["forum"] == "flask"
    assert "acme#" not in page.text + edit.text
    acme.submit(acme.get("new/"), forum="blue#flask", subject="a", text="forged")
    acme.submit(edit, forum="blue#flask", text="mine")
    for forged in ("blue#flask", "acme#flask"):
        assert "theirs" not in acme.open(forged, "a").text
    with app.app_context(), db.without_tenant(reason="test"):
        stored = {(str(item.forum), item.text) for item in shared.scan()}
    assert stored == {("acme#flask", "mine"), ("blue#flask", "theirs"), ("acme#blue#flask", "forged")}


@pytest.mark.usefixtures("tenants")
def test_a_shared_table_is_not_scanned_for_a_tenant(make_admin: MakeAdmin, shared: t.Any) -> None:
    """Without a filter for the hash key, a tenant's list and export are empty, read nothing, and say what to do."""
    view = View(shared)
    acme = TenantClient(make_admin(view), "acme")
    acme.submit(acme.get("new/"), forum="flask", subject="a")
    with count_operations(acme.app) as counts:
        page = acme.get()
        assert "Add the filter 'Forum equals'" in messages(page)
        # The index has the state of all tenants as its hash key.
        assert acme.rows(**arguments(view, state_equals="open")) == []
        assert len(acme.get("export/csv/").text.splitlines()) == 1
    assert not counts.operations


@pytest.mark.usefixtures("tenants")
def test_an_export_has_the_items_of_its_tenant(make_admin: MakeAdmin, shared: t.Any) -> None:
    """Items that are read while the export is sent are those of the tenant that asked for it."""
    view = View(shared)
    app = make_admin(view)
    acme, blue = (TenantClient(app, tenant) for tenant in ("acme", "blue"))
    for client, subject in [(acme, "ours"), (blue, "theirs")]:
        client.submit(client.get("new/"), forum="flask", subject=subject)
    query = arguments(view, forum_equals="flask")
    rows = [client.get("export/csv/", **query).text.splitlines()[1:] for client in (acme, blue)]
    assert [[row.split(",")[:2] for row in each] for each in rows] == [[["flask", "ours"]], [["flask", "theirs"]]]


@pytest.mark.usefixtures("tenants")
def test_a_page_of_another_tenant_is_not_continued(make_admin: MakeAdmin, shared: t.Any) -> None:
    """A cursor of one tenant starts no page of another."""
    view = View(shared)
    app = make_admin(view)
    acme, blue = (TenantClient(app, tenant) for tenant in ("acme", "blue"))
    for subject in ("a", "b", "c"):
        for client in (acme, blue):
            client.submit(client.get("new/"), forum="flask", subject=subject)
    following = t.cast("str", link(acme.get(**arguments(view, forum_equals="flask")), "Next"))
    assert acme.rows(acme.get(following)) == ["c"]
    assert blue.rows(blue.get(following)) == ["a", "b"]


def test_an_operator_sees_all_tenants_in_a_block_without_one(
    make_admin: MakeAdmin, db: dynaflask.Dynamo, shared: t.Any
) -> None:
    """A view that runs in ``db.without_tenant`` scans the table, and shows the stored keys."""

    class Operators(View):
        """The items of all tenants."""

        def get_list(self, *args: t.Any, **options: t.Any) -> t.Any:
            with db.without_tenant(reason="operators"):
                return super().get_list(*args, **options)

        def _get_field_value(self, model: t.Any, name: str) -> t.Any:
            with db.without_tenant(reason="operators"):
                return super()._get_field_value(model, name)

        def get_pk_value(self, model: t.Any) -> str:
            with db.without_tenant(reason="operators"):
                return super().get_pk_value(model)

    client = Client(make_admin(Operators(shared)))
    for tenant in ("acme", "blue"):
        with client.app.app_context(), db.tenant(tenant):
            shared("flask", "a").save()
    assert sorted(client.rows(column="forum")) == ["acme#flask", "blue#flask"]


# The advice


class UsPosts(View):
    """The view of one app."""


class EuPosts(View):
    """The view of another app."""


def test_advice_on_a_list_names_the_view(make_admin: MakeAdmin, post: t.Any) -> None:
    """A list without a filter is a scan in a request: the advice names the class of the view, of each of two apps."""
    for view in (UsPosts, EuPosts):
        app = make_admin(view(post), name=view.__name__, create=view is UsPosts, record_operations=True)
        Client(app).get()
        [advice] = app.extensions["dynamo"].recorder.advice_log.logged()
        assert advice.rule == "scan_in_request"
        line = inspect.getsourcelines(view)[1]
        assert advice.caller == (__file__, line, f"{view.__name__}.index_view")
