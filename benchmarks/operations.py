"""The cost of watching a call: CPU time of a GetItem on the direct transport, as a ratio to the same call alone.

python benchmarks/operations.py [--quick] [--write]

Each app runs in a process of its own, as a user's does: in one process with the others, a call took 3 to 8 % more
instructions, and how many did not depend on its watcher. The processes take turns on one core; the server runs on
another core. To add a row, add an entry to WATCHERS: a context manager that takes an app, and watches it within its
block. A watcher whose package is not installed raises ImportError, and is left out.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import gc
import importlib
import logging
import multiprocessing
import random
import statistics
import time
import typing as t

import _peers
import _tracing
import flask
from _canned import take_core
from _common import Figure
from _common import Figures
from _common import Runs
from _common import main
from _common import make_app

import dynaflask
from dynaflask.integrations.dashboard import Dashboard

if t.TYPE_CHECKING:
    from multiprocessing.connection import Connection

CALLS = 100
WARM_UP = 20
After = cabc.Callable[[], None] | None
Watching = contextlib.AbstractContextManager[After]


class Watcher(t.NamedTuple):
    """One row: what watches the calls of an app.

    Attributes:
        settings: Settings of the app.
        most: The ratio that it must not exceed; ``None`` for a row without a target.
        watch: Watches an app within its block. If it yields a function, that runs after each call.
    """

    settings: cabc.Mapping[str, t.Any] = {}
    most: float | None = None
    watch: cabc.Callable[[flask.Flask], Watching] = lambda _: contextlib.nullcontext()


@contextlib.contextmanager
def receiving(app: flask.Flask) -> cabc.Iterator[None]:
    """A receiver of the signal that does nothing."""

    def receive(_: flask.Flask, *, operation: dynaflask.Operation) -> None:
        pass

    with dynaflask.operation_finished.connected_to(receive, sender=app):
        yield


@contextlib.contextmanager
def counting(app: flask.Flask) -> cabc.Iterator[None]:
    """The metrics for Prometheus."""
    prometheus = importlib.import_module("dynaflask.integrations.prometheus")
    prometheus.instrument(app)
    yield
    prometheus.uninstrument(app)


@contextlib.contextmanager
def counting_tenants(app: flask.Flask) -> cabc.Iterator[None]:
    """The metrics for Prometheus, by tenant as well."""
    prometheus = importlib.import_module("dynaflask.integrations.prometheus")
    prometheus.instrument(app, max_tenants=10)
    yield
    prometheus.uninstrument(app)


@contextlib.contextmanager
def counting_for_dashboard(app: flask.Flask) -> cabc.Iterator[None]:
    """The counts of the dashboard."""
    app.register_blueprint(Dashboard(authorize=lambda: True), url_prefix="/dashboard")
    yield


ALONE = "nothing: the call alone"
WATCHERS: dict[str, Watcher] = {
    ALONE: Watcher(),
    "nothing, once more": Watcher(most=1.02),
    "`DYNAMODB_SLOW_SECONDS`": Watcher({"slow_seconds": 10}, most=1.05),
    "`DYNAMODB_SERVER_TIMING`: the record without lines": Watcher({"server_timing": True}, most=1.05),
    "`DYNAMODB_RECORD_OPERATIONS`: the record with lines": Watcher({"record_operations": True}, most=1.2),
    "`DYNAMODB_METER`": Watcher({"meter": True}),
    "a receiver of `operation_finished`": Watcher(watch=receiving),
    "`dynaflask.integrations.prometheus`": Watcher(watch=counting, most=1.3),
    "`dynaflask.integrations.prometheus`, by tenant": Watcher(watch=counting_tenants, most=1.3),
    "`dynaflask.integrations.opentelemetry`": Watcher(watch=_tracing.opentelemetry_span, most=1.8),
    "`dynaflask.integrations.opentelemetry`, not sampled": Watcher(watch=_tracing.opentelemetry_left_out),
    "OpenTelemetry's SDK: a span and a duration": Watcher(watch=_tracing.opentelemetry_sdk),
    "OpenTelemetry's instrumentation of botocore": Watcher(watch=_tracing.opentelemetry_wrapper),
    "`dynaflask.integrations.sentry`": Watcher(watch=_tracing.sentry_breadcrumb),
    "the dashboard": Watcher(most=1.2, watch=counting_for_dashboard),
}
COLUMNS = ("what watches", "time of a call", "added", "ratio", "to reach", "reached")


class Row(t.NamedTuple):
    """One watcher."""

    name: str
    seconds: Figure
    added: Figure
    ratio: Figure

    @property
    def cells(self) -> list[str]:
        """The cells of the row, as Markdown."""
        most = WATCHERS[self.name].most
        target = "" if most is None else f"at most {most:.2f}"
        reached = "" if most is None else ("yes" if self.ratio.median <= most else "**no**")
        ratio = f"{self.ratio.median:.3f} ({self.ratio.low:.3f} to {self.ratio.high:.3f})"
        added = "" if self.name == ALONE else self.added.show("us")
        return [self.name, self.seconds.show("us"), added, ratio, target, reached]


def report(runs: Runs) -> list[Row]:
    """A row for each watcher."""
    (figures,) = runs.of({"all_watchers": {"rounds": runs.size(60, quick=2)}}, count=3)
    return [
        Row(name, figures[f"{name}/seconds"], figures[f"{name}/added"], figures[f"{name}/ratio"])
        for name in WATCHERS
        if f"{name}/ratio" in figures
    ]


def all_watchers(rounds: int) -> Figures:
    """CPU seconds of a call with each watcher, and the ratio to the call alone."""
    take_core(last=False)
    with contextlib.ExitStack() as stack:
        turns = [(name, pipe) for name in WATCHERS if (pipe := started(stack, name)) is not None]
        seconds: dict[str, list[float]] = {name: [] for name, _ in turns}
        for _ in range(rounds):
            # In another order each time: what ran before affects the caches of the processor.
            random.shuffle(turns)
            for name, pipe in turns:
                pipe.send(CALLS)
                seconds[name].append(pipe.recv() / CALLS)
    alone = seconds[ALONE]
    figures: Figures = {}
    for name, series in seconds.items():
        figures[f"{name}/seconds"] = statistics.median(series)
        # Of each round: other load on the machine changes slowly, and affects neighbours alike.
        rounds_of_both = list(zip(series, alone, strict=True))
        figures[f"{name}/added"] = statistics.median(a - b for a, b in rounds_of_both)
        figures[f"{name}/ratio"] = statistics.median(a / b for a, b in rounds_of_both)
    return figures


def started(stack: contextlib.ExitStack, name: str) -> Connection | None:
    """A pipe to a process with a watched app, which lives as long as the stack; None without the watcher's package."""
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    process = processes.Process(target=serve, args=(name, there), daemon=True)
    process.start()
    there.close()
    stack.callback(process.join)
    if not here.recv():
        return None
    # Before `join`: no more calls.
    stack.callback(here.send, 0)
    return here


def serve(name: str, pipe: Connection) -> None:
    """Send the CPU seconds of as many calls as are asked for, until it is none, after telling if the app is watched."""
    logging.basicConfig(level=logging.ERROR)
    watcher, db = WATCHERS[name], dynaflask.Dynamo()
    model = _peers.declare(db.Model)
    app = make_app("forum", db, transport="direct", **watcher.settings)
    with contextlib.ExitStack() as stack:
        try:
            after = stack.enter_context(watcher.watch(app))
        except ImportError:
            pipe.send(False)
            return
        for _ in range(WARM_UP):
            read(app, model, CALLS, after)
        # Keep what the app and packages hold out of each garbage collection.
        gc.collect()
        gc.freeze()
        pipe.send(True)
        while calls := pipe.recv():
            pipe.send(read(app, model, calls, after))


def read(app: flask.Flask, model: t.Any, calls: int, after: After) -> float:
    """CPU seconds of calls in a request, each with what comes after it."""
    key = tuple(_peers.KEY.values())
    with app.test_request_context("/"):
        started = time.process_time()
        for _ in range(calls):
            model.get(*key)
            if after is not None:
                after()
        return time.process_time() - started


if __name__ == "__main__":
    main(__file__, variants=[all_watchers], report=report, columns=COLUMNS, is_awake=True)
