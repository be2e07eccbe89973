"""An app's claim on one client of the pool."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import time
import typing as t

from dynaflask.client.key import client_key
from dynaflask.client.pool import logger
from dynaflask.client.pool import pool
from dynaflask.client.pooled_client import PooledClient
from dynaflask.config.bind import Bind


class Lease:
    """One app's claim on the client of a bind. Once the client exists, a call takes no lock.

    Args:
        bind: The destination.
        owner: An object that stands for the app, if the client serves this app alone; else ``None``.

    Attributes:
        bind: The destination.
        key: The key of the client in the pool.
        host: Host of the client's endpoint; ``None`` before the first call.
    """

    def __init__(self, bind: Bind, *, owner: object = None) -> None:
        self.bind = bind
        self._owner = owner
        self.key = client_key(bind)._replace(owner=owner)
        self.host: str | None = None
        # By whether the client is shared. A thread that still waits for the shared client must not replace the
        # dedicated one that another thread has got meanwhile.
        self._clients: dict[bool, PooledClient] = {}

    @contextlib.contextmanager
    def call(self) -> cabc.Iterator[t.Any]:
        """The client for one call. It is not evicted meanwhile."""
        with self._in_use() as (_, client):
            yield client

    def pooled_client(self) -> PooledClient:
        """The client for the next call, without the cost of a ``with`` block.

        It may be evicted at any moment. The caller adds the call to its ``active_calls``, checks that ``is_open`` is
        still true, and removes the call at its end. The call is added inside of the ``try`` block that removes it: a
        signal may raise between two statements, and the client would be in use for ever.
        """
        pooled = self._clients.get(self.key.owner is None)
        if pooled is None or not pooled.is_usable:
            pooled = self._renew(pooled)
        pooled.last_used = time.monotonic()
        return pooled

    def dedicated(self, owner: object, *, is_pinned: bool = True) -> t.Any:
        """A client that serves this app alone, for user code to hold. From now on it makes the app's calls as well.

        Args:
            owner: An object that stands for the app.
            is_pinned: True if the client must never be evicted.
        """
        if self.key.owner is None:
            self.key = self.key._replace(owner=owner)
        with self._in_use() as (pooled, client):
            # A client that is pinned stays pinned.
            pooled.is_pinned |= is_pinned
        shared = self._clients.pop(True, None)
        if shared is not None:
            shared.remove_lease(self)
        return client

    @property
    def has_client(self) -> bool:
        """True if the lease holds a client that is open."""
        return bool(self.open_clients())

    def open_clients(self) -> list[PooledClient]:
        """The clients that the lease holds and that are open."""
        return [pooled for pooled in list(self._clients.values()) if pooled.is_open]

    def close(self) -> None:
        """Release the client, which is closed if it has no other lease. The next call gets a client again."""
        clients, self._clients = self._clients, {}
        self.key = self.key._replace(owner=self._owner)
        for pooled in list(clients.values()):
            pooled.remove_lease(self)

    @contextlib.contextmanager
    def _in_use(self) -> cabc.Iterator[tuple[PooledClient, t.Any]]:
        """A pooled client and botocore's client, which is made if there is none."""
        while True:
            pooled = self.pooled_client()
            try:
                pooled.active_calls.append(None)
                # None if another thread closed it meanwhile.
                client = pooled.client if pooled.is_open else None
                if client is not None:
                    yield pooled, client
                    return
            finally:
                pooled.active_calls.pop()

    def _renew(self, former: PooledClient | None) -> PooledClient:
        key, clients = self.key, self._clients
        if former is not None and former.is_from_ended_mock:
            logger.debug("Replaced after a mock: the client of %r.", key)
            former.remove_lease(self)
        # The AWS_* variables, which a client may take its credentials from, may have changed since the last client.
        key = self.key = client_key(self.bind)._replace(owner=key.owner)
        pooled = pool.get(key, self.bind)
        self.host = pooled.host
        # After a failed request to a metadata service, a client stays without credentials for good. Such a client
        # serves one call, as with PynamoDB.
        if pooled.has_credentials:
            clients[key.owner is None] = pooled
            pooled.add_lease(self)
            # Another thread has closed this lease meanwhile, and the client may have the former credentials.
            if clients is not self._clients:
                pooled.remove_lease(self)
        return pooled
