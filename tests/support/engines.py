"""The engines that the tests run on: ministack, moto behind a lock, and a server of your own.

DYNAFLASK_TEST_MINISTACK   the ministack executable; by default the one on PATH, or one that is installed into .engine/
DYNAFLASK_TEST_ENDPOINT    the URL of another server to test, with the AWS_* credentials of the environment
"""

from __future__ import annotations

import collections.abc as cabc
import configparser
import contextlib
import dataclasses
import fcntl
import http.client
import importlib.metadata
import importlib.util
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
import uuid

import flask

import dynaflask
from tests.support.paths import PROJECT
from tests.support.paths import SUPPORT
from tests.support.paths import environment

START_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Account:
    """A test's own part of an engine: a 12-digit access key (ministack's account id) and a table prefix."""

    access_key_id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4().int)[:12])
    secret_access_key: str = "secret"
    table_prefix: str = dataclasses.field(default_factory=lambda: f"test-{uuid.uuid4().hex[:8]}-")


@dataclasses.dataclass(frozen=True)
class Engine:
    """A running engine. ``credentials`` are the settings that it requires; most engines accept any."""

    name: str
    url: str
    region: str = "us-east-1"
    credentials: cabc.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def settings(self, account: Account) -> dict[str, str]:
        """The configuration of a Flask app that uses the account on this engine."""
        return {
            "DYNAMODB_HOST": self.url,
            "DYNAMODB_REGION": self.region,
            "DYNAMODB_AWS_ACCESS_KEY_ID": account.access_key_id,
            "DYNAMODB_AWS_SECRET_ACCESS_KEY": account.secret_access_key,
            "DYNAMODB_TABLE_PREFIX": account.table_prefix,
            **self.credentials,
        }

    @contextlib.contextmanager
    def app(self, account: Account, db: dynaflask.Dynamo, **config: object) -> cabc.Iterator[flask.Flask]:
        """An app that uses the account on this engine, in its context. Its tables are deleted at the end."""
        app = flask.Flask("app")
        app.config.from_mapping(self.settings(account), **config)
        db.init_app(app)
        with app.app_context():
            yield app
            db.drop_all(wait=True)


@contextlib.contextmanager
def ministack(*more_services: str) -> cabc.Iterator[Engine]:
    """A ministack that starts empty and keeps its data in memory."""
    port = free_port()
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SERVICES": ",".join(("dynamodb", "dynamodbstreams", "sts", *more_services)),
        "LOG_LEVEL": "WARNING",
        "PERSIST_STATE": "0",
    }
    with _served([str(find_ministack())], port=port, settings=settings, ready="/_ministack/health"):
        yield Engine("ministack", f"http://127.0.0.1:{port}")


@contextlib.contextmanager
def locked_moto() -> cabc.Iterator[Engine]:
    """A moto server that answers one request at a time, because concurrent requests lose updates."""
    port = free_port()
    command = [sys.executable, str(SUPPORT / "locked_moto.py"), str(port)]
    with _served(command, port=port, settings={"MOTO_ALLOW_NONEXISTENT_REGION": "true"}, ready="/moto-api/"):
        yield Engine("moto", f"http://127.0.0.1:{port}")


def own() -> Engine | None:
    """The server of DYNAFLASK_TEST_ENDPOINT, or None if it is unset."""
    url = os.environ.get("DYNAFLASK_TEST_ENDPOINT")
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    credentials = {f"DYNAMODB_{key}": os.environ[key] for key in keys if key in os.environ}
    region = os.environ.get("AWS_REGION", "us-east-1")
    return Engine("own", url, region, credentials) if url else None


def find_ministack() -> pathlib.Path:
    """The ministack executable. It is installed into ``.engine/`` if there is none."""
    executable = os.environ.get("DYNAFLASK_TEST_MINISTACK") or shutil.which("ministack")
    return pathlib.Path(executable) if executable else install_ministack(PROJECT / ".engine")


def install_ministack(directory: pathlib.Path) -> pathlib.Path:
    """Install the release of the extra ``local`` into its own virtual environment, because it pins an old botocore."""
    requirement = _pinned_ministack()
    executable = directory / "bin" / "ministack"
    directory.mkdir(exist_ok=True)
    (directory / ".gitignore").write_text("*\n")
    with open(directory / "installed", "a+") as note:
        fcntl.flock(note, fcntl.LOCK_EX)  # another run of the tests may install it now
        note.seek(0)
        if note.read() != requirement or not executable.exists():
            _install(requirement, directory=directory)
            note.truncate(0)
            note.write(requirement)
    return executable


def free_port() -> int:
    """A free port on loopback, which nothing takes before the server does: no system hands out ports below 32768."""
    for port in random.SystemRandom().sample(range(15_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("None of a hundred ports between 15000 and 32000 is free.")


def _pinned_ministack() -> str:
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg")
    return config["options.extras_require"]["local"].strip()


def _install(requirement: str, *, directory: pathlib.Path) -> None:
    python = str(directory / "bin" / "python")
    # The pip of the tests can install into another environment from 22.3 on. To install pip there takes far longer.
    has_pip = importlib.util.find_spec("pip") and int(importlib.metadata.version("pip").partition(".")[0]) >= 23
    without_pip = ["--without-pip"] if has_pip else []
    pip = [sys.executable, "-m", "pip", "--python", python] if has_pip else [python, "-m", "pip"]
    # The versions that CI installs for the tests are others than those that the server needs.
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    for command in (
        [sys.executable, "-m", "venv", *without_pip, str(directory)],
        [*pip, "install", "--quiet", "--no-compile", "--disable-pip-version-check", *requirement.split()],
    ):
        process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if process.returncode:
            raise RuntimeError(
                f"The tests need an engine, and {requirement} could not be installed into {directory}. Install it"
                " anywhere and set DYNAFLASK_TEST_MINISTACK to its executable. The command that failed was"
                f"\n{' '.join(command)}\n{process.stdout}{process.stderr}"
            )


@contextlib.contextmanager
def _served(command: list[str], *, port: int, settings: dict[str, str], ready: str) -> cabc.Iterator[None]:
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            _wait_until_ready(process, port=port, path=ready, output=output)
            yield
            if process.poll() is not None:
                raise RuntimeError(
                    f"{process.args!r} ended during the tests with exit code {process.returncode}:\n{_text(output)}"
                )
        finally:
            process.terminate()
            process.wait(timeout=START_SECONDS)


def _wait_until_ready(process: subprocess.Popen[bytes], *, port: int, path: str, output: t.IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(port, path):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} did not start:\n{_text(output)}")


def _text(output: t.IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode(errors="replace")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 400
    except OSError:
        return False
    finally:
        connection.close()
