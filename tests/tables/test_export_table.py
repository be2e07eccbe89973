"""``ExportedTable``: a table that becomes part of an infrastructure document."""

from __future__ import annotations

import typing as t

import flask
import pytest

import dynaflask
from dynaflask.tables.export_table import exported
from dynaflask.tables.table import find_one
from tests.support import boards
from tests.support.settings import MakeApp


@pytest.fixture
def app(make_app: MakeApp) -> flask.Flask:
    """An app with a prefix."""
    return make_app(region="eu-west-1", table_prefix="prod-")


@pytest.mark.parametrize(
    ("name", "resource_id"),
    [("Thread", "ThreadTable"), ("my-thread.v2", "MyThreadV2Table"), ("2020_posts", "Table2020Posts")],
)
def test_a_resource_has_the_name_of_its_table(
    app: flask.Flask, db: dynaflask.Dynamo, name: str, resource_id: str
) -> None:
    """The name has letters and digits only, begins with a letter, and does not depend on the prefix."""
    board = boards.declare_board(db, table_name=name)
    with app.app_context():
        table = exported(find_one(db.registry, board), "prod-")
    assert (table.id, table.name, table.has_prefix) == (resource_id, name, True)


def test_a_name_without_the_prefix_is_exported_as_it_is(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """A name that a context set has no prefix."""
    board = boards.declare_board(db)
    with app.app_context():
        board.Meta.table_name = "Shared"
        table = exported(find_one(db.registry, board), "prod-")
    assert (table.name, table.has_prefix) == ("Shared", False)


def test_a_computed_prefix_is_part_of_the_name(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """A function makes the whole name, so that the document has the name, and a prefix that is empty."""
    board = boards.declare_board(db)
    with make_app(region="eu-west-1", table_prefix=lambda name: f"{name}-of-today").app_context():
        table = exported(find_one(db.registry, board), "")
    assert table.name == "Board-of-today"


def test_the_request_has_what_calls_after_the_creation_set(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """The time to live is no member of ``CreateTable``, and is exported all the same."""
    board = boards.declare_board(db, attributes=boards.everything())
    with app.app_context():
        table = find_one(db.registry, board)
        request = exported(table, "prod-").request
    assert request.keys() - table.schema.create_request().keys() == {"TimeToLiveSpecification"}


@pytest.mark.parametrize(
    ("declared", "exported_insights"),
    [
        (True, {"Enabled": True, "Mode": "ACCESSED_AND_THROTTLED_KEYS"}),
        ("THROTTLED_KEYS", {"Enabled": True, "Mode": "THROTTLED_KEYS"}),
        (False, {"Enabled": False}),
        (None, None),
    ],
)
def test_insights_are_exported(
    app: flask.Flask, db: dynaflask.Dynamo, declared: t.Any, exported_insights: t.Any
) -> None:
    """Contributor Insights of the table and of an index are as declared, and left out if nothing is declared."""
    meta = {} if declared is None else {"contributor_insights": declared}
    attributes = {**boards.everything(), "by_views": boards.make_index("byViews", **meta)}
    board = boards.declare_board(db, attributes=attributes, **meta)
    with app.app_context():
        request = exported(find_one(db.registry, board), "prod-").request
    (index,) = request["GlobalSecondaryIndexes"]
    insights = [part.get("ContributorInsightsSpecification") for part in (request, index)]
    assert insights == [exported_insights, exported_insights]
