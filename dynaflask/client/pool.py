"""botocore clients of the process, one per client key, shared by apps, models and threads.

ClientPool       the clients of this process
  PooledClient     a client and its usage: active calls, last use, pinned or not
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import logging
import threading
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
from dynaflask.client.process import ProcessLocal
from dynaflask.config.bind import Bind
from dynaflask.operations.tracing import UNKNOWN_PLACE
from dynaflask.operations.tracing import Place

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
        self.host = _host_of(lazy_client.endpoint_url)
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
    def place(self) -> Place:
        """Where the client sends its calls to, known without making it."""
        lazy_client = self._lazy_client
        return UNKNOWN_PLACE if lazy_client is None else lazy_client.place

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
        # A child must not write to a socket of its parent, which a Lease of before the fork still refers to.
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
        """Set the limits that one app asks for. The lowest limit of all living apps applies to the process."""
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


pool = ClientPool()


def _host_of(endpoint_url: str | None) -> str | None:
    url = urllib.parse.urlsplit(endpoint_url or "")
    # Not the whole of it: the URL may have a password.
    return url.hostname if url.port is None else f"{url.hostname}:{url.port}"
