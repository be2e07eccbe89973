"""The embedded engine, for ``DYNAMODB_HOST = "local"``.

    endpoint()     its URL
      Engine         the one that this process started
      Inherited      the one that the parent process started

A process has one engine, started on first use, and ended with the process.
"""

from __future__ import annotations

import atexit
import collections.abc as cabc
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
import typing as t

from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import LocalServerError
from dynaflask.forks import in_child
from dynaflask.local.server import ADDRESS
from dynaflask.local.server import PortTaken
from dynaflask.local.server import ServerProcess
from dynaflask.local.server import free_port

if sys.platform != "win32":  # pragma: no branch - Windows has no such locks
    import fcntl

logger = logging.getLogger(__name__)

LOCK_SECONDS = 5.0
PORT_TRIES = 5
SHARE = "run `flask dynamo local` in one process and put the URL that it prints into DYNAMODB_HOST of the others"


class ParentServer(t.NamedTuple):
    """The engine of the parent process: for this process to use, and for the parent to end."""

    port: int
    path: str | None
    owner: int

    def check(self) -> None:
        """Raise an ``LocalServerError`` if it has ended."""
        try:
            socket.create_connection((ADDRESS, self.port), timeout=1).close()
        except OSError as error:
            raise LocalServerError(
                f"The embedded engine on port {self.port} was started by process {self.owner}, a parent of this one,"
                f" and has ended with it. To have one for processes that come and go, {SHARE}."
            ) from error


class _Process:
    """What this process has. The lock is held by whoever asks for the engine, starts it or ends it."""

    def __init__(self) -> None:
        self.id = os.getpid()
        self.engine: ServerProcess | ParentServer | None = None
        self.lock = threading.Lock()


_process = _Process()


def endpoint(path: str | None = None) -> str:
    """The URL of this process's engine, started on first use.

    Args:
        path: The directory that keeps the data over a restart. None joins what runs, or keeps the data in memory.

    Raises:
        ConfigurationError: The engine runs on another path, or the path cannot be written.
        LocalServerError: The engine is not installed, is too old, did not start, or has ended.
    """
    path = path and os.path.realpath(path)
    with _process.lock:
        engine = _process.engine or _join_or_start(path)
        _check_path(path, engine=engine)
        engine.check()
        return _url(engine.port)


def stop() -> None:
    """End this process's engine, and wait until its data is written. The next use starts another."""
    with _process.lock:
        if isinstance(_process.engine, ServerProcess):
            _process.engine.end()
        _process.engine = None


def run(*, port: int, path: str | None) -> int:
    """Run the engine in the foreground until Ctrl-C or SIGTERM.

    Args:
        port: Its port on loopback; 0 takes any that is free.
        path: The directory that keeps the data over a restart; None keeps the data in memory.

    Returns:
        The exit code of the command.

    Raises:
        ConfigurationError: The path cannot be written.
        LocalServerError: The engine did not start, or has ended by itself.
    """
    stop()  # the app may have started one while it was loaded
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        engine = _start(port=free_port(port), path=path and os.path.realpath(path))
        print(  # noqa: T201 - the command's output
            f"DynamoDB runs until Ctrl-C. Reach it with\n  DYNAMODB_HOST={_url(engine.port)}", flush=True
        )
        raise engine.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        stop()
        signal.signal(signal.SIGTERM, former)


def _url(port: int) -> str:
    return f"http://{ADDRESS}:{port}"


def _check_path(path: str | None, *, engine: ServerProcess | ParentServer) -> None:
    if path not in (None, engine.path):
        raise ConfigurationError(
            f"DYNAMODB_LOCAL_PATH cannot be {path!r}: the one engine of this process runs already, with its data in"
            f" {engine.path or 'memory'}. Give all apps the same path."
        )


def _join_or_start(path: str | None) -> ServerProcess | ParentServer:
    """Flask's reloader loads the app in a parent and in its child: on one path, the child joins the parent."""
    try:
        return _start_on_any_port(path)
    except _PathInUse as in_use:
        if in_use.owner != os.getppid():
            raise
        _process.engine = ParentServer(in_use.port, path=path, owner=in_use.owner)
        return _process.engine


def _start_on_any_port(path: str | None) -> ServerProcess:
    """Another process may take a port between its choice and its use."""
    for _ in range(PORT_TRIES - 1):
        with contextlib.suppress(PortTaken):
            return _start(port=free_port(), path=path)
    return _start(port=free_port(), path=path)


def _start(*, port: int, path: str | None) -> ServerProcess:
    with _locked(path, port=port) as lock:
        # Known before it is ready, for a fork by another thread in the meantime.
        engine = _process.engine = ServerProcess(port, path=path, keep_open=lock)
    try:
        engine.wait_until_ready()
    except BaseException:
        engine.end()
        _process.engine = None
        raise
    logger.info("The embedded engine runs at %s, for process %d and its forks alone.", _url(port), _process.id)
    return engine


class _PathInUse(LocalServerError):
    """Another process's engine has the directory."""

    def __init__(self, path: str, *, lock: t.TextIO) -> None:
        lock.seek(0)
        owner, _, port = lock.read().partition(" ")
        self.owner, self.port = int(owner or 0), int(port or 0)
        super().__init__(
            f"The data in {path!r} is in use by the engine that process {self.owner} has at {_url(self.port)}."
            f" End that process; or {SHARE}."
        )


@contextlib.contextmanager
def _locked(path: str | None, *, port: int) -> cabc.Iterator[tuple[int, ...]]:
    """The lock of the directory, for the engine to keep open: it is free when the engine has written and ended."""
    if path is None or sys.platform == "win32":
        yield ()
        return
    with _open_lock(path) as file:
        _acquire(file, path=path)
        file.truncate(0)
        file.write(f"{_process.id} {port}")
        file.flush()
        yield (file.fileno(),)


def _open_lock(path: str) -> t.TextIO:
    try:
        os.makedirs(path, exist_ok=True)
        return open(os.path.join(path, ".lock"), "a+", encoding="ascii")
    except OSError as error:
        raise ConfigurationError(
            f"DYNAMODB_LOCAL_PATH must be a directory that can be written, not {path!r}: {error.strerror}."
        ) from error


def _acquire(file: t.TextIO, *, path: str) -> None:
    """Wait a little: the engine of a process that was killed may still be writing its data."""
    deadline = time.monotonic() + LOCK_SECONDS
    while not _try_lock(file):
        in_use = _PathInUse(path, lock=file)
        if in_use.owner == os.getppid() or time.monotonic() > deadline:
            raise in_use
        time.sleep(0.05)


def _try_lock(file: t.TextIO) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


@in_child
def _after_fork() -> None:
    """The child has its parent's engine, once it is ready; but not the thread that may hold the lock."""
    global _process
    parent, _process = _process, _Process()
    engine = parent.engine
    if isinstance(engine, ServerProcess):
        engine.forget()
        engine = ParentServer(engine.port, path=engine.path, owner=parent.id) if engine.is_ready else None
    _process.engine = engine


atexit.register(stop)
