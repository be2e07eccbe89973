"""PynamoDB's connections on clients of the pool. They cost microseconds, and end with their app context.

Connection            what a context and a program need of a connection, and the order of the steps of a call
  TransactionCalls      transactions of one destination, context and tenant
    RecordedCalls         the record of each call: counted, limited, logged and traced
      LeasedCalls           one call, on a client that the app leases
        TableCalls            parameters that the keys of a table change
          PlainCalls            a shorter path for plain calls
            PynamoDB's Connection

Each class is the base of the one above it, in a module of its name.
"""

from __future__ import annotations

import typing as t

import pynamodb.connection
from pynamodb.constants import RETURN_CONSUMED_CAPACITY
from pynamodb.constants import TOTAL

from dynaflask.client.conflicts import call_until_free
from dynaflask.client.connection_context import ConnectionContext
from dynaflask.client.connection_template import init_upstream
from dynaflask.client.direct.page_decoder import PageDecoder
from dynaflask.client.key import DIRECT
from dynaflask.client.key import client_key
from dynaflask.client.key import transport_of
from dynaflask.client.lease import Lease
from dynaflask.client.patches import Originals
from dynaflask.client.patches import remember
from dynaflask.client.plain_calls import OPERATIONS
from dynaflask.client.plain_calls import SKIPPED_METHODS
from dynaflask.client.plain_calls import has_pynamodb_listeners
from dynaflask.client.sessions import new_session
from dynaflask.client.table_connection import TableConnection
from dynaflask.client.table_keys import KeyTable
from dynaflask.client.transaction_calls import TransactionCalls
from dynaflask.config.bind import Bind
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS
from dynaflask.operations.operation import operation_finished
from dynaflask.operations.rate_limits import UNSET
from dynaflask.operations.rate_limits import OwnCapacity

# Methods of PynamoDB that :meth:`Connection.dispatch` skips.
SKIPPED_BY_DISPATCH: t.Final = Originals(
    {pynamodb.connection.Connection: ("dispatch", "send_pre_boto_callback", "send_post_boto_callback")}
)


class Connection(TransactionCalls):
    """The connection of one context to one bind, with PynamoDB's interface.

    Args:
        bind: The destination, with credentials and client options.
        owner: The scope that the connection belongs to.
        tenant: Tenant that the connection acts for, or None.
        model: Name of the model, if the connection serves one model alone.
        own_capacity: Units per second in the tenant's own settings; ``None`` for no limit.
    """

    def __init__(
        self,
        bind: Bind,
        *,
        owner: ConnectionContext,
        tenant: str | None = None,
        model: str | None = None,
        own_capacity: OwnCapacity = UNSET,
    ) -> None:
        init_upstream(self, bind)
        self.bind = bind
        self.is_direct = transport_of(bind) == DIRECT
        self._owner = owner
        self._model = model
        self._recorder = owner.recorder
        self._act_for(tenant, own_capacity)
        self._lease: Lease | None = None
        self._session: t.Any = None
        self._page_decoder: PageDecoder | None = None
        self._is_bare = bind.call_timeout_seconds is None
        self._attribute_count = len(vars(self)) + 1

    def __repr__(self) -> str:
        return f"<Connection {self.bind.key!r} region={self.region!r} host={self.host!r}>"

    @property
    def client(self) -> t.Any:
        """A botocore client that serves this app alone. From now on it makes the app's calls to this bind as well.

        Raises:
            RuntimeError: The context has ended.
        """
        self._owner.require_open()
        return self._owner.dedicated_client(self.bind)

    @property
    def session(self) -> t.Any:
        """A botocore session with this connection's credentials, for calls to other AWS services.

        Each connection has its own. Changes to it do not affect the connection's calls. With ``DYNAMODB_SESSION``, it
        is the session of that setting.
        """
        if self._session is None:
            self._session = new_session(client_key(self.bind))
        return self._session

    def dispatch(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        """Make a call; see PynamoDB.

        Its signals and its debug log take time, and are skipped if they have no receiver, and no test patches them.
        """
        is_watched = has_pynamodb_listeners() or not SKIPPED_BY_DISPATCH.are_in_place()
        if operation_name not in DATA_PLANE_OPERATIONS or is_watched:
            return super().dispatch(operation_name, operation_kwargs)
        operation_kwargs.setdefault(RETURN_CONSUMED_CAPACITY, TOTAL)
        return self._make_api_call(operation_name, operation_kwargs)

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        if not operation_finished.receivers:
            if self._watch.is_single:
                return self._make_call(operation_name, operation_kwargs)
            if self._watch.is_light:
                return self._make_light_call(operation_name, operation_kwargs)
        if self.bind.retry_conflicts:
            return call_until_free(
                self._make_recorded_call,
                operation_name,
                operation_kwargs,
                retries=self.bind.retry_conflicts,
                seconds=self.bind.call_timeout_seconds,
            )
        return self._make_recorded_call(operation_name, operation_kwargs)

    def with_page_decoder(self, decoder: PageDecoder | None) -> Connection:
        """The same connection, for reads that decode the items of a page to objects of one model.

        Args:
            decoder: Decodes the pages. It must not run code of the program. ``None`` for plain items.
        """
        other: Connection = object.__new__(type(self))
        is_bare = decoder is None and self.bind.call_timeout_seconds is None
        other.__dict__ = {**self.__dict__, "_page_decoder": decoder, "_is_bare": is_bare}
        return other


# Some are not skipped: a patch of them gets the dict that PynamoDB builds.
OWN_METHODS = (
    "get_meta_table",
    "get_operation_kwargs",
    "dispatch",
    "_make_api_call",
    "_make_recorded_call",
    "_make_call",
)


def skipped_methods(*operations: str) -> dict[type, tuple[str, ...]]:
    """The methods that a plain call skips, by class.

    Args:
        *operations: Names of the methods of a connection and of a table that make the call.
    """
    theirs = pynamodb.connection.Connection
    return {
        **SKIPPED_METHODS,
        theirs: (*operations, *SKIPPED_METHODS[theirs]),
        Connection: (*operations, *OWN_METHODS),
        TableConnection: operations,
    }


remember(*Connection.__mro__, *TableConnection.__mro__, *KeyTable.__mro__)
Connection.skipped = Originals(skipped_methods(*OPERATIONS))
