"""What a migration changes in an item."""

from __future__ import annotations

import typing as t

import pytest
from pynamodb.attributes import JSONAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask import MigrationError
from dynaflask.tables.migrations import Migration
from dynaflask.tables.migrations.changes import Change
from dynaflask.tables.migrations.changes import change_of
from tests.support import migrations
from tests.support.settings import MakeApp

KEYS = ("id",)
ITEM = {"id": {"S": "1"}, "title": {"S": "One"}}


@pytest.fixture(autouse=True)
def context(make_app: MakeApp) -> t.Iterator[None]:
    """A context of an app that makes no call."""
    with make_app(region="us-east-1").app_context():
        yield


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """The model."""
    return migrations.declare_note(db)


def change(note: t.Any, forwards: t.Callable[[t.Any], object], **attributes: t.Any) -> Change | None:
    """The change that a function makes to an item with these attributes."""
    return change_of(Migration("0001_test", forwards, note), {**ITEM, **attributes}, keys=KEYS)


def changed(note: t.Any, forwards: t.Callable[[t.Any], object], **attributes: t.Any) -> Change:
    """The same, where there is one."""
    result = change(note, forwards, **attributes)
    assert result is not None
    return result


def set_values(**values: t.Any) -> t.Callable[[t.Any], None]:
    """A ``forwards`` that sets these attributes."""

    def forwards(item: t.Any) -> None:
        for name, value in values.items():
            setattr(item, name, value)

    return forwards


@pytest.mark.parametrize("values", [{}, {"title": "One"}, {"slug": None}])
def test_an_item_that_does_not_change_is_not_written(note: t.Any, values: dict[str, t.Any]) -> None:
    """Setting an attribute to the value that it has is no change."""
    assert change(note, set_values(**values)) is None


def test_an_update_names_only_what_changes(note: t.Any) -> None:
    """Attributes that do not change, and those that the model does not have, are not written."""
    request = changed(note, set_values(slug="one", views=None), views={"N": "1"}, unknown={"S": "kept"}).update("Note")
    names = request["ExpressionAttributeNames"]
    assert request["UpdateExpression"] == "SET #1 = :0 REMOVE #0"
    assert (names["#0"], names["#1"], request["Key"]) == ("views", "slug", {"id": {"S": "1"}})
    assert "unknown" not in names.values()


def test_an_update_may_only_remove(note: t.Any) -> None:
    """An attribute that becomes None is removed."""
    request = changed(note, set_values(views=None), views={"N": "1"}).update("Note")
    assert request["UpdateExpression"] == "REMOVE #0"


def test_the_condition_names_every_attribute_of_the_model(note: t.Any) -> None:
    """What ``forwards`` could see must be as it was read, also the attributes that were missing."""
    request = changed(note, set_values(slug="one"), unknown={"S": "kept"}).update("Note")
    conditions, names = request["ConditionExpression"].split(" AND "), request["ExpressionAttributeNames"]
    missing = {names[each[21:-1]] for each in conditions if each.startswith("attribute_not_exists(")}
    equal = {names[each.partition(" = ")[0]] for each in conditions if " = " in each}
    assert (missing, equal) == ({"slug", "status", "views", "tags"}, {"id", "title"})


def test_an_attribute_that_the_item_lacks_is_none(note: t.Any) -> None:
    """The default of the model is not applied, so that a migration can write it; nor is it written by itself."""
    seen: list[t.Any] = []
    assert change(note, lambda item: seen.append(item.status)) is None
    assert seen == [None]
    assert changed(note, set_values(status="open")).new_item == {**ITEM, "status": {"S": "open"}}


@pytest.mark.parametrize(("version", "following"), [({}, "1"), ({"version": {"N": "7"}}, "8")])
def test_a_change_counts_the_version(db: dynaflask.Dynamo, version: dict[str, t.Any], following: str) -> None:
    """A program that has read the item cannot save its copy over the change."""
    note = migrations.declare_versioned_note(db)
    assert changed(note, set_values(slug="one"), **version).new_item["version"] == {"N": following}
    assert change(note, set_values(), **version) is None


def test_the_order_of_a_set_is_no_change(note: t.Any) -> None:
    """A set that is replaced by an equal one is not written."""
    assert change(note, set_values(tags={"b", "a"}), tags={"SS": ["b", "a"]}) is None
    assert change(note, set_values(tags={"b", "a"}), tags={"SS": ["a", "b"]}) is None
    assert changed(note, set_values(tags={"c"}), tags={"SS": ["a", "b"]}).new_item["tags"] == {"SS": ["c"]}


def test_a_list_may_change_inside(db: dynaflask.Dynamo) -> None:
    """An element that ``forwards`` changes in place is a change of the attribute."""
    note = migrations.declare_note(db, parts=ListAttribute(null=True), data=JSONAttribute(null=True))

    def forwards(item: t.Any) -> None:
        item.parts[0]["a"] = 2

    parts = {"L": [{"M": {"a": {"N": "1"}}}]}
    assert changed(note, forwards, parts=parts).new_item["parts"] == {"L": [{"M": {"a": {"N": "2"}}}]}
    assert change(note, lambda item: None, parts=parts) is None


def test_a_new_key_moves_the_item(note: t.Any) -> None:
    """The whole item goes to a key that must be free, if the old one is as it was read."""
    moved = changed(note, set_values(id="2"), unknown={"S": "kept"})
    assert moved.is_move
    put, delete = moved.move("Note")["TransactItems"]
    assert put["Put"]["Item"] == {**ITEM, "id": {"S": "2"}, "unknown": {"S": "kept"}}
    assert put["Put"]["ConditionExpression"] == "attribute_not_exists(#0)"
    assert delete["Delete"]["Key"] == {"id": {"S": "1"}}
    assert not changed(note, set_values(slug="one")).is_move


@pytest.mark.parametrize(
    ("forwards", "message"),
    [
        (lambda item: setattr(item, "title", item.title + "!"), "would change the item id='1' again the next time"),
        (lambda item: setattr(item, "views", (item.views or 0) + 1), "would change the item id='1' again"),
        (lambda item: item, r"forwards\(\) of 0001_test returned Note\. Let it change the item"),
        (lambda item: setattr(item, "id", None), "0001_test removes the key 'id' of the item id='1'"),
        (lambda item: item.no, "0001_test failed for the item id='1': AttributeError: 'Note' object has no"),
    ],
)
def test_a_wrong_function_is_an_error(note: t.Any, forwards: t.Callable[[t.Any], object], message: str) -> None:
    """Before the item is written, the error names the migration and the key."""
    with pytest.raises(MigrationError, match=message):
        change(note, forwards)


def test_an_item_that_cannot_be_read_is_an_error(note: t.Any) -> None:
    """An attribute of another type is an error that names the item."""
    with pytest.raises(MigrationError, match="0001_test failed for the item id='1': AttributeDeserializationError"):
        change(note, set_values(), title={"N": "1"})


def test_a_condition_has_a_limit(db: dynaflask.Dynamo) -> None:
    """A model with more attributes than a condition can name is refused."""
    many = {f"a{number}": UnicodeAttribute(null=True) for number in range(145)}
    assert change(migrations.declare_note(db, **many, a145=UnicodeAttribute(null=True)), set_values()) is None
    with pytest.raises(MigrationError, match="more than 150 attributes"):
        change(migrations.declare_note(db, **many), set_values(slug="one"))
    assert change(migrations.declare_note(db, **dict(list(many.items())[:144])), set_values(slug="one"))
