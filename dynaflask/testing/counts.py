"""What a block of code sends to DynamoDB, counted by model and operation."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import typing as t

import flask

from dynaflask.operations.caller import Caller
from dynaflask.operations.caller import find_caller
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import operation_finished
from dynaflask.testing.apps import find_app

Key = tuple[t.Optional[str], str]  # noqa: UP045 - evaluated at run time, on Python 3.10


class OperationCounts(collections.Counter[Key]):
    """The operations of a block. ``counts["Thread", "GetItem"]`` is the number of one model and operation.

    The model is ``None`` for a call without one. Each page of a query is an operation, and so is each batch.

    Attributes:
        operations: The operations in the order in which they ended.
        callers: The line of the program that made each of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.callers: list[Caller | None] = []

    @property
    def by_operation(self) -> dict[str, int]:
        """The numbers by operation alone."""
        return dict(collections.Counter(operation.name for operation in self.operations))

    @property
    def by_model(self) -> dict[str | None, int]:
        """The numbers by model alone."""
        return dict(collections.Counter(operation.model for operation in self.operations))

    def report(self, *names: str) -> str:
        """The lines that made the operations, most frequent first.

        Args:
            *names: Limits the report to these operations.
        """
        lines = collections.Counter(
            (f"{operation.model or operation.table or operation.bind_key}.{operation.name}", caller)
            for operation, caller in zip(self.operations, self.callers, strict=True)
            if not names or operation.name in names
        )
        return "\n".join(
            f"  {number} x {label}  {caller or 'in a thread of a library'}"
            for (label, caller), number in lines.most_common()
        )

    def _record(self, _: t.Any, operation: Operation) -> None:
        # The signal is sent in the thread of the call, so that its caller is on the stack.
        self[operation.model, operation.name] += 1
        self.callers.append(find_caller())
        self.operations.append(operation)


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
    counts = OperationCounts()
    with operation_finished.connected_to(counts._record, sender=find_app(app)):
        yield counts


@contextlib.contextmanager
def assert_operations(
    *,
    max: int | None = None,  # noqa: A002 - the plainest name, and the block does not need the function
    no_scans: bool = False,
    app: flask.Flask | None = None,
) -> cabc.Iterator[OperationCounts]:
    """Fail if one app sends too much within the block. The error names the lines that sent it.

    Args:
        max: The most operations.
        no_scans: Fail on each ``Scan``.
        app: The app under test; by default the current app.

    Yields:
        As :func:`count_operations`.

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
