"""The state of the tables, where they differ from their models, and ``sync``, which changes them."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.exceptions import TableError

import dynaflask
from dynaflask import tables
from tests.support import boards
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

EVERY_SETTING: dict[str, t.Any] = {
    **boards.PROVISIONED,
    "stream_view_type": "NEW_IMAGE",
    "tags": {"team": "forum"},
    "deletion_protection": True,
}


def what(drift: t.Mapping[tables.Table, t.Sequence[tables.Difference]]) -> list[str]:
    """What differs, for all tables."""
    return [difference.what for differences in drift.values() for difference in differences]


@pytest.fixture
def unprotected(db: dynaflask.Dynamo, engine_app: flask.Flask) -> t.Iterator[None]:
    """Disables the deletion protection of the board after the test, so that the board can be dropped."""
    yield
    board = boards.declare_board(db, deletion_protection=False)
    tables.sync(db.registry, models=[board])


@pytest.mark.usefixtures("engine_app", "unprotected")
class TestSync:
    """``status``, ``diff`` and ``sync`` on a real engine."""

    def test_a_table_is_created_as_declared(self, db: dynaflask.Dynamo) -> None:
        """A table that was just created has no differences, with every setting declared."""
        board = boards.declare_board(db, **EVERY_SETTING, attributes=boards.everything())
        db.create_all(wait=True)
        assert tables.diff(db.registry) == {}
        assert board.exists()

    def test_everything_that_can_be_changed_is(self, db: dynaflask.Dynamo) -> None:
        """``sync`` makes every change that DynamoDB can make in place, and no difference remains."""
        boards.declare_board(db).create_table(wait=True)
        attributes = {**boards.everything(), "two": boards.make_index("byTwo", key="two")}
        board = boards.declare_board(db, **EVERY_SETTING, attributes=attributes)
        assert what(tables.diff(db.registry, models=[board])) == [
            "billing mode",
            "global index 'byViews'",
            "global index 'byTwo'",
            "stream",
            "time to live",
            "tags",
            "deletion protection",
        ]
        assert tables.sync(db.registry, models=[board], wait=True) == {}
        assert tables.diff(db.registry, models=[board]) == {}

    def test_what_cannot_be_changed_remains(self, db: dynaflask.Dynamo) -> None:
        """``sync`` returns the differences that DynamoDB cannot change, and makes the other changes."""
        boards.declare_board(db).create_table(wait=True)
        attributes = {"lo": boards.make_local_index("lo")}
        board = boards.declare_board(db, deletion_protection=True, attributes=attributes)
        remaining = tables.sync(db.registry, models=[board], wait=True)
        assert what(remaining) == what(tables.diff(db.registry, models=[board])) == ["local index 'lo'"]

    def test_an_index_that_no_model_declares_can_be_pruned(self, db: dynaflask.Dynamo) -> None:
        """Only ``prune`` deletes an index, and only one that no model on the table declares."""
        boards.declare_board(db, attributes=boards.everything()).create_table(wait=True)
        board = boards.declare_board(db)
        other = boards.declare_board(db, name="Post", attributes=boards.everything())
        assert tables.diff(db.registry, models=[board], prune=True) == {}
        del other
        other = boards.declare_board(db, name="Post")
        assert tables.sync(db.registry, models=[board]) == {}
        assert "GlobalSecondaryIndexes" in board.describe_table()
        tables.sync(db.registry, models=[board, other], prune=True, wait=True)
        assert not board.describe_table().get("GlobalSecondaryIndexes")

    def test_sync_does_not_create_tables(self, db: dynaflask.Dynamo) -> None:
        """A missing table remains as a difference."""
        board = boards.declare_board(db)
        assert what(tables.sync(db.registry, wait=True)) == ["table"]
        assert not board.exists()

    def test_the_status_has_every_table(self, db: dynaflask.Dynamo) -> None:
        """The status has missing tables, too, and the item count and models of existing ones."""
        board = boards.declare_board(db)
        (missing,) = tables.status(db.registry)
        db.create_all(wait=True)
        board("flask", "hello").save()
        (present,) = tables.status(db.registry)
        assert (missing.state, missing.items, [difference.what for difference in missing.differences]) == (
            None,
            0,
            ["table"],
        )
        assert (present.state, present.items, present.differences) == ("ACTIVE", 1, [])
        assert present.table.models == (board,)

    def test_a_protected_table_is_not_dropped(self, db: dynaflask.Dynamo) -> None:
        """``drop_all`` does not disable deletion protection: DynamoDB's refusal is the error."""
        board = boards.declare_board(db, deletion_protection=True)
        db.create_all(wait=True)
        assert [status.is_protected for status in tables.status(db.registry)] == [True]
        with pytest.raises(TableError, match="DeleteTable failed for table test-.* \\(bind default, us-east-1, http"):
            db.drop_all()
        assert board.exists()


def test_tags_are_read_from_all_pages(make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo) -> None:
    """A tag on the second page of ``ListTagsOfResource`` is known."""
    pages = iter([{"Tags": [{"Key": "a", "Value": "1"}], "NextToken": "more"}, {"Tags": [{"Key": "b", "Value": "2"}]}])
    recorder.answer = lambda request: (
        next(pages) if request.operation == "ListTagsOfResource" else recorders.plain_answer(request)
    )
    board = boards.declare_board(db, tags={"a": "1", "b": "2"})
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        assert "tags" not in what(tables.diff(db.registry, models=[board]))
    assert recorder.requests[-1].body["NextToken"] == "more"


def test_two_apps_change_their_own_tables(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> None:
    """A setting of one app for a model does not change the other app's table."""
    board = boards.declare_board(db)
    shared = {name.removeprefix("DYNAMODB_").lower(): value for name, value in ministack.settings(account).items()}
    ours = make_app("ours", **shared)
    theirs = make_app("theirs", **{**shared, "region": "eu-west-1"}, models={"Board": {"deletion_protection": True}})
    for app in (ours, theirs):
        with app.app_context():
            board.create_table(wait=True)
    with theirs.app_context():
        assert what(tables.diff(db.registry)) == ["deletion protection"]
        tables.sync(db.registry)
    with ours.app_context():
        assert not board.describe_table()["DeletionProtectionEnabled"]
        db.drop_all()
    with theirs.app_context():
        assert board.describe_table()["DeletionProtectionEnabled"]
