"""The lock of a server's data.

One local server at a time writes to a directory. A reloaded app finds the server of the reloader by the lock.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import os
import socket
import stat
import sys
import tempfile
import time
import typing as t

from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import LocalServerError
from dynaflask.local.ministack import url_of

if sys.platform != "win32":  # pragma: no branch - Windows has no fcntl
    import fcntl

LOCK_SECONDS = 5.0
SHARE = "run `flask dynamo local` in one process and put the URL that it prints into DYNAMODB_HOST of the others"


class PathInUse(LocalServerError):
    """The server of another process uses the directory.

    Attributes:
        owner: The id of that process.
        port: The port of its server.
    """

    def __init__(self, path: str, *, file: t.TextIO) -> None:
        self.owner, self.port = _read_owner(file)
        super().__init__(
            f"The data in {path!r} is in use by the server that process {self.owner} runs at {url_of(self.port)}."
            + (
                f" End that process; or {SHARE}."
                if _is_running(self.owner)
                else " That process has ended, and its server is still writing the data: try again in a moment."
            )
        )


@contextlib.contextmanager
def locked(path: str | None, *, port: int, owner: int, wait: bool = True) -> cabc.Iterator[tuple[int, ...]]:
    """Lock a server's data for a server that is started inside the block.

    Args:
        path: The data directory. None locks the data that a process has in memory.
        port: The port of the server, which the lock file records together with the owner.
        owner: The id of the process that the server lives as long as.
        wait: Wait some seconds if the directory is in use.

    Yields:
        File descriptors for the server to inherit. It keeps the lock until it has written its data and ended.

    Raises:
        PathInUse: Another server has the lock.
        ConfigurationError: The directory cannot be written.
    """
    if sys.platform == "win32":  # pragma: no cover - Windows has no fcntl
        yield ()
        return
    with _open_lock(path) if path else _open_memory_lock(owner) as file:
        if not _acquire(file, seconds=LOCK_SECONDS if path and wait else 0):
            if not path and owner == os.getpid():
                # Of a server that is still ending, or was left by an ended process of the same id. Its data is its own.
                yield ()
                return
            raise PathInUse(path or "memory", file=file)
        file.truncate(0)
        file.write(f"{owner} {port}")
        file.flush()
        # The lock belongs to the open file, which the server inherits: it outlives this process's own descriptor.
        # https://man7.org/linux/man-pages/man2/flock.2.html
        yield (file.fileno(),)


def unlock_memory(owner: int) -> None:
    """Remove the lock file of the data that a process has in memory, after its server has ended."""
    with contextlib.suppress(OSError):
        os.remove(_memory_lock(owner))


def _memory_lock(owner: int) -> str:
    # With the host's name, because containers may share the directory, and have processes of the same id.
    name = f"dynaflask-{getattr(os, 'getuid', int)()}-{socket.gethostname()}"
    return os.path.join(tempfile.gettempdir(), name, f"{owner}.lock")


def _open_lock(path: str) -> t.TextIO:
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)  # the data is this user's alone
        return open(os.path.join(path, ".lock"), "a+", encoding="ascii")
    except OSError as error:
        raise ConfigurationError(
            f"DYNAMODB_LOCAL_PATH must be a directory that can be written, not {path!r}: {error.strerror}."
        ) from error


def _open_memory_lock(owner: int) -> t.TextIO:
    file = _memory_lock(owner)
    directory = os.path.dirname(file)
    with contextlib.suppress(OSError):
        os.makedirs(directory, mode=0o700, exist_ok=True)
        status = os.lstat(directory)
        # A reloaded app calls the port in this file: another user must not be able to write it.
        if (status.st_mode, status.st_uid) == (stat.S_IFDIR | 0o700, os.getuid()):
            return open(file, "a+", encoding="ascii")
    # Only the reloader needs the file. Any other process does without it.
    return tempfile.TemporaryFile("a+", encoding="ascii")


def _acquire(file: t.TextIO, *, seconds: float) -> bool:
    # Retried, because the server of a process that was just killed may still be writing its data. If the parent
    # process holds the lock, this process joins the parent's server instead, and does not wait.
    deadline = time.monotonic() + seconds
    while not _try_lock(file):
        if _read_owner(file)[0] == os.getppid() or time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def _read_owner(file: t.TextIO) -> tuple[int, int]:
    file.seek(0)
    owner, _, port = file.read().partition(" ")
    return int(owner or 0), int(port or 0)


def _try_lock(file: t.TextIO) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True
