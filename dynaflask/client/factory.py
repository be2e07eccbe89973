"""Makes a botocore client: its session, its transport, and the parts it shares with other clients."""

from __future__ import annotations

import contextlib
import contextvars

# urllib3 imports this module at the first connection. Imported here, because a process forked during an import leaves
# the child waiting for the import lock.
import encodings.idna  # noqa: F401
import typing as t
from os import getpid

import flask
from botocore.config import Config

from dynaflask.client import tls
from dynaflask.client import transport
from dynaflask.client.attempt_hook import run_attempt_hook
from dynaflask.client.botocore_internals import http_session
from dynaflask.client.botocore_internals import renew_sockets
from dynaflask.client.call_timeout import refuse_further_attempts
from dynaflask.client.codec import parts
from dynaflask.client.key import STOCK
from dynaflask.client.key import ClientKey
from dynaflask.client.key import client_config
from dynaflask.client.service_data import SERVICE
from dynaflask.client.sessions import LockedSession
from dynaflask.client.sessions import SessionCache
from dynaflask.client.sessions import client_options
from dynaflask.client.sessions import isolated_session
from dynaflask.config.bind import Bind
from dynaflask.exceptions import ConfigurationError
from dynaflask.process_local import ProcessLocal

if t.TYPE_CHECKING:
    from dynaflask.client.destination import Destination

# A forked child makes sessions of its own: a thread that the child does not have may hold the lock of one.
_sessions = ProcessLocal(SessionCache)


def make_client(
    key: ClientKey, bind: Bind, *, destination: Destination | None = None, caller: t.Any = None
) -> tuple[t.Any, LockedSession | None]:
    """A new client, with its transport.

    Args:
        key: The key of the client.
        bind: A bind of that key.
        destination: Destination of the calls that were made before there was a client.
        caller: Transport that made these calls, and makes those of the client.

    Returns:
        The client, and its session, which must live as long as the client. The session is ``None`` for a client that
        ``DYNAMODB_CLIENT_FACTORY`` made.
    """
    if bind.client_factory is not None:
        return _call_factory(bind), None
    if destination is None or destination.is_environment_unchanged:
        session = _sessions.get().get(key, bind.client_config)
        client = session.create_client(SERVICE, config=client_config(bind), **client_options(key, session))
    else:
        session = isolated_session()
        isolation: t.Any = {"proxies": {}, "ignore_configured_endpoint_urls": True}
        config = client_config(bind).merge(Config(**isolation))
        client = session.create_client(SERVICE, config=config, **destination.client_options)
    if client.meta.endpoint_url.startswith("https:"):
        tls.share_context(client)
    if key.transport != STOCK:
        parts.install(client)
    _check_before_send(client)
    _add_headers(client, key.extra_headers)
    transport.attach_transport(client, mode=key.transport, caller=caller)
    return client, session


def _call_factory(bind: Bind) -> t.Any:
    factory = t.cast("t.Callable[[Bind], t.Any]", bind.client_factory)
    current_app = flask.current_app._get_current_object() if flask.has_app_context() else None  # type: ignore[attr-defined]
    try:
        # Its client serves all requests and tenants with these settings, so that it must see none of them.
        client = contextvars.Context().run(_run_in_new_context, current_app, factory, bind)
    except RecursionError as error:
        raise ConfigurationError(
            f"DYNAMODB_CLIENT_FACTORY called for the client of the bind {bind.key!r}, which it must make itself."
        ) from error
    if client is None:
        raise ConfigurationError(f"DYNAMODB_CLIENT_FACTORY returned no client for the bind {bind.key!r}.")
    transport.mark_unmanaged(client, reason="DYNAMODB_CLIENT_FACTORY made it", mode=bind.transport)
    return client


def _run_in_new_context(app: flask.Flask | None, factory: t.Callable[[Bind], t.Any], bind: Bind) -> t.Any:
    with contextlib.nullcontext() if app is None else app.app_context():
        return factory(bind)


def _check_before_send(client: t.Any) -> None:
    # The pool makes new clients in a child. User code may still hold a client of the parent, such as `db.client`.
    session = http_session(client)
    process_id = getpid()

    def check(request: t.Any, **_: t.Any) -> t.Any:
        nonlocal process_id
        refuse_further_attempts()
        if process_id == getpid():
            return run_attempt_hook(request)
        if not renew_sockets(session):
            raise RuntimeError(
                "This client was made before the process was forked, and this version of botocore gives it no new"
                " sockets. Get a client of this process: registry.get_client()."
            )
        # Last: until then, another thread renews the sockets, too, and does not use the parent's. Both are new then.
        process_id = getpid()
        return run_attempt_hook(request)

    client.meta.events.register_first("before-send", check)


def _add_headers(client: t.Any, headers: tuple[tuple[str, str], ...]) -> None:
    def add(request: t.Any, **_: t.Any) -> None:
        request.headers.update(dict(headers))

    if headers:
        client.meta.events.register_first("before-send.*.*", add)
