"""PynamoDB's connections, on a client that is not theirs: they cost microseconds and end with their context."""

from __future__ import annotations

import logging
import time
import typing as t

import pynamodb.connection
import pynamodb.connection.table
from pynamodb.connection.base import MetaTable
from pynamodb.constants import ATTR_DEFINITIONS
from pynamodb.constants import ATTR_NAME
from pynamodb.constants import ATTR_TYPE
from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.constants import RETURN_CONSUMED_CAPACITY
from pynamodb.constants import TOTAL
from pynamodb.exceptions import TableDoesNotExist
from pynamodb.exceptions import TableError
from pynamodb.exceptions import TransactGetError
from pynamodb.exceptions import TransactWriteError
from pynamodb.signals import post_dynamodb_send
from pynamodb.signals import pre_dynamodb_send

from dynaflask.client.direct.page_decoder import ItemFactory
from dynaflask.client.error_context import FAULTS
from dynaflask.client.error_context import annotate
from dynaflask.client.error_context import propagate_advice
from dynaflask.client.key import STOCK
from dynaflask.client.key import client_key
from dynaflask.client.pool import Lease
from dynaflask.client.sessions import new_session
from dynaflask.client.tuned.update_expression import serialize_update
from dynaflask.config.bind import Bind
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import failure_of
from dynaflask.operations.operation import outcome_of
from dynaflask.operations.operation import table_of
from dynaflask.operations.recorder import OperationRecorder
from dynaflask.operations.signals import operation_finished

_log = logging.getLogger("pynamodb.connection.base")


class ConnectionContext(t.Protocol):
    """What a connection asks of the scope that it belongs to."""

    def require_open(self) -> None:
        """Raise if the scope has ended."""

    def lease(self, bind: Bind) -> Lease:
        """The app's claim on the client of a destination."""

    def dedicated_client(self, bind: Bind) -> t.Any:
        """The app's own client for a destination."""

    def connection_template(self, bind: Bind) -> dict[str, t.Any]:
        """What :func:`connection_template_of` makes of a bind."""

    @property
    def recorder(self) -> OperationRecorder:
        """What the app does with its operations."""


class ApiCall:
    """As much of a connection as PynamoDB needs to make one call and to translate its errors."""

    __slots__ = ("client",)

    _get_table_name_for_error_context = pynamodb.connection.Connection._get_table_name_for_error_context

    def __init__(self, client: t.Any) -> None:
        self.client = client


class Connection(pynamodb.connection.Connection):
    """One context's connection to one bind. It speaks as PynamoDB's does.

    Args:
        bind: Where to, as whom, and with which options.
        owner: The scope that it belongs to.
        tenant: Whom it acts for.
        model: The name of the only model whose calls go this way, if there is one.
    """

    # Not super().__init__(): it works out each setting anew for each connection.
    def __init__(
        self, bind: Bind, *, owner: ConnectionContext, tenant: str | None = None, model: str | None = None
    ) -> None:
        self.__dict__ = {**owner.connection_template(bind), "_tables": {}}
        self.bind = bind
        self._owner = owner
        self.tenant = tenant
        self._model = model
        self._recorder = owner.recorder
        self._lease: Lease | None = None
        self._session: t.Any = None
        self._make: ItemFactory | None = None

    def __repr__(self) -> str:
        return f"<Connection {self.bind.key!r} region={self.region!r} host={self.host!r}>"

    @property
    def client(self) -> t.Any:
        """A botocore client of the app's own. From now on it serves the app's calls to this bind as well.

        Raises:
            RuntimeError: The context has ended.
        """
        self._owner.require_open()
        return self._owner.dedicated_client(self.bind)

    @property
    def session(self) -> t.Any:
        """A botocore session with this connection's identity, for what else the program calls.

        It is this connection's alone, and what is set on it changes no call of the connection's; but under
        ``DYNAMODB_SESSION`` it is that very session.
        """
        if self._session is None:
            self._session = new_session(client_key(self.bind))
        return self._session

    def dispatch(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        """Make a call; see PynamoDB. Its signals and its log cost something where somebody follows them alone."""
        if operation_name not in DATA_PLANE_OPERATIONS or _has_pynamodb_listeners():
            return super().dispatch(operation_name, operation_kwargs)
        operation_kwargs.setdefault(RETURN_CONSUMED_CAPACITY, TOTAL)
        return self._make_api_call(operation_name, operation_kwargs)

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        if self._recorder.is_enabled or operation_finished.receivers:
            return self._make_recorded_call(operation_name, operation_kwargs)
        return self._make_call(operation_name, operation_kwargs)

    def _make_recorded_call(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        self._recorder.check_limit(self.tenant)
        started = time.perf_counter()
        try:
            result = self._make_call(operation_name, operation_kwargs)
        except BaseException as error:
            self._record(operation_name, operation_kwargs, started=started, outcome=failure_of(error))
            raise
        outcome = outcome_of(operation_name, result)
        self._record(operation_name, operation_kwargs, started=started, outcome=outcome)
        return result

    def _record(self, name: str, params: dict[str, t.Any], *, started: float, outcome: dict[str, t.Any]) -> None:
        operation = Operation(
            name=name,
            app_name=self._recorder.app_name,
            bind_key=self.bind.key,
            model=self._model,
            table=table_of(params),
            tenant=self.tenant,
            duration_seconds=time.perf_counter() - started,
            **outcome,
        )
        self._recorder.record(operation)

    def _make_call(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        self._owner.require_open()
        if self._lease is None:
            self._lease = self._owner.lease(self.bind)
        mark, client = object(), None
        try:
            pooled, client = self._lease.begin(mark)
            try:
                api_caller = pooled.api_caller
                if self._make is not None and api_caller is not client:
                    api_caller = api_caller.with_item_factory(self._make)
                call: t.Any = ApiCall(api_caller)
                return pynamodb.connection.Connection._make_api_call(call, operation_name, operation_kwargs)
            finally:
                pooled.calls.discard(mark)
        except FAULTS as error:
            annotate(error, bind=self.bind, operation=operation_name, client=client, tenant=self.tenant)
            raise

    def with_item_factory(self, make: ItemFactory) -> Connection:
        """The same connection, for queries and scans of one model whose items become objects as they are decoded.

        Args:
            make: Makes an object of a plain item, and runs nothing of the program's.
        """
        other = Connection.__new__(Connection)
        other.__dict__ = {**self.__dict__, "_make": make}
        return other

    def get_operation_kwargs(
        self, table_name: str, hash_key: t.Any, range_key: t.Any = None, *args: t.Any, **options: t.Any
    ) -> dict[str, t.Any]:
        """What an operation on one item is called with; see PynamoDB."""
        update = self._serialize_update(**options) if "actions" in options and not args else None
        if update is not None:
            del options["actions"]
        request = super().get_operation_kwargs(table_name, hash_key, range_key, *args, **options)
        return request if update is None else {**request, **update}

    def _serialize_update(
        self, actions: t.Any, condition: t.Any = None, attributes_to_get: t.Any = None, **_: t.Any
    ) -> dict[str, t.Any] | None:
        # Nothing else may want names or values of its own.
        is_alone = condition is None and attributes_to_get is None
        return serialize_update(actions) if is_alone and self.bind.transport != STOCK else None

    def describe_table(self, table_name: str) -> dict[str, t.Any]:
        """What DynamoDB says of a table; see PynamoDB."""
        with propagate_advice(TableDoesNotExist):
            return super().describe_table(table_name)

    def transact_get_items(self, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Read some items at once; see PynamoDB."""
        with propagate_advice(TransactGetError):
            return super().transact_get_items(*args, **options)

    def transact_write_items(self, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Write some items at once; see PynamoDB."""
        with propagate_advice(TransactWriteError):
            return super().transact_write_items(*args, **options)

    def get_meta_table(self, table_name: str) -> MetaTable:
        """The keys of a table. One that no model describes is asked for them once."""
        try:
            return super().get_meta_table(table_name)
        except TableError:
            self.describe_table(table_name)
            return super().get_meta_table(table_name)


class TableKeys(MetaTable):
    """PynamoDB's ``MetaTable`` of a model, which does not go through all that is declared for the type of a key.

    Args:
        data: As of PynamoDB's.
    """

    def __init__(self, data: dict[str, t.Any]) -> None:
        super().__init__(data)
        self._types = {found[ATTR_NAME]: found[ATTR_TYPE] for found in data[ATTR_DEFINITIONS]}

    def get_attribute_type(self, attribute_name: str, value: t.Any = None) -> str:
        """DynamoDB's name of a key's type; see PynamoDB."""
        # What is not there may have been declared since.
        return self._types.get(attribute_name) or super().get_attribute_type(attribute_name, value)


class TableConnection(pynamodb.connection.table.TableConnection):
    """One table, over one connection.

    Args:
        table_name: The real name.
        connection: The way to it. It serves this table alone where ``meta_table`` is given.
        meta_table: The table's keys and indexes, where a model declares them.
    """

    # Not super().__init__(): it would make a connection of its own.
    def __init__(self, table_name: str, *, connection: Connection, meta_table: MetaTable | None = None) -> None:
        self.table_name = table_name
        self.connection: Connection = connection
        if meta_table is not None:
            connection.add_meta_table(meta_table)

    def with_item_factory(self, make: ItemFactory) -> TableConnection:
        """The same table, over :meth:`Connection.streaming`."""
        return TableConnection(self.table_name, connection=self.connection.with_item_factory(make))

    def create_table(self, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Create the table; see PynamoDB. One without a billing mode and a capacity is billed per request."""
        if options.get("read_capacity_units") is None and options.get("write_capacity_units") is None:
            options.setdefault("billing_mode", PAY_PER_REQUEST_BILLING_MODE)
        return super().create_table(*args, **options)

    def __repr__(self) -> str:
        return f"<TableConnection {self.table_name!r} on {self.connection!r}>"


def connection_template_of(bind: Bind) -> dict[str, t.Any]:
    """What PynamoDB keeps in a connection with a bind's settings."""
    connection = pynamodb.connection.Connection(
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
    return vars(connection)


def _has_pynamodb_listeners() -> bool:
    is_signalled = pre_dynamodb_send.receivers or post_dynamodb_send.receivers
    return bool(is_signalled) or _log.isEnabledFor(logging.DEBUG)
