"""The claims of an app on the clients of the process, one for each destination."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from dynaflask.client.key import ClientKey
from dynaflask.client.lease import Lease
from dynaflask.config.bind import Bind

# How many binds a registry caches, including those that db.using makes.
MAX_BINDS = 2000


class Leases:
    """The leases of one app.

    Args:
        static_binds: The app's own binds. Their dedicated clients are pinned: the pool does not evict them.
    """

    def __init__(self, static_binds: cabc.Set[Bind]) -> None:
        self._static_binds = static_binds
        self._by_bind: dict[Bind, Lease] = {}
        self._by_key: dict[ClientKey, Lease] = {}
        # Represents the app in the pool: a reference to the registry itself would keep the app alive.
        self._owner = object()

    def get(self, bind: Bind) -> Lease:
        """The app's claim on the pooled client of a destination, made at first use."""
        lease = self._by_bind.get(bind)
        if lease is None:
            is_own = bind.share_client is False or bind.client_factory is not None
            lease = Lease(bind, owner=self._owner if is_own else None)
            # Binds that differ only in settings that no client has, such as a table prefix, share a lease. Two threads
            # may come here at once: setdefault gives both the lease of the first.
            lease = self._by_key.setdefault(lease.key, lease)
            self._cache(bind, lease)
        return lease

    def all(self) -> list[Lease]:
        """The claims so far, also those of blocks, tenants and models."""
        # Lists are made in one step: another thread may add a lease meanwhile.
        return list(self._by_key.values())

    def dedicated_client(self, bind: Bind) -> t.Any:
        """A client of a destination that serves this app alone."""
        # The pool may evict the client of a block, because one request may be its only user.
        return self.get(bind).dedicated(self._owner, is_pinned=bind in self._static_binds)

    def close(self) -> None:
        """Release the app's clients. The leases stay: the connections of an open context use them.

        Another `close` must reach the clients that they get then.
        """
        for lease in self.all():
            lease.close()

    def forget(self) -> None:
        """Drop the leases, and close no client."""
        self._by_bind, self._by_key = {}, {}

    def _cache(self, bind: Bind, lease: Lease) -> None:
        if len(self._by_bind) >= MAX_BINDS:
            # Blocks with settings of one request, such as a session token, make a bind for each request.
            self._by_bind = {}
            # A copy, which the interpreter makes in one step: another thread may add a lease meanwhile.
            for key, unused in self._by_key.copy().items():
                if not unused.has_client:
                    self._by_key.pop(key, None)
        self._by_bind[bind] = lease
