"""What an app does with the calls of a connection, besides making them."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from dynaflask.operations.recorder import OperationRecorder


class CallWatch:
    """What is done with the calls of a connection. Connections of an app share it, and it must not be changed.

    Args:
        recorder: The app's recorder.
        is_limited: The tenant of the connection has a limit.
        retries_conflicts: A call is repeated after a conflict.

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

    __slots__ = (
        "counts_calls",
        "is_light",
        "is_limited",
        "is_recorded",
        "is_single",
        "is_traced",
        "keeps_operations",
        "light_seconds",
        "tells_calls",
    )

    def __init__(self, recorder: OperationRecorder, *, is_limited: bool, retries_conflicts: bool) -> None:
        self.is_traced = bool(recorder.tracing.tracers)
        self.counts_calls, self.keeps_operations = bool(recorder.counters), recorder.keeps_operations
        self.tells_calls = self.is_traced or self.counts_calls or self.keeps_operations
        self.is_recorded = recorder.is_enabled or self.is_traced or is_limited
        self.is_limited = is_limited
        self.light_seconds = recorder.light_seconds
        self.is_single = not (self.is_recorded or retries_conflicts)
        self.is_light = self.is_recorded and not (is_limited or retries_conflicts)

    def is_of(self, recorder: OperationRecorder) -> bool:
        """False if the app has got or lost its tracers or counters since.

        Args:
            recorder: The app's recorder.
        """
        return bool(recorder.tracing.tracers) is self.is_traced and bool(recorder.counters) is self.counts_calls
