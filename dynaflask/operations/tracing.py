"""Tracers of an app: they see each of its calls, so that their patches of botocore are not needed.

CallTracer       what an integration implements
Tracing          the tracers of an app, in OperationRecorder.tracing
FinishedCall     what a tracer learns of a call
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import typing as t

from dynaflask.operations.error_codes import CONDITION_FAILED
from dynaflask.operations.error_codes import code_of
from dynaflask.operations.error_codes import reason_codes
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import Source
from dynaflask.operations.outcome import consumed_units
from dynaflask.operations.outcome import response_facts
from dynaflask.operations.requests import Json


class Endpoint(t.NamedTuple):
    """Where a client sends its calls to.

    Attributes:
        url: The URL; ``None`` if it is not known, or there was no client yet.
        region: The region; ``None`` if it is not known.
    """

    url: str | None = None
    region: str | None = None


UNKNOWN_ENDPOINT: t.Final = Endpoint()
# The operations that read pages.
PAGED = frozenset({"Query", "Scan"})


class FinishedCall(t.NamedTuple):
    """What a tracer learns of a call. It has no values of keys and attributes.

    Attributes:
        operation: Name of the operation. All fields that :class:`Operation` has are as there.
        source: Where the call comes from.
        endpoint: Where the client sends to.
        item_count: As of :class:`Operation` for a query or a scan; 0 for other operations.
        error_code: DynamoDB's error code; ``None`` on success, and for an error of another kind.
        is_error: True if the call failed. A condition that is not met is a result, and no error.
    """

    operation: str
    source: Source
    table: str | None
    index_name: str | None
    is_consistent: bool
    endpoint: Endpoint
    duration_seconds: float
    read_units: float
    write_units: float
    retries: int
    request_id: str | None
    consumed_capacity: tuple[Json, ...]
    item_count: int = 0
    scanned_count: int = 0
    error: str | None = None
    error_code: str | None = None
    is_error: bool = False


# The fields of a success on one item that it does not set.
_SUCCESS = tuple(FinishedCall._field_defaults.values())
# A named tuple without the function that takes its fields, which takes twice the time.
_new_tuple = tuple.__new__


class CallTracer(t.Protocol):
    """Makes spans of the calls of an app.

    Attributes:
        modules: Modules of the tracer's own patches and event handlers in botocore. Calls that it sees leave them out.
    """

    modules: frozenset[str]

    def start(self) -> t.Any:
        """A call starts. The result is passed to :meth:`finish`."""

    def finish(self, started: t.Any, call: FinishedCall) -> None:
        """A call has ended."""

    def silence(self) -> contextlib.AbstractContextManager[t.Any]:
        """A block in which the tracer's own patches do nothing, for the calls that botocore makes."""


# The tracers of a call, each with the result of its `start`.
Traced = list[tuple[CallTracer, t.Any]]


class Tracing(t.NamedTuple):
    """The tracers of an app.

    Attributes:
        tracers: The tracers.
        modules: Modules of their patches.
    """

    tracers: tuple[CallTracer, ...] = ()
    modules: frozenset[str] = frozenset()

    def replace(self, kind: type[CallTracer], tracer: CallTracer | None) -> Tracing:
        """The same tracers with another one of a class, or with none.

        Args:
            kind: The class.
            tracer: The tracer; ``None`` for none.
        """
        others = tuple(other for other in self.tracers if not isinstance(other, kind))
        tracers = others if tracer is None else (*others, tracer)
        return Tracing(tracers, frozenset().union(*(each.modules for each in tracers)))

    def start(self) -> Traced:
        """Tell the tracers that a call starts. Pass the result to :meth:`finish`."""
        return [(tracer, tracer.start()) for tracer in self.tracers]

    @staticmethod
    def finish(traced: Traced, call: FinishedCall) -> None:
        """Tell the tracers of a call that it has ended. They are those that its start was told to.

        Args:
            traced: Result of :meth:`start`.
            call: The call.
        """
        for tracer, started in traced:
            tracer.finish(started, call)


NO_TRACING: t.Final = Tracing()


class TracedBlock:
    """The tracers that see the calls of a block, until the block ends.

    A task that starts in the middle of the block keeps a copy of its context.

    Args:
        tracing: The tracers.
    """

    __slots__ = ("modules", "tracers")

    def __init__(self, tracing: Tracing) -> None:
        self.tracers, self.modules = tracing

    def end(self) -> None:
        """No tracer sees later calls."""
        self.tracers, self.modules = NO_TRACING


UNTRACED: t.Final = TracedBlock(NO_TRACING)

#: The tracers that see the current call.
current_tracing: contextvars.ContextVar[TracedBlock] = contextvars.ContextVar("dynaflask_tracing", default=UNTRACED)


def traced_modules() -> frozenset[str]:
    """Modules whose patches of botocore the current call leaves out, because its app has a tracer that sees it."""
    return current_tracing.get().modules


class active:  # noqa: N801 - used as a function
    """A block whose calls are seen by the tracers of an app.

    A class, because a generator would take twice the time, at each call.

    Args:
        tracing: The tracers.
    """

    __slots__ = ("_block", "_token")

    def __init__(self, tracing: Tracing) -> None:
        self._block = TracedBlock(tracing)

    def __enter__(self) -> None:
        self._token = current_tracing.set(self._block)

    def __exit__(self, *exception: object) -> None:
        self._block.end()
        current_tracing.reset(self._token)


@contextlib.contextmanager
def silenced() -> cabc.Iterator[None]:
    """A block in which botocore makes the current call: the patches of the tracers that see it do nothing."""
    tracers = current_tracing.get().tracers
    # Code of the program may run in botocore, and make calls of other apps.
    with active(NO_TRACING), contextlib.ExitStack() as stack:
        for tracer in tracers:
            stack.enter_context(tracer.silence())
        yield


def finished_call(operation: Operation, *, endpoint: Endpoint, error: BaseException | None = None) -> FinishedCall:
    """What tracers learn of a call.

    Args:
        operation: The operation.
        endpoint: Where the client sends to.
        error: Error as PynamoDB's connection raises it; ``None`` on success.
    """
    reasons = frozenset() if error is None else reason_codes(error)
    return FinishedCall(
        operation.operation,
        Source(operation.app_name, operation.bind_key, operation.model, operation.tenant),
        operation.table,
        operation.index_name,
        operation.is_consistent,
        endpoint,
        operation.duration_seconds,
        operation.read_units,
        operation.write_units,
        operation.retries,
        operation.request_id,
        operation.consumed_capacity,
        operation.item_count if operation.operation in PAGED else 0,
        operation.scanned_count,
        operation.error,
        None if error is None else code_of(error),
        error is not None and not (reasons and reasons <= CONDITION_FAILED),
    )


def finished_success(  # noqa: PLR0917 - names take twice the time
    name: str, params: Json, result: Json, source: Source, seconds: float, endpoint: Endpoint
) -> FinishedCall:
    """What tracers learn of a successful call on one item, which needs no `Operation`.

    Args:
        name: Name of the operation, one of `ONE_ITEM`.
        params: Parameters of the operation.
        result: Result as botocore returns it.
        source: Where the call comes from.
        seconds: The field ``duration_seconds``.
        endpoint: Where the client sends to.
    """
    request_id, retries = response_facts(params, result)
    consumed, read_units, write_units = consumed_units(name, result)
    is_consistent = bool(params.get("ConsistentRead"))
    described = (name, source, params["TableName"], None, is_consistent, endpoint)
    facts = (seconds, read_units, write_units, retries, request_id, consumed)
    return _new_tuple(FinishedCall, described + facts + _SUCCESS)
