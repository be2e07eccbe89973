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
    def of(cls, recorder: OperationRecorder, *, is_limited: bool, retries_conflicts: bool) -> CallWatch:
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
