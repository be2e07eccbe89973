"""botocore clients of the process, one per client key, shared by apps, models and threads."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import logging
import threading
import time
import typing as t
import weakref

from dynaflask.client.key import ClientKey
from dynaflask.client.lazy_client import LazyClient
from dynaflask.client.pooled_client import PooledClient
from dynaflask.config.bind import Bind
from dynaflask.process_local import ProcessLocal

MAX_CLIENTS = 1000
FOREVER = float("inf")

logger = logging.getLogger("dynaflask.pool")


class PoolStats(t.NamedTuple):
    """Counts of the pool of this process.

    Attributes:
        clients: Number of clients in the pool.
        creations: Number of clients made so far.
        hits: Number of times that an app got a client that existed already.
        evictions: Number of clients closed to keep to the limits.
        open_sockets: Number of open connections of the clients.
    """

    clients: int
    creations: int
    hits: int
    evictions: int
    open_sockets: int


class _KeyLock:
    """Lock under which the client of one key is made, and the number of threads that hold it or wait for it."""

    def __init__(self) -> None:
        # Reentrant: a factory may ask for a client of the same key by mistake, and gets an error instead of a deadlock.
        self.lock = threading.RLock()
        self.users = 0


class _Clients:
    """The clients of one process.

    Attributes:
        lock: Guards the attributes below, for a moment each time. No client is made and no call is sent under it.
        by_key: The clients. Leases keep them alive; one that no lease refers to is closed by its finalizer.
        key_locks: The locks in use.
        creations: See `PoolStats`.
        hits: See `PoolStats`.
        evictions: See `PoolStats`.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_key: weakref.WeakValueDictionary[ClientKey, PooledClient] = weakref.WeakValueDictionary()
        self.key_locks: dict[ClientKey, _KeyLock] = {}
        self.creations = self.hits = self.evictions = 0

    def open(self) -> list[PooledClient]:
        """The clients that are not closed."""
        # Over a list of the references: values() fails if the last lease of a client goes in another thread meanwhile.
        pooled_clients = (reference() for reference in self.by_key.valuerefs())
        return [pooled for pooled in pooled_clients if pooled is not None and pooled.is_open]

    def find(self, key: ClientKey) -> PooledClient | None:
        """The usable client of a key, if there is one."""
        pooled = self.by_key.get(key)
        if pooled is None or not (pooled.is_usable and pooled.has_current_credentials):
            return None
        self.hits += 1
        return pooled

    def add(self, key: ClientKey, pooled: PooledClient) -> None:
        """Add a new client."""
        with self.lock:
            self.creations += 1
            former = self.by_key.get(key)
            if former is not None and former.is_open:
                # Other apps still use the client with the former credentials. It stays in the pool, to be closed.
                self.by_key[key._replace(owner=(key.owner, id(former)))] = former
            if pooled.has_credentials:
                self.by_key[key] = pooled

    @contextlib.contextmanager
    def locked(self, key: ClientKey) -> cabc.Iterator[None]:
        """Let one thread at a time make the client of a key."""
        with self.lock:
            key_lock = self.key_locks.setdefault(key, _KeyLock())
            key_lock.users += 1
        try:
            with key_lock.lock:
                yield
        finally:
            # The lock stays while other threads wait for it. Otherwise a thread that comes later would get another
            # lock, and both would make a client.
            with self.lock:
                key_lock.users -= 1
                if not key_lock.users:
                    del self.key_locks[key]

    def abandon(self) -> None:
        """Drop the parent's clients in a forked child."""
        for pooled in self.open():
            pooled.abandon()


class ClientPool:
    """The clients of this process. One is kept as long as an app holds a lease of it, within the limits.

    A forked child starts with an empty pool and makes its own clients. The limits hold in the child, too.
    """

    def __init__(self) -> None:
        self._clients = ProcessLocal(_Clients, abandon=_Clients.abandon)
        self._limits: dict[int, tuple[int | None, float | None]] = {}
        self._recompute_limits()
        self._swept_at = time.monotonic()

    def get(self, key: ClientKey, bind: Bind) -> PooledClient:
        """The client of a key. One thread makes it on first use, while other threads that need it wait.

        Args:
            key: The key of the client.
            bind: A bind of that key.
        """
        clients = self._clients.get()
        pooled = clients.find(key)
        if pooled is not None:
            return pooled
        with clients.locked(key):
            pooled = clients.find(key)
            if pooled is None:
                pooled = PooledClient(key, LazyClient(key, bind))
                clients.add(key, pooled)
                logger.debug("Made: a client of %r.", key)
        self.evict(exclude=pooled)
        return pooled

    def set_limits(self, app: object, *, max_clients: int | None, idle_seconds: float | None) -> None:
        """Set the limits that one app asks for. The lowest limit of all living apps applies to the process.

        Args:
            app: The app or its registry. Its limits end when it is garbage collected.
            max_clients: Largest number of clients, or None for no wish.
            idle_seconds: Time without a call after which a client is closed, in seconds, or None for no wish.
        """
        if max_clients is None and idle_seconds is None:
            return
        self._limits[id(app)] = (max_clients, idle_seconds)
        weakref.finalize(app, self._remove_limits, id(app)).atexit = False
        self._recompute_limits()

    def evict(self, *, exclude: PooledClient | None = None) -> None:
        """Close clients that are idle for too long, and the least recently used ones beyond the limit.

        Args:
            exclude: A client that is about to be used.
        """
        clients = self._clients.get()
        if len(clients.by_key) <= self._max_clients and self._idle_seconds == FOREVER:
            return
        with clients.lock:
            open_clients = clients.open()
            idle = [pooled for pooled in open_clients if pooled.is_idle and pooled is not exclude]
            idle.sort(key=lambda pooled: pooled.last_used)
            excess = len(open_clients) - self._max_clients
            oldest = time.monotonic() - self._idle_seconds
            evicted = [pooled for rank, pooled in enumerate(idle) if rank < excess or pooled.last_used < oldest]
            clients.evictions += len(evicted)
        # Outside the lock: closing sockets takes time. A thread that acquires one of these meanwhile sees that it has
        # no client any more, and gets another; see Lease.pooled_client.
        for pooled in evicted:
            logger.debug("Evicted: the client of %r.", pooled.key)
            pooled.close()

    def close(self) -> None:
        """Close every client. The next use makes a new one."""
        for pooled in self._clients.get().open():
            pooled.close()

    def evict_idle(self, _: BaseException | None = None) -> None:
        """Call `evict` if half of the idle time has passed since the last time. Runs at the end of a context."""
        now = time.monotonic()
        if now - self._swept_at > self._idle_seconds / 2:
            self._swept_at = now
            self.evict()

    def stats(self) -> PoolStats:
        """Counts of the pool of this process."""
        clients = self._clients.get()
        open_clients = clients.open()
        sockets = sum(pooled.count_sockets() for pooled in open_clients)
        return PoolStats(len(open_clients), clients.creations, clients.hits, clients.evictions, sockets)

    def _remove_limits(self, app_id: int) -> None:
        self._limits.pop(app_id, None)
        self._recompute_limits()

    def _recompute_limits(self) -> None:
        limits = list(self._limits.values())
        self._max_clients = min((clients for clients, _ in limits if clients), default=MAX_CLIENTS)
        self._idle_seconds = min((seconds for _, seconds in limits if seconds), default=FOREVER)


pool = ClientPool()
