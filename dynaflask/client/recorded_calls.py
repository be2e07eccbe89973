"""The record of each call of a connection: counted, limited, logged, and seen by tracers and receivers of a signal."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from dynaflask.client.leased_calls import LeasedCalls
from dynaflask.operations.kept_call import ONE_ITEM
from dynaflask.operations.operation import Source
from dynaflask.operations.operation import operation_finished
from dynaflask.operations.rate_limits import OwnCapacity
from dynaflask.operations.recorder import OperationRecorder
from dynaflask.operations.recorder import Receivers
from dynaflask.operations.tracing import UNKNOWN_PLACE
from dynaflask.operations.tracing import Traced
from dynaflask.operations.tracing import Tracing
from dynaflask.operations.tracing import finished_call
from dynaflask.operations.tracing import finished_success


@dataclasses.dataclass(slots=True)
class Watch:
    """What is done with the calls of a connection. Connections of an app share it, and it must not be changed.

    Attributes:
        is_traced: The app has a tracer.
        keeps_calls: The app counts calls, or keeps those of a context.
        is_recorded: Each call ends in the recorder or a tracer, even if the signal has no receivers.
        is_limited: The tenant has a limit.
        light_seconds: As of :class:`.OperationRecorder`; 0 for a limit, which needs the operation of each call.
        is_single: A call is one request with its response, and nothing else is done with it.
        is_light: Nothing but the start of its time comes before a call, and no tracer and no retry of a conflict after.
    """

    is_traced: bool
    keeps_calls: bool
    is_recorded: bool
    is_limited: bool
    light_seconds: float
    is_single: bool
    is_light: bool

    @classmethod
    def of(cls, recorder: OperationRecorder, *, is_limited: bool, retries_conflicts: bool) -> Watch:
        """What an app does with the calls of a connection.

        Args:
            recorder: The app's recorder.
            is_limited: The tenant of the connection has a limit.
            retries_conflicts: A call is repeated after a conflict.
        """
        is_traced = bool(recorder.tracing.tracers)
        is_recorded = recorder.is_enabled or is_traced or is_limited
        return cls(
            is_traced=is_traced,
            keeps_calls=recorder.keeps_calls,
            is_recorded=is_recorded,
            is_limited=is_limited,
            light_seconds=0.0 if is_limited else recorder.light_seconds,
            is_single=not (is_recorded or retries_conflicts),
            is_light=is_recorded and not (is_traced or retries_conflicts),
        )

    def is_of(self, recorder: OperationRecorder) -> bool:
        """False if the app has got or lost its tracers or counters since.

        Args:
            recorder: The app's recorder.
        """
        return bool(recorder.tracing.tracers) is self.is_traced and recorder.keeps_calls is self.keeps_calls


class RecordedCalls(LeasedCalls):
    """PynamoDB's connection with a record of its calls, for the app and its tenant."""

    _watch: Watch

    def _act_for(self, tenant: str | None, own_capacity: OwnCapacity, *, watch: Watch | None = None) -> None:
        """Set the tenant of a new connection, and what the records of its calls have in common.

        Args:
            tenant: As of :class:`.Connection`.
            own_capacity: As of :class:`.Connection`.
            watch: That of another connection of the app to the same bind, without a limit.
        """
        self.tenant, self._own_capacity, recorder = tenant, own_capacity, self._recorder
        is_limited = tenant is not None and recorder.limits.units_per_second(tenant, own_capacity) is not None
        if watch is None or is_limited or not watch.is_of(recorder):
            watch = Watch.of(recorder, is_limited=is_limited, retries_conflicts=bool(self.bind.retry_conflicts))
        self._watch = watch
        self._source = Source(recorder.app_name, self.bind.key, self._model, tenant)
        self._placed, self._place = None, UNKNOWN_PLACE

    def _make_recorded_call(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        recorder = self._recorder
        receivers = recorder.receivers() if operation_finished.receivers else ()
        if not (self._watch.is_recorded or receivers):
            return self._make_call(operation_name, operation_kwargs)
        traced = recorder.tracing.start() if recorder.tracing.tracers else None
        return self._make_timed_call(operation_name, operation_kwargs, receivers, traced)

    def _make_timed_call(
        self, operation_name: str, operation_kwargs: dict[str, t.Any], receivers: Receivers, traced: Traced | None
    ) -> dict[str, t.Any]:
        watch, started = self._watch, time.perf_counter()
        try:
            if watch.is_limited:
                self._recorder.limits.check_limit(self.tenant, self._own_capacity)
            result = self._make_call(operation_name, operation_kwargs)
        except BaseException as error:
            seconds = time.perf_counter() - started
            self._record(operation_name, operation_kwargs, error, seconds, receivers=receivers, traced=traced)
            raise
        seconds = time.perf_counter() - started
        if receivers or seconds >= watch.light_seconds or (traced and operation_name not in ONE_ITEM):
            self._record(operation_name, operation_kwargs, result, seconds, receivers=receivers, traced=traced)
            return result
        if watch.keeps_calls:
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
