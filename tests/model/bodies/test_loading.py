"""Items and updates from bodies; tests/views/test_bodies.py has what a view sees."""

from __future__ import annotations

import pytest

import dynaflask
from dynaflask.model.bodies.loading import new_item
from dynaflask.model.bodies.loading import update_actions
from tests.support import notes


def test_an_item_may_lack_fields_that_the_view_sets(db: dynaflask.Dynamo) -> None:
    """Without ``require`` only a map's own fields are required."""
    note = notes.declare_note(db)
    assert new_item(note, {"views": 1, "author": None}, require=False).views == 1
    with pytest.raises(dynaflask.InvalidBody, match=r"author.name: The field is missing\.$"):
        new_item(note, {"author": {}}, require=False)


def test_an_action_has_the_name_of_the_table(db: dynaflask.Dynamo) -> None:
    """A field's action is for the attribute's name in DynamoDB."""
    note = notes.declare_note(db)
    actions = update_actions(note, {"when": "2026-01-02T03:04:05Z", "town": None})
    assert [action.values[0].path for action in actions] == [["w"], ["t"]]


def test_a_body_that_is_nested_too_deep_does_not_fit(db: dynaflask.Dynamo) -> None:
    """Where Python's recursion ends, the body is refused, in a new item and in an update."""
    note, nested = notes.declare_note(db), []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(dynaflask.InvalidBody, match="body: The body is nested too deep"):
        new_item(note, {**notes.BODY, "extra": nested})
    with pytest.raises(dynaflask.InvalidBody, match="body: The body is nested too deep"):
        update_actions(note, {"extra": nested})
