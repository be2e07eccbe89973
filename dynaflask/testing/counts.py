"""What a block of code sends to DynamoDB, counted by model and operation."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import typing as t

import flask

from dynaflask.operations.advisor import Advice
from dynaflask.operations.advisor import advise
from dynaflask.operations.caller import Caller
from dynaflask.operations.context_record import record_of
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import operation_finished
from dynaflask.registry.context import registry_of
from dynaflask.testing.apps import find_app

Key = tuple[t.Optional[str], str]  # noqa: UP045 - evaluated at run time, on Python 3.10


class OperationCounts(collections.Counter[Key]):
    """The operations of a block. ``counts["Thread", "GetItem"]`` is the number of one model and operation.

    The model is ``None`` for a call without one. Each page of a query is an operation, and so is each batch. A call
    that a tenant's limit refused sends nothing, and is not counted.

    Attributes:
        operations: The operations in the order in which they ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        # By request or context. Their records are kept as well, so that no two of them have the same id.
        self._contexts: dict[int, tuple[object, list[Operation]]] = {}

    @property
    def callers(self) -> list[Caller | None]:
        """The line of the program that made each operation."""
        return [operation.caller for operation in self.operations]

    @property
    def by_operation(self) -> dict[str, int]:
        """The numbers by operation alone."""
        return dict(collections.Counter(operation.operation for operation in self.operations))

    @property
    def by_model(self) -> dict[str | None, int]:
        """The numbers by model alone."""
        return dict(collections.Counter(operation.model for operation in self.operations))

    @property
    def advice(self) -> list[Advice]:
        """Advice on the operations of each request and context, once for each line and rule."""
        all_advice = [advice for _, operations in self._contexts.values() for advice in advise(operations)]
        return list({(advice.rule, advice.caller): advice for advice in all_advice}.values())

    def report(self, *names: str) -> str:
        """The lines that made the operations, most frequent first.

        Args:
            *names: Limits the report to these operations.
        """
        lines = collections.Counter(
            (operation.label, operation.caller)
            for operation in self.operations
            if not names or operation.operation in names
        )
        return "\n".join(
            f"  {number} x {label}  {caller or 'in a thread of a library'}"
            for (label, caller), number in lines.most_common()
        )

    def _record(self, app: flask.Flask, operation: Operation) -> None:
        if operation.is_refused:
            return
        self[operation.model, operation.operation] += 1
        self.operations.append(operation)
        # The signal is sent in the context of the call.
        record = record_of(app)
        self._contexts.setdefault(id(record), (record, []))[1].append(operation)


@contextlib.contextmanager
def count_operations(app: flask.Flask | None = None) -> cabc.Iterator[OperationCounts]:
    """Count the operations that one app sends within the block, in all threads.

    Args:
        app: The app under test; by default the current app.

    Yields:
        The counts, which are updated with each operation.

    Raises:
        RuntimeError: There is no app.
    """
    counts, counted = OperationCounts(), find_app(app)
    line_readers = registry_of(counted).recorder.line_readers
    line_readers.append(None)
    try:
        with operation_finished.connected_to(counts._record, sender=counted):
            yield counts
    finally:
        line_readers.pop()


@contextlib.contextmanager
def assert_operations(
    *,
    max: int | None = None,  # noqa: A002 - the plainest name, and the block does not need the function
    no_scans: bool = False,
    no_advice: bool = False,
    app: flask.Flask | None = None,
) -> cabc.Iterator[OperationCounts]:
    """Fail if one app sends too much within the block. The error names the lines that sent it.

    Args:
        max: The most operations.
        no_scans: Fail on each ``Scan``.
        no_advice: Fail on each advice, such as to read five items together.
        app: The app under test; by default the current app.

    Yields:
        As `count_operations`.

    Raises:
        AssertionError: The block sent more.
        RuntimeError: There is no app.
    """
    with count_operations(app) as counts:
        yield counts
    scans = counts.by_operation.get("Scan", 0)
    if no_scans and scans:
        raise AssertionError(f"The block scanned a table:\n{counts.report('Scan')}")
    if max is not None and len(counts.operations) > max:
        raise AssertionError(
            f"The block sent {len(counts.operations)} operations, and {max} are allowed:\n{counts.report()}"
        )
    if no_advice and counts.advice:
        lines = "\n".join(f"  {advice}" for advice in counts.advice)
        raise AssertionError(f"The block could do better:\n{lines}")
