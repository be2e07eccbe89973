"""Kept-alive connections to one origin. Their errors are botocore's exceptions.

ConnectionPool    the idle connections of one client to one origin; the last used one is reused first
HTTPConnection    one connection
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import functools
import http.client
import logging
import select
import socket
import ssl
import typing as t

import urllib3.exceptions
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ConnectionClosedError
from botocore.exceptions import ConnectTimeoutError
from botocore.exceptions import EndpointConnectionError
from botocore.exceptions import HTTPClientError
from botocore.exceptions import ReadTimeoutError
from botocore.exceptions import SSLError
from urllib3.util import wait_for_read

from dynaflask.client.direct.http11 import ResponseReader
from dynaflask.client.direct.response import Response

# At least a record of TLS: see `http11.py` for the reason.
READ_SIZE = 65536
# urllib3 raises ValueError for a chunk of a negative length.
READ_ERRORS = (OSError, ValueError, http.client.HTTPException, urllib3.exceptions.HTTPError)

_log = logging.getLogger("dynaflask.direct")


class Origin(t.NamedTuple):
    """Server of the requests, and the options of its connections.

    Attributes:
        url: URL that errors and log lines name.
        host: Host name or address.
        port: Port.
        context: TLS context, or ``None`` for plain HTTP.
        connect_timeout: Seconds that a connection attempt may take.
        read_timeout: Seconds that may pass without a byte.
        options: Socket options, as ``socket.setsockopt`` takes them.
        max_idle: Number of idle connections that are kept.
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
    """The idle connections of one process to one origin.

    ``list.append`` and ``list.pop`` are atomic, so threads need no lock. A forked child must not use the pool of its
    parent; see ``ProcessState``.

    Args:
        origin: The server.

    Attributes:
        origin: The server.
    """

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._idle: list[HTTPConnection] = []
        self._reader = ResponseReader()
        self._is_open = True

    def __len__(self) -> int:
        return len(self._idle)

    def send(self, request: bytes) -> Response:
        """The response to a request, which is sent once.

        Args:
            request: Head and body.

        Raises:
            BotoCoreError: The same class that botocore raises for this failure.
        """
        idle = self._idle
        try:
            connection: HTTPConnection | None = idle.pop()
        except IndexError:  # not `contextlib.suppress`, which takes twice the time
            connection = None
        if connection is None or connection.poll(0):
            connection = self._other_than(connection)
        drop_reason: str | None = "the call failed"
        try:
            response = connection.send(request)
            drop_reason = None if response.keeps_alive else "the server ends it, or its response is malformed"
        finally:
            # A killed greenlet gets here, too. The rest of its response must not answer the next request.
            if drop_reason is None:
                # No poll here: a second response may come later than now, so that it is looked for before a request.
                idle.append(connection)
            else:
                self._drop(connection, drop_reason)
        # Another thread may have closed the pool during this call, before the connection was back in the list.
        if len(idle) > self.origin.max_idle or not self._is_open:
            self._close_surplus()
        return response

    def close(self) -> None:
        """Close the idle connections. A connection in use closes after its call."""
        self._is_open = False
        self._close_surplus()

    def _other_than(self, stale: HTTPConnection | None) -> HTTPConnection:
        """The next idle connection that the server has not closed, or a new one."""
        while stale is not None:
            self._drop(stale, "the server closed it or sent unexpected bytes")
            stale = None
            with contextlib.suppress(IndexError):
                stale = self._idle.pop()
            if stale is not None and not stale.poll(0):
                return stale
        _log.debug("Opening a connection to %s.", self.origin.url)
        return HTTPConnection(self.origin, self._reader)

    def _drop(self, connection: HTTPConnection, reason: str) -> None:
        _log.debug("Dropping a connection to %s: %s.", self.origin.url, reason)
        connection.close()

    def _close_surplus(self) -> None:
        # Other threads may pop, too. An empty list ends the loop, not a length that was read before.
        with contextlib.suppress(IndexError):
            while len(self._idle) > self.origin.max_idle or not self._is_open:
                self._drop(self._idle.pop(0), "the pool is full or closed")


class HTTPConnection:
    """One open connection.

    A server may close an idle connection at any time (RFC 9112, section 9.5). A check before each request saves the
    retry, which would not be safe for a write.

    A race remains: between the check and the request, the server can still close the connection, or send a response
    that no request asked for. That response would be read as the one to this request, as with every HTTP/1.1 client:
    responses carry no number of their request (RFC 9112, section 9.3.2).

    Args:
        origin: The server.
        reader: Reads the responses of this server.

    Attributes:
        poll: ``poll(0)`` is true if the server closed the connection, or sent bytes without a request.

    Raises:
        BotoCoreError: The connection failed.
    """

    def __init__(self, origin: Origin, reader: ResponseReader) -> None:
        self._url = origin.url
        self._read = reader.read
        self._socket = _configure(_connect(origin), origin)
        self.poll = _poller(self._socket)

    def send(self, request: bytes) -> Response:
        """The response to a request.

        Args:
            request: Head and body.

        Raises:
            BotoCoreError: The connection failed before the response began, or while the response was read.
        """
        try:
            self._socket.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            # A server may respond and close before it has read the whole request (RFC 9112, section 9.5). Try to read.
            pass
        except OSError as error:
            raise connection_closed_error(self._url, error) from error
        try:
            return self._read(self._socket.recv, size=READ_SIZE)
        except READ_ERRORS as error:
            raise map_read_error(error, self._url) from error

    def close(self) -> None:
        """Close the socket. No TLS close notification is sent: in a forked child, it would end the parent's session."""
        self._socket.close()


def connection_closed_error(url: str, error: object) -> ConnectionClosedError:
    """The error of a connection that ended too early.

    Args:
        url: URL of the server.
        error: Cause.
    """
    return ConnectionClosedError(error=error, request=None, endpoint_url=url)


def map_read_error(error: Exception, url: str) -> BotoCoreError:
    """botocore's exception for an error of an open connection.

    Args:
        error: The error of the socket, or one of ``READ_ERRORS``.
        url: URL of the server.
    """
    if isinstance(error, (TimeoutError, urllib3.exceptions.ReadTimeoutError)):
        return ReadTimeoutError(endpoint_url=url, error=error)
    if isinstance(error, (ssl.SSLError, urllib3.exceptions.SSLError)):
        return SSLError(endpoint_url=url, error=error)
    if isinstance(error, (OSError, http.client.HTTPException, urllib3.exceptions.ProtocolError)):
        return connection_closed_error(url, error)
    return HTTPClientError(error=error)


def _connect(origin: Origin) -> socket.socket:
    try:
        return socket.create_connection((origin.host, origin.port), timeout=origin.connect_timeout)
    except TimeoutError as error:
        raise ConnectTimeoutError(endpoint_url=origin.url, error=error) from error
    except OSError as error:
        raise EndpointConnectionError(endpoint_url=origin.url, error=error) from error
    except (OverflowError, ValueError) as error:  # a host name, port or timeout that the system does not accept
        raise HTTPClientError(error=error) from error


def _configure(connection: socket.socket, origin: Origin) -> socket.socket:
    """The connected socket with its options, TLS and timeout. On any error it is closed."""
    configured = connection
    try:
        for option in origin.options:
            connection.setsockopt(*option)
        if origin.context is not None:
            configured = origin.context.wrap_socket(connection, server_hostname=origin.host)
        configured.settimeout(origin.read_timeout)
    except BaseException as error:
        configured.close()
        if isinstance(error, OSError):
            raise map_read_error(error, origin.url) from error
        if isinstance(error, (OverflowError, ValueError)):
            raise HTTPClientError(error=error) from error
        raise
    return configured


def _poller(connection: socket.socket) -> cabc.Callable[[int], t.Any]:
    """A function that returns a true value if the socket is readable within the given time.

    ``poll`` is made once. ``wait_for_read`` of urllib3 makes a new poll object for each check, but runs on any system.
    """
    if not hasattr(select, "poll"):  # pragma: no cover - Windows
        return functools.partial(wait_for_read, connection)
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return poller.poll
