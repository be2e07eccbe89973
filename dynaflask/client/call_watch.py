"""What an app does with the calls of a connection, besides making them."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from dynaflask.operations.recorder import OperationRecorder


@dataclasses.dataclass(slots=True, eq=False, repr=False)
class CallWatch:
    """What is done with the calls of a connection. Connections of an app share it, and it must not be changed.

    Attributes:
        is_traced: The app has a tracer.
        counts_calls: The app has counters.
        keeps_operations: The app keeps the operations of a context.
        tells_calls: One of these three: a call on several items needs its operation.
        is_recorded: Each call ends in the recorder or a tracer, even if the signal has no receivers.
        is_limited: The tenant has a limit.
        light_seconds: As of :class:`.OperationRecorder`.
        is_single: A call is one request with its response, and nothing else is done with it.
        is_light: A call is timed, and told to those that watch it. There is no limit, and no repetition.
    """

    is_traced: bool
    counts_calls: bool
    keeps_operations: bool
    tells_calls: bool
    is_recorded: bool
    is_limited: bool
    light_seconds: float
    is_single: bool
    is_light: bool

    @classmethod
    def of(cls, recorder: OperationRecorder, *, is_limited: bool, retries_conflicts: bool) -> CallWatch:
        """What an app does with the calls of a connection.

        Args:
            recorder: The app's recorder.
            is_limited: The tenant of the connection has a limit.
            retries_conflicts: A call is repeated after a conflict.
        """
        is_traced = bool(recorder.tracing.tracers)
        counts_calls, keeps_operations = bool(recorder.counters), recorder.keeps_operations
        is_recorded = recorder.is_enabled or is_traced or is_limited
        return cls(
            is_traced=is_traced,
            counts_calls=counts_calls,
            keeps_operations=keeps_operations,
            tells_calls=is_traced or counts_calls or keeps_operations,
            is_recorded=is_recorded,
            is_limited=is_limited,
            light_seconds=recorder.light_seconds,
            is_single=not (is_recorded or retries_conflicts),
            is_light=is_recorded and not (is_limited or retries_conflicts),
        )

    def is_of(self, recorder: OperationRecorder) -> bool:
        """False if the app has got or lost its tracers or counters since.

        Args:
            recorder: The app's recorder.
        """
        return bool(recorder.tracing.tracers) is self.is_traced and bool(recorder.counters) is self.counts_calls
