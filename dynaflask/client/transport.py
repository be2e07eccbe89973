"""Which way the calls of a client take: ``client.meta.dynaflask_transport``."""

from __future__ import annotations

import contextlib
import typing as t

from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import install_hint

# Imported here and not at the first call: a fork amid an import leaves the child waiting for a thread that it lacks.
DirectTransport: t.Any
try:
    from dynaflask.client.direct.transport import DirectTransport
except ModuleNotFoundError as missing:
    DirectTransport = missing

DIRECT = "direct"


class Transport(t.NamedTuple):
    """The way of a client's calls, where it is botocore's own.

    Attributes:
        mode: ``"tuned"`` or ``"stock"``, as in ``DYNAMODB_TRANSPORT``.
        reason: Why it is not the one that was asked for; ``None`` if it is.
    """

    mode: str
    reason: str | None = None


def attach_transport(client: t.Any, *, way: str) -> None:
    """Give a new client its transport.

    Args:
        client: A client that nobody else has yet.
        way: The one that ``DYNAMODB_TRANSPORT`` asks for.

    Raises:
        ConfigurationError: What it takes is not installed.
    """
    client.meta.dynaflask_transport = _direct(client) if way == DIRECT else Transport(way)


def mark_unmanaged(client: t.Any, *, reason: str) -> None:
    """Leave a client as it is, and say so, if it is one of botocore's.

    Args:
        client: Whatever a factory made.
        reason: Why it is left so.
    """
    with contextlib.suppress(AttributeError):
        client.meta.dynaflask_transport = Transport("stock", reason)


def api_caller(client: t.Any) -> t.Any:
    """What makes the calls of a client: itself, or what goes round it.

    Args:
        client: Any client, a factory's included.
    """
    transport = _transport(client)
    return client if transport is None or isinstance(transport, Transport) else transport


def close(client: t.Any) -> None:
    """Close the sockets that the transport has of its own. In a forked child, this leaves the parent's as they are."""
    transport = api_caller(client)
    if transport is not client:
        transport.close()


def count_sockets(client: t.Any) -> int:
    """How many idle sockets the transport has of its own."""
    transport = api_caller(client)
    return 0 if transport is client else len(transport)


def _transport(client: t.Any) -> t.Any:
    return getattr(getattr(client, "meta", None), "dynaflask_transport", None)


def _direct(client: t.Any) -> t.Any:
    if isinstance(DirectTransport, ModuleNotFoundError):
        raise ConfigurationError(
            f"DYNAMODB_TRANSPORT is 'direct', and {install_hint(DirectTransport, extra=DIRECT)}"
        ) from DirectTransport
    return DirectTransport(client)
