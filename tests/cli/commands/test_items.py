"""``flask dynamo dump`` and ``load``, and what they show of their progress."""

from __future__ import annotations

import collections.abc as cabc
import json
import os
import pathlib
import pty
import subprocess
import sys
import typing as t

import flask
import pytest
from pynamodb.attributes import NumberAttribute

import dynaflask
from tests.support import boards
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.commands import run
from tests.support.paths import environment
from tests.support.paths import measured_environment
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class TestFiles:
    """The commands for files of items, on a real engine."""

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

    def test_load_of_a_missing_file_asks_nothing(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """The command exits with 2 and names the file."""
        board = boards.declare_board(db)
        done = run(on_engine, "load", board.__name__, "missing.jsonl")
        assert (done.exit_code, "Continue?" in done.output) == (2, False)
        assert done.output.endswith("There is no file missing.jsonl.\n")


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
    """``dump`` into a missing directory prints a message that names both, without reprs."""
    boards.declare_board(db)
    done = run(make_app(host=recorder.url, region="us-east-1", **KEYS), "dump", "Board", str(tmp_path / "no" / "file"))
    assert done.exit_code == 1
    assert done.output == f"Error: {tmp_path}/no/file: The directory {tmp_path}/no does not exist. Make it first.\n"


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
def program(
    ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, tmp_path: pathlib.Path
) -> cabc.Iterator[t.Callable[..., list[str]]]:
    """The command line of ``flask dynamo`` for an app in a file of its own, whose table exists."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "settings.json").write_text(json.dumps(ministack.settings(account)))

    class Thing(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Thing"

        number = NumberAttribute(hash_key=True)

    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "flask", "--app", str(tmp_path / "program.py"), "dynamo", *arguments]

    with ministack.app(account, db):
        db.create_all(wait=True)
        yield command


def test_in_a_pipe_progress_is_lines(program: t.Callable[..., list[str]], tmp_path: pathlib.Path) -> None:
    """Without a terminal there is no bar: a line for each thousand items, and one at the end."""

    def lines(*arguments: str) -> list[str]:
        done = subprocess.run(program(*arguments), capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    things = "".join(json.dumps({"Item": {"number": {"N": str(number)}}}) + "\n" for number in range(1100))
    (tmp_path / "file").write_text(things)
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
    # It alone runs the lines of the bar.
    variables = measured_environment()
    loaded = on_terminal(program("load", "Thing", str(tmp_path / "file"), "--yes"), variables=variables)
    assert "[####################################]  1/1" in loaded
    dumped = on_terminal(program("dump", "Thing", str(tmp_path / "copy")))
    assert "Dumping" in dumped
    assert "#  1/1" in dumped.replace("]", "")
    table = on_terminal(program("models"), columns=40)
    assert max(map(len, table.splitlines())) <= 40
    assert "Thing" in table


def on_terminal(command: list[str], *, columns: int = 80, variables: cabc.Mapping[str, str] | None = None) -> str:
    """The output of a command on a terminal."""
    primary, secondary = pty.openpty()
    terminal = {**(variables or environment()), "COLUMNS": str(columns), "TERM": "xterm"}
    with subprocess.Popen(command, stdin=secondary, stdout=secondary, stderr=secondary, env=terminal) as process:
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
