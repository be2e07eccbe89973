"""What the connections to one table have in common. It is computed once for each app, model and destination."""

from __future__ import annotations

import typing as t

from pynamodb.connection import Connection as Upstream

from dynaflask.client.patches import original
from dynaflask.config.bind import Bind
from dynaflask.operations.rate_limits import UNSET
from dynaflask.operations.rate_limits import OwnCapacity

if t.TYPE_CHECKING:
    from pynamodb.connection.base import MetaTable

    from dynaflask.client.call_watch import CallWatch
    from dynaflask.client.connection import Connection
    from dynaflask.client.connection_context import ConnectionContext

# The attributes that PynamoDB's __init__ makes for each connection. All others are values of the bind. Connections to
# one bind can share `_local`: PynamoDB keeps a session there, which `Connection.session` replaces.
OWN_ATTRIBUTES: t.Final = frozenset({"_tables", "_local"})

# As it is before a test patches it.
_INIT = original(Upstream, "__init__")


class ConnectionTemplate:
    """A connection without a context and a tenant. It makes connections, in a third of PynamoDB's time, and no calls.

    Args:
        connection_type: The class of the connections.
        common: The attributes of a connection to any table of the bind, without its owner: a template lives longer than
            a context.
        table: The keys of the table.
        own: The attributes that differ from the common ones.
    """

    __slots__ = ("_common", "_own", "_table", "_table_name", "_type")

    def __init__(
        self,
        connection_type: type[Connection],
        common: dict[str, t.Any],
        table: MetaTable,
        own: dict[str, t.Any] | None = None,
    ) -> None:
        self._type = connection_type
        self._common = common
        self._table = table
        self._table_name = table.table_name
        self._own = own or {}

    @classmethod
    def of(cls, connection: Connection, table: MetaTable) -> ConnectionTemplate:
        """The template of a new connection, without a tenant, that no other code uses yet.

        Args:
            connection: The connection.
            table: The keys of its table.
        """
        # A copy that has all names is faster than one that grows.
        return cls(type(connection), {**vars(connection), "_owner": None, "_tables": None}, table)

    def for_table(self, table: MetaTable, *, model: str) -> ConnectionTemplate:
        """The template of another table on the same bind. Both keep what they have in common once.

        Args:
            table: The keys of the table.
            model: Name of its model.
        """
        own = {"_model": model, "_source": self._common["_source"]._replace(model=model)}
        return ConnectionTemplate(self._type, self._common, table, own)

    def connect(
        self, owner: ConnectionContext, *, tenant: str | None = None, own_capacity: OwnCapacity = UNSET
    ) -> Connection:
        """A connection of a context.

        Args:
            owner: As of :class:`.Connection`.
            tenant: As of :class:`.Connection`.
            own_capacity: As of :class:`.Connection`.
        """
        connection: Connection = object.__new__(self._type)
        tables = {self._table_name: self._table}
        connection.__dict__ = {**self._common, **self._own, "_owner": owner, "_tables": tables}
        # An app may get or lose a tracer or a counter at any time.
        watch: CallWatch = self._common["_watch"]
        if tenant is not None or not watch.is_of(self._common["_recorder"]):
            connection._act_for(tenant, own_capacity, watch=watch)
        return connection


def can_be_kept(bind: Bind) -> bool:
    """True if a template serves all connections to a bind: PynamoDB gives them the same attributes.

    Args:
        bind: The bind.
    """
    one, other = (vars(init_upstream(object.__new__(Upstream), bind)) for _ in range(2))
    # A release may add an attribute. What it makes for each connection is another object the second time.
    return {name for name, value in one.items() if other.get(name) is not value} == OWN_ATTRIBUTES


def is_init_patched() -> bool:
    """True if a test has patched PynamoDB's ``__init__``, which then runs for each connection."""
    return Upstream.__init__ is not _INIT


def init_upstream(connection: Upstream, bind: Bind) -> Upstream:
    """A connection after PynamoDB's ``__init__``.

    Args:
        connection: The connection.
        bind: Its bind.
    """
    Upstream.__init__(
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
