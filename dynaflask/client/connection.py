"""PynamoDB's connections on clients of the pool. They cost microseconds, and end with their app context."""

from __future__ import annotations

import time
import typing as t

import pynamodb.connection
import pynamodb.connection.table
from pynamodb.constants import KEY_TYPE
from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.constants import RESPONSES
from pynamodb.constants import RETURN_CONSUMED_CAPACITY
from pynamodb.constants import TOTAL
from pynamodb.exceptions import TableDoesNotExist
from pynamodb.exceptions import TableError
from pynamodb.exceptions import TransactGetError
from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition

from dynaflask.client.call_timeout import TimedCaller
from dynaflask.client.codec.parts import serialize_update
from dynaflask.client.condition_values import OPTION
from dynaflask.client.condition_values import asked_for
from dynaflask.client.conflicts import call_until_free
from dynaflask.client.connection_template import init_upstream
from dynaflask.client.direct.page_decoder import PageDecoder
from dynaflask.client.error_advice import CreateOptions
from dynaflask.client.error_context import CALL_ERRORS
from dynaflask.client.error_context import annotate
from dynaflask.client.error_context import propagate_advice
from dynaflask.client.key import DIRECT
from dynaflask.client.key import STOCK
from dynaflask.client.key import client_key
from dynaflask.client.key import transport_of
from dynaflask.client.lease import Lease
from dynaflask.client.patches import Originals
from dynaflask.client.patches import original
from dynaflask.client.plain_calls import OPERATIONS
from dynaflask.client.plain_calls import SKIPPED_METHODS
from dynaflask.client.plain_calls import PlainCalls
from dynaflask.client.plain_calls import has_pynamodb_listeners
from dynaflask.client.plain_requests import decoded
from dynaflask.client.pool import PooledClient
from dynaflask.client.sessions import new_session
from dynaflask.client.table_keys import KeyCondition
from dynaflask.client.table_keys import KeyTable
from dynaflask.client.table_keys import canonical_number
from dynaflask.client.table_keys import check_filter
from dynaflask.client.table_keys import require_hash_key
from dynaflask.client.traced_caller import TracedCaller
from dynaflask.client.transaction_item import TransactionItem
from dynaflask.config.bind import Bind
from dynaflask.config.fields import DESTINATION_SETTINGS
from dynaflask.exceptions import TenantMismatch
from dynaflask.operations.kept_call import ONE_ITEM
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS
from dynaflask.operations.operation import Source
from dynaflask.operations.operation import operation_finished
from dynaflask.operations.rate_limits import UNSET
from dynaflask.operations.rate_limits import OwnCapacity
from dynaflask.operations.recorder import OperationRecorder
from dynaflask.operations.recorder import Receivers
from dynaflask.operations.tracing import UNKNOWN_PLACE
from dynaflask.operations.tracing import Traced
from dynaflask.operations.tracing import Tracing
from dynaflask.operations.tracing import finished_call
from dynaflask.operations.tracing import finished_success

if t.TYPE_CHECKING:
    from pynamodb.connection.base import MetaTable

# Methods that :meth:`Connection.dispatch` passes by, as they are before a test patches them.
_base_method = vars(pynamodb.connection.Connection).get
_DISPATCH, _SEND_PRE, _SEND_POST = (
    original(pynamodb.connection.Connection, name)
    for name in ("dispatch", "send_pre_boto_callback", "send_post_boto_callback")
)


class ConnectionContext(t.Protocol):
    """What a connection needs of its scope.

    Attributes:
        pushes: True as long as the context is open.
    """

    pushes: t.Any

    def require_open(self) -> None:
        """Raise if the scope has ended."""

    @property
    def running(self) -> object:
        """The scope that the running code is in."""

    def require_running(self, scope: object, model: str) -> None:
        """Raise if the running code is in another scope."""

    def lease(self, bind: Bind) -> Lease:
        """The app's claim on the client of a destination."""

    def dedicated_client(self, bind: Bind) -> t.Any:
        """A client for a destination that serves this app alone."""

    @property
    def recorder(self) -> OperationRecorder:
        """Records the app's operations."""

    @property
    def needs_tenant(self) -> bool:
        """True if a command of the app needs one of the options for tenants."""


class ApiCall(pynamodb.connection.Connection):
    """The part of a connection that PynamoDB needs to make one call and to translate its errors.

    Its ``_make_api_call`` is PynamoDB's. A test that patches it sees the arguments that it sees with PynamoDB alone.
    """

    __slots__ = ("client",)

    # super().__init__() prepares what only a whole connection needs.
    def __init__(self, client: t.Any) -> None:
        self.client = client  # type: ignore[misc]  # the slot replaces PynamoDB's property


class Connection(PlainCalls):
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
        self.act_for(tenant, own_capacity)
        self._lease: Lease | None = None
        self._session: t.Any = None
        self._page_decoder: PageDecoder | None = None
        # The client or its transport makes the calls, and nothing around it.
        self._is_bare = bind.call_timeout_seconds is None
        self._attribute_count = len(vars(self)) + 1

    def act_for(self, tenant: str | None, own_capacity: OwnCapacity) -> None:
        """Set the tenant of a new connection, and what the record of each call has in common, if there is one.

        Args:
            tenant: As of the class.
            own_capacity: As of the class.
        """
        self.tenant, self._own_capacity, recorder = tenant, own_capacity, self._recorder
        self._is_traced = is_traced = bool(recorder.tracing.tracers)
        self._keeps_calls = recorder.keeps_calls
        self._is_recorded = recorder.is_enabled or is_traced or (own_capacity is not UNSET and own_capacity is not None)
        self._source = Source(recorder.app_name, self.bind.key, self._model, tenant)
        self._is_limited = tenant is not None and recorder.limits.units_per_second(tenant, own_capacity) is not None
        # A call is one request with its response, and nothing that watches it.
        self._is_single = not (self._is_recorded or self.bind.retry_conflicts)
        self._light_seconds = 0.0 if self._is_limited else recorder.light_seconds
        # Nothing but the start of its time comes before a call, and no tracer and no retry of a conflict after it.
        self._is_light = self._is_recorded and not (is_traced or self.bind.retry_conflicts)
        # URL and region of the client, once a traced call has got it.
        self._placed: PooledClient | None = None
        self._place = UNKNOWN_PLACE

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
        if operation_name not in DATA_PLANE_OPERATIONS or has_pynamodb_listeners() or _is_patched():
            return super().dispatch(operation_name, operation_kwargs)
        operation_kwargs.setdefault(RETURN_CONSUMED_CAPACITY, TOTAL)
        return self._make_api_call(operation_name, operation_kwargs)

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        if not operation_finished.receivers:
            if self._is_single:
                return self._make_call(operation_name, operation_kwargs)
            if self._is_light:
                return self._make_timed_call(operation_name, operation_kwargs, (), None)
        if self.bind.retry_conflicts:
            return call_until_free(
                self._make_recorded_call,
                operation_name,
                operation_kwargs,
                retries=self.bind.retry_conflicts,
                seconds=self.bind.call_timeout_seconds,
            )
        return self._make_recorded_call(operation_name, operation_kwargs)

    def _make_recorded_call(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        recorder = self._recorder
        receivers = recorder.receivers() if operation_finished.receivers else ()
        if not (self._is_recorded or receivers):
            return self._make_call(operation_name, operation_kwargs)
        traced = recorder.tracing.start() if recorder.tracing.tracers else None
        return self._make_timed_call(operation_name, operation_kwargs, receivers, traced)

    def _make_timed_call(
        self, operation_name: str, operation_kwargs: dict[str, t.Any], receivers: Receivers, traced: Traced | None
    ) -> dict[str, t.Any]:
        started = time.perf_counter()
        try:
            if self._is_limited:
                self._recorder.limits.check_limit(self.tenant, self._own_capacity)
            result = self._make_call(operation_name, operation_kwargs)
        except BaseException as error:
            seconds = time.perf_counter() - started
            self._record(operation_name, operation_kwargs, error, seconds, receivers=receivers, traced=traced)
            raise
        seconds = time.perf_counter() - started
        if receivers or seconds >= self._light_seconds or (traced and operation_name not in ONE_ITEM):
            self._record(operation_name, operation_kwargs, result, seconds, receivers=receivers, traced=traced)
            return result
        if self._keeps_calls:
            self._recorder.keep(operation_name, operation_kwargs, result, self._current_source(), seconds)
        if traced:
            source = self._current_source()
            call = finished_success(operation_name, operation_kwargs, result, source, seconds, self._place)
            Tracing.finish(traced, call)
        return result

    def _record(
        self,
        name: str,
        params: dict[str, t.Any],
        outcome: t.Any,
        seconds: float,
        *,
        receivers: Receivers,
        traced: Traced | None,
    ) -> None:
        operation = self._recorder.operation(name, params, outcome, self._current_source(), seconds)
        self._recorder.record(operation, own_capacity=self._own_capacity, receivers=receivers)
        if traced:
            error = outcome if isinstance(outcome, BaseException) else None
            Tracing.finish(traced, finished_call(operation, place=self._place, error=error))

    def _current_source(self) -> Source:
        host = None if self._lease is None else self._lease.host
        if host is not self._source.host:
            self._source = self._source._replace(host=host)
        return self._source

    def _make_call(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        owner, lease, recorder = self._owner, self._lease, self._recorder
        if not owner.pushes:
            owner.require_open()
        if lease is None:
            lease = self._lease = owner.lease(self.bind)
        pooled = None
        try:
            pooled = lease.acquire()
            try:
                is_bare = self._is_bare and recorder.interceptor is None and not recorder.tracing.tracers
                api_caller = pooled.api_caller if is_bare else self._api_caller(operation_name, pooled)
                params = operation_kwargs if is_bare and pooled.is_direct else decoded(operation_kwargs)
                return ApiCall(api_caller)._make_api_call(operation_name, params)
            finally:
                lease.release(pooled)
        except CALL_ERRORS as error:
            client = None if pooled is None else pooled.made_client
            create = CreateOptions(self.tenant, self._model, self._owner.needs_tenant)
            annotate(error, bind=self.bind, operation=operation_name, client=client, create=create)
            raise

    def _api_caller(self, operation_name: str, pooled: PooledClient) -> t.Any:
        """What makes a call: the client or its direct transport, with what this connection and the app add to it."""
        api_caller, is_direct, recorder = pooled.api_caller, pooled.is_direct, self._recorder
        if self._page_decoder is not None and is_direct:
            api_caller = api_caller.with_page_decoder(self._page_decoder)
        if recorder.interceptor is not None:
            intercepting = recorder.interceptor(operation_name, pooled.client, self.bind)
            api_caller, is_direct = intercepting or api_caller, is_direct and intercepting is None
        if self.bind.call_timeout_seconds is not None:
            api_caller = TimedCaller(api_caller, self.bind.call_timeout_seconds)
        if recorder.tracing.tracers:
            if pooled is not self._placed:
                # In this order: a thread that shares the connection must not find the place of an earlier client.
                self._place, self._placed = pooled.place, pooled
            api_caller = TracedCaller(api_caller, recorder.tracing, is_direct=is_direct)
        return api_caller

    def with_page_decoder(self, decoder: PageDecoder | None) -> Connection:
        """The same connection, for reads that decode the items of a page to objects of one model.

        Args:
            decoder: Decodes the pages. It must not run code of the program. ``None`` for plain items.
        """
        other: Connection = object.__new__(type(self))
        is_bare = decoder is None and self.bind.call_timeout_seconds is None
        other.__dict__ = {**self.__dict__, "_page_decoder": decoder, "_is_bare": is_bare}
        return other

    def get_operation_kwargs(
        self, table_name: str, hash_key: t.Any, range_key: t.Any = None, *args: t.Any, **options: t.Any
    ) -> dict[str, t.Any]:
        """Parameters of an operation on one item; see PynamoDB."""
        update = self._serialize_update(**options) if "actions" in options and not args else None
        if update is not None:
            del options["actions"]
        if options.get("condition") is not None and options.get(OPTION) is None:
            options[OPTION] = asked_for() or self.bind.return_values_on_condition_failure
        request = super().get_operation_kwargs(table_name, hash_key, range_key, *args, **options)
        return request if update is None else {**request, **update}

    def _serialize_update(
        self, actions: t.Any, condition: t.Any = None, attributes_to_get: t.Any = None, **_: t.Any
    ) -> dict[str, t.Any] | None:
        # A condition or a projection would need placeholders of the same expression.
        is_alone = condition is None and attributes_to_get is None
        is_compiled = is_alone and transport_of(self.bind) != STOCK
        return t.cast("dict[str, t.Any] | None", serialize_update(actions)) if is_compiled else None

    def describe_table(self, table_name: str) -> dict[str, t.Any]:
        """The description of a table; see PynamoDB."""
        with propagate_advice(TableDoesNotExist):
            return super().describe_table(table_name)

    def query(  # noqa: PLR0917 - PynamoDB's signature
        self,
        table_name: str,
        hash_key: t.Any,
        range_key_condition: Condition | None = None,
        filter_condition: Condition | None = None,
        attributes_to_get: t.Any = None,
        consistent_read: bool = False,
        exclusive_start_key: t.Any = None,
        index_name: str | None = None,
        *args: t.Any,
        **options: t.Any,
    ) -> dict[str, t.Any]:
        """One page of a query; see PynamoDB.

        Raises:
            ValueError: As of :func:`check_filter`.
        """
        table = self.get_meta_table(table_name)
        # PynamoDB says that there is no such index.
        if not index_name or table.has_index(index_name):
            keys = table.query_keys(index_name or None)
            if isinstance(filter_condition, Condition):
                check_filter(
                    filter_condition,
                    keys,
                    queried=f"the {'index' if index_name else 'table'} {index_name or table_name!r}",
                )
            if table.is_number(keys[0]) and isinstance(text := self.parse_attribute(hash_key), str):
                hash_key = canonical_number(text)
            if isinstance(range_key_condition, Condition) and any(map(table.is_number, keys[1:])):
                range_key_condition = KeyCondition(range_key_condition)
        return super().query(
            table_name,
            hash_key,
            range_key_condition,
            filter_condition,
            attributes_to_get,
            consistent_read,
            exclusive_start_key,
            index_name,
            *args,
            **options,
        )

    def transact_get_items(self, get_items: t.Any, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Read several items in a transaction; see PynamoDB.

        Raises:
            RuntimeError: As of :meth:`require_same_place`, for each item. Or a receiver of a signal has entered the
                block of another tenant, whose objects the items would become.
        """
        items = list(get_items)
        own_items = self._own_items(items)
        with propagate_advice(TransactGetError):
            data = super().transact_get_items(own_items, *args, **options)
        results = data.get(RESPONSES, [])
        for position, (item, result) in enumerate(zip(items, results, strict=False)):
            if isinstance(item, TransactionItem):
                item.require_current()
                results[position] = item.visible_result(result)
        return data

    def visible_result(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        """The result of reading one item, without an item that the model of this connection hides."""
        return result

    def transact_write_items(
        self,
        condition_check_items: t.Any,
        delete_items: t.Any,
        put_items: t.Any,
        update_items: t.Any,
        *args: t.Any,
        **options: t.Any,
    ) -> dict[str, t.Any]:
        """Write several items in a transaction; see PynamoDB.

        Raises:
            RuntimeError: As of :meth:`require_same_place`, for each item.
        """
        checks, deletions, puts, updates = map(
            self._own_items, (condition_check_items, delete_items, put_items, update_items)
        )
        with propagate_advice(TransactWriteError):
            data = super().transact_write_items(checks, deletions, puts, updates, *args, **options)
        for item in (*put_items, *update_items):
            if isinstance(item, TransactionItem):
                item.on_written()
        return data

    def _own_items(self, items: t.Any) -> list[t.Any]:
        return [item.unwrapped_for(self) if isinstance(item, TransactionItem) else item for item in items]

    def require_same_place(self, other: Connection, *, model: str, first: str = "the connection") -> None:
        """Refuse a model whose own connection has another destination, tenant or context than this one.

        Args:
            other: The model's own connection.
            model: The model's name.
            first: What this connection stands for in the messages.

        Raises:
            RuntimeError: They belong to two application contexts.
            TenantMismatch: They are for two tenants. It is a RuntimeError, too.
            ValueError: They have two destinations.
        """
        if other._owner is not self._owner:
            raise RuntimeError(
                f"A transaction belongs to one application context: {first} is of a context of"
                f" {self._recorder.app_name!r}, and {model} is used in another one, of {other._recorder.app_name!r}."
                " Make the transaction with db.transact_write() or db.transact_get() in the context of its models."
            )
        if other.tenant != self.tenant:
            raise TenantMismatch(
                f"A transaction is for one tenant: {first} is of {_tenant_label(self)}, and {model} is used for"
                f" {_tenant_label(other)}. Make the transaction and add its models in one tenant's block."
            )
        if other.bind.destination != self.bind.destination:
            differences = [
                name for name in sorted(DESTINATION_SETTINGS) if getattr(other.bind, name) != getattr(self.bind, name)
            ]
            raise ValueError(
                f"A transaction goes to one destination: {first} is on {self.bind!r}, and {model} on {other.bind!r}."
                f" They differ in {', '.join(differences or ['bind_key'])}."
            )

    def add_meta_table(self, meta_table: MetaTable) -> None:
        """Add the keys of a table; see PynamoDB."""
        super().add_meta_table(meta_table if isinstance(meta_table, KeyTable) else KeyTable(meta_table.data))

    def get_meta_table(self, table_name: str) -> KeyTable:
        """The keys of a table. If no model declares it, it is described once."""
        try:
            return t.cast("KeyTable", super().get_meta_table(table_name))
        except TableError:
            self.describe_table(table_name)
            return t.cast("KeyTable", super().get_meta_table(table_name))


class TableConnection(pynamodb.connection.table.TableConnection):
    """One table on one connection.

    Args:
        table_name: The real name.
        connection: The connection. With ``meta_table``, it serves this table alone.
        meta_table: The table's keys and indexes, if a model declares them.
    """

    # super().__init__() would make a connection of its own.
    def __init__(self, table_name: str, *, connection: Connection, meta_table: MetaTable | None = None) -> None:
        self.table_name = table_name
        self.connection: Connection = connection
        if meta_table is not None:
            connection.add_meta_table(meta_table)

    def with_page_decoder(self, decoder: PageDecoder) -> TableConnection:
        """The same table on :meth:`Connection.with_page_decoder`."""
        return TableConnection(self.table_name, connection=self.connection.with_page_decoder(decoder))

    def create_table(self, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Create the table; see PynamoDB. Without a billing mode and a capacity, it is billed per request.

        Raises:
            ConfigurationError: The model declares no hash key.
        """
        roles = [str(key.get(KEY_TYPE)).upper() for key in options.get("key_schema") or ()]
        require_hash_key(roles, model=self.connection._model or self.table_name)
        if options.get("read_capacity_units") is None and options.get("write_capacity_units") is None:
            options.setdefault("billing_mode", PAY_PER_REQUEST_BILLING_MODE)
        return super().create_table(*args, **options)

    def __repr__(self) -> str:
        return f"<TableConnection {self.table_name!r} on {self.connection!r}>"


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


Connection.skipped = Originals(skipped_methods(*OPERATIONS))


def _tenant_label(connection: Connection) -> str:
    return "no tenant" if connection.tenant is None else repr(connection.tenant)


def _is_patched() -> bool:
    return (
        _base_method("dispatch") is not _DISPATCH
        or _base_method("send_pre_boto_callback") is not _SEND_PRE
        or _base_method("send_post_boto_callback") is not _SEND_POST
    )
