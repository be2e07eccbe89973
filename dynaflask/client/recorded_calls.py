"""The record of each call of a connection: counted, limited, logged, and seen by tracers and receivers of a signal."""

from __future__ import annotations

import time
import typing as t

from dynaflask.client.call_watch import CallWatch
from dynaflask.client.leased_calls import LeasedCalls
from dynaflask.operations.kept_call import ONE_ITEM
from dynaflask.operations.operation import Source
from dynaflask.operations.operation import operation_finished
from dynaflask.operations.rate_limits import OwnCapacity
from dynaflask.operations.recorder import Receivers
from dynaflask.operations.tracing import UNKNOWN_PLACE
from dynaflask.operations.tracing import Traced
from dynaflask.operations.tracing import Tracing
from dynaflask.operations.tracing import finished_call
from dynaflask.operations.tracing import finished_success


class RecordedCalls(LeasedCalls):
    """PynamoDB's connection with a record of its calls, for the app and its tenant."""

    def _act_for(self, tenant: str | None, own_capacity: OwnCapacity, *, watch: CallWatch | None = None) -> None:
        """Set the tenant of a new connection, and what the records of its calls have in common.

        Args:
            tenant: As of :class:`.Connection`.
            own_capacity: As of :class:`.Connection`.
            watch: That of another connection of the app to the same bind, without a limit.
        """
        self.tenant, self._own_capacity, recorder = tenant, own_capacity, self._recorder
        is_limited = tenant is not None and recorder.limits.units_per_second(tenant, own_capacity) is not None
        if watch is None or is_limited or not watch.is_of(recorder):
            watch = CallWatch.of(recorder, is_limited=is_limited, retries_conflicts=bool(self.bind.retry_conflicts))
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
