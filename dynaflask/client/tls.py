"""One TLS context for each CA bundle: reading the bundle costs more than the rest of a new connection."""

from __future__ import annotations

import ssl
import threading
import typing as t

import botocore.httpsession

from dynaflask.client.botocore_internals import http_session
from dynaflask.forks import in_child

# Held while a bundle is read. Connections are made without it.
_lock = threading.Lock()
_contexts: dict[tuple[t.Any, bool], ssl.SSLContext] = {}


def share_context(client: t.Any) -> None:
    """Let a client use the context that others of its CA bundle use.

    A client that has something of its own to set up - a certificate, a proxy, no verification - is left as botocore
    made it, and so is one of a botocore that keeps its connections otherwise.

    Args:
        client: A client that has not called yet.
    """
    session = http_session(client)
    bundle = _bundle(session)
    try:
        pool_options, stock_setup = session._manager.connection_pool_kw, session._setup_ssl_cert
    except AttributeError:
        return
    context = _context(bundle) if bundle else None
    if context is None:
        return

    def setup(connection: t.Any, url: str, verify: t.Any) -> None:
        stock_setup(connection, url, verify)
        connection.ca_certs = None  # it is in the context already

    pool_options["ssl_context"] = context
    session._setup_ssl_cert = setup


def strict_context(client: t.Any) -> ssl.SSLContext | None:
    """A context that trusts whom a client trusts, and sees to the name of the host by itself.

    Args:
        client: Any client.

    Returns:
        The context, shared with the clients of the same CA bundle; ``None`` if the client has something of its own to
        set up, or there is no such bundle.
    """
    bundle = _bundle(http_session(client))
    return _context(bundle, checks_host=True) if bundle else None


def _bundle(session: t.Any) -> t.Any:
    """The CA bundle of a session that has no more to its TLS than that."""
    try:
        is_plain = session._verify and not (session._cert_file or session._proxy_config.settings)
    except AttributeError:
        return None
    return botocore.httpsession.get_cert_path(session._verify) if is_plain else None


# urllib3 compares the name of the host itself, and wants a context that does not.
def _context(bundle: t.Any, *, checks_host: bool = False) -> ssl.SSLContext | None:
    with _lock:
        if (bundle, checks_host) not in _contexts:
            context = botocore.httpsession.create_urllib3_context()
            try:
                context.load_verify_locations(bundle)
            except OSError:
                return None  # botocore says so at the call
            if checks_host:
                context.check_hostname = True
                context.set_alpn_protocols(["http/1.1"])
            _contexts[bundle, checks_host] = context
        return _contexts[bundle, checks_host]


@in_child
def _after_fork() -> None:
    # A thread that held it is not in the forked child.
    global _lock  # noqa: PLW0603 - it is the module's one lock
    _lock = threading.Lock()
