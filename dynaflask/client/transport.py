"""The transport of a client: how its calls are made. It stands in ``client.meta.dynaflask_transport``."""

from __future__ import annotations

import contextlib
import logging
import typing as t

from dynaflask.client.codec import parts
from dynaflask.client.fallback_log import log_fallback
from dynaflask.client.key import BOTOCORE
from dynaflask.client.key import DIRECT
from dynaflask.client.key import STOCK
from dynaflask.client.key import ClientKey
from dynaflask.config.bind import Bind

if t.TYPE_CHECKING:
    from dynaflask.client.destination import Destination

# Imported here and not at the first call. A process forked while a thread imports leaves the child waiting for the
# import lock of a thread that it does not have.
DirectTransport: t.Any
try:
    from dynaflask.client.destination import find_destination
    from dynaflask.client.direct.transport import DirectTransport
except (ImportError, AttributeError) as missing:
    DirectTransport = missing


logger = logging.getLogger("dynaflask.pool")


class Transport(t.NamedTuple):
    """The transport of a client that makes its calls itself.

    Attributes:
        mode: ``"botocore"`` or ``"stock"``, as in ``DYNAMODB_TRANSPORT``.
        reason: Why the requested transport is not in use; ``None`` if it is.
    """

    mode: str
    reason: str | None = None


def attach_transport(client: t.Any, *, mode: str, caller: t.Any = None) -> None:
    """Give a new client its transport.

    Args:
        client: A client that no other thread has yet.
        mode: The value of ``DYNAMODB_TRANSPORT``.
        caller: The direct transport that has made the calls without a client, and makes them from now on; or ``None``.
    """
    difference = parts.unsupported_reason() if mode != STOCK else None
    attached: t.Any
    if caller is not None:
        caller.attach(client)
        attached = caller
    elif difference is not None:
        attached = Transport(STOCK, difference)
    elif mode != DIRECT:
        attached = Transport(mode)
    elif isinstance(DirectTransport, Exception):
        difference = parts.version_difference(DirectTransport)
        attached = Transport(BOTOCORE, f"{parts.DIFFERENCE}{difference}")
    else:
        attached = DirectTransport(client)
    client.meta.dynaflask_transport = attached
    # Hooks of tracers block the calls of some apps, and not of others. Each call looks for them.
    reason = attached.reason if isinstance(attached, Transport) else attached.unsupported_reason
    if reason is not None:
        log_fallback(logger, mode, instead=attached.mode, reason=reason)


def mark_unmanaged(client: t.Any, *, reason: str, mode: str | None = None) -> None:
    """Leave a client as it is, and record why, if it is one of botocore's.

    Args:
        client: The client that a factory made; any object.
        reason: Why the client is left as it is.
        mode: The value of ``DYNAMODB_TRANSPORT``, or ``None`` if it is not set.
    """
    with contextlib.suppress(AttributeError):
        client.meta.dynaflask_transport = Transport(STOCK, reason)
    # Without a value, the program has not asked for another transport.
    if mode is not None and mode != STOCK:
        log_fallback(logger, mode, instead=STOCK, reason=reason, level=logging.WARNING)


def find_lazy_destination(key: ClientKey, bind: Bind) -> Destination | None:
    """The destination of a client that can be made later; ``None`` if the client must be made now.

    Args:
        key: The key of the client.
        bind: A bind of that key.
    """
    return None if isinstance(DirectTransport, Exception) else find_destination(key, bind)


def api_caller(client: t.Any) -> t.Any:
    """The object that makes the calls of a client: the client itself, or its direct transport.

    Args:
        client: Any client, also one that a factory made.
    """
    transport = getattr(getattr(client, "meta", None), "dynaflask_transport", None)
    return client if transport is None or isinstance(transport, Transport) else transport


def describe(client: t.Any) -> str:
    """The transport of the next call of a client, with the reason if it is not that of the settings.

    Args:
        client: Any client, also one that a factory made.
    """
    # A client that a factory made may be any object.
    transport = getattr(getattr(client, "meta", None), "dynaflask_transport", Transport(STOCK))
    reason = transport.reason
    return str(transport.mode) if reason is None else f"{transport.mode}: {reason}"
