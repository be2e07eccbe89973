"""``ServerProcess``: one ministack on loopback, as a child process."""

from __future__ import annotations

import collections.abc as cabc
import logging
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import typing as t

from dynaflask.exceptions import LocalServerError
from dynaflask.local import watcher
from dynaflask.local.ministack import ADDRESS
from dynaflask.local.ministack import ask_version
from dynaflask.local.ministack import check_guard
from dynaflask.local.ministack import check_version
from dynaflask.local.ministack import environment_of
from dynaflask.local.ministack import find_ministack
from dynaflask.local.ministack import find_python

logger = logging.getLogger("dynaflask.local")

START_SECONDS = 30.0
# STOP_SECONDS: the longest time that a server may take to end if its data is in memory.
# STALL_SECONDS: the longest time without progress for a server that writes its data.
STOP_SECONDS = 10.0
STALL_SECONDS = 120.0
REPORT_SECONDS = 10.0
# What ministack logs of data that it did not load or did not write. It goes on anyway, and its exit code is 0.
LOAD_FAILURES = re.compile("failed to load|refusing to load|failed to restore", re.IGNORECASE)
SAVE_FAILURES = re.compile("failed to save|error getting state", re.IGNORECASE)


class PortTaken(LocalServerError):
    """The port is in use, or this user may not listen on it."""

    def __init__(self, port: int, *, reason: str) -> None:
        super().__init__(
            f"Port {port} of {ADDRESS} is not available: {reason}. End the process that uses it, or choose another"
            f" one: --port {port + 1}"
        )


class DamagedData(LocalServerError):
    """The data directory has files that cannot be read. They were not changed, and no server was started.

    Attributes:
        files: The damaged files.
    """

    def __init__(self, files: cabc.Sequence[str]) -> None:
        self.files = list(files)
        file = self.files[0]
        state = file.removesuffix(".damaged")
        super().__init__(
            f"The data of the local server is damaged, and was set aside: {', '.join(self.files)}."
            f" To go back to the state of the last good start, copy {state}.last-good to {state}."
            f" To start without the data, delete {file}."
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
        ministack = find_ministack()
        seconds = STALL_SECONDS if path else STOP_SECONDS
        command = [find_python(), "-I", "-S", watcher.__file__, str(os.getpid()), str(seconds), path or ""]
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self._process = subprocess.Popen(  # noqa: S603 - found by name, as a shell would
            [*command, ministack],
            # The lifeline: this process alone writes to it, so it closes however the process ends.
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=keep_open,
            env=os.environ | environment_of(port, path=path),
            start_new_session=True,  # Ctrl-C in the terminal is for this process alone
        )
        self._lifeline = t.cast("t.IO[bytes]", self._process.stdin)
        logger.debug("Started %s on port %d, as process %d.", ministack, port, self._process.pid)

    def wait_until_ready(self) -> None:
        """Return when the server answers.

        Raises:
            DamagedData: The data cannot be read.
            LocalServerError: The server ended first, took too long, is too old, answers web pages, or has not loaded
                its data.
        """
        seconds = START_SECONDS + _megabytes(self.path)  # it loads some 20 MB in a second
        deadline = time.monotonic() + seconds
        while (version := ask_version(self.port)) is None:
            if self._process.poll() is not None:
                raise self._failure_to_start()
            if time.monotonic() > deadline:
                raise LocalServerError(f"ministack did not answer within {seconds:g} seconds.{self._log_tail()}")
            time.sleep(0.02)
        check_version(version)
        self.check()
        check_guard(self.port)
        self._check_data()
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

    def end(self) -> LocalServerError | None:
        """Ask the server to end, and wait until its data is written.

        Returns:
            An error if the data was not written.
        """
        self._lifeline.close()
        code = self._wait_while_it_writes()
        log = self._read_log()
        log_tail = self._log_tail()
        self._output.close()
        logger.debug("ministack on port %d has stopped.", self.port)
        if not (self.path and self.is_ready and (code or SAVE_FAILURES.search(log))):
            return None
        return LocalServerError(
            f"The local server on port {self.port} did not write all its data into {self.path}, and ended with exit"
            f" code {code}. The files there are those of its last complete end.{log_tail}"
        )

    def _wait_while_it_writes(self) -> int:
        # The watcher kills a server that does not end, and ends with it: this does not wait for ever.
        while True:
            try:
                return self._process.wait(timeout=REPORT_SECONDS)
            except subprocess.TimeoutExpired:
                logger.warning(
                    "Waiting for the local server to write its data into %s: %d MB so far.",
                    self.path or "memory",
                    _megabytes(self.path, pattern="*.tmp"),
                )

    def hand_over(self, process: int) -> None:
        """Let the server live as long as another process. This process cannot end it any more."""
        self._lifeline.write(b"%d" % process)
        self.forget()

    def forget(self) -> None:
        """Close this process's files of a server that another process ends, such as the parent of a forked child."""
        self._lifeline.close()
        self._output.close()
        # Popen warns when it is deleted before its process has ended, and would wait for it; here it is no child.
        self._process.returncode = 0

    def _failure_to_start(self) -> LocalServerError:
        log_tail = self._log_tail()
        if self._process.returncode == watcher.DAMAGED:
            return DamagedData(self._read_log().splitlines())
        if "already in use" in log_tail:
            return PortTaken(self.port, reason="already in use")
        return LocalServerError(
            f"ministack ended while it started, with exit code {self._process.returncode}.{log_tail}"
        )

    def _check_data(self) -> None:
        log = self._read_log()
        if self.path and LOAD_FAILURES.search(log):
            # It has started without the data, and would write that over the files when it ends.
            self._lifeline.write(b"k")
            self._process.wait()
            raise LocalServerError(
                f"ministack did not load the data in {self.path}, which is unchanged. A newer release may have written"
                " it, or the files are damaged. Install that release, move the files away, or use another path."
                f"{self._log_tail()}"
            )

    def _read_log(self) -> str:
        output = self._output.fileno()
        size = os.fstat(output).st_size
        # Not read(): the server writes at the offset of the file, which both processes share. Windows has no pread.
        if sys.platform == "win32":  # pragma: no cover
            os.lseek(output, 0, os.SEEK_SET)
            return os.read(output, size).decode(errors="replace").strip()
        log = os.pread(output, size, 0)
        return log.decode(errors="replace").strip()

    def _log_tail(self) -> str:
        lines = self._read_log().splitlines()
        return "\n".join([" Last lines of its log:", *lines[-10:]]) if lines else " It logged nothing."


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


def _megabytes(path: str | None, *, pattern: str = "*.json") -> int:
    return sum(file.stat().st_size for file in pathlib.Path(path).glob(pattern)) // 1_000_000 if path else 0
