"""Kept-alive sockets to one origin. What fails on them is what botocore would have called it.

Channels     those of one client to one origin, the last used first
  Channel      one connection
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import functools
import select
import socket
import ssl
import typing as t

from botocore.exceptions import ConnectionClosedError
from botocore.exceptions import ConnectTimeoutError
from botocore.exceptions import EndpointConnectionError
from botocore.exceptions import HTTPClientError
from botocore.exceptions import ReadTimeoutError
from botocore.exceptions import SSLError
from urllib3.util import wait_for_read

from dynaflask.client.direct.http11 import Response
from dynaflask.client.direct.http11 import ResponseReader

READ_SIZE = 65536


class Origin(t.NamedTuple):
    """Where requests go, and how.

    Attributes:
        url: As errors name it.
        host: Its name or address.
        port: Its port.
        context: What secures the connection; ``None`` for plain HTTP.
        connect_timeout: How many seconds a connection may take.
        read_timeout: How many seconds may pass without a byte.
        options: What is set on each socket.
        max_idle: How many connections are kept.
    """

    url: str
    host: str
    port: int
    context: ssl.SSLContext | None
    connect_timeout: float | None
    read_timeout: float | None
    options: tuple[tuple[int, int, int], ...]
    max_idle: int


class ConnectionPool:
    """The connections to one origin. A list's append and pop are atomic, so that threads need no lock.

    Args:
        origin: Where to.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._idle: list[HTTPConnection] = []
        self._is_open = True

    def __len__(self) -> int:
        return len(self._idle)

    def send(self, request: bytes) -> Response:
        """Send a request once, and read its answer.

        Args:
            request: Head and body.

        Raises:
            BotoCoreError: Of the kind that botocore would have raised.
        """
        connection = self._get()
        is_kept = False
        try:
            answer = connection.send(request)
            is_kept = answer.keeps_alive
        finally:
            # Also where a greenlet is killed: the rest of an answer must not meet the next question.
            self._put(connection) if is_kept else connection.close()
        return answer

    def close(self) -> None:
        """Close what is idle, and what is in use after its call."""
        self._is_open = False
        self._close_idle()

    def _get(self) -> HTTPConnection:
        try:
            while (connection := self._idle.pop()).is_dropped:
                connection.close()
        except IndexError:
            return HTTPConnection(self._origin)
        return connection

    def _put(self, connection: HTTPConnection) -> None:
        if len(self._idle) < self._origin.max_idle:
            self._idle.append(connection)
        else:
            connection.close()
        if not self._is_open:
            self._close_idle()

    def _close_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()


class HTTPConnection:
    """One connection, made at once.

    Args:
        origin: Where to.

    Raises:
        BotoCoreError: There is none to be had.
    """

    def __init__(self, origin: Origin) -> None:
        self._url = origin.url
        self._socket = _secure(_connect(origin), origin)
        self._poll = _poller(self._socket)

    @property
    def is_dropped(self) -> bool:
        """Whether the server has closed it, or said what nobody asked for."""
        return bool(self._poll(0))

    def send(self, request: bytes) -> Response:
        """Send a request, and read its answer."""
        try:
            self._socket.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server may have answered before it went
        except OSError as error:
            raise closed(self._url, error) from error
        try:
            answer = ResponseReader().read(self._socket.recv, size=READ_SIZE)
        except OSError as error:
            raise map_socket_error(error, self._url) from error
        if answer is None:
            raise closed(self._url, "There was no answer.")
        return answer

    def close(self) -> None:
        """End it, without a word to the server: in a forked child it is the parent's, too."""
        self._socket.close()


def closed(url: str, error: object) -> ConnectionClosedError:
    """The error of a connection that ended too early.

    Args:
        url: Where it led to.
        error: What happened.
    """
    return ConnectionClosedError(error=error, request=None, endpoint_url=url)


def _connect(origin: Origin) -> socket.socket:
    try:
        connection = socket.create_connection((origin.host, origin.port), timeout=origin.connect_timeout)
    except TimeoutError as error:
        raise ConnectTimeoutError(endpoint_url=origin.url, error=error) from error
    except OSError as error:
        raise EndpointConnectionError(endpoint_url=origin.url, error=error) from error
    except (OverflowError, ValueError) as error:  # no name of a host, no port, or no time
        raise HTTPClientError(error=error) from error
    return connection


def _poller(connection: socket.socket) -> cabc.Callable[[int], t.Any]:
    """Tells whether something is to be read. urllib3, which knows all systems, makes a new one each time."""
    if not hasattr(select, "poll"):  # pragma: no cover - Windows
        return functools.partial(wait_for_read, connection)
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return poller.poll


def _secure(connection: socket.socket, origin: Origin) -> socket.socket:
    """Make ready what is connected; or close it."""
    secured = connection
    try:
        for option in origin.options:
            connection.setsockopt(*option)
        if origin.context is not None:
            secured = origin.context.wrap_socket(connection, server_hostname=origin.host)
        secured.settimeout(origin.read_timeout)
    except BaseException as error:
        secured.close()
        if isinstance(error, OSError):
            raise map_socket_error(error, origin.url) from error
        if isinstance(error, (OverflowError, ValueError)):
            raise HTTPClientError(error=error) from error
        raise
    return secured


def map_socket_error(error: OSError, url: str) -> Exception:
    """What botocore calls an error of a connection that is there."""
    if isinstance(error, TimeoutError):
        return ReadTimeoutError(endpoint_url=url, error=error)
    if isinstance(error, ssl.SSLError):
        return SSLError(endpoint_url=url, error=error)
    return closed(url, error)
