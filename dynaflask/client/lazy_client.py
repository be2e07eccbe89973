"""A botocore client that is made when something needs it, and the object that makes its calls."""

from __future__ import annotations

import threading
import typing as t

from dynaflask.client import transport
from dynaflask.client.botocore_internals import count_idle_sockets
from dynaflask.client.botocore_internals import has_credentials
from dynaflask.client.factory import make_client
from dynaflask.client.key import ClientKey
from dynaflask.config.bind import Bind
from dynaflask.config.bind import make_bind
from dynaflask.config.fields import BIND_FIELDS
from dynaflask.operations.tracing import Endpoint
from dynaflask.process_local import ProcessLocal

if t.TYPE_CHECKING:
    from dynaflask.client.sessions import LockedSession


class LazyClient:
    """The client of a key. It is made at once, unless its calls can be made without it.

    Args:
        key: The key of the client.
        bind: A bind of that key.

    Attributes:
        made: botocore's client, or what a factory made; ``None`` while there is none.
        api_caller: Makes the client's calls: the client itself, or its direct transport.
        is_direct: True if it is a direct transport.
    """

    def __init__(self, key: ClientKey, bind: Bind) -> None:
        self._key = key
        self._destination = transport.find_lazy_destination(key, bind)
        self.made: t.Any = None
        # The session cache holds sessions weakly. As long as this client lives, the next client of the same identity
        # shares its session. A factory's client has none.
        self._session: LockedSession | None = None
        if self._destination is None:
            self.made, self._session = make_client(key, bind)
            self.api_caller = transport.api_caller(self.made)
            self.is_direct = self.api_caller is not self.made
            return
        # Without callables, such as a table prefix, which may refer to an app: the client may outlive that app.
        values = {name: getattr(bind, name) for name in BIND_FIELDS}
        self._bind = make_bind(bind.key, {name: value for name, value in values.items() if not callable(value)})
        # A forked child has a lock of its own.
        self._lock = ProcessLocal(threading.RLock)
        self.api_caller = transport.DirectTransport(destination=self._destination, make_client=self.get)
        self.is_direct = True

    @property
    def has_credentials(self) -> bool:
        """True if the client found credentials, or will be made with those of its destination."""
        return self.made is None or has_credentials(self.made)

    @property
    def endpoint(self) -> Endpoint:
        """Where the client sends its calls to, known without making it."""
        if self._destination is not None:
            return Endpoint(self._destination.url, self._destination.region)
        # A factory's client may be any object.
        meta = getattr(self.made, "meta", None)
        return Endpoint(getattr(meta, "endpoint_url", None), getattr(meta, "region_name", None))

    def get(self) -> t.Any:
        """The client. One thread makes it, while others wait."""
        if self.made is None:
            with self._lock.get():
                if self.made is None:
                    self.made, self._session = make_client(
                        self._key, self._bind, destination=self._destination, caller=self.api_caller
                    )
        return self.made

    def count_sockets(self) -> int:
        """Number of idle connections."""
        own = len(self.api_caller) if self.is_direct else 0
        return own if self.made is None else own + count_idle_sockets(self.made)

    def close(self) -> None:
        """Close the sockets. A factory's client stays open: the program closes it."""
        if self._destination is None and self._session is None:
            return
        if self.made is not None:
            self.made.close()
        if self.is_direct:
            self.api_caller.close()
