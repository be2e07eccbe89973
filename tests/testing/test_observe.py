"""The pytest plugin that writes the calls of the tested apps."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import typing as t

import flask
import pytest

import dynaflask
from dynaflask.tables.observed import ObservedCall
from dynaflask.tables.observed import read_calls
from dynaflask.testing.observe import observe_calls
from tests.support import boards
from tests.support import engines
from tests.support.paths import measured_environment
from tests.support.settings import MakeApp

BOARD = f"{boards.__name__}.Board"

PROGRAM = """
import os
import flask, pytest
from pynamodb.attributes import UnicodeAttribute
from dynaflask import Dynamo, Model

class Thread(Model):
    class Meta:
        table_name = "Thread"
    subject = UnicodeAttribute(hash_key=True)

db = Dynamo()

@pytest.fixture
def context(worker_id):
    app = flask.Flask(__name__)
    app.config.from_mapping(DYNAMODB_HOST=os.environ["ENGINE"], DYNAMODB_REGION="us-east-1")
    app.config.from_mapping(DYNAMODB_AWS_ACCESS_KEY_ID="key", DYNAMODB_AWS_SECRET_ACCESS_KEY="secret")
    app.config.from_mapping(DYNAMODB_TABLE_PREFIX=f"observed-{worker_id}-")
    db.init_app(app)
    with app.app_context():
        db.create_all(wait=True)
        yield
        db.drop_all()

def test_save(context):
    Thread("hello").save()

def test_scan(context):
    assert list(Thread.scan()) == []
"""


def test_the_calls_of_a_block_are_written(
    tmp_path: pathlib.Path, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> None:
    """Each kind of call has one line: its model, its index and its action, also in a batch and a transaction."""
    board = boards.declare_board(db, attributes=boards.everything())
    app = flask.Flask("app")
    app.config.from_mapping(ministack.settings(account))
    db.init_app(app)
    path = tmp_path / "calls"
    with app.app_context():
        db.create_all(wait=True)
        with observe_calls(path):
            for subject in ("one", "two"):
                board("flask", subject).save()
            list(board.by_views.query(0))
            list(board.batch_get([("flask", "one")]))
            with db.transact_write() as transaction:
                transaction.delete(board("flask", "one"))
        list(board.scan())
        db.drop_all()
    assert len(path.read_text().splitlines()) == 4
    assert read_calls(path) == {
        ObservedCall(BOARD, None, "PutItem"),
        ObservedCall(BOARD, "byViews", "Query"),
        ObservedCall(BOARD, None, "BatchGetItem"),
        ObservedCall(BOARD, None, "DeleteItem"),
    }


def test_two_apps_are_observed_by_their_models(
    tmp_path: pathlib.Path, make_app: MakeApp, recorder: t.Any, db: dynaflask.Dynamo
) -> None:
    """A call is of a model, whatever name the table has in the app. A table of no model is left out."""
    board = boards.declare_board(db)
    path = tmp_path / "calls"
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
    with observe_calls(path):
        for prefix in ("one-", "two-"):
            app = make_app(host=recorder.url, region="us-east-1", table_prefix=prefix, **keys)
            with app.app_context():
                board("flask", "hello").delete()
                db.connection._make_api_call("DescribeTable", {"TableName": "Other"})
    assert read_calls(path) == {ObservedCall(BOARD, None, "DeleteItem")}
    assert {request.body["TableName"] for request in recorder.requests} == {"one-Board", "two-Board", "Other"}


def test_models_that_an_app_cannot_resolve_are_skipped(
    tmp_path: pathlib.Path, make_app: MakeApp, recorder: t.Any, db: dynaflask.Dynamo
) -> None:
    """A model on a bind that the app does not have is on no table of it."""
    board = boards.declare_board(db)
    other = boards.declare_board(db, name="Other", bind_key="missing")
    app = make_app(host=recorder.url, region="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="hush")
    with observe_calls(tmp_path / "calls"), app.app_context():
        board("flask", "hello").delete()
    assert read_calls(tmp_path / "calls") == {ObservedCall(BOARD, None, "DeleteItem")}
    assert other.__name__ == "Other"


def test_a_call_outside_of_a_context_is_not_observed(
    tmp_path: pathlib.Path, make_app: MakeApp, recorder: t.Any, db: dynaflask.Dynamo
) -> None:
    """A connection that outlives its context belongs to no scope: the call is refused as without the plugin."""
    app = make_app(host=recorder.url, region="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="hush")
    with app.app_context():
        connection = db.connection
    with observe_calls(tmp_path / "calls"), pytest.raises(RuntimeError, match="context"):
        connection._make_api_call("GetItem", {"TableName": "Board"})
    assert not (tmp_path / "calls").exists()


def run_pytest(directory: pathlib.Path, url: str, *arguments: str) -> str:
    """The output of pytest in a directory with the program."""
    (directory / "test_program.py").write_text(PROGRAM, encoding="utf-8")
    options = ["-p", "dynaflask.testing.observe", "-p", "xdist", "-p", "no:cacheprovider", *arguments]
    # Without the plugins of all other packages, which each process would import.
    variables = measured_environment(ENGINE=url, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    command = [sys.executable, "-m", "pytest", *options]
    process = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, env=variables)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def test_the_plugin_observes_all_processes_of_a_run(tmp_path: pathlib.Path, ministack: engines.Engine) -> None:
    """The file has the calls of each worker of pytest-xdist, and none of an earlier run."""
    path = tmp_path / "calls"
    path.write_text("from an earlier run", encoding="utf-8")
    assert "2 passed" in run_pytest(tmp_path, ministack.url, "-n2", "--observe-calls", str(path))
    calls = {call.action for call in read_calls(path)}
    assert calls == {"CreateTable", "DescribeTable", "DeleteTable", "PutItem", "Scan"}
    assert {call.model for call in read_calls(path)} == {"test_program.Thread"}


def test_the_plugin_without_its_option_writes_nothing(tmp_path: pathlib.Path, ministack: engines.Engine) -> None:
    """The plugin may be loaded always: it is off without the option."""
    assert "2 passed" in run_pytest(tmp_path, ministack.url, "-n0")
    assert {path.name for path in tmp_path.iterdir()} <= {"test_program.py", "__pycache__"}
