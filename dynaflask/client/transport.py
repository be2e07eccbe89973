"""The transport of a client: how its calls are made. It stands in ``client.meta.dynaflask_transport``."""

from __future__ import annotations

import contextlib
import logging
import typing as t

from dynaflask.client import tuned_parts
from dynaflask.client.key import DIRECT
from dynaflask.client.key import STOCK
from dynaflask.client.key import TUNED
from dynaflask.client.key import ClientKey
from dynaflask.config.bind import Bind
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import install_hint

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
# A reason is logged once per process, not once per client: an app may have a client for each of its tenants.
_logged_reasons: set[tuple[str, str]] = set()


class Transport(t.NamedTuple):
    """The transport of a client that makes its calls itself.

    Attributes:
        mode: ``"tuned"`` or ``"stock"``, as in ``DYNAMODB_TRANSPORT``.
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

    Raises:
        ConfigurationError: The transport needs a package that is not installed.
    """
    if caller is not None:
        caller.attach(client)
        client.meta.dynaflask_transport = caller
        return
    if mode == DIRECT and isinstance(DirectTransport, ModuleNotFoundError):
        raise ConfigurationError(
            f"DYNAMODB_TRANSPORT is 'direct', and {install_hint(DirectTransport, extra=DIRECT)}"
        ) from DirectTransport
    difference = tuned_parts.unsupported_reason() if mode != STOCK else None
    if difference is not None:
        attached: t.Any = Transport(STOCK, difference)
    elif mode != DIRECT:
        attached = Transport(mode)
    elif isinstance(DirectTransport, Exception):
        difference = tuned_parts.version_difference(DirectTransport)
        attached = Transport(TUNED, f"this version of botocore differs: {difference}")
    else:
        attached = DirectTransport(client)
    client.meta.dynaflask_transport = attached
    _log_unused(mode, reason=attached.reason)


def mark_unmanaged(client: t.Any, *, reason: str, mode: str | None = None) -> None:
    """Leave a client as it is, and record why, if it is one of botocore's.

    Args:
        client: The client that a factory made; any object.
        reason: Why the client is left as it is.
        mode: The value of ``DYNAMODB_TRANSPORT``, or ``None`` if it is not set.
    """
    with contextlib.suppress(AttributeError):
        client.meta.dynaflask_transport = Transport(STOCK, reason)
    if mode not in {None, STOCK}:
        _log_unused(mode, reason=reason)


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


def _log_unused(mode: str | None, *, reason: str | None) -> None:
    if reason is not None and (mode, reason) not in _logged_reasons:
        _logged_reasons.add((str(mode), reason))
        logger.warning("DYNAMODB_TRANSPORT is %r, but botocore makes the calls of a client: %s.", mode, reason)
