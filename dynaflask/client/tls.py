"""One TLS context per CA bundle. Reading the bundle costs more than the rest of a new connection."""

from __future__ import annotations

import ssl
import threading
import typing as t

from dynaflask.client.botocore_internals import ca_bundle_path
from dynaflask.client.botocore_internals import new_tls_context
from dynaflask.client.botocore_internals import use_tls_context
from dynaflask.client.botocore_internals import verify_option
from dynaflask.process_local import ProcessLocal

# Held while a bundle is read, so that threads that need the same bundle read it once. Connections do not need it. A
# forked child has its own lock, and keeps the contexts that its parent had read.
_lock = ProcessLocal(threading.Lock)
_contexts: dict[tuple[t.Any, bool], ssl.SSLContext] = {}


def share_context(client: t.Any) -> None:
    """Let a client use the TLS context that other clients of its CA bundle use. It is read at the first connection.

    A client with TLS settings of its own (a client certificate, a proxy, no verification) keeps its context. So does
    any client of a botocore that builds its connections in another way.

    Args:
        client: A client that has not made a call yet.
    """
    bundle = _ca_bundle(client)
    if bundle:
        use_tls_context(client, lambda: _context(bundle))


def hostname_checking_context(client: t.Any) -> ssl.SSLContext | None:
    """A TLS context with a client's CA bundle that checks the host name itself.

    Args:
        client: Any client.

    Returns:
        The context, shared by the clients of the same CA bundle; ``None`` if the client has TLS settings of its own, or
        the bundle cannot be read.
    """
    return bundle_context(verify_option(client))


def bundle_context(verify: str | bool) -> ssl.SSLContext | None:
    """The context of :func:`hostname_checking_context` for a client with this option ``verify``, and no other.

    Args:
        verify: Path of a CA bundle, or True for botocore's own.
    """
    bundle = ca_bundle_path(verify) if verify else None
    return _context(bundle, checks_hostname=True) if bundle else None


def _ca_bundle(client: t.Any) -> t.Any:
    """Path of the CA bundle of a client without other TLS settings; else ``None``."""
    verify = verify_option(client)
    return ca_bundle_path(verify) if verify else None


# urllib3 checks the host name itself and needs a context that does not: see its ssl_match_hostname.
def _context(bundle: t.Any, *, checks_hostname: bool = False) -> ssl.SSLContext | None:
    with _lock.get():
        if (bundle, checks_hostname) not in _contexts:
            context = new_tls_context()
            if context is None:
                return None
            try:
                context.load_verify_locations(bundle)
            except OSError:
                return None  # botocore raises an error that names the bundle at the first call
            if checks_hostname:
                context.check_hostname = True
                context.set_alpn_protocols(["http/1.1"])
            _contexts[bundle, checks_hostname] = context
        return _contexts[bundle, checks_hostname]
