"""The attributes that PynamoDB's ``Connection.__init__`` sets, computed once for all connections to a bind."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pynamodb.connection

from dynaflask.client.patches import original
from dynaflask.config.bind import Bind

# The attributes that PynamoDB's __init__ makes for each connection. All others are values of the bind. Connections to
# one bind can share `_local`: PynamoDB keeps a session there, which `Connection.session` replaces.
OWN_ATTRIBUTES: t.Final = frozenset({"_tables", "_local"})

Upstream = cabc.Mapping[str, t.Any]

# As it is before a test patches it.
_INIT = original(pynamodb.connection.Connection, "__init__")


def upstream_attributes(bind: Bind) -> Upstream | None:
    """The attributes that PynamoDB gives each connection to a bind; ``None`` if it may give each one its own.

    Args:
        bind: The bind.
    """
    one, other = (vars(_init(object.__new__(pynamodb.connection.Connection), bind)) for _ in range(2))
    # A release may add an attribute. What it makes for each connection is another object the second time.
    own = {name for name, value in one.items() if other.get(name) is not value}
    return one if own == OWN_ATTRIBUTES else None


def set_upstream_attributes(connection: pynamodb.connection.Connection, bind: Bind, upstream: Upstream | None) -> None:
    """Set the attributes of a new connection.

    Args:
        connection: The connection.
        bind: Its bind.
        upstream: What :func:`upstream_attributes` returned for the bind; ``None`` to call PynamoDB's ``__init__``.
    """
    if upstream is None or vars(pynamodb.connection.Connection).get("__init__") is not _INIT:
        _init(connection, bind)
    else:
        vars(connection).update(upstream)
        connection._tables = {}


def _init(connection: pynamodb.connection.Connection, bind: Bind) -> pynamodb.connection.Connection:
    pynamodb.connection.Connection.__init__(
        connection,
        region=bind.region,
        host=bind.host,
        read_timeout_seconds=bind.read_timeout_seconds,
        connect_timeout_seconds=bind.connect_timeout_seconds,
        max_retry_attempts=bind.max_retry_attempts,
        retry_configuration=t.cast("t.Any", bind.retry_configuration),
        max_pool_connections=bind.max_pool_connections,
        extra_headers=bind.extra_headers,
        aws_access_key_id=bind.aws_access_key_id,
        aws_secret_access_key=bind.aws_secret_access_key,
        aws_session_token=bind.aws_session_token,
    )
    return connection
