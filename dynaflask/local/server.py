"""One ministack on loopback: found, started, asked how it is, and ended."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import encodings.idna  # noqa: F401 - a connection would import it, and a process forked amid that could not make one
import http.client
import json
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

ADDRESS = "127.0.0.1"
OLDEST_VERSION = "1.5.33"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
WATCH = pathlib.Path(__file__).with_name("watcher.py")
INSTALL = 'pip install "dynaflask[local]"'


class PortTaken(LocalServerError):
    """Something else listens on the port, or it is not for this user."""

    def __init__(self, port: int, *, reason: str) -> None:
        super().__init__(
            f"Port {port} of {ADDRESS} cannot be had: {reason}. End what uses it, or choose another:"
            f" flask dynamo local --port {port + 1}"
        )


class ServerProcess:
    """A ministack that this process started. ``watcher.py`` stands between the two and ends it after this process.

    Attributes:
        port: The port that it listens on.
        path: Where it keeps its data; None is in memory.
        is_ready: It has answered once.
    """

    def __init__(self, port: int, *, path: str | None, keep_open: cabc.Sequence[int] = ()) -> None:
        self.port = port
        self.path = path
        self.is_ready = False
        command = [sys.executable, "-I", "-S", str(WATCH), str(STOP_SECONDS), _find_ministack()]
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self._process = subprocess.Popen(  # noqa: S603 - found by name, as a shell would
            command,
            stdin=subprocess.PIPE,  # the only writing end is here: when this process is gone, the watcher sees it
            stdout=self._output,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=keep_open,
            env=os.environ | _environment(port, path=path),
            start_new_session=True,  # Ctrl-C in the terminal is for this process alone
        )
        self._lifeline = t.cast("t.IO[bytes]", self._process.stdin)

    def wait_until_ready(self) -> None:
        """Return when it answers.

        Raises:
            LocalServerError: It ended first, took too long, or is too old.
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
        self.is_ready = True

    def check(self) -> None:
        """Raise an ``LocalServerError`` if it has ended."""
        if self._process.poll() is not None:
            raise self.wait()

    def wait(self) -> LocalServerError:
        """Wait until it ends by itself, and return that as an error."""
        code = self._process.wait()
        return LocalServerError(
            f"The embedded engine on port {self.port} has ended with exit code {code}. Start the program again to have"
            f" another.{self._log_tail()}"
        )

    def end(self) -> None:
        """Ask it to end, and wait until its data is written."""
        self._lifeline.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=STOP_SECONDS + 1)
        self._output.close()

    def forget(self) -> None:
        """In a forked child: do not keep it alive when the parent is gone, and do not wait for it."""
        self._lifeline.close()
        self._output.close()
        self._process.returncode = 0

    def _failure_to_start(self) -> LocalServerError:
        words = self._log_tail()
        if "already in use" in words:
            return PortTaken(self.port, reason="already in use")
        return LocalServerError(f"ministack ended at its start with exit code {self._process.returncode}.{words}")

    def _log_tail(self) -> str:
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return "\n".join([" Its last words:", *lines[-10:]]) if lines else " It said nothing."


def free_port(port: int = 0) -> int:
    """The port, if nothing listens on it; for 0, any such port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise PortTaken(port, reason=os.strerror(error.errno or 0)) from error
        return int(probe.getsockname()[1])


def ask_version(port: int) -> str | None:
    """The version of the ministack on the port, or None if there is none yet."""
    # Not urllib: it would send this through the proxy that the environment names.
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=1)
    try:
        connection.request("GET", "/_ministack/health")
        return str(json.load(connection.getresponse())["version"])
    except (OSError, http.client.HTTPException, ValueError, LookupError):
        return None
    finally:
        connection.close()


def _find_ministack() -> str:
    """On PATH, or beside Python in a virtual environment that is not on PATH."""
    beside = os.path.dirname(sys.executable)
    found = shutil.which("ministack") or shutil.which("ministack", path=beside)
    if found is None:
        raise LocalServerError(
            f"The embedded engine, ministack, is not installed. Run: {INSTALL}\n"
            "Any `ministack` on PATH will do too, from a virtual environment of its own for example."
        )
    return found


def _environment(port: int, *, path: str | None) -> dict[str, str]:
    return {
        "BIND_HOST": ADDRESS,
        "GATEWAY_PORT": str(port),
        "SERVICES": "dynamodb,dynamodbstreams,sts",
        "LOG_LEVEL": "WARNING",
        "USE_SSL": "0",
        "PERSIST_STATE": "1" if path else "0",
        "STATE_DIR": path or "",
    }


def _check_version(version: str) -> None:
    if _numbers(version) < _numbers(OLDEST_VERSION):
        raise LocalServerError(
            f"{_find_ministack()} is ministack {version}, which is too old. It must be {OLDEST_VERSION} or newer."
            f" Run: {INSTALL}"
        )


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
