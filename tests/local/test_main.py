"""``python -m dynaflask.local`` runs the local server without an app."""

from __future__ import annotations

import itertools
import pathlib
import signal
import socket
import subprocess
import sys

import flask
import pytest

import dynaflask
from dynaflask.local.__main__ import main
from tests.support import boards
from tests.support import servers
from tests.support.paths import measured_environment


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dynaflask.local", *arguments]
    return subprocess.Popen(
        command, env=measured_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_it_runs_until_a_signal_and_keeps_its_data(tmp_path: pathlib.Path) -> None:
    """It prints the setting for the other processes, runs until SIGTERM, and keeps its data in ``--path``."""
    process = start("--port", "0", "--path", str(tmp_path))
    setting = next(line.strip() for line in process.stdout or () if "DYNAMODB_HOST=" in line)
    url = setting.removeprefix("DYNAMODB_HOST=")
    servers.create_table(url, "thread")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert not servers.answers(url)
    assert "thread" in (tmp_path / "dynamodb.json").read_text()


def test_it_prints_all_that_two_apps_need(db: dynaflask.Dynamo) -> None:
    """Two apps with the settings that it prints share the server's data, without other credentials or a region."""
    process = start("--port", "0")
    try:
        lines = [line.strip() for line in itertools.islice(process.stdout or (), 5)]
        settings = dict(line.split("=") for line in lines if "=" in line)
        board = boards.declare_board(db)
        for name, expected in (("one", ["one"]), ("two", ["one", "two"])):
            app = flask.Flask(name)
            app.config.update(settings)
            db.init_app(app)
            with app.app_context():
                db.create_all(wait=True)
                board("flask", name).save()
                assert [item.subject for item in board.query("flask")] == expected
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_an_error_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is taken is a message, which ``sys.exit`` prints with exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(sys, "argv", ["dynaflask.local", "--port", str(port)])
        assert str(main()).startswith(f"Error: Port {port} of 127.0.0.1 is not available")
