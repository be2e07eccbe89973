"""One TLS context for each CA bundle: reading the bundle costs more than the rest of a new connection."""

from __future__ import annotations

import ssl
import threading
import typing as t

import botocore.httpsession

from dynaflask.wire.private import http_session

# Held while a bundle is read. Connections are made without it.
_lock = threading.Lock()
_contexts: dict[str, ssl.SSLContext] = {}


def share_context(client: t.Any) -> None:
    """Let a client use the context that others of its CA bundle use.

    A client that has something of its own to set up - a certificate, a proxy, no verification - is left as botocore
    made it, and so is one of a botocore that keeps its connections otherwise.

    Args:
        client: A client that has not called yet.
    """
    session = http_session(client)
    try:
        verify, pool_options = session._verify, session._manager.connection_pool_kw
        is_plain = verify and not (session._cert_file or session._proxy_config.settings)
        stock_setup = session._setup_ssl_cert
    except AttributeError:
        return
    context = _context(botocore.httpsession.get_cert_path(verify)) if is_plain else None
    if context is None:
        return

    def setup(connection: t.Any, url: str, verify: t.Any) -> None:
        stock_setup(connection, url, verify)
        connection.ca_certs = None  # it is in the context already

    pool_options["ssl_context"] = context
    session._setup_ssl_cert = setup


def _context(bundle: t.Any) -> ssl.SSLContext | None:
    with _lock:
        if bundle not in _contexts:
            context = botocore.httpsession.create_urllib3_context()
            try:
                context.load_verify_locations(bundle)
            except OSError:
                return None  # botocore says so at the call
            _contexts[bundle] = context
        return _contexts[bundle]


def after_fork() -> None:
    """Begin with a free lock in a forked child. A thread that held it is not there."""
    global _lock  # noqa: PLW0603 - it is the module's one lock
    _lock = threading.Lock()
