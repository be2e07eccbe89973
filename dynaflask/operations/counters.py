"""Counters of an app: integrations that count each of its calls, most of them without an `Operation`."""

from __future__ import annotations

import typing as t

from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import Source

if t.TYPE_CHECKING:
    import flask

# Key in `app.extensions`: an integration may come before `init_app`.
COUNTERS = "dynamo_counters"


class Counter(t.Protocol):
    """Counts the calls of an app. Both methods run in the thread that made the call, at its end."""

    def add_success(  # noqa: PLR0917 - names take twice the time
        self, source: Source, operation: str, seconds: float, read_units: float, write_units: float, retries: int
    ) -> bool:
        """Count a successful call on one item of one table.

        Args:
            source: Where the call comes from.
            operation: Name of the operation.
            seconds: Its duration.
            read_units: Read capacity units that it consumed.
            write_units: Write capacity units that it consumed.
            retries: Number of attempts after the first.

        Returns:
            False if nothing was counted, because the counter needs to know more: it gets the call by :meth:`add`.
        """

    def add(self, operation: Operation) -> None:
        """Count any call."""


def counters_of(app: flask.Flask) -> list[Counter]:
    """The counters of an app, to add one or to remove it. Calls see it from their next context on.

    Args:
        app: The app, before or after ``init_app``.
    """
    # In one step: two threads get the same list.
    counters: list[Counter] = app.extensions.setdefault(COUNTERS, [])
    return counters
