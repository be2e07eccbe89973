"""The local server of this process: its own, or the one of the parent process."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import typing as t

import flask
from flask.helpers import get_debug_flag

from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import LocalServerError
from dynaflask.local.data_lock import SHARE
from dynaflask.local.data_lock import PathInUse
from dynaflask.local.data_lock import locked
from dynaflask.local.data_lock import unlock_memory
from dynaflask.local.ministack import ADDRESS
from dynaflask.local.ministack import url_of
from dynaflask.local.server import PortTaken
from dynaflask.local.server import ServerProcess
from dynaflask.local.server import free_port

logger = logging.getLogger("dynaflask.local")

PORT_TRIES = 5

# botocore sends no request without them. The server takes any, and keeps regions and accounts apart.
OTHER_SETTINGS: t.Final = """\
  DYNAMODB_REGION=us-east-1
  DYNAMODB_AWS_ACCESS_KEY_ID=local
  DYNAMODB_AWS_SECRET_ACCESS_KEY=local
or with another region and key pair, the same in each process. app.config.from_prefixed_env() reads them from
variables whose names begin with FLASK_, such as FLASK_DYNAMODB_HOST."""


class ParentServer(t.NamedTuple):
    """A server that a parent process started. This process uses it; the parent ends it.

    Attributes:
        port: The port that it listens on.
        path: Its data directory; None if the data is in memory.
        owner: The id of the process that started it.
    """

    port: int
    path: str | None
    owner: int

    def check(self) -> None:
        """Raise a ``LocalServerError`` if the server has ended."""
        try:
            socket.create_connection((ADDRESS, self.port), timeout=1).close()
        except OSError as error:
            raise LocalServerError(
                f"The local server on port {self.port} was started by process {self.owner}, a parent of this process,"
                f" and has ended. Start the program again; for processes that come and go, {SHARE}."
            ) from error


class _ProcessState:
    """The server of one process.

    Attributes:
        id: The id of the process.
        server: Its server; None before the first use.
        lock: Held while a thread starts, finds or ends the server, so that a process never starts two.
        children: The state of a forked child by its id. Only the child itself has an entry.
        has_warned: True if this process has logged the warning about a server in memory.
        waited_for: The data directory that was still in use when the wait for it ended; None if there is none.
    """

    def __init__(self, server: ServerProcess | ParentServer | None = None) -> None:
        self.id = os.getpid()
        self.server = server
        self.lock = threading.Lock()
        self.children: dict[int, _ProcessState] = {}
        self.has_warned = False
        self.waited_for: str | None = None


_state = _ProcessState()


def endpoint(path: str | None = None) -> str:
    """The URL of this process's local server. The first use starts it.

    Args:
        path: The directory that keeps the data over a restart. None uses the running server, or keeps the data in
            memory.

    Raises:
        ConfigurationError: The server uses another path, or the path cannot be written.
        LocalServerError: The server is not installed, is too old, did not start, or has ended.
    """
    path = path and os.path.realpath(path)
    state = _current_state()
    with state.lock:
        server = state.server or _join_or_start(state, path)
        if path not in (None, server.path):
            raise ConfigurationError(
                f"DYNAMODB_LOCAL_PATH cannot be {path!r}: this process has one local server, which keeps its data in"
                f" {server.path or 'memory'}. Give all apps the same path."
            )
        server.check()
        return url_of(server.port)


def failure() -> LocalServerError | None:
    """The error that says that this process's server has ended by itself; None if it runs, or was never started."""
    state = _current_state()
    with state.lock:
        try:
            if state.server:
                state.server.check()
        except LocalServerError as error:
            return error
    return None


def stop() -> None:
    """End this process's server, and wait until its data is written. The next use starts another.

    If the data could not be written, the reason is logged as an error.
    """
    state = _current_state()
    with state.lock:
        error = _end(state)
    if error:
        logger.error("%s", error)


def run(*, port: int, path: str | None) -> int:
    """Run the server in the foreground until Ctrl-C or SIGTERM.

    Args:
        port: Its port on loopback; 0 takes any free port.
        path: The directory that keeps the data over a restart; None keeps the data in memory.

    Returns:
        The exit code of the command.

    Raises:
        ConfigurationError: The path cannot be written.
        LocalServerError: The server did not start, has ended by itself, or could not write its data.
    """
    stop()  # the app may have started one while it was loaded
    previous_handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        state = _current_state()
        server = _start(state, port=free_port(port), path=path and os.path.realpath(path), owner=state.id)
        print(  # noqa: T201 - the command's output
            f"DynamoDB runs until Ctrl-C. Reach it with\n  DYNAMODB_HOST={url_of(server.port)}\n{OTHER_SETTINGS}",
            flush=True,
        )
        raise server.wait()
    except KeyboardInterrupt:
        if error := _end(_current_state()):
            raise error from None
        return 0
    finally:
        stop()
        signal.signal(signal.SIGTERM, previous_handler)


def _current_state() -> _ProcessState:
    """State of this process. A forked child gets its own, with its parent's server if that was ready.

    The id is compared at each use, because a server that forks in C, as uWSGI does, runs no hook of Python's.
    """
    global _state  # noqa: PLW0603 - the server belongs to the process
    state = _state
    if state.id != (pid := os.getpid()):
        # The thread that held the parent's lock at the fork is not in the child: the child needs a lock of its own.
        # Several of its threads may get here at once; setdefault gives all of them the same state.
        state = _state = state.children.setdefault(pid, _ProcessState(_inherited_server(state)))
    return state


def _inherited_server(parent: _ProcessState) -> ParentServer | None:
    if not isinstance(parent.server, ServerProcess):
        return parent.server
    server = parent.server
    server.forget()
    if not server.is_ready:
        return None
    logger.debug("Process %d uses the local server of its parent, process %d.", os.getpid(), parent.id)
    return ParentServer(server.port, path=server.path, owner=parent.id)


def _join_or_start(state: _ProcessState, path: str | None) -> ServerProcess | ParentServer:
    owner = _reloader() or state.id
    try:
        server = _start_on_any_port(state, path, owner=owner)
    except PathInUse as in_use:
        # Flask's reloader loads the app in a parent and in its child, and starts another child after each change of a
        # file: the child joins the server of the parent, or of the child before it.
        if in_use.owner != os.getppid():
            # Each request comes here, one after another. Only the first waits; the next ones try the lock once.
            state.waited_for = path
            raise
        logger.debug("Process %d joins the local server of its parent, process %d.", state.id, in_use.owner)
        state.server = ParentServer(in_use.port, path=path, owner=in_use.owner)
        return state.server
    if owner != state.id:
        # The reloader outlives this process, and so does the server.
        server.hand_over(owner)
        state.server = ParentServer(server.port, path=path, owner=owner)
    if path is None:
        _warn_outside_development(state)
    return state.server or server


def _reloader() -> int | None:
    """The id of Werkzeug's reloader, if it is the parent of this process. It starts the app after each change."""
    is_reloaded = sys.platform != "win32" and os.environ.get("WERKZEUG_RUN_MAIN") == "true"
    return os.getppid() if is_reloaded else None


def _start_on_any_port(state: _ProcessState, path: str | None, *, owner: int) -> ServerProcess:
    # Retried, because another process may take a port between its choice and its use.
    for _ in range(PORT_TRIES - 1):
        with contextlib.suppress(PortTaken):
            return _start(state, port=free_port(), path=path, owner=owner)
    return _start(state, port=free_port(), path=path, owner=owner)


def _start(state: _ProcessState, *, port: int, path: str | None, owner: int) -> ServerProcess:
    with locked(path, port=port, owner=owner, wait=state.waited_for != path) as lock:
        # Stored before the server is ready: if another thread forks now, the child must know which server to forget.
        server = state.server = ServerProcess(port, path=path, keep_open=lock)
    state.waited_for = None
    try:
        server.wait_until_ready()
    except BaseException:
        _end(state)
        raise
    logger.info("The local server runs at %s, for process %d and its forks alone.", url_of(port), owner)
    return server


def _end(state: _ProcessState) -> LocalServerError | None:
    try:
        if not isinstance(state.server, ServerProcess):
            return None
        error = state.server.end()
        unlock_memory(state.id)
        return error
    finally:
        state.server = None


def _warn_outside_development(state: _ProcessState) -> None:
    is_debug = get_debug_flag() or (flask.has_app_context() and flask.current_app.debug)
    is_test = "pytest" in sys.modules or "PYTEST_CURRENT_TEST" in os.environ
    if not (state.has_warned or is_debug or is_test):
        state.has_warned = True
        logger.warning(
            "DYNAMODB_HOST is 'local', outside of tests and debug mode. The data is in the memory of process %d alone,"
            " and is lost when it ends. In production, leave DYNAMODB_HOST out to use AWS. In development, set"
            " FLASK_DEBUG=1, set DYNAMODB_LOCAL_PATH to a directory that keeps the data, or %s.",
            state.id,
            SHARE,
        )


atexit.register(stop)
