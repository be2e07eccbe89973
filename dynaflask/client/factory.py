"""How a client is made, and what it shares with others of its kind. It is imported when the first one is asked for."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - a connection would import it, and a process forked amid that could not make one
import typing as t

from dynaflask.client import tls
from dynaflask.client import transport
from dynaflask.client.key import STOCK
from dynaflask.client.key import ClientKey
from dynaflask.client.key import client_config
from dynaflask.client.sessions import LockedSession
from dynaflask.client.sessions import SessionCache
from dynaflask.client.sessions import client_options
from dynaflask.client.tuned import endpoint_resolver as endpoints
from dynaflask.client.tuned import request_serializer as serializer
from dynaflask.client.tuned import signer
from dynaflask.config.bind import Bind
from dynaflask.exceptions import ConfigurationError
from dynaflask.forks import in_child

SERVICE = "dynamodb"

_sessions = SessionCache()


def make_client(key: ClientKey, bind: Bind) -> tuple[t.Any, LockedSession | None]:
    """A new client, with its transport.

    Args:
        key: What makes the client different.
        bind: A bind of that key.

    Returns:
        The client, and what it was made of, which is to be kept as long as the client; ``None`` where the program made
        it.
    """
    if bind.client_factory is not None:
        return _made_by_factory(bind), None
    source = _sessions.get(key, bind.client_config)
    client = source.create_client(SERVICE, config=client_config(bind), **client_options(key, source))
    if client.meta.endpoint_url.startswith("https:"):
        tls.share_context(client)
    if key.transport != STOCK:
        signer.install(client)
        serializer.install(client)
        endpoints.install(client)
    _add_headers(client, key.extra_headers)
    transport.attach_transport(client, way=key.transport)
    return client, source


def _made_by_factory(bind: Bind) -> t.Any:
    factory = t.cast("t.Callable[[Bind], t.Any]", bind.client_factory)
    try:
        client = factory(bind)
    except RecursionError as error:
        raise ConfigurationError(
            f"DYNAMODB_CLIENT_FACTORY asks for the client of the bind {bind.key!r}, which it is to make."
        ) from error
    if client is None:
        raise ConfigurationError(f"DYNAMODB_CLIENT_FACTORY returned no client for the bind {bind.key!r}.")
    transport.mark_unmanaged(client, reason="DYNAMODB_CLIENT_FACTORY made it")
    return client


def _add_headers(client: t.Any, headers: tuple[tuple[str, str], ...]) -> None:
    def add(request: t.Any, **_: t.Any) -> None:
        request.headers.update(dict(headers))

    if headers:
        client.meta.events.register_first("before-send.*.*", add)


@in_child
def _after_fork() -> None:
    # Locks may be held by threads that the child does not have.
    _sessions.__init__()  # type: ignore[misc]  # as on the first day
