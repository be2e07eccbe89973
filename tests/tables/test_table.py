"""``Table``: one table of DynamoDB with all models of an app that are on it."""

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
    """``find_tables`` and ``find_one``."""

    def test_models_on_one_table_share_it(self, db: dynaflask.Dynamo) -> None:
        """Models with one destination and one table name are one table; a model with another name has its own."""
        declared = [models.declare_thread(db), *(boards.declare_board(db, name=name) for name in ("Board", "Post"))]
        result = table.find_tables(db.registry)
        assert [each.model_names for each in result] == [["Thread"], ["Board", "Post"]]
        assert len(declared) == 3

    def test_one_name_in_two_regions_is_two_tables(self, db: dynaflask.Dynamo) -> None:
        """Tables with one name on two binds are different, and ``bind_key`` selects one of them."""
        boards.declare_board(db)
        boards.declare_board(db, name="Post", bind_key="eu")
        assert [each.bind.key for each in table.find_tables(db.registry)] == ["default", "eu"]
        assert [each.bind.key for each in table.find_tables(db.registry, bind_key="eu")] == ["eu"]

    def test_a_table_has_all_of_its_models(self, db: dynaflask.Dynamo) -> None:
        """The table of one model has all models that share it, the requested one first."""
        declared = [boards.declare_board(db, name=name) for name in ("Board", "Post")]
        assert table.find_one(db.registry, declared[1]).models == (declared[1], declared[0])

    def test_a_model_without_table_name_has_no_table(self, db: dynaflask.Dynamo) -> None:
        """``find_tables`` skips a model without a table name, and ``find_one`` raises ValueError."""

        class Base(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                tags: t.ClassVar = {"team": "forum"}

        assert table.find_tables(db.registry) == []
        with pytest.raises(ValueError, match="Base has no table"):
            table.find_one(db.registry, Base)

    def test_a_model_that_was_not_requested_raises_no_error(self, db: dynaflask.Dynamo) -> None:
        """A model that this app cannot resolve is an error only if its table is requested."""
        board = boards.declare_board(db)
        boards.declare_board(db, name="Post", bind_key="elsewhere")
        assert table.find_one(db.registry, board).models == (board,)
        with pytest.raises(dynaflask.UnknownBind):
            table.find_tables(db.registry)

    def test_an_unknown_bind_is_an_error(self, db: dynaflask.Dynamo) -> None:
        """A bind key that the app does not have raises UnknownBind."""
        with pytest.raises(dynaflask.UnknownBind):
            table.find_tables(db.registry, bind_key="mars")

    def test_a_table_keeps_its_destination(self, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
        """A table that was looked up in a ``db.using`` block keeps the block's destination after it."""
        board = boards.declare_board(db)
        with db.using("archive"):
            board_table = table.find_one(db.registry, board)
        board_table.describe()
        assert recorder.requests[-1].body["TableName"] == "archive-Board"

    def test_destination_is_region_and_endpoint(self, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
        """``destination`` reads region and endpoint from the client, and makes no call."""
        board_table = table.find_one(db.registry, boards.declare_board(db, bind_key="eu"))
        assert table.destination(db.registry, board_table) == ("eu-west-1", recorder.url)
        assert recorder.requests == []


@pytest.mark.usefixtures("app")
def test_a_refusal_is_a_table_error(db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """The error names the operation, the table and the bind, and keeps DynamoDB's error code."""
    recorder.answer = lambda request: (400, {"__type": "x#AccessDeniedException", "message": "no"})
    board_table = table.find_one(db.registry, boards.declare_board(db))
    with pytest.raises(
        TableError, match=r"DescribeTable failed for table Board \(bind default, us-east-1, http"
    ) as caught:
        board_table.describe()
    assert caught.value.cause_response_code == "AccessDeniedException"


@pytest.mark.usefixtures("app")
def test_the_repr_shows_the_destination(db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """The repr of a table has its name and its bind."""
    board_table = table.find_one(db.registry, boards.declare_board(db))
    assert repr(board_table) == f"<Table 'Board' on <Bind 'default' region='us-east-1' host={recorder.url!r}>>"


@pytest.mark.usefixtures("app")
def test_a_missing_table_is_none(db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """``describe`` returns None for a missing table; ``require`` raises an error that says how to create it."""
    recorder.answer = lambda request: (400, {"__type": "x#ResourceNotFoundException", "message": "no"})
    board_table = table.find_one(db.registry, boards.declare_board(db))
    assert board_table.describe() is None
    with pytest.raises(TableError, match="The table Board .* does not exist.*flask dynamo create"):
        board_table.require()


def test_a_table_belongs_to_its_app(db: dynaflask.Dynamo, make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """A table calls its own app's region in another app's context, and refuses calls after its context has ended."""
    board = boards.declare_board(db)
    ours, theirs = (make_app(name, host=recorder.url, region=name, **KEYS) for name in ("us-west-2", "eu-west-1"))
    with ours.app_context():
        board_table = table.find_one(db.registry, board)
        with theirs.app_context():
            board_table.describe()
            with pytest.raises(RuntimeError, match="outside of its application context"):
                table.find_tables(ours.extensions["dynamo"])
    assert [request.region for request in recorder.requests] == ["us-west-2"]
    with pytest.raises(RuntimeError, match="has ended"):
        board_table.describe()
