"""``ServerProcess``: one ministack on loopback, as a child process."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import encodings.idna  # noqa: F401 - imported by each connection: a fork amid that import would deadlock the child
import http
import http.client
import json
import logging
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import typing as t

from dynaflask.exceptions import LocalServerError

logger = logging.getLogger("dynaflask.local")

ADDRESS = "127.0.0.1"
OLDEST_VERSION = "1.5.33"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
WATCHER = pathlib.Path(__file__).with_name("watcher.py")
GUARD = pathlib.Path(__file__).with_name("guard")
INSTALL = 'pip install "dynaflask[local]"'


class PortTaken(LocalServerError):
    """The port is in use, or this user may not listen on it."""

    def __init__(self, port: int, *, reason: str) -> None:
        super().__init__(
            f"Port {port} of {ADDRESS} is not available: {reason}. End the process that uses it, or choose another:"
            f" flask dynamo local --port {port + 1}"
        )


class ServerProcess:
    """A ministack that this process started, through ``watcher.py``, which ends it when this process is gone.

    Attributes:
        port: The port that it listens on.
        path: Its data directory; None if the data is in memory.
        is_ready: True if it has answered once.
    """

    def __init__(self, port: int, *, path: str | None, keep_open: cabc.Sequence[int] = ()) -> None:
        self.port = port
        self.path = path
        self.is_ready = False
        ministack = _find_ministack()
        command = [_find_python(), "-I", "-S", str(WATCHER), str(os.getpid()), str(STOP_SECONDS), ministack]
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self._process = subprocess.Popen(  # noqa: S603 - found by name, as a shell would
            command,
            # The lifeline: this process alone writes to it, so it closes however the process ends.
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=keep_open,
            env=os.environ | _environment(port, path=path),
            start_new_session=True,  # Ctrl-C in the terminal is for this process alone
        )
        self._lifeline = t.cast("t.IO[bytes]", self._process.stdin)
        logger.debug("Started %s on port %d, as process %d.", ministack, port, self._process.pid)

    def wait_until_ready(self) -> None:
        """Return when the server answers.

        Raises:
            LocalServerError: The server ended first, took too long, is too old, or answers web pages.
        """
        deadline = time.monotonic() + START_SECONDS
        while (version := ask_version(self.port)) is None:
            if self._process.poll() is not None:
                raise self._failure_to_start()
            if time.monotonic() > deadline:
                raise LocalServerError(f"ministack did not answer within {START_SECONDS:g} seconds.{self._log_tail()}")
            time.sleep(0.02)
        _check_version(version)
        self.check()
        _check_guard(self.port)
        self.is_ready = True
        logger.debug("ministack %s answers on port %d.", version, self.port)

    def check(self) -> None:
        """Raise a ``LocalServerError`` if the server has ended."""
        if self._process.poll() is not None:
            raise self.wait()

    def wait(self) -> LocalServerError:
        """Wait until the server ends by itself, and return the error that says so."""
        code = self._process.wait()
        return LocalServerError(
            f"The local server on port {self.port} has ended with exit code {code}. Start the program again to start"
            f" another.{self._log_tail()}"
        )

    def end(self) -> None:
        """Ask the server to end, and wait until its data is written."""
        self._lifeline.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            # The watcher kills the server after STOP_SECONDS.
            self._process.wait(timeout=STOP_SECONDS + 1)
        self._output.close()
        logger.debug("ministack on port %d has stopped.", self.port)

    def forget(self) -> None:
        """Close what a forked child inherited. The server stays the parent's to end."""
        self._lifeline.close()
        self._output.close()
        # Popen warns when it is deleted before its process has ended, and would wait for it; here it is no child.
        self._process.returncode = 0

    def _failure_to_start(self) -> LocalServerError:
        log_tail = self._log_tail()
        if "already in use" in log_tail:
            return PortTaken(self.port, reason="already in use")
        return LocalServerError(
            f"ministack ended while it started, with exit code {self._process.returncode}.{log_tail}"
        )

    def _log_tail(self) -> str:
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return "\n".join([" Last lines of its log:", *lines[-10:]]) if lines else " It logged nothing."


def url_of(port: int) -> str:
    """The URL of the server on a port."""
    return f"http://{ADDRESS}:{port}"


def free_port(port: int = 0) -> int:
    """A port that is free to listen on.

    Args:
        port: The port; 0 for any.

    Raises:
        PortTaken: The port is in use, or this user may not listen on it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise PortTaken(port, reason=os.strerror(error.errno or 0)) from error
        return int(probe.getsockname()[1])


def ask_version(port: int) -> str | None:
    """The version of the ministack that answers on a port, or None if none answers yet."""
    try:
        with _ask_health(port) as response:
            return str(json.load(response)["version"])
    except (OSError, http.client.HTTPException, ValueError, LookupError):
        return None


@contextlib.contextmanager
def _ask_health(port: int, **headers: str) -> cabc.Iterator[http.client.HTTPResponse]:
    # Not urllib, which would use the proxy of the environment.
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=1)
    try:
        connection.request("GET", "/_ministack/health", headers=headers)
        yield connection.getresponse()
    finally:
        connection.close()


def _find_ministack() -> str:
    # A virtual environment need not be on PATH: look beside Python, too.
    path = shutil.which("ministack") or shutil.which("ministack", path=os.path.dirname(_find_python()))
    if path is None:
        raise LocalServerError(
            f"The local server, ministack, is not installed. Run: {INSTALL}\n"
            "Any `ministack` on PATH will do too, from a virtual environment of its own for example."
        )
    return path


def _find_python() -> str:
    # Where a program embeds Python, sys.executable is that program: under uWSGI it is uwsgi.
    if os.path.basename(sys.executable or "").startswith(("python", "pypy")):
        return sys.executable
    return os.path.join(sys.prefix, "bin", "python3")


def _environment(port: int, *, path: str | None) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(GUARD), os.environ.get("PYTHONPATH")])),
        "BIND_HOST": ADDRESS,
        "GATEWAY_PORT": str(port),
        "SERVICES": "dynamodb,dynamodbstreams,sts",
        "LOG_LEVEL": "WARNING",
        "USE_SSL": "0",
        # Listeners of other services. They are on by default where cryptography is installed, and on all interfaces.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1" if path else "0",
        "STATE_DIR": path or "",
    }


def _check_version(version: str) -> None:
    if _numbers(version) < _numbers(OLDEST_VERSION):
        raise LocalServerError(
            f"{_find_ministack()} is ministack {version}, which is too old. It must be {OLDEST_VERSION} or newer."
            f" Run: {INSTALL}"
        )


def _check_guard(port: int) -> None:
    # Asked rather than assumed: an executable that starts Python with -I or -E does not read PYTHONPATH.
    with _ask_health(port, Origin="http://web.page") as response:
        if response.status == http.HTTPStatus.FORBIDDEN:
            return
    raise LocalServerError(
        f"{_find_ministack()} would let any web page in your browser read and delete the data: it ignores PYTHONPATH,"
        " so that dynaflask cannot protect it. Start its Python without -I and -E."
        f" To install ministack, run: {INSTALL}"
    )


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
