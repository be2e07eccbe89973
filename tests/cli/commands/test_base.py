"""What the commands of ``flask dynamo`` have in common: errors, and how they find the app."""

from __future__ import annotations

import flask
import pytest

import dynaflask
from dynaflask.cli.commands import dynamo
from tests.support import boards
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.commands import run
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def app() -> flask.Flask:
    """An app that has the commands, without the extension."""
    app = flask.Flask(__name__)
    app.cli.add_command(dynamo)
    return app


def test_an_app_without_the_extension_is_an_error(app: flask.Flask) -> None:
    """The group is there for every app; one that was not initialised is a message, not a traceback."""
    result = app.test_cli_runner().invoke(args=["dynamo", "models"])
    assert result.exit_code == 1
    assert "Call db.init_app(app) where that app is made" in result.output


@pytest.mark.parametrize("arguments", [["status"], ["dump", "Board", "file"], ["load", "Board", __file__, "--yes"]])
def test_no_message_shows_an_object(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, arguments: list[str]
) -> None:
    """An error of DynamoDB names the table, the bind and the destination in words."""
    boards.declare_board(db)
    recorder.answer = lambda request: (400, {"__type": "x#ValidationException", "message": "no"})
    done = run(make_app(host=recorder.url, region="us-east-1", **KEYS), *arguments)
    assert done.exit_code == 1
    assert done.output.startswith(
        f"Error: DescribeTable failed for table Board (bind default, us-east-1, {recorder.url}): "
    )
    assert "<" not in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "Bord"],
        ["status", "--bind", "mars"],
        ["dump", "Bord", "file"],
        ["dump", "NoTable", "file"],
        ["load", "NoTable", "file"],
        ["load", "Board", "file", "--rate", "0"],
        ["ping", "--bind", "mars"],
        ["check", "--bind", "mars"],
        ["sync", "--dry"],
    ],
)
def test_a_wrong_name_is_exit_code_2(make_app: MakeApp, db: dynaflask.Dynamo, arguments: list[str]) -> None:
    """An unknown model, bind or option, and a model without a table, exit with 2 and print the usage."""
    boards.declare_board(db)
    boards.declare_board(db, name="NoTable", table_name=None)
    result = run(make_app(), *arguments)
    assert result.exit_code == 2
    assert result.output.startswith("Usage: ")


@pytest.mark.parametrize("command", ["models", "status", "create", "diff"])
def test_an_app_without_models_is_told_to_import_them(make_app: MakeApp, db: dynaflask.Dynamo, command: str) -> None:
    """If no model is imported, a command says so, in place of nothing. An app with a model does not get the hint."""
    empty, app = make_app("empty", region="eu-west-1", allowed_models=[]), make_app("app", region="eu-west-1")
    boards.declare_board(db)
    hint = run(empty, command)
    assert (hint.exit_code, "Import their modules in the app factory" in hint.stderr) == (0, True)
    assert "Import" not in run(app, "models").output


def test_two_apps_have_each_their_tables(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> None:
    """The commands of one app do not affect the tables of the other."""
    boards.declare_board(db)
    shared = {name.removeprefix("DYNAMODB_").lower(): value for name, value in ministack.settings(account).items()}
    ours, theirs = (make_app(region, **{**shared, "region": region}) for region in ("us-east-1", "eu-west-1"))
    assert run(ours, "create", "--wait").exit_code == 0
    assert [run(app, "status").exit_code for app in (ours, theirs)] == [0, 1]
    assert run(theirs, "drop", "--yes").output.startswith("Does not exist: ")
    assert run(ours, "drop", "--yes").exit_code == 0


class TestShell:
    """``flask shell``."""

    def test_it_has_db_and_the_models_of_the_app(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """``flask shell`` has ``db`` and each model of the app, and no model of other apps."""
        board, post = boards.declare_board(db), boards.declare_board(db, name="Post")
        context = make_app().make_shell_context()
        assert (context["db"], context["Board"], context["Post"]) == (db, board, post)
        assert "Post" not in make_app("other", allowed_models=[board]).make_shell_context()

    def test_a_model_hides_no_other_name(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A model does not replace a name of Flask, of the extension or of the program's own shell context."""
        for name in ("Board", "app", "g", "db"):
            boards.declare_board(db, name=name)
        app = flask.Flask("app")
        app.shell_context_processor(lambda: {"Board": "mine"})
        db.init_app(app)
        context = app.make_shell_context()
        assert (context["app"], context["g"], context["db"], context["Board"]) == (app, flask.g, db, "mine")

    def test_an_ambiguous_model_name_is_left_out(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """If two models share a name, ``flask shell`` has neither."""
        for name in ("one", "two"):
            boards.declare_board(db, table_name=name)
        assert "Board" not in make_app().make_shell_context()
