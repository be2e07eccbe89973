"""``flask dynamo local``, in a process of its own."""

from __future__ import annotations

import pathlib
import signal
import socket
import subprocess
import sys
import typing as t

import flask
import pytest

from dynaflask.cli.commands import dynamo
from tests.support.paths import measured_environment
from tests.support.servers import eventually

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


def test_a_killed_local_command_ends_its_server(tmp_path: pathlib.Path) -> None:
    """The server ends with the command, also after SIGKILL."""
    process = start(tmp_path)
    port = read_port(process)
    process.kill()
    process.communicate(timeout=60)
    assert eventually(lambda: not answers(port))


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
