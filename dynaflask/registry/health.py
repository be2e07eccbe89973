"""Health checks: does DynamoDB answer on the binds of an app, and can the tables of its models be used?"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import functools
import time
import typing as t

from botocore.parsers import ResponseParserError

from dynaflask.client.error_context import CALL_ERRORS
from dynaflask.client.error_context import annotated
from dynaflask.client.table_connection import TableConnection
from dynaflask.client.transport import describe
from dynaflask.config.bind import Bind
from dynaflask.exceptions import DamagedResponse
from dynaflask.operations.tracing import active

if t.TYPE_CHECKING:
    from dynaflask.registry.registry import Registry

# Reads and writes work while DynamoDB updates a table.
USABLE_STATES: t.Final = frozenset({"ACTIVE", "UPDATING"})
# botocore's parser returns {} for a 200 that is not JSON, and fails in these ways for JSON of another shape.
UNREADABLE: t.Final = (ResponseParserError, AttributeError, LookupError, TypeError)


@dataclasses.dataclass(frozen=True, slots=True)
class Health:
    """The result of one check.

    Attributes:
        bind_key: Key of the bind.
        table: Name of the table; ``None`` if the bind alone was checked.
        models: Class names of the table's models.
        seconds: Duration of the call.
        error: Why the bind or the table cannot be used; ``None`` if it can. It names endpoints and settings: log it,
            and do not send it to clients.
        transport: Transport of the calls, with the reason if it is not that of ``DYNAMODB_TRANSPORT``, such as
            ``"botocore: moto's mock is active"``; ``None`` if the bind or the table cannot be used.
    """

    bind_key: str
    table: str | None
    models: tuple[str, ...]
    seconds: float
    error: str | None
    transport: str | None = None

    @property
    def is_ok(self) -> bool:
        """True if the bind, or the table, can be used."""
        return self.error is None


def ping(registry: Registry, bind: Bind) -> float:
    """Make one cheap signed call, and return its duration in seconds; see ``Registry.ping``."""
    started = time.perf_counter()
    list_tables(registry, bind)
    return time.perf_counter() - started


def check(registry: Registry, *bind_keys: str, tables: bool) -> list[Health]:
    """Check the binds of an app, or the tables on them; see ``Registry.check``."""
    binds = [registry.bind(bind_key) for bind_key in bind_keys or registry.binds]
    selected = {bind.key for bind in binds}
    results = [
        _check(registry, functools.partial(_describe, table), table.connection.bind, table.table_name, models)
        for table, models in (_tables(registry) if tables else ())
        if table.connection.bind.key in selected
    ]
    # A bind without a table is checked, too: the program may use it in a block.
    with_tables = {result.bind_key for result in results}
    return results + [
        _check(registry, functools.partial(_ping, registry, bind), bind)
        for bind in binds
        if bind.key not in with_tables
    ]


def _tables(registry: Registry) -> list[tuple[TableConnection, list[str]]]:
    """The tables of the app's models in the current context, each with the names of its models."""
    scope = registry.scope
    groups: dict[t.Any, list[t.Any]] = {}
    for model in registry.models.classes():
        settings = scope.resolve(registry.models.declaration_of(model))
        if settings.table_name is not None:
            groups.setdefault(settings.place, []).append(model)
    return [(scope.model_table(models[0]), [model.__name__ for model in models]) for models in groups.values()]


def list_tables(registry: Registry, bind: Bind) -> dict[str, t.Any]:
    """The response to one cheap signed call, ListTables with a limit of one.

    Raises:
        BotoCoreError: There was no response, or not one of DynamoDB.
        ClientError: DynamoDB or STS refused the request.
    """
    operation = "ListTables"
    with annotated(bind, operation), registry.leases.get(bind).call() as client, _dynamodbs_response(bind, operation):
        response: dict[str, t.Any] = client.list_tables(Limit=1)
        response["TableNames"]
        return response


def _ping(registry: Registry, bind: Bind) -> None:
    list_tables(registry, bind)


def _describe(table: TableConnection) -> str | None:
    bind = table.connection.bind
    with _dynamodbs_response(bind, "DescribeTable"):
        # Not describe_table(), which keeps the description, and hides the error of a missing permission.
        response = table.connection._make_api_call("DescribeTable", {"TableName": table.table_name})
        state = response["Table"]["TableStatus"]
    return None if state in USABLE_STATES else f"The table is {state}. (The bind is {bind.key!r}.)"


def _check(
    registry: Registry,
    call: cabc.Callable[[], str | None],
    bind: Bind,
    table: str | None = None,
    models: cabc.Sequence[str] = (),
) -> Health:
    started = time.perf_counter()
    try:
        error = call()
    except CALL_ERRORS as call_error:
        error = str(call_error)
    seconds = time.perf_counter() - started
    return Health(bind.key, table, tuple(models), seconds, error, None if error else _transport(registry, bind))


def _transport(registry: Registry, bind: Bind) -> str:
    with registry.leases.get(bind).call() as client, active(registry.recorder.tracing):
        return describe(client)


@contextlib.contextmanager
def _dynamodbs_response(bind: Bind, operation: str) -> cabc.Iterator[None]:
    """Raise an error for a response that is not DynamoDB's, such as the page of a proxy with status 200."""
    try:
        yield
    except UNREADABLE as error:
        raise DamagedResponse(
            error=f"The response to {operation} is not one of DynamoDB. (The bind is {bind.key!r}. Check DYNAMODB_HOST"
            " and the proxies.)"
        ) from error
