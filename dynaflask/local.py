"""The embedded engine, for ``DYNAMODB_HOST = "local"``: ministack, a process on loopback that ends with this one.

    endpoint()       its URL; the first use starts it
      Engine         the one that this process started
        _watch.py      the process between the two: it outlives this one just long enough to end the engine
      Inherited      the one that the parent process started
"""

from __future__ import annotations

import atexit
import collections.abc as cabc
import contextlib
import dataclasses
import http.client
import json
import logging
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import typing as t

from .exceptions import ConfigurationError, EngineError

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
OLDEST_VERSION = "1.5.33"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
LOCK_SECONDS = 5.0
PORT_TRIES = 5
WATCH = pathlib.Path(__file__).with_name("_watch.py")
INSTALL = 'pip install "dynaflask[local]"'
SHARE = "run `flask dynamo local` in one process and put the URL that it prints into DYNAMODB_HOST"

# Held while the engine is asked for, started or ended: one start, however many threads.
_lock = threading.Lock()
_engine: Engine | Inherited | None = None


def endpoint(path: str | None = None) -> str:
    """The URL of this process's engine, started on first use.

    Args:
        path: The directory that keeps the data over a restart. None joins what runs, or keeps the data in memory.

    Raises:
        ConfigurationError: The engine runs on another path, or the path cannot be written.
        EngineError: The engine is not installed, is too old, did not start, or has ended.
    """
    with _lock:
        engine = _engine or _join_or_start(path and os.path.realpath(path))
        _check_path(path, engine=engine)
        engine.check()
        return engine.url


def stop() -> None:
    """End this process's engine, once its data is written. The next use starts another."""
    global _engine  # noqa: PLW0603 - one engine per process is the point
    with _lock:
        if _engine is not None:
            _engine.end()
        _engine = None


def run(*, port: int, path: str | None) -> int:
    """Run the engine in the foreground until Ctrl-C or SIGTERM.

    Args:
        port: Its port on loopback; 0 takes any that is free.
        path: The directory that keeps the data over a restart; None keeps the data in memory.

    Returns:
        The exit code of the command.

    Raises:
        ConfigurationError: The path cannot be written.
        EngineError: The engine did not start, or has ended by itself.
    """
    stop()  # the app may have started one while it was loaded
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        engine = _start(port=_free_port(port), path=path and os.path.realpath(path))
        print(f"DynamoDB runs until Ctrl-C. Reach it with\n  DYNAMODB_HOST={engine.url}", flush=True)
        raise engine.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        stop()
        signal.signal(signal.SIGTERM, former)


@dataclasses.dataclass(frozen=True, slots=True)
class Inherited:
    """The engine of the parent process, for this process to use and for the parent to end."""

    url: str
    path: str | None
    owner: int

    def check(self) -> None:
        """Raise an error if it has ended."""
        try:
            socket.create_connection((ADDRESS, _port(self.url)), timeout=1).close()
        except OSError as error:
            raise EngineError(
                f"The embedded engine at {self.url} was started by process {self.owner}, this one's parent, and has"
                f" ended with it. For processes that come and go, {SHARE} of the others."
            ) from error

    def end(self) -> None:
        """Leave that to the parent."""

    def pass_on(self) -> Inherited:
        """It is the forked child's too."""
        return self


class Engine:
    """The engine that this process started, and ends.

    Attributes:
        url: Where it answers.
        path: Where it keeps its data; None is in memory.
    """

    def __init__(self, url: str, *, path: str | None, keep_open: cabc.Sequence[int]) -> None:
        self.url = url
        self.path = path
        self._owner = os.getpid()
        self._is_ready = False
        watch = [sys.executable, "-I", "-S", str(WATCH), str(STOP_SECONDS), _find_ministack()]
        self._output = tempfile.TemporaryFile()
        self._process = subprocess.Popen(  # noqa: S603 - found by name, as a shell would
            watch,
            stdin=subprocess.PIPE,  # this process has the only writing end: when it ends, the watcher reads so
            stdout=self._output,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=keep_open,
            env=os.environ | _environment(_port(url), path),
            start_new_session=True,  # Ctrl-C in the terminal is for this process alone
        )

    def wait_until_ready(self) -> None:
        """Return when it answers; raise an error if it ends first, takes too long, or is too old."""
        deadline = time.monotonic() + START_SECONDS
        while (version := _ask_version(_port(self.url))) is None:
            if self._process.poll() is not None:
                raise self._died_at_start()
            if time.monotonic() > deadline:
                raise EngineError(f"ministack did not answer within {START_SECONDS:g} seconds.{self._last_words()}")
            time.sleep(0.02)
        _check_version(version)
        self.check()
        self._is_ready = True

    def check(self) -> None:
        """Raise an error if it has ended."""
        if self._process.poll() is not None:
            raise self.wait()

    def wait(self) -> EngineError:
        """Wait until it ends by itself, and return that as an error."""
        code = self._process.wait()
        return EngineError(
            f"The embedded engine at {self.url} has ended with exit code {code}. Start the program again to have"
            f" another.{self._last_words()}"
        )

    def end(self) -> None:
        """Ask it to end, and wait until its data is written."""
        self._pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=STOP_SECONDS + 1)
        self._output.close()

    def pass_on(self) -> Inherited | None:
        """What becomes of it in a forked child: nothing, if it was just being started."""
        self._pipe.close()
        self._output.close()
        self._process.returncode = 0  # not the child's to wait for
        return Inherited(self.url, path=self.path, owner=self._owner) if self._is_ready else None

    @property
    def _pipe(self) -> t.IO[bytes]:
        return t.cast("t.IO[bytes]", self._process.stdin)

    def _died_at_start(self) -> EngineError:
        words = self._last_words()
        if "already in use" in words:
            return _PortTaken(_port(self.url), "already in use")
        return EngineError(f"ministack ended at its start with exit code {self._process.returncode}.{words}")

    def _last_words(self) -> str:
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return "\n".join([" Its last words:", *lines[-10:]]) if lines else " It said nothing."


def _join_or_start(path: str | None) -> Engine | Inherited:
    """Flask's reloader loads the app twice, in a parent and in its child: on one path, the child joins the parent."""
    global _engine
    try:
        return _start_on_any_port(path)
    except _PathInUse as in_use:
        if in_use.owner != os.getppid():
            raise
        _engine = Inherited(in_use.url, path=path, owner=in_use.owner)
        return _engine


def _start_on_any_port(path: str | None) -> Engine:
    """Another process may take a port between its choice and its use."""
    for _ in range(PORT_TRIES - 1):
        with contextlib.suppress(_PortTaken):
            return _start(port=_free_port(), path=path)
    return _start(port=_free_port(), path=path)


def _start(*, port: int, path: str | None) -> Engine:
    global _engine
    url = f"http://{ADDRESS}:{port}"
    with _locked(path, url=url) as lock:
        _engine = engine = Engine(url, path=path, keep_open=lock)
    try:
        engine.wait_until_ready()
    except BaseException:
        engine.end()
        _engine = None
        raise
    logger.info("The embedded engine runs at %s, for process %d and its forks alone.", url, os.getpid())
    return engine


@contextlib.contextmanager
def _locked(path: str | None, *, url: str) -> cabc.Iterator[tuple[int, ...]]:
    """The lock on the data, as file descriptors for the engine's processes: it is free when they have ended."""
    if path is None or sys.platform == "win32":
        yield ()
        return
    with _open_lock(path) as file:
        _acquire(file, path=path)
        file.truncate(0)
        print(os.getpid(), url, file=file, flush=True)
        yield (file.fileno(),)


def _open_lock(path: str) -> t.TextIO:
    try:
        os.makedirs(path, exist_ok=True)
        return open(os.path.join(path, ".lock"), "a+")
    except OSError as error:
        raise ConfigurationError(
            f"DYNAMODB_LOCAL_PATH must be a directory that can be written, not {path!r}: {error.strerror}."
        ) from error


def _acquire(file: t.TextIO, *, path: str) -> None:
    """Wait a little: the engine of a process that was killed may still be writing its data."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        in_use = _PathInUse(path, file)
        if in_use.owner == os.getppid() or time.monotonic() > deadline:
            raise in_use
        time.sleep(0.05)


class _PathInUse(EngineError):
    """Another process's engine has the directory."""

    def __init__(self, path: str, lock: t.TextIO) -> None:
        lock.seek(0)
        owner, _, self.url = lock.read().strip().partition(" ")
        self.owner = int(owner or 0)
        super().__init__(
            f"The data in {path!r} is in use: process {owner or '(just starting)'} has an engine on it. End that process,"
            f" or put {self.url or 'its URL'} into DYNAMODB_HOST of this one; for lasting use, {SHARE} of the others."
        )


class _PortTaken(EngineError):
    """Something else has the port."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(
            f"Port {port} of {ADDRESS} cannot be had: {reason}. End what uses it, or choose another:"
            f" flask dynamo local --port {port + 1}"
        )


def _free_port(port: int = 0) -> int:
    """The port, or any for 0, if nothing listens on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise _PortTaken(port, error.strerror) from error
        return int(probe.getsockname()[1])


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _find_ministack() -> str:
    """On PATH, or beside Python in a virtual environment that is not on PATH."""
    found = shutil.which("ministack") or shutil.which("ministack", path=os.path.dirname(sys.executable))
    if found is None:
        raise EngineError(
            f"The embedded engine, ministack, is not installed. Run: {INSTALL}\n"
            "Any `ministack` on PATH will do too, in a virtual environment of its own for example."
        )
    return found


def _environment(port: int, path: str | None) -> dict[str, str]:
    return {
        "BIND_HOST": ADDRESS,
        "GATEWAY_PORT": str(port),
        "SERVICES": "dynamodb,dynamodbstreams,sts",
        "LOG_LEVEL": "WARNING",
        "USE_SSL": "0",
        "PERSIST_STATE": "1" if path else "0",
        "STATE_DIR": path or "",
    }


def _ask_version(port: int) -> str | None:
    """The version that answers on the port, or None if nothing does yet."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=1)
    try:
        connection.request("GET", "/_ministack/health")
        return str(json.load(connection.getresponse())["version"])
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return None
    finally:
        connection.close()


def _check_version(version: str) -> None:
    if _numbers(version) < _numbers(OLDEST_VERSION):
        raise EngineError(
            f"ministack {version} is too old: {_find_ministack()} must be {OLDEST_VERSION} or newer."
            f" Run: {INSTALL}"
        )


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]


def _check_path(path: str | None, *, engine: Engine | Inherited) -> None:
    if path is not None and os.path.realpath(path) != engine.path:
        raise ConfigurationError(
            f"DYNAMODB_LOCAL_PATH cannot be {path!r}: this process's one engine runs already,"
            f" with its data in {repr(engine.path) if engine.path else 'memory'}. Give all apps the same path."
        )


def _after_fork() -> None:
    """A thread of the parent may hold the lock; the child has no such thread to free it."""
    global _lock, _engine
    _lock = threading.Lock()
    _engine = _engine and _engine.pass_on()


atexit.register(stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
