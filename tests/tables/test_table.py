"""One real table, with all models of an app that are on it, and how it is found."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.exceptions import TableError

import dynaflask
from dynaflask.tables import table
from tests.support import boards
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[flask.Flask]:
    """An app with the binds eu and archive."""
    binds = {"eu": {"region": "eu-west-1"}, "archive": {"table_prefix": "archive-"}}
    app = make_app(host=recorder.url, region="us-east-1", binds=binds, **KEYS)
    with app.app_context():
        yield app


@pytest.mark.usefixtures("app")
class TestFind:
    """``find`` and ``find_one``."""

    def test_models_on_one_table_are_one(self, db: dynaflask.Dynamo) -> None:
        """A model elsewhere has a table of its own."""
        declared = [models.declare_thread(db), *(boards.declare_board(db, name=name) for name in ("Board", "Post"))]
        found = table.find_tables(db.registry)
        assert [each.model_names for each in found] == [["Thread"], ["Board", "Post"]]
        assert len(declared) == 3

    def test_a_table_of_one_name_in_two_regions_is_two(self, db: dynaflask.Dynamo) -> None:
        """A table is a destination and a name."""
        boards.declare_board(db)
        boards.declare_board(db, name="Post", bind_key="eu")
        assert [each.bind.key for each in table.find_tables(db.registry)] == ["default", "eu"]
        assert [each.bind.key for each in table.find_tables(db.registry, bind_key="eu")] == ["eu"]

    def test_a_table_has_all_of_its_models(self, db: dynaflask.Dynamo) -> None:
        """Whichever was asked for comes first."""
        declared = [boards.declare_board(db, name=name) for name in ("Board", "Post")]
        assert table.find_one(db.registry, declared[1]).models == (declared[1], declared[0])

    def test_a_model_without_a_table_has_none(self, db: dynaflask.Dynamo) -> None:
        """It is left out, or refused where it was asked for."""

        class Base(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                tags: t.ClassVar = {"team": "forum"}

        assert table.find_tables(db.registry) == []
        with pytest.raises(ValueError, match="Base has no table"):
            table.find_one(db.registry, Base)

    def test_a_model_that_was_not_asked_for_stops_nobody(self, db: dynaflask.Dynamo) -> None:
        """It may have no place in this app."""
        board = boards.declare_board(db)
        boards.declare_board(db, name="Post", bind_key="elsewhere")
        assert table.find_one(db.registry, board).models == (board,)
        with pytest.raises(dynaflask.UnknownBind):
            table.find_tables(db.registry)

    def test_an_unknown_bind_is_an_error(self, db: dynaflask.Dynamo) -> None:
        """A misspelt key finds nothing by chance."""
        with pytest.raises(dynaflask.UnknownBind):
            table.find_tables(db.registry, bind_key="mars")

    def test_it_stays_where_it_was_found(self, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
        """Also after the block that it was found in."""
        board = boards.declare_board(db)
        with db.using("archive"):
            found = table.find_one(db.registry, board)
        found.describe()
        assert recorder.requests[-1].body["TableName"] == "archive-Board"

    def test_it_says_where_its_calls_go(self, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
        """The client knows what botocore's own chain names."""
        found = table.find_one(db.registry, boards.declare_board(db, bind_key="eu"))
        assert table.destination(db.registry, found) == ("eu-west-1", recorder.url)
        assert recorder.requests == []


@pytest.mark.usefixtures("app")
def test_a_refusal_is_a_table_error(db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """It says of which table on which bind, and keeps DynamoDB's code."""
    recorder.answer = lambda request: (400, {"__type": "x#AccessDeniedException", "message": "no"})
    found = table.find_one(db.registry, boards.declare_board(db))
    with pytest.raises(TableError, match="DescribeTable failed for <Table 'Board' on <Bind 'default'") as caught:
        found.describe()
    assert caught.value.cause_response_code == "AccessDeniedException"


@pytest.mark.usefixtures("app")
def test_a_table_that_is_missing_is_none(db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """Or an error that says how to make it, where it is needed."""
    recorder.answer = lambda request: (400, {"__type": "x#ResourceNotFoundException", "message": "no"})
    found = table.find_one(db.registry, boards.declare_board(db))
    assert found.describe() is None
    with pytest.raises(TableError, match="There is no <Table 'Board'.*flask dynamo create"):
        found.require()


def test_it_belongs_to_its_app(db: dynaflask.Dynamo, make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """In the context of another app it goes on to its own, and with its context it ends."""
    board = boards.declare_board(db)
    ours, theirs = (make_app(name, host=recorder.url, region=name, **KEYS) for name in ("us-west-2", "eu-west-1"))
    with ours.app_context():
        found = table.find_one(db.registry, board)
        with theirs.app_context():
            found.describe()
            with pytest.raises(RuntimeError, match="outside of its application context"):
                table.find_tables(ours.extensions["dynamo"])
    assert [request.region for request in recorder.requests] == ["us-west-2"]
    with pytest.raises(RuntimeError, match="has ended"):
        found.describe()
