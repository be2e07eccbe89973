"""A botocore client of the pool, and its usage: active calls, last use, pinned or not."""

from __future__ import annotations

import logging
import time
import typing as t
import urllib.parse
import weakref
from os import getpid

from dynaflask.client.api_call import ApiCall
from dynaflask.client.botocore_internals import BUILTIN_HANDLERS
from dynaflask.client.botocore_internals import mock_is_active
from dynaflask.client.botocore_internals import session_credentials
from dynaflask.client.key import ClientKey
from dynaflask.client.lazy_client import LazyClient
from dynaflask.operations.tracing import UNKNOWN_ENDPOINT
from dynaflask.operations.tracing import Endpoint

logger = logging.getLogger("dynaflask.pool")


class PooledClient:
    """A client and its usage.

    Args:
        key: The key of the client.
        lazy_client: The client, which may be made later.

    Attributes:
        key: The key of the client.
        api_caller: Makes the client's calls: the client itself, or its direct transport.
        api_call: Makes them as PynamoDB does, with its errors.
        is_direct: True if it is a direct transport.
        is_open: False after `close` or `abandon`.
        host: Host of the client's endpoint, with its port if it has one; ``None`` if a factory's client names none.
        is_pinned: True if user code holds the client. It may have registered handlers on it.
        last_used: Time of the last call, in seconds of the monotonic clock.
        active_calls: One entry for each call in flight. A list, because append and pop are atomic: threads count calls
            without a lock.
    """

    def __init__(self, key: ClientKey, lazy_client: LazyClient) -> None:
        self.key = key
        self._lazy_client: LazyClient | None = lazy_client
        self.is_open = True
        self.api_caller = lazy_client.api_caller
        self.api_call = ApiCall(self.api_caller)
        self.is_direct = lazy_client.is_direct
        self.host = _host_of(lazy_client.endpoint.url)
        self.is_pinned = False
        self.last_used = time.monotonic()
        self.active_calls: list[None] = []
        # Weak, for an app that is garbage collected without `close`.
        self._leases: weakref.WeakSet[t.Any] = weakref.WeakSet()
        self._pid = getpid()
        self._credentials = session_credentials(key.identity.session)
        self._handler_count = len(BUILTIN_HANDLERS)
        self._is_mocked = mock_is_active()
        # Closes the client when its last lease is garbage collected, unless DYNAMODB_CLIENT_FACTORY made it: the
        # program closes such a client. At exit, the operating system closes the sockets.
        self._finalizer = weakref.finalize(self, _close, key, lazy_client, self._pid)
        self._finalizer.atexit = False

    @property
    def client(self) -> t.Any:
        """botocore's client, which is made now if there is none; ``None`` after `close` or `abandon`."""
        lazy_client = self._lazy_client
        return None if lazy_client is None else lazy_client.get()

    @property
    def made_client(self) -> t.Any:
        """botocore's client, or ``None`` if there is none."""
        lazy_client = self._lazy_client
        return None if lazy_client is None else lazy_client.made

    @property
    def endpoint(self) -> Endpoint:
        """Where the client sends its calls to, known without making it."""
        lazy_client = self._lazy_client
        return UNKNOWN_ENDPOINT if lazy_client is None else lazy_client.endpoint

    @property
    def has_credentials(self) -> bool:
        """True if the client has credentials, or will be made with some."""
        lazy_client = self._lazy_client
        return lazy_client is None or lazy_client.has_credentials

    def count_sockets(self) -> int:
        """Number of open connections."""
        lazy_client = self._lazy_client
        return len(self.active_calls) + (0 if lazy_client is None else lazy_client.count_sockets())

    @property
    def is_usable(self) -> bool:
        """True if the client may serve the next call of this process."""
        # A child must not write to a socket of its parent. A lease from before the fork still refers to that.
        if self._pid != getpid():
            return False
        if self._handler_count != len(BUILTIN_HANDLERS):
            self._add_handlers()
        return self.is_open and not (self._is_mocked and self.is_from_ended_mock)

    @property
    def is_from_ended_mock(self) -> bool:
        """True if the client was made under ``moto.mock_aws`` and has the credentials of that mock, which has ended."""
        return self._is_mocked and not mock_is_active()

    @property
    def is_idle(self) -> bool:
        """True if no call is in flight and user code does not hold the client."""
        return not (self.active_calls or self.is_pinned)

    @property
    def has_current_credentials(self) -> bool:
        """False if the program has given its session other credentials since the client was made."""
        return self._credentials is session_credentials(self.key.identity.session)

    def add_lease(self, lease: object) -> None:
        """Count a lease of the client."""
        self._leases.add(lease)

    def remove_lease(self, lease: object) -> None:
        """Close the client if this was its last lease."""
        self._leases.discard(lease)
        # Counted, because the traceback of a failed call refers to this object and would keep it in the pool. A thread
        # that adds a lease meanwhile sees that the client is closed, and gets another; see Lease.pooled_client.
        if not self._leases and self._pid == getpid():
            self.close()

    def close(self) -> None:
        """Close the client and its sockets. A call in flight ends as usual."""
        self.is_open, self._lazy_client = False, None
        self._finalizer()

    def abandon(self) -> None:
        """Drop the client in a forked child, without the steps of `close`: the connections are the parent's.

        The child closes its own copies of the sockets' descriptors, which sends nothing and leaves the parent's open.
        """
        self._finalizer.detach()
        if self.is_direct:
            self.api_caller.close()
        self.is_open, self._lazy_client, self.api_caller, self.api_call = False, None, None, ApiCall(None)
        logger.debug("Abandoned in a forked child: the parent's client of %r.", self.key)

    def _add_handlers(self) -> None:
        # A session copies botocore's built-in handlers when it is made. moto appends its own on import, which may be
        # later than that.
        added, self._handler_count = BUILTIN_HANDLERS[self._handler_count :], len(BUILTIN_HANDLERS)
        events: t.Any = getattr(getattr(self.made_client, "meta", None), "events", None)
        for event, handler, *_ in added if events is not None else ():
            events.register(event, handler)


def _close(key: ClientKey, lazy_client: LazyClient, pid: int) -> None:
    # In a forked child the last reference to a client of the parent may go before the child has used its pool.
    if pid != getpid():
        return
    try:
        lazy_client.close()
    except Exception:
        logger.exception("A client could not be closed.")
    else:
        logger.debug("Closed: the client of %r.", key)


def _host_of(endpoint_url: str | None) -> str | None:
    url = urllib.parse.urlsplit(endpoint_url or "")
    # Not the whole of it: the URL may have a password.
    return url.hostname if url.port is None else f"{url.hostname}:{url.port}"
