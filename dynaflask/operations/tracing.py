"""Tracers of an app: they see each of its calls, so that their patches of botocore are not needed.

CallTracer       what an integration implements
Tracing          the tracers of an app, in OperationRecorder.tracing
FinishedCall     what a tracer learns of a call
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import operator
import typing as t

from dynaflask.operations.error_codes import CONDITION_FAILED
from dynaflask.operations.error_codes import code_of
from dynaflask.operations.error_codes import reason_codes
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import Source
from dynaflask.operations.outcome import NOTHING
from dynaflask.operations.outcome import consumed_units
from dynaflask.operations.outcome import item_count
from dynaflask.operations.requests import Json


class Place(t.NamedTuple):
    """Where a client sends its calls to.

    Attributes:
        endpoint_url: The URL; ``None`` if it is not known, or there was no client yet.
        region: The region; ``None`` if it is not known.
    """

    endpoint_url: str | None = None
    region: str | None = None


UNKNOWN_PLACE: t.Final = Place()


class FinishedCall(t.NamedTuple):
    """What a tracer learns of a call. It has no values of keys and attributes.

    Attributes:
        operation: Name of the operation. All fields that :class:`Operation` has are as there.
        endpoint_url: As of :class:`Place`.
        region: As of :class:`Place`.
        error_code: DynamoDB's error code; ``None`` on success, and for an error of another kind.
        is_error: True if the call failed. A condition that is not met is a result, and no error.
    """

    operation: str
    app_name: str
    bind_key: str
    model: str | None
    table: str | None
    tenant: str | None
    duration_seconds: float
    read_units: float
    write_units: float
    retries: int
    error: str | None
    index_name: str | None
    item_count: int
    scanned_count: int
    is_consistent: bool
    request_id: str | None
    consumed_capacity: tuple[Json, ...]
    endpoint_url: str | None
    region: str | None
    error_code: str | None = None
    is_error: bool = False


# All that a call has of its operation, in the order of its fields.
_facts_of = operator.attrgetter(*(name for name in FinishedCall._fields if name in Operation._fields))


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


def finished_call(operation: Operation, *, place: Place, error: BaseException | None = None) -> FinishedCall:
    """What tracers learn of a call.

    Args:
        operation: The operation.
        place: Where the client sends to.
        error: Error as PynamoDB's connection raises it; ``None`` on success.
    """
    facts = _facts_of(operation)
    if error is None:
        return FinishedCall._make((*facts, *place, None, False))
    reasons = reason_codes(error)
    is_error = not reasons or not reasons <= CONDITION_FAILED
    return FinishedCall._make((*facts, *place, code_of(error), is_error))


def finished_success(  # noqa: PLR0917 - names take twice the time
    name: str, params: Json, result: Json, source: Source, seconds: float, place: Place
) -> FinishedCall:
    """What tracers learn of a successful call on one item, which needs no `Operation`.

    Args:
        name: Name of the operation, one of `ONE_ITEM`.
        params: Parameters of the operation.
        result: Result as botocore returns it.
        source: Where the call comes from.
        seconds: The field ``duration_seconds``.
        place: Where the client sends to.
    """
    metadata = result.get("ResponseMetadata", NOTHING)
    consumed, read_units, write_units = consumed_units(name, result)
    return FinishedCall(
        name,
        source.app_name,
        source.bind_key,
        source.model,
        params["TableName"],
        source.tenant,
        seconds,
        read_units,
        write_units,
        metadata.get("RetryAttempts", 0),
        None,
        None,
        item_count(name, params, result),
        0,
        bool(params.get("ConsistentRead")),
        metadata.get("RequestId"),
        consumed,
        *place,
    )
