"""botocore clients, one per distinct destination, shared by apps, models and threads.

Lease            one app's claim on the client of a bind: what a connection calls
  ClientPool       the clients of this process
    PooledClient     a client, with the marks of its use
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import logging
import threading
import time
import typing as t
import weakref

from botocore.handlers import BUILTIN_HANDLERS

from dynaflask.client import transport
from dynaflask.client.botocore_internals import count_idle_sockets
from dynaflask.client.botocore_internals import has_credentials
from dynaflask.client.botocore_internals import mock_is_active
from dynaflask.client.factory import make_client
from dynaflask.client.key import ClientKey
from dynaflask.client.key import client_key
from dynaflask.config.bind import Bind
from dynaflask.forks import in_child

if t.TYPE_CHECKING:
    from dynaflask.client.sessions import LockedSession

MAX_CLIENTS = 1000
FOREVER = float("inf")

logger = logging.getLogger(__name__)


class PoolStats(t.NamedTuple):
    """What the pool did in this process.

    Attributes:
        clients: How many clients there are.
        creations: How many were made.
        hits: How often one was there when an app first asked.
        evictions: How many were closed to keep to the bounds.
        open_sockets: How many connections they have open.
    """

    clients: int
    creations: int
    hits: int
    evictions: int
    open_sockets: int


class PooledClient:
    """A client, with the marks of its use.

    Attributes:
        client: botocore's client; ``None`` once it was let go.
        caller: What makes its calls: itself, or what goes round it.
        is_pinned: Whether it was given to the user, who may have registered handlers on it.
        last_used: When a call was last made, in seconds of the monotonic clock.
        calls: One mark for each call that is under way.
    """

    def __init__(self, client: t.Any, *, source: LockedSession | None) -> None:
        self.client = client
        self.api_caller = transport.api_caller(client)
        self.is_pinned = False
        self.last_used = time.monotonic()
        self.calls: set[object] = set()
        # A session lives as long as its clients, so that the next one of its identity shares it.
        self._source = source
        self._handlers = len(BUILTIN_HANDLERS)
        self._is_mocked = mock_is_active()
        # Whoever made a client by a factory closes it.
        self._close = weakref.finalize(self, _close, client if source else None)
        self._close.atexit = False

    @property
    def is_usable(self) -> bool:
        """Whether it may serve the next call. One that was made under moto's mock has the mock's credentials."""
        if self._handlers != len(BUILTIN_HANDLERS):
            self._add_handlers()
        return self.client is not None and not (self._is_mocked and not mock_is_active())

    @property
    def is_idle(self) -> bool:
        """Whether nobody would miss it."""
        return not (self.calls or self.is_pinned)

    def close(self) -> None:
        """Let the client go, and close its sockets. A call that is under way ends as it would have."""
        self.client = self._source = None
        self._close()

    def forget(self) -> None:
        """Let the client go, and touch nothing: its sockets are the parent process's, too."""
        transport.close(self.client)
        self.client = self._source = None
        self._close.detach()

    def _add_handlers(self) -> None:
        # botocore's sessions take the built-in handlers when they are made. moto adds its own when it is imported,
        # which may be later.
        added, self._handlers = BUILTIN_HANDLERS[self._handlers :], len(BUILTIN_HANDLERS)
        events: t.Any = getattr(getattr(self.client, "meta", None), "events", None)
        for event, handler, *_ in added if events is not None else ():
            events.register(event, handler)


class ClientPool:
    """The clients of this process. One is kept as long as an app holds a lease of it, within the bounds."""

    def __init__(self) -> None:
        # Guards the dicts below, for a moment each time. No client is made and no call is sent under it.
        self._lock = threading.Lock()
        self._clients: weakref.WeakValueDictionary[ClientKey, PooledClient] = weakref.WeakValueDictionary()
        self._locks: dict[ClientKey, t.Any] = {}
        self._bounds: dict[int, tuple[int | None, float | None]] = {}
        self._tighten()
        self._creations = self._hits = self._evictions = 0
        self._swept_at = time.monotonic()

    def get(self, key: ClientKey, bind: Bind) -> PooledClient:
        """The client of a key, made on first use by one thread while others of the key wait.

        Args:
            key: What makes the client different.
            bind: A bind of that key.
        """
        pooled = self._find(key)
        if pooled is not None:
            return pooled
        with self._making(key):
            pooled = self._find(key)
            if pooled is None:
                pooled = self._make(key, bind)
                self._keep(key, pooled)
        self.evict(sparing=pooled)
        return pooled

    def bound(self, app: object, *, max_clients: int | None, idle_seconds: float | None) -> None:
        """Set what one app asks of the process. The strictest app's word counts, as long as the app lives."""
        if max_clients is None and idle_seconds is None:
            return
        self._bounds[id(app)] = (max_clients, idle_seconds)
        weakref.finalize(app, self._unbound, id(app)).atexit = False
        self._tighten()

    def evict(self, *, sparing: PooledClient | None = None) -> None:
        """Close what is too much: what is idle for too long, and the least recently used.

        Args:
            sparing: A client that is about to be used.
        """
        if self._is_within_bounds():
            return
        with self._lock:
            living = self._living()
            idle = [pooled for pooled in living if pooled.is_idle and pooled is not sparing]
            idle.sort(key=lambda pooled: pooled.last_used)
            too_many = len(living) - self._max_clients
            oldest = time.monotonic() - self._idle_seconds
            surplus = [pooled for rank, pooled in enumerate(idle) if rank < too_many or pooled.last_used < oldest]
            self._evictions += len(surplus)
        for pooled in surplus:
            pooled.close()

    def close(self) -> None:
        """Close every client. The next use makes it anew."""
        for pooled in self._living():
            pooled.close()

    def evict_idle(self, _: BaseException | None = None) -> None:
        """Close what is idle for too long, if it is time to look."""
        now = time.monotonic()
        if now - self._swept_at > self._idle_seconds / 2:
            self._swept_at = now
            self.evict()

    def stats(self) -> PoolStats:
        """What the pool did in this process."""
        clients = self._living()
        sockets = sum(_count_sockets(pooled) for pooled in clients)
        return PoolStats(len(clients), self._creations, self._hits, self._evictions, sockets)

    def after_fork(self) -> None:
        """Begin anew in a forked child.

        The child shares the parent's sockets: two processes on one would read each other's answers. Forget them;
        closing would end the parent's connections. Locks may be held by threads that the child does not have.
        """
        for pooled in self._living():
            pooled.forget()
        bounds = self._bounds
        self.__init__()  # type: ignore[misc]  # as on the first day
        self._bounds = bounds
        self._tighten()

    def _find(self, key: ClientKey) -> PooledClient | None:
        pooled = self._clients.get(key)
        if pooled is None or not pooled.is_usable:
            return None
        self._hits += 1
        return pooled

    @contextlib.contextmanager
    def _making(self, key: ClientKey) -> cabc.Iterator[None]:
        with self._lock:
            # A factory may ask for another client, and mistakenly for its own.
            lock = self._locks.setdefault(key, threading.RLock())
        try:
            with lock:
                yield
        finally:
            with self._lock:
                self._locks.pop(key, None)

    def _make(self, key: ClientKey, bind: Bind) -> PooledClient:
        client, source = make_client(key, bind)
        return PooledClient(client, source=source)

    def _keep(self, key: ClientKey, pooled: PooledClient) -> None:
        with self._lock:
            self._creations += 1
            if has_credentials(pooled.client):
                self._clients[key] = pooled

    def _living(self) -> list[PooledClient]:
        # A list of references, as values() may fail while another thread's client goes.
        pooled_clients = (reference() for reference in self._clients.valuerefs())
        return [pooled for pooled in pooled_clients if pooled is not None and pooled.client is not None]

    def _is_within_bounds(self) -> bool:
        return len(self._clients) <= self._max_clients and self._idle_seconds == FOREVER

    def _unbound(self, app_id: int) -> None:
        self._bounds.pop(app_id, None)
        self._tighten()

    def _tighten(self) -> None:
        bounds = list(self._bounds.values())
        self._max_clients = min((clients for clients, _ in bounds if clients), default=MAX_CLIENTS)
        self._idle_seconds = min((seconds for _, seconds in bounds if seconds), default=FOREVER)


class Lease:
    """One app's claim on the client of a bind. Using it takes no lock.

    Args:
        bind: The destination.
        owner: Stands for the app, if the client is to be its own.

    Attributes:
        bind: The destination.
        key: The key of its client in the pool.
    """

    def __init__(self, bind: Bind, *, owner: object = None) -> None:
        self.bind = bind
        self.key = client_key(bind)._replace(owner=owner)
        # The shared client, and the app's own: a thread that still waits for the one does not put away the other.
        self._held: dict[bool, PooledClient] = {}

    @contextlib.contextmanager
    def call(self) -> cabc.Iterator[t.Any]:
        """The client to make one call with. It is not evicted meanwhile."""
        mark = object()
        pooled, client = self.begin(mark)
        try:
            yield client
        finally:
            pooled.calls.discard(mark)

    def begin(self, mark: object) -> tuple[PooledClient, t.Any]:
        """Begin a call: :meth:`call`, without what a ``with`` block costs each call. Whoever begins ends it.

        Args:
            mark: Stands for the call among :attr:`PooledClient.calls`, until the caller discards it there.

        Returns:
            The marked client, and botocore's.
        """
        while True:
            pooled = self._current()
            pooled.calls.add(mark)
            client = pooled.client
            if client is not None:
                return pooled, client
            # Another thread closed it before it saw the mark.
            pooled.calls.discard(mark)

    def dedicated(self, owner: object, *, is_pinned: bool = True) -> t.Any:
        """A client of the app's own, for the user to keep. From now on it serves the app's calls as well.

        Args:
            owner: Stands for the app.
            is_pinned: Whether the client may never be evicted.
        """
        if self.key.owner is None:
            self.key = self.key._replace(owner=owner)
        mark = object()
        pooled, client = self.begin(mark)
        # Somebody may hold it already.
        pooled.is_pinned |= is_pinned
        pooled.calls.discard(mark)
        self._held.pop(True, None)
        return client

    @property
    def is_held(self) -> bool:
        """Whether there is a client behind it."""
        return any(pooled.client is not None for pooled in list(self._held.values()))

    def release(self) -> None:
        """Give the client back. The next call gets one anew."""
        self._held = {}

    def _current(self) -> PooledClient:
        key = self.key
        pooled = self._held.get(key.owner is None)
        if pooled is None or not pooled.is_usable:
            # The environment, from which a client may take its credentials, may be another one by now.
            key = self.key = client_key(self.bind)._replace(owner=key.owner)
            pooled = pool.get(key, self.bind)
            # A metadata service that failed for a moment leaves a client without credentials for good. Such a client
            # serves one call, as with PynamoDB.
            if has_credentials(pooled.client):
                self._held[key.owner is None] = pooled
        pooled.last_used = time.monotonic()
        return pooled


def _count_sockets(pooled: PooledClient) -> int:
    client = pooled.client
    return count_idle_sockets(client) + transport.count_sockets(client) + len(pooled.calls)


def _close(client: t.Any) -> None:
    try:
        if client is not None:
            client.close()
            transport.close(client)
    except Exception:
        logger.exception("A client could not be closed.")


pool = ClientPool()
in_child(pool.after_fork)
