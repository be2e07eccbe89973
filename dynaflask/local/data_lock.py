"""The lock of a data directory: one local server at a time writes to it."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import os
import sys
import time
import typing as t

from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import LocalServerError
from dynaflask.local.server import url_of

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
        file.seek(0)
        owner, _, port = file.read().partition(" ")
        self.owner, self.port = int(owner or 0), int(port or 0)
        super().__init__(
            f"The data in {path!r} is in use by the server that process {self.owner} runs at {url_of(self.port)}."
            + (
                f" End that process; or {SHARE}."
                if _is_running(self.owner)
                else " That process has ended, and its server is still writing the data: try again in a moment."
            )
        )


@contextlib.contextmanager
def locked(path: str | None, *, port: int, wait: bool = True) -> cabc.Iterator[tuple[int, ...]]:
    """Lock a data directory for a server that is started inside the block.

    Args:
        path: The directory; None locks nothing.
        port: The port of the server, which the lock file records together with the id of this process.
        wait: Wait some seconds if the directory is in use.

    Yields:
        File descriptors for the server to inherit. It keeps the lock until it has written its data and ended.

    Raises:
        PathInUse: The server of another process uses the directory.
        ConfigurationError: The directory cannot be written.
    """
    if path is None or sys.platform == "win32":
        yield ()
        return
    with _open_lock(path) as file:
        _acquire(file, path=path, seconds=LOCK_SECONDS if wait else 0)
        file.truncate(0)
        file.write(f"{os.getpid()} {port}")
        file.flush()
        # The lock belongs to the open file, which the server inherits: it outlives this process's own descriptor.
        # https://man7.org/linux/man-pages/man2/flock.2.html
        yield (file.fileno(),)


def _open_lock(path: str) -> t.TextIO:
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)  # the data is this user's alone
        return open(os.path.join(path, ".lock"), "a+", encoding="ascii")
    except OSError as error:
        raise ConfigurationError(
            f"DYNAMODB_LOCAL_PATH must be a directory that can be written, not {path!r}: {error.strerror}."
        ) from error


def _acquire(file: t.TextIO, *, path: str, seconds: float) -> None:
    # Retried, because the server of a process that was just killed may still be writing its data. If the parent
    # process holds the lock, this process joins the parent's server instead, and does not wait.
    deadline = time.monotonic() + seconds
    while not _try_lock(file):
        in_use = PathInUse(path, file=file)
        if in_use.owner == os.getppid() or time.monotonic() >= deadline:
            raise in_use
        time.sleep(0.05)


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
