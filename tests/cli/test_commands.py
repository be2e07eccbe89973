"""The commands of ``flask dynamo``."""

from __future__ import annotations

import json
import os
import pathlib
import pty
import signal
import socket
import subprocess
import sys
import typing as t

import click.testing
import flask
import pytest

import dynaflask
from dynaflask.cli.commands import dynamo
from dynaflask.client import key
from dynaflask.tables.observed import ObservedCall
from dynaflask.tables.observed import format_call
from tests.support import boards
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.paths import measured_environment
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

URL = "http://127.0.0.1:"


@pytest.fixture
def app() -> flask.Flask:
    """An app that has the commands, without the extension."""
    app = flask.Flask(__name__)
    app.cli.add_command(dynamo)
    return app


def start(directory: pathlib.Path, *arguments: str, config: str = "") -> subprocess.Popen[str]:
    """Start ``flask dynamo local`` in a process of its own."""
    (directory / "app.py").write_text(
        "import flask\n"
        "from dynaflask.cli.commands import dynamo\n"
        f"app = flask.Flask(__name__); {config}\n"
        "if 'dynamo' not in app.cli.commands: app.cli.add_command(dynamo)\n"
    )
    command = [sys.executable, "-m", "flask", "--app", str(directory / "app.py"), "dynamo", "local", "--port", "0"]
    return subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read_port(process: subprocess.Popen[str]) -> int:
    """The port in the line that sets DYNAMODB_HOST."""
    settings = (line.strip() for line in process.stdout or ())
    setting = next(line for line in settings if line.startswith(f"DYNAMODB_HOST={URL}"))
    return int(setting.rpartition(":")[2])


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except (ConnectionRefusedError, ConnectionResetError):  # reset: the server ends at this moment
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_local_runs_until_a_signal(tmp_path: pathlib.Path, number: signal.Signals) -> None:
    """``local`` prints the setting, runs until Ctrl-C or SIGTERM, and then exits with 0."""
    process = start(tmp_path)
    port = read_port(process)
    assert answers(port)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert not answers(port)


@pytest.mark.parametrize("source", ["option", "setting"])
def test_local_keeps_its_data_in_a_path(tmp_path: pathlib.Path, source: str) -> None:
    """``local`` keeps its data in ``--path``, or else in the app's DYNAMODB_LOCAL_PATH."""
    path = tmp_path / "data"
    if source == "option":
        process = start(tmp_path, "--path", str(path))
    else:
        process = start(tmp_path, config=f"app.config['DYNAMODB_LOCAL_PATH'] = {str(path)!r}")
    read_port(process)
    process.terminate()
    process.communicate(timeout=60)
    assert list(path.glob("*.json"))


APP_THAT_CALLS = """
import flask, dynaflask
def create_app():
    app = flask.Flask(__name__)
    app.config.from_mapping(DYNAMODB_HOST="http://127.0.0.1:1", DYNAMODB_REGION="eu-west-1")
    app.config["DYNAMODB_MAX_RETRY_ATTEMPTS"] = 0
    app.config.from_mapping(DYNAMODB_AWS_ACCESS_KEY_ID="local", DYNAMODB_AWS_SECRET_ACCESS_KEY="local")
    dynaflask.Dynamo(app)
    app.extensions["dynamo"].ping()
"""
FLASK = (
    "from flask.cli import FlaskGroup; from dynaflask.cli.group import dynamo; g = FlaskGroup(); g.add_command(dynamo);"
)


@pytest.mark.parametrize("with_path", [True, False])
def test_local_runs_although_the_app_calls_its_server_while_it_is_loaded(
    tmp_path: pathlib.Path, with_path: bool
) -> None:
    """An app whose factory needs the server does not keep ``local`` from starting it; without ``--path`` it says so."""
    (tmp_path / "app.py").write_text(APP_THAT_CALLS)
    arguments = ["--app", str(tmp_path / "app.py"), "dynamo", "local", "--port", "0"]
    arguments += ["--path", str(tmp_path / "data")] if with_path else []
    # As the `flask` command finds the group by the package's entry point, also where the package is not installed.
    command = [sys.executable, "-c", f"{FLASK} g.main()", *arguments]
    process = subprocess.Popen(
        command, env=measured_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert answers(read_port(process))
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert ("could not be loaded (EndpointConnectionError: " in errors) is not with_path
    assert ("name a directory with --path" in errors) is not with_path


def test_an_app_without_the_extension_is_an_error(app: flask.Flask) -> None:
    """The group is there for every app; one that was not initialised is a message, not a traceback."""
    result = app.test_cli_runner().invoke(args=["dynamo", "models"])
    assert result.exit_code == 1
    assert "Call db.init_app(app) where that app is made" in result.output


def test_a_killed_local_command_ends_its_server(tmp_path: pathlib.Path) -> None:
    """The server ends with the command, also after SIGKILL."""
    process = start(tmp_path)
    port = read_port(process)
    process.kill()
    process.communicate(timeout=60)
    while answers(port):
        pass


def test_an_error_is_one_line_and_no_traceback(app: flask.Flask) -> None:
    """An error of the local server is printed as a message, and the exit code is 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = app.test_cli_runner().invoke(args=["dynamo", "local", "--port", port])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: Port {port} of 127.0.0.1 is not available")


def test_a_path_that_cannot_be_written_is_an_error(app: flask.Flask, tmp_path: pathlib.Path) -> None:
    """A wrong ``--path`` is printed as a message that names the setting, and the exit code is 1."""
    (tmp_path / "file").touch()
    arguments: t.Any = ["dynamo", "local", "--port", "0", "--path", str(tmp_path / "file")]
    result = app.test_cli_runner().invoke(args=arguments)
    assert result.exit_code == 1
    assert "Error: DYNAMODB_LOCAL_PATH must be a directory" in result.output


def test_help_names_the_commands(app: flask.Flask) -> None:
    """``flask dynamo --help`` lists the commands of the group."""
    assert "local" in app.test_cli_runner().invoke(args=["dynamo", "--help"]).output


PROGRAM = """
import json, pathlib, flask, dynaflask
from pynamodb.attributes import NumberAttribute
db = dynaflask.Dynamo()
class Thing(db.Model):
    class Meta:
        table_name = "Thing"
    number = NumberAttribute(hash_key=True)
app = flask.Flask(__name__)
app.config.from_mapping(json.loads(pathlib.Path(__file__).with_name("settings.json").read_text()))
db.init_app(app)
"""


@pytest.fixture
def on_engine(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> t.Iterator[flask.Flask]:
    """An app on a real engine, with a second bind in another region."""
    app = flask.Flask("app")
    app.config.from_mapping(engine.settings(account))
    app.config["DYNAMODB_BINDS"] = {"eu": {"region": "eu-west-1"}}
    db.init_app(app)
    yield app
    with app.app_context():
        db.drop_all()


def run(app: flask.Flask, *arguments: str, answer: str = "") -> click.testing.Result:
    """Run ``flask dynamo ...``, with an answer to its question."""
    return app.test_cli_runner().invoke(args=["dynamo", *arguments], input=answer)


class TestTables:
    """The commands for tables, on a real engine."""

    def test_a_table_is_created_and_dropped(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """``status`` exits with 1 before ``create``, with 0 after it, and shows no table after ``drop``."""
        boards.declare_board(db)
        assert run(on_engine, "status").exit_code == 1
        created = run(on_engine, "create", "--wait")
        assert (created.exit_code, created.output.split(" on ")[0].split("-")[-1]) == (0, "Board (Board)")
        assert run(on_engine, "create").output == "All tables exist.\n"
        assert run(on_engine, "status").exit_code == 0
        assert run(on_engine, "drop", "--yes", "--wait").exit_code == 0
        assert json.loads(run(on_engine, "status", "--json").output)[0]["exists"] is False

    @pytest.mark.parametrize("command", ["create", "status", "models", "diff", "sync", "check", "drop"])
    def test_an_app_without_models_is_told(
        self, engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, command: str
    ) -> None:
        """A command for tables says that the app has no models, and another app's models do not count."""
        boards.declare_board(db)
        empty, other = flask.Flask("empty"), flask.Flask("other")
        for app in (empty, other):
            app.config.from_mapping(engine.settings(account))
        db.init_app(empty, models=[])
        db.init_app(other)
        result = run(empty, command)
        assert (result.exit_code, "This app has no models. Import their modules" in result.stderr) == (0, True)
        assert "has no models" not in run(other, "models").stderr

    def test_create_for_a_tenant_without_tables_of_its_own(
        self, engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
    ) -> None:
        """If all models are shared, ``create`` says that a tenant needs no table."""
        boards.declare_board(db, tenant=False)
        app = flask.Flask("app")
        app.config.from_mapping(engine.settings(account), DYNAMODB_TENANTS={"acme": {}})
        db.init_app(app)
        assert run(app, "create", "--tenant", "acme").stdout == "There is no table to create.\n"

    def test_the_status_has_a_row_for_each_table(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """``status --json`` has an object for each table, missing ones included, with numbers and lists."""
        boards.declare_board(db)
        boards.declare_board(db, name="Post", bind_key="eu")
        run(on_engine, "create", "Post", "--wait")
        missing, present = json.loads(run(on_engine, "status", "--json").output)
        assert (missing["models"], missing["exists"], missing["drift"]) == (["Board"], False, ["missing"])
        assert (present["bind"], present["state"], present["items"], present["drift"]) == ("eu", "ACTIVE", 0, [])
        url = on_engine.config["DYNAMODB_HOST"]
        assert [(row["region"], row["endpoint"]) for row in (missing, present)] == [
            ("us-east-1", url),
            ("eu-west-1", url),
        ]

    def test_drop_shows_tables_and_destinations_before_it_asks(
        self, on_engine: flask.Flask, db: dynaflask.Dynamo
    ) -> None:
        """``drop`` shows each table with its destination and account; without a yes it drops nothing."""
        board = boards.declare_board(db, bind_key="eu")
        run(on_engine, "create", "--wait")
        (account,) = {row["account"] for row in json.loads(run(on_engine, "status", "--json").output)}
        assert account.isdigit()
        refused = run(on_engine, "drop", answer="\n")
        url = on_engine.config["DYNAMODB_HOST"]
        assert f"Board (Board) on eu, eu-west-1, {url}, account {account}\nContinue? [y/N]" in refused.output
        assert refused.exit_code == 1
        with on_engine.app_context():
            assert board.exists()
        assert "Deleted" in run(on_engine, "drop", answer="y\n").output

    def test_drop_for_a_tenant_announces_no_table_of_all_tenants(
        self, engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
    ) -> None:
        """It is refused before a question, and the table stays."""
        board = boards.declare_board(db, attributes={"forum": dynaflask.TenantKey(hash_key=True)})
        app = flask.Flask("pool")
        app.config.from_mapping(engine.settings(account), DYNAMODB_TENANTS={"acme": {}, "globex": {}})
        db.init_app(app)
        run(app, "create", "--tenant", "acme", "--wait")
        result = run(app, "drop", "--tenant", "acme", answer="y\n")
        assert result.exit_code == 1
        assert "would delete the items of all tenants" in result.output
        assert "Will be deleted" not in result.output
        with app.app_context():
            assert board.exists()

    def test_drop_of_a_missing_table_asks_nothing(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """``drop`` names the missing table and its destination, asks nothing, and exits with 0."""
        board = boards.declare_board(db)
        dropped = run(on_engine, "drop", board.__name__)
        assert (dropped.exit_code, len(dropped.output.splitlines())) == (0, 1)
        assert dropped.output.startswith("Does not exist: test-")
        assert "Board (Board) on default, us-east-1, " in dropped.output

    def test_diff_and_sync_agree(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """A dry run and the answer no change nothing; after ``--yes`` there is no difference."""
        boards.declare_board(db)
        run(on_engine, "create", "--wait")
        boards.declare_board(db, attributes=boards.everything())
        differences = json.loads(run(on_engine, "diff", "Board", "--json").output)
        assert [each["what"] for each in differences] == ["global index 'byViews'", "time to live"]
        for arguments in (["sync", "--dry-run"], ["sync"]):
            shown = run(on_engine, *arguments, answer="n\n")
            assert "Differs: " in shown.output
            assert "views N HASH" in shown.output
            assert shown.exit_code == 1
        done = run(on_engine, "sync", "--yes", "--wait")
        assert (done.exit_code, done.output.count(" becomes ")) == (0, 2)
        for command in ("diff", "sync"):
            done = run(on_engine, command)
            assert (done.exit_code, done.output) == (0, "No differences.\n")
        assert run(on_engine, "diff", "--json").output == "[]\n"

    def test_sync_shows_what_it_cannot_change(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """If DynamoDB can change none of the differences, ``sync`` shows them, asks nothing, and exits with 1."""
        boards.declare_board(db)
        run(on_engine, "create", "--wait")
        boards.declare_board(db, attributes={"lo": boards.make_local_index("lo")})
        done = run(on_engine, "sync")
        assert done.exit_code == 1
        assert "Only a new table can have it" in done.output
        assert "Continue?" not in done.output

    def test_prune_deletes_stray_indexes(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """An index that no model declares is a difference only with ``--prune``, which deletes it."""
        boards.declare_board(db, attributes=boards.everything())
        run(on_engine, "create", "--wait")
        boards.declare_board(db)
        assert run(on_engine, "diff").exit_code == 0
        assert run(on_engine, "diff", "--prune").exit_code == 1
        assert run(on_engine, "sync", "--prune", "--yes", "--wait").exit_code == 0
        assert run(on_engine, "diff", "--prune").exit_code == 0

    def test_a_dump_can_be_loaded(self, on_engine: flask.Flask, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """``dump`` and ``load`` print the number of items, the table and the file; a second dump is an error."""
        board, file = boards.declare_board(db), str(tmp_path / "board.jsonl.gz")
        run(on_engine, "create", "--wait")
        with on_engine.app_context():
            board("flask", "hello").save()
        dumped = run(on_engine, "dump", "Board", file, "--segments", "1", "--rate", "1000")
        assert (dumped.exit_code, dumped.output[:12]) == (0, "Wrote 1 item")
        assert run(on_engine, "dump", "Board", file).exit_code == 1
        run(on_engine, "drop", "--yes", "--wait")
        run(on_engine, "create", "--wait")
        loaded = run(on_engine, "load", "Board", file, "--rate", "1000", "--from-line", "1", "--yes")
        assert (loaded.exit_code, f"Wrote 1 items of {file} to test-" in loaded.output) == (0, True)
        with on_engine.app_context():
            assert [item.subject for item in board.scan()] == ["hello"]


def test_load_asks_before_it_replaces_items(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, tmp_path: pathlib.Path
) -> None:
    """``load`` shows the file, the table, its destination and account; without a yes it writes nothing."""
    boards.declare_board(db)
    file = tmp_path / "board.jsonl"
    file.write_text('{"Item":{"forum":{"S":"flask"},"subject":{"S":"hello"}}}\n', encoding="ascii")
    app = make_app(host=recorder.url, region="us-east-1", **KEYS)
    refused = run(app, "load", "Board", str(file), answer="n\n")
    assert refused.exit_code == 1
    assert refused.output.startswith(
        f"{file} will replace the items with the same keys in Board (Board) on default, us-east-1, {recorder.url},"
        " account 000000000000\nContinue? [y/N]"
    )
    assert "BatchWriteItem" not in [request.operation for request in recorder.requests]
    assert run(app, "load", "Board", str(file), answer="y\n").exit_code == 0
    assert recorder.requests[-1].operation == "BatchWriteItem"


def test_a_dump_that_cannot_be_written_is_an_error(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, tmp_path: pathlib.Path
) -> None:
    """``dump`` into a missing folder prints a message that names the file and ``--resume``, without reprs."""
    boards.declare_board(db)
    done = run(make_app(host=recorder.url, region="us-east-1", **KEYS), "dump", "Board", str(tmp_path / "no" / "file"))
    assert done.exit_code == 1
    assert done.output == (
        f"Error: {tmp_path}/no/file.part: The dump cannot continue: No such file or directory. Correct that, and"
        " complete it with --resume (resume=True).\n"
    )


@pytest.mark.parametrize("arguments", [["status"], ["dump", "Board", "file"], ["load", "Board", "file", "--yes"]])
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


class TestFilesOfTenants:
    """``{tenant}`` in the file of ``dump`` and ``load``."""

    @pytest.fixture
    def silo(self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo) -> flask.Flask:
        """An app of three tenants with tables of their own, two of which have the names of folders."""
        boards.declare_board(db)
        tenants = {"acme": {"table_prefix": "a-"}, "../up": {"table_prefix": "u-"}, "..": {"table_prefix": "d-"}}
        recorder.answer = lambda request: (
            {"Items": [{"forum": {"S": request.body["TableName"]}, "subject": {"S": "hello"}}]}
            if request.operation == "Scan"
            else None
        )
        return make_app(host=recorder.url, region="us-east-1", tenants=tenants, **KEYS)

    def test_each_tenant_has_a_file_of_its_own(
        self, silo: flask.Flask, recorder: recorders.Recorder, tmp_path: pathlib.Path
    ) -> None:
        """Each file has the items of its tenant, also if a tenant's name looks like a folder, and is loaded for it."""
        folder = tmp_path / "folder"
        folder.mkdir()
        pattern = str(folder / "{tenant}")
        assert run(silo, "dump", "Board", pattern, "--all-tenants", "--segments", "1").exit_code == 0
        assert {path.name: json.loads(path.read_text())["Item"]["forum"]["S"] for path in folder.iterdir()} == {
            "acme": "a-Board",
            "..%2Fup": "u-Board",
            "%2E%2E": "d-Board",
        }
        assert [path.name for path in tmp_path.iterdir()] == ["folder"]
        assert run(silo, "load", "Board", pattern, "--tenant", "../up", "--yes").exit_code == 0
        (batch,) = [request.body for request in recorder.requests if request.operation == "BatchWriteItem"]
        assert batch["RequestItems"]["u-Board"][0]["PutRequest"]["Item"]["forum"] == {"S": "u-Board"}

    @pytest.mark.parametrize("tenants", [["--all-tenants"], ["--tenant", "acme", "--tenant", ".."]])
    def test_one_file_for_several_tenants_is_an_error(
        self, silo: flask.Flask, recorder: recorders.Recorder, tmp_path: pathlib.Path, tenants: list[str]
    ) -> None:
        """``dump`` for several tenants needs ``{tenant}`` in the file, and writes nothing without it."""
        done = run(silo, "dump", "Board", str(tmp_path / "file"), *tenants)
        assert done.exit_code == 1
        assert "Each tenant needs a file of its own: write {tenant} into the name of the file." in done.output
        assert (list(tmp_path.iterdir()), recorder.requests) == ([], [])

    @pytest.mark.parametrize("command", ["dump", "load"])
    def test_the_name_of_no_tenant_is_an_error(self, silo: flask.Flask, tmp_path: pathlib.Path, command: str) -> None:
        """``{tenant}`` without a tenant exits with 2."""
        done = run(silo, command, "Board", str(tmp_path / "{tenant}"))
        assert (done.exit_code, "needs a tenant: name it with --tenant NAME" in done.output) == (2, True)


def test_models_shows_tables_and_destinations(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """``models`` shows what the app is configured with, and makes no call."""
    app = make_app(
        host=recorder.url, region="us-east-1", table_prefix="t-", binds={"eu": {"region": "eu-west-1"}}, **KEYS
    )
    boards.declare_board(db, attributes=boards.everything())
    boards.declare_board(db, name="Post", bind_key="eu")
    first, second = json.loads(run(app, "models", "--json").output)
    assert first == {
        "model": "Board",
        "table": "t-Board",
        "bind": "default",
        "region": "us-east-1",
        "endpoint": recorder.url,
        "keys": ["forum S HASH", "subject S RANGE"],
        "indexes": ["byViews"],
    }
    assert (second["bind"], second["region"], second["indexes"]) == ("eu", "eu-west-1", [])
    assert recorder.requests == []


def test_ping_calls_each_bind(make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """``ping`` calls all binds, or the one of ``--bind``; one that does not answer is an error that names it."""
    binds = {"eu": {"region": "eu-west-1"}, "far": {"host": "http://127.0.0.1:1", "max_retry_attempts": 0}}
    app = make_app(host=recorder.url, region="us-east-1", binds=binds, **KEYS)
    assert json.loads(run(app, "ping", "--bind", "eu", "--json").output)[0]["bind"] == "eu"
    assert [request.region for request in recorder.requests] == ["eu-west-1"]
    failed = run(app, "ping")
    assert failed.exit_code == 1
    assert "The bind is 'far'" in failed.output


def test_check_exits_with_1_if_a_table_cannot_be_used(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """``check`` shows each table, with the seconds to four decimals, and the reason why it cannot be used."""
    boards.declare_board(db)
    app = make_app(host=recorder.url, region="us-east-1", binds={"eu": {"region": "eu-west-1"}}, **KEYS)
    recorder.answer = lambda request: {"TableNames": [], "Table": {"TableStatus": "ACTIVE"}}
    checked = run(app, "check", "--json")
    assert checked.exit_code == 0
    first, second = json.loads(checked.output)
    assert {**first, "seconds": 0} == {
        "bind": "default",
        "table": "Board",
        "models": ["Board"],
        "seconds": 0,
        "error": None,
        "transport": key.DEFAULT_TRANSPORT,
    }
    assert (second["bind"], second["table"]) == ("eu", None)
    assert first["seconds"] == round(first["seconds"], 4)
    recorder.answer = lambda request: (400, {"__type": "x#ResourceNotFoundException", "message": "no"})
    failed = run(app, "check", "--bind", "default")
    assert (failed.exit_code, "flask dynamo create" in failed.output) == (1, True)


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


@pytest.fixture
def program(ministack: engines.Engine, account: engines.Account, tmp_path: pathlib.Path) -> t.Callable[..., list[str]]:
    """The command line of ``flask dynamo`` for an app in a file of its own."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "settings.json").write_text(json.dumps(ministack.settings(account)))

    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "flask", "--app", str(tmp_path / "program.py"), "dynamo", *arguments]

    return command


def test_in_a_pipe_progress_is_lines(program: t.Callable[..., list[str]], tmp_path: pathlib.Path) -> None:
    """Without a terminal there is no bar: a line for each thousand items, and one at the end."""

    def lines(*arguments: str) -> list[str]:
        done = subprocess.run(program(*arguments), capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    things = "".join(json.dumps({"Item": {"number": {"N": str(number)}}}) + "\n" for number in range(1100))
    (tmp_path / "file").write_text(things)
    lines("create", "--wait")
    first, last = lines("load", "Thing", str(tmp_path / "file"), "--yes")
    assert first.endswith("Thing: 1000 items")
    assert last.startswith(f"Wrote 1100 items of {tmp_path / 'file'} to ")
    assert len(lines("dump", "Thing", str(tmp_path / "copy"))) == 2
    head, row = lines("status")
    names = "models bind region account endpoint table exists state items size_bytes drift"
    assert head.split() == names.split()
    assert row.split()[6:9] == ["True", "ACTIVE", "1100"]


def test_on_a_terminal_there_is_a_bar_and_tables_fit(
    program: t.Callable[..., list[str]], tmp_path: pathlib.Path
) -> None:
    """On a terminal, a bar counts the items, and no line of a table is wider than the terminal."""
    (tmp_path / "file").write_text(json.dumps({"Item": {"number": {"N": "1"}}}) + "\n")
    on_terminal(program("create", "--wait"))
    loaded = on_terminal(program("load", "Thing", str(tmp_path / "file"), "--yes"))
    assert "[####################################]  1/1" in loaded
    dumped = on_terminal(program("dump", "Thing", str(tmp_path / "copy")))
    assert "Dumping" in dumped
    assert "#  1/1" in dumped.replace("]", "")
    table = on_terminal(program("models"), columns=40)
    assert max(map(len, table.splitlines())) <= 40
    assert "Thing" in table


def on_terminal(command: list[str], *, columns: int = 80) -> str:
    """The output of a command on a terminal."""
    primary, secondary = pty.openpty()
    environment = measured_environment(COLUMNS=str(columns), TERM="xterm")
    with subprocess.Popen(command, stdin=secondary, stdout=secondary, stderr=secondary, env=environment) as process:
        os.close(secondary)
        shown = b"".join(iter(lambda: read(primary), b""))
    os.close(primary)
    assert process.returncode == 0, shown
    return shown.decode()


def read(terminal: int) -> bytes:
    """The next output; empty when the other side is closed."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


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


@pytest.mark.parametrize("command", ["models", "status", "create", "diff"])
def test_an_app_without_models_is_told_to_import_them(make_app: MakeApp, db: dynaflask.Dynamo, command: str) -> None:
    """If no model is imported, a command says so, in place of nothing. An app with a model does not get the hint."""
    empty, app = make_app("empty", region="eu-west-1", allowed_models=[]), make_app("app", region="eu-west-1")
    boards.declare_board(db)
    hint = run(empty, command)
    assert (hint.exit_code, "Import their modules in the app factory" in hint.stderr) == (0, True)
    assert "Import" not in run(app, "models").output


class TestInfrastructure:
    """``export`` and ``policy``, which make no call."""

    @pytest.fixture
    def tenants(self, make_app: MakeApp, db: dynaflask.Dynamo) -> flask.Flask:
        """An app whose tenants have tables of their own, and that needs a tenant."""
        boards.declare_board(db)
        prefixes = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")}
        return make_app(region="eu-west-1", tenants=prefixes, require_tenant=True)

    @pytest.mark.parametrize("arguments", [["export", "--format", "terraform"], ["policy", "--read-only"]])
    def test_a_printed_document_can_be_checked(
        self, make_app: MakeApp, db: dynaflask.Dynamo, tmp_path: pathlib.Path, arguments: list[str]
    ) -> None:
        """``--check`` exits with 0 for the file of the same app, and with 1 and a diff for that of another app."""
        boards.declare_board(db)
        app, other = (make_app(name, region="eu-west-1", table_prefix=f"{name}-") for name in ("one", "two"))
        printed, file = run(app, *arguments), tmp_path / "document.json"
        assert printed.exit_code == 0
        file.write_text(printed.output, encoding="utf-8")
        checked = run(app, *arguments, "--check", str(file))
        assert (checked.exit_code, checked.output) == (0, f"{file} is up to date.\n")
        checked = run(other, *arguments, "--check", str(file))
        assert checked.exit_code == 1
        assert "+++ models" in checked.output

    def test_a_document_of_one_tenant(self, tenants: flask.Flask) -> None:
        """``--tenant`` selects the tenant. Without it, the message names the options; with two, it asks for one."""
        exported = json.loads(run(tenants, "export", "--format", "cdk-json", "--tenant", "acme").output)
        assert exported["tablePrefix"] == "acme-"
        assert "table/globex-Board" in run(tenants, "policy", "--tenant", "globex").output
        for arguments in (["export", "--format", "sam"], ["policy"]):
            missing = run(tenants, *arguments)
            assert (missing.exit_code, "--tenant NAME" in missing.output) == (2, True)
            several = run(tenants, *arguments, "--all-tenants")
            assert several.exit_code == 1
            assert "Each tenant needs a document of its own: name one with --tenant NAME." in several.output

    def test_a_document_that_cannot_be_made_is_an_error(self, make_app: MakeApp) -> None:
        """The message has no traceback, and the exit code is 1."""
        failed = run(make_app(region="eu-west-1"), "export", "--format", "cloudformation")
        assert (failed.exit_code, failed.output.splitlines()[-1].split(":")[0]) == (1, "Error")

    def test_a_policy_for_observed_calls(self, make_app: MakeApp, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """``--observe`` limits the policy to the calls of a file."""
        board, file = boards.declare_board(db), tmp_path / "calls"
        file.write_text(format_call(ObservedCall(f"{board.__module__}.Board", None, "GetItem")), encoding="utf-8")
        printed = run(make_app(region="eu-west-1"), "policy", "--account", "1", "--observe", str(file))
        assert json.loads(printed.output)["Statement"] == [
            {
                "Effect": "Allow",
                "Action": ["dynamodb:GetItem"],
                "Resource": ["arn:aws:dynamodb:eu-west-1:1:table/Board"],
            }
        ]
