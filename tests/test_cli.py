"""The ``flask dynamo`` commands."""

from __future__ import annotations

import pathlib
import signal
import socket
import subprocess
import sys
import typing as t

import flask
import pytest

from dynaflask.cli import dynamo

URL = "http://127.0.0.1:"


@pytest.fixture
def app() -> flask.Flask:
    """An app with the commands, and nothing else."""
    app = flask.Flask(__name__)
    app.cli.add_command(dynamo)
    return app


def start(directory: pathlib.Path, *arguments: str, config: str = "") -> subprocess.Popen[str]:
    """Start ``flask dynamo local`` in a process of its own."""
    (directory / "app.py").write_text(
        "import flask\n"
        "from dynaflask.cli import dynamo\n"
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
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_local_runs_until_it_is_told_to_end(tmp_path: pathlib.Path, number: signal.Signals) -> None:
    """It prints the setting, runs until Ctrl-C or SIGTERM, and that is a good end."""
    process = start(tmp_path)
    port = read_port(process)
    assert answers(port)
    process.send_signal(number)
    _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, "")
    assert not answers(port)


@pytest.mark.parametrize("way", ["option", "setting"])
def test_local_keeps_its_data_in_a_path(tmp_path: pathlib.Path, way: str) -> None:
    """The path is the option's, or the app's DYNAMODB_LOCAL_PATH."""
    path = tmp_path / "data"
    if way == "option":
        process = start(tmp_path, "--path", str(path))
    else:
        process = start(tmp_path, config=f"app.config['DYNAMODB_LOCAL_PATH'] = {str(path)!r}")
    read_port(process)
    process.terminate()
    process.communicate(timeout=60)
    assert list(path.glob("*.json"))


def test_local_ends_its_engine_although_it_is_killed(tmp_path: pathlib.Path) -> None:
    """The engine does not outlive a command that had no time to end it."""
    process = start(tmp_path)
    port = read_port(process)
    process.kill()
    process.communicate(timeout=60)
    while answers(port):
        pass


def test_an_error_is_one_line_and_no_traceback(app: flask.Flask) -> None:
    """What is wrong with the engine is a message of the command, and its exit code is 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = app.test_cli_runner().invoke(args=["dynamo", "local", "--port", port])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: Port {port} of 127.0.0.1 cannot be had")


def test_a_wrong_path_is_an_error_of_the_command(app: flask.Flask, tmp_path: pathlib.Path) -> None:
    """A path that cannot be written is a message too."""
    (tmp_path / "file").touch()
    arguments: t.Any = ["dynamo", "local", "--port", "0", "--path", str(tmp_path / "file")]
    result = app.test_cli_runner().invoke(args=arguments)
    assert result.exit_code == 1
    assert "Error: DYNAMODB_LOCAL_PATH must be a directory" in result.output


def test_help_names_the_commands(app: flask.Flask) -> None:
    """``flask dynamo --help`` lists what there is."""
    assert "local" in app.test_cli_runner().invoke(args=["dynamo", "--help"]).output
