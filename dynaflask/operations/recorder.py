"""An app's recorder: it counts finished operations, keeps those of a context, limits tenants, and sends the signal."""

from __future__ import annotations

import time
import types
import typing as t
import weakref

from dynaflask.config.validators import Values
from dynaflask.operations.caller import find_caller
from dynaflask.operations.context_record import current_request
from dynaflask.operations.context_record import record_key
from dynaflask.operations.context_record import record_of
from dynaflask.operations.context_record import request_context
from dynaflask.operations.counters import Counter
from dynaflask.operations.counters import counters_of
from dynaflask.operations.kept_call import operation_of
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import Source
from dynaflask.operations.operation import operation_finished
from dynaflask.operations.outcome import NO_LINE
from dynaflask.operations.outcome import NOTHING
from dynaflask.operations.outcome import Line
from dynaflask.operations.outcome import consumed_units
from dynaflask.operations.outcome import finished_operation
from dynaflask.operations.outcome import response_facts
from dynaflask.operations.rate_limits import UNSET
from dynaflask.operations.rate_limits import OwnCapacity
from dynaflask.operations.rate_limits import TenantRateLimits
from dynaflask.operations.requests import Json
from dynaflask.operations.requests import key_hash
from dynaflask.operations.server_timing import header_value
from dynaflask.operations.slow_log import SlowLog
from dynaflask.operations.tenant_lru import MAX_COUNTED_TENANTS
from dynaflask.operations.tracing import NO_TRACING

if t.TYPE_CHECKING:
    import flask

    from dynaflask.operations.advice_log import AdviceLog
    from dynaflask.operations.tracing import CallTracer
    from dynaflask.operations.usage import Meter

#: Called with the name of each operation, its client and its bind. It returns the object that makes the call, or
#: ``None`` for the usual one.
Interceptor = t.Callable[[str, t.Any, t.Any], t.Any]

#: Functions that are called with an app and ``operation``.
Receivers = tuple[t.Callable[..., t.Any], ...]


class OperationRecorder:
    """Records the operations of one app.

    Args:
        app: The app.
        settings: Plain settings of the app.

    Attributes:
        app_name: Name of the app.
        meter: Counts operations, if ``DYNAMODB_METER`` is true.
        limits: Limits each tenant that has a limit: ``DYNAMODB_TENANT_CAPACITY``, or ``tenant_capacity`` of the tenant.
        slow_log: Logs slow and costly operations, if ``DYNAMODB_SLOW_SECONDS`` or ``DYNAMODB_COSTLY_UNITS`` is set.
        advice_log: Logs advice on the operations of a context, if ``DYNAMODB_RECORD_OPERATIONS`` is true.
        keeps_operations: True if each context keeps its operations: ``DYNAMODB_RECORD_OPERATIONS`` or
            ``DYNAMODB_SERVER_TIMING`` is true.
        line_readers: An entry for each reader that needs the lines of operations. A list, because append and pop are
            atomic.
        interceptor: Chooses what makes a call, for the faults of tests; ``None`` in production.
        tracing: The tracers of the app. Connections that exist already see its first tracer in their next context.
        counters: Count the calls: the meter, and integrations that an app may add or remove at any time.
        light_seconds: A successful call on one item that took less time needs no `Operation`: `count` and `keep` are
            enough, unless the signal or a limit needs it.
    """

    def __init__(self, app: flask.Flask, settings: Values) -> None:
        self.app_name = app.name
        # The app refers to the recorder through its registry: a strong reference would be a cycle, which keeps a
        # dropped app alive until the garbage collector runs.
        self._app = weakref.ref(app)
        self._record_key = record_key(app)
        self.meter = _make_meter(settings) if settings.get("meter") else None
        self.limits = TenantRateLimits(settings.get("tenant_capacity", {}))
        self.slow_log = (
            SlowLog(seconds=settings.get("slow_seconds"), units=settings.get("costly_units"))
            if settings.keys() & {"slow_seconds", "costly_units"}
            else None
        )
        self.advice_log = _make_advice_log() if settings.get("record_operations") else None
        self._sends_timing = bool(settings.get("server_timing"))
        self.keeps_operations = self.advice_log is not None or self._sends_timing
        self.line_readers: list[None] = [] if self.advice_log is None else [None]
        self.interceptor: Interceptor | None = None
        self.tracing = NO_TRACING
        self._is_limited = "tenant_capacity" in settings
        self.counters: list[Counter] = []
        self.light_seconds = float("inf") if self.slow_log is None else self.slow_log.least_seconds

    @property
    def is_enabled(self) -> bool:
        """True if it records the operations of all tenants even when the signal has no receivers."""
        return self.keeps_operations or bool(self.counters) or self.slow_log is not None or self._is_limited

    def receivers(self) -> Receivers:
        """The receivers of ``operation_finished`` that are connected to this app, or to all apps."""
        return () if operation_finished.is_muted else tuple(operation_finished.receivers_for(self._app()))

    def count(  # noqa: PLR0917 - names take twice the time
        self, name: str, params: Json, result: Json, source: Source, host: str | None, seconds: float
    ) -> None:
        """Count a successful call on one item.

        Args:
            name: Name of the operation, one of `ONE_ITEM`.
            params: Parameters of the operation.
            result: Result of the call.
            source: Where the call comes from.
            host: Host of the client's endpoint.
            seconds: The field ``duration_seconds``.
        """
        _, read_units, write_units = consumed_units(name, result)
        retries = result.get("ResponseMetadata", NOTHING).get("RetryAttempts", 0)
        operation = None
        for counter in tuple(self.counters):  # another thread may remove one
            if not counter.add_success(source, name, seconds, read_units, write_units, retries):
                # Once for all counters: it may look for the line of the program.
                operation = operation or self.operation(name, params, result, source, seconds, host=host)
                counter.add(operation)

    def keep(  # noqa: PLR0917 - as of `count`
        self, name: str, params: Json, result: Json, source: Source, host: str | None, seconds: float
    ) -> None:
        """Keep a successful call on one item for a reader of the context's operations; see `count`."""
        # `record_of` and `response_facts`, written out for the usual call: they take a third of the time.
        try:
            record = request_context.get().request.__dict__.get(self._record_key)
        except (LookupError, RuntimeError):
            record = None  # There is no request.
        if record is None and (record := record_of(self._app())) is None:
            return
        response = getattr(params, "response", None)
        request_id, retries = response_facts(params, result) if response is None else (response.request_id, 0)
        line = _find_line(name, params) if self.line_readers else NO_LINE
        # A `KeptCall`, made here: a function would add a tenth to what the record takes.
        record.append(
            (
                name,
                params["TableName"],
                params.get("ConsistentRead"),
                "Item" in result,
                result.get("ConsumedCapacity"),
                request_id,
                retries,
                source,
                host,
                seconds,
                time.time(),
                line,
            )
        )

    def operation(
        self,
        name: str,
        params: Json,
        outcome: Json | BaseException,
        source: Source,
        seconds: float,
        *,
        host: str | None = None,
    ) -> Operation:
        """The operation of a call that has ended.

        Args:
            name: Name of the operation.
            params: Parameters of the operation.
            outcome: Result of the call, or its error.
            source: Where the call comes from.
            seconds: The field ``duration_seconds``.
            host: Host of the client's endpoint; ``None`` if there was no client yet.
        """
        line = _find_line(name, params) if self.line_readers else NO_LINE
        request = current_request(self._app())
        route = None if request is None else request.endpoint
        return finished_operation(
            name,
            params,
            outcome,
            source,
            host=host,
            route=route,
            seconds=seconds,
            ended_at=time.time(),
            line=line,
        )

    def record(
        self, operation: Operation, *, own_capacity: OwnCapacity = UNSET, receivers: Receivers | None = None
    ) -> None:
        """Count, keep and log a finished operation, and send ``operation_finished``.

        Args:
            operation: The operation.
            own_capacity: Units per second in the tenant's own settings.
            receivers: The result of `receivers`, if the caller has it already.
        """
        if operation.tenant is not None:
            self.limits.debit(operation.tenant, operation.units, own_capacity)
        for counter in tuple(self.counters):  # another thread may remove one
            counter.add(operation)
        if self.keeps_operations and (record := record_of(self._app())) is not None:
            record.append(operation)
        if self.slow_log is not None:
            self.slow_log.add(operation)
        # Not `send`, which takes as long as all above together. It would look for the receivers once more.
        for receive in self.receivers() if receivers is None else receivers:
            received = receive(self._app(), operation=operation)
            if type(received) is types.CoroutineType:
                received.close()
                raise RuntimeError(f"{receive!r} is async, and operation_finished is sent without a loop. Use a `def`.")

    def recorded_operations(self) -> list[Operation]:
        """The operations that the current request or context of the app has made so far, the oldest first."""
        app = self._app()
        request = current_request(app)
        route = None if request is None else request.endpoint
        # A copy in one step: a thread that shares the context may add an operation meanwhile.
        return [operation_of(entry, route=route) for entry in list(record_of(app) or ())]

    def set_tracer(self, tracer: CallTracer) -> None:
        """Let a tracer see the calls of the app, in place of an earlier one of its class.

        Args:
            tracer: The tracer.
        """
        self.tracing = self.tracing.replace(type(tracer), tracer)

    def remove_tracer(self, kind: type[CallTracer]) -> None:
        """Remove the tracer of a class, if the app has one.

        Args:
            kind: The class.
        """
        self.tracing = self.tracing.replace(kind, None)

    def install(self, app: flask.Flask) -> None:
        """Connect the app's counters, and register what the settings ask for at the end of a request or context.

        Args:
            app: The recorder's app.
        """
        self.counters = counters_of(app)
        if self.meter is not None:
            self.counters.append(self.meter)
        if self.advice_log is not None:
            log = self.advice_log
            app.teardown_request(lambda _: log.add(self.recorded_operations()))
            app.teardown_appcontext(lambda _: log.add(self.recorded_operations()))
        if self._sends_timing:
            app.after_request(self._add_server_timing)

    def _add_server_timing(self, response: flask.Response) -> flask.Response:
        value = header_value(self.recorded_operations())
        if value:
            response.headers.add("Server-Timing", value)
        return response


def _find_line(name: str, params: Json) -> Line:
    # The frames of this function, of its callers in this class and in `RecordedCalls`, and of their caller are passed
    # over.
    return find_caller(5), key_hash(params) if name == "GetItem" else None


def _make_meter(settings: Values) -> Meter:
    from dynaflask.operations.usage import Meter  # noqa: PLC0415 - an app without a meter does not need it

    return Meter(max_tenants=settings.get("meter_max_tenants", MAX_COUNTED_TENANTS))


def _make_advice_log() -> AdviceLog:
    from dynaflask.operations.advice_log import AdviceLog  # noqa: PLC0415 - production does not need it

    return AdviceLog()
