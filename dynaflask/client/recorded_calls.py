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
from dynaflask.operations.tracing import UNKNOWN_ENDPOINT
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
            watch = CallWatch(recorder, is_limited=is_limited, retries_conflicts=bool(self.bind.retry_conflicts))
        self._watch = watch
        self._source = Source(recorder.app_name, self.bind.key, self._model, tenant)
        self._endpoint_of, self._endpoint = None, UNKNOWN_ENDPOINT

    def _make_recorded_call(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        recorder, watch = self._recorder, self._watch
        receivers = recorder.receivers() if operation_finished.receivers else ()
        if not (receivers or watch.is_limited):
            make_call = self._make_light_call if watch.is_recorded else self._make_call
            return make_call(operation_name, operation_kwargs)
        traced, started = recorder.tracing.start(), time.perf_counter()
        try:
            if watch.is_limited:
                recorder.limits.check_limit(self.tenant, self._own_capacity)
            result = self._make_call(operation_name, operation_kwargs)
        except BaseException as error:
            self._record(operation_name, operation_kwargs, error, started, receivers=receivers, traced=traced)
            raise
        self._record(operation_name, operation_kwargs, result, started, receivers=receivers, traced=traced)
        return result

    def _make_light_call(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        """As `_make_recorded_call`, without receivers and limits: most successful calls need no `Operation`."""
        watch, recorder = self._watch, self._recorder
        traced = recorder.tracing.start() if watch.is_traced else []
        started = time.perf_counter()
        try:
            result = self._make_call(operation_name, operation_kwargs)
        except BaseException as error:
            self._record(operation_name, operation_kwargs, error, started, traced=traced)
            raise
        seconds = time.perf_counter() - started
        if seconds >= watch.light_seconds or (watch.tells_calls and operation_name not in ONE_ITEM):
            self._record(operation_name, operation_kwargs, result, started, traced=traced)
            return result
        if watch.counts_calls or watch.keeps_operations:
            host = None if self._lease is None else self._lease.host
            if watch.counts_calls:
                recorder.count(operation_name, operation_kwargs, result, self._source, host, seconds)
            if watch.keeps_operations:
                recorder.keep(operation_name, operation_kwargs, result, self._source, host, seconds)
        if traced:
            Tracing.finish(
                traced,
                finished_success(operation_name, operation_kwargs, result, self._source, seconds, self._endpoint),
            )
        return result

    def _record(
        self,
        name: str,
        params: dict[str, t.Any],
        outcome: t.Any,
        started: float,
        *,
        receivers: Receivers = (),
        traced: Traced,
    ) -> None:
        seconds, host = time.perf_counter() - started, None if self._lease is None else self._lease.host
        operation = self._recorder.operation(name, params, outcome, self._source, seconds, host=host)
        self._recorder.record(operation, own_capacity=self._own_capacity, receivers=receivers)
        if traced:
            error = outcome if isinstance(outcome, BaseException) else None
            Tracing.finish(traced, finished_call(operation, endpoint=self._endpoint, error=error))
