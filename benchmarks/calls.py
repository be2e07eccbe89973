"""The cost of a call: CPU time of the client, as a share of PynamoDB's.

python benchmarks/calls.py [--quick] [--write]

All clients run in one process on one core and take turns; the server runs on another core. Clients that are not
installed are left out, and the script says so: `pip install boto3 aiodynamo aiohttp pydynox`.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import functools
import gc
import importlib
import importlib.metadata
import os
import statistics
import sys
import time
import typing as t

import _peers
from _canned import take_core
from _common import PACKAGES
from _common import Figure
from _common import Figures
from _common import Runs
from _common import main

from dynaflask import ConfigurationError

OVER_TLS = ", over TLS"
LATE = ", response after 1 ms"
LATE_OPERATIONS = (_peers.GET, _peers.PUT)
TLS_OPERATIONS = (_peers.GET, _peers.PUT, _peers.QUERY)
# Targets: maximum share of PynamoDB's CPU time, with the transports "botocore" and "direct".
TO_REACH = {
    _peers.GET: (1.00, 0.09),
    _peers.PUT: (1.00, 0.11),
    _peers.UPDATE: (1.00, 0.16),
    _peers.QUERY: (0.25, 0.09),
    _peers.QUERY_PAGE: (0.25, 0.10),
    _peers.BATCH_GET: (0.30, 0.08),
    _peers.BATCH_WRITE: (0.60, 0.11),
    _peers.GET + OVER_TLS: (1.00, 0.13),
    _peers.PUT + OVER_TLS: (1.00, 0.15),
    _peers.QUERY + OVER_TLS: (0.25, 0.10),
}
TURNS = {
    _peers.GET: 50,
    _peers.PUT: 50,
    _peers.UPDATE: 50,
    _peers.QUERY: 5,
    _peers.BATCH_GET: 5,
    _peers.BATCH_WRITE: 10,
}
THEIRS, BOTOCORE, DIRECT, PYDYNOX = "PynamoDB", "botocore", "direct", "pydynox"
# CPU time of pydynox, whose core is written in Rust, over the time of direct.
AHEAD = "direct ahead of pydynox"
Peer = contextlib.AbstractContextManager[_peers.Calls]


def optional(module: str) -> Peer:
    """A peer in its own module, which imports only if the peer is installed."""
    return t.cast("Peer", importlib.import_module(module).peer())


PEERS: dict[str, cabc.Callable[[], Peer]] = {
    THEIRS: _peers.by_pynamodb,
    "stock": functools.partial(_peers.by_dynaflask, "stock"),
    BOTOCORE: functools.partial(_peers.by_dynaflask, "botocore"),
    DIRECT: functools.partial(_peers.by_dynaflask, "direct"),
    "botocore alone": _peers.by_botocore,
    "boto3 `Table`": functools.partial(optional, "_peer_boto3"),
    "aiodynamo": functools.partial(optional, "_peer_aiodynamo"),
    PYDYNOX: functools.partial(optional, "_peer_pydynox"),
    "bare Python": functools.partial(optional, "_peer_bare"),
    "bytes alone": _peers.bytes_alone,
}
COLUMNS = ("call", *(f"{name}, to reach" if name in (BOTOCORE, DIRECT) else name for name in PEERS), AHEAD)
OPTIONAL = ("boto3", "aiodynamo", "pydynox", "msgspec")


class Row(t.NamedTuple):
    """One operation with all clients."""

    operation: str
    figures: cabc.Mapping[str, Figure]

    @property
    def cells(self) -> list[str]:
        """The cells of the row, as Markdown."""
        return [self.operation, *map(self._cell, PEERS), self._ahead()]

    def _cell(self, peer: str) -> str:
        figure = self.figures.get(f"{self.operation}/{peer}")
        if figure is None:
            return ""
        if peer == THEIRS:
            return f"1 ({figure.show('us')})" if figure.low == figure.high else f"1: {figure.show('us')}"
        bounds = dict(zip((BOTOCORE, DIRECT), TO_REACH.get(self.operation, (None, None)), strict=True))
        bound = bounds.get(peer)
        shown = share(figure)
        if bound is None:
            return shown
        return f"{shown}, {bound:.2f}" if figure.median <= bound else f"**{shown}**, {bound:.2f}"

    def _ahead(self) -> str:
        figure = self.figures.get(f"{self.operation}/{AHEAD}")
        if figure is None:
            return ""
        shown = f"{figure.median:.2f} times"
        return shown if figure.median > 1 else f"**{shown}**"


def share(figure: Figure) -> str:
    """``0.16 (0.15 to 0.17)``."""
    spread = "" if figure.low == figure.high else f" ({figure.low:.3f} to {figure.high:.3f})"
    return f"{figure.median:.3f}{spread}"


def report(runs: Runs) -> list[Row]:
    """A row for each operation."""
    rounds = {"rounds": runs.size(15, quick=1)}
    figures, tls_figures, late_figures = runs.of(dict.fromkeys(("all_peers", "over_tls", "late"), rounds), count=3)
    return [
        *(Row(operation, figures) for operation in _peers.OPERATIONS),
        *(Row(operation + OVER_TLS, tls_figures) for operation in TLS_OPERATIONS),
        *(Row(operation + LATE, late_figures) for operation in LATE_OPERATIONS),
    ]


def all_peers(rounds: int) -> Figures:
    """CPU seconds of a call with PynamoDB, and the other clients' shares of it."""
    return shares_of(PEERS, _peers.OPERATIONS, rounds=rounds)


def over_tls(rounds: int) -> Figures:
    """The same over TLS, of the clients that take the authority from the environment."""
    os.environ["BENCHMARK_URL"], os.environ["AWS_CA_BUNDLE"] = (
        os.environ["BENCHMARK_TLS_URL"],
        os.environ["BENCHMARK_AUTHORITY"],
    )
    peers = {name: make for name, make in PEERS.items() if name in {THEIRS, BOTOCORE, DIRECT}}
    figures = shares_of(peers, TLS_OPERATIONS, rounds=rounds)
    return {key.replace("/", f"{OVER_TLS}/", 1): figure for key, figure in figures.items()}


def late(rounds: int) -> Figures:
    """The same with a wait: what the CPU caches have of a client, they lose while it sleeps."""
    os.environ["BENCHMARK_URL"] = os.environ["BENCHMARK_LATE_URL"]
    figures = shares_of(PEERS, LATE_OPERATIONS, rounds=rounds)
    return {key.replace("/", f"{LATE}/", 1): figure for key, figure in figures.items()}


def shares_of(
    makers: cabc.Mapping[str, cabc.Callable[[], Peer]], operations: cabc.Iterable[str], *, rounds: int
) -> Figures:
    """CPU seconds of a call with PynamoDB, and these clients' shares of it."""
    take_core(last=False)
    with contextlib.ExitStack() as stack:
        peers = {name: calls for name, make in makers.items() if (calls := opened(stack, name, make)) is not None}
        # A program has one client, not ten: keep the objects of the others out of each garbage collection.
        gc.collect()
        gc.freeze()
        figures: Figures = {}
        for operation in operations:
            figures.update(compare(operation, peers, rounds=rounds))
    return figures


def opened(stack: contextlib.ExitStack, name: str, make: cabc.Callable[[], Peer]) -> _peers.Calls | None:
    """A peer after its first calls, or ``None`` if it, or a package that it needs, is not installed."""
    try:
        calls = stack.enter_context(make())
        for call in calls.values():
            call(1)
    except (ImportError, ConfigurationError) as error:
        print(f"{name} is left out, and its column stays empty: {error}", file=sys.stderr)
        return None
    return calls


def compare(operation: str, peers: cabc.Mapping[str, _peers.Calls], *, rounds: int) -> Figures:
    """The medians of several rounds. In each round, all clients take a turn."""
    times = TURNS.get(operation, 1)
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, calls in peers.items():
            seconds[name].append(cpu_of(calls[operation], times=times))
    theirs = seconds[THEIRS]
    shares = {
        f"{operation}/{name}": statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
        for name, ours in seconds.items()
    }
    return {**shares, **ahead(operation, seconds), f"{operation}/{THEIRS}": statistics.median(theirs)}


def ahead(operation: str, seconds: cabc.Mapping[str, list[float]]) -> Figures:
    """CPU time of pydynox over that of direct, if both are installed."""
    if not {DIRECT, PYDYNOX} <= seconds.keys():
        return {}
    times = (theirs / ours for theirs, ours in zip(seconds[PYDYNOX], seconds[DIRECT], strict=True))
    return {f"{operation}/{AHEAD}": statistics.median(times)}


def cpu_of(call: cabc.Callable[[int], object], *, times: int) -> float:
    """CPU seconds of a call, in all threads of this process."""
    gc.collect()
    call(1)  # the CPU caches have the data of the other clients
    started = time.process_time()
    call(times)
    return (time.process_time() - started) / times


def installed(names: cabc.Iterable[str]) -> list[str]:
    """The packages that are installed."""
    available = {distribution.name for distribution in importlib.metadata.distributions()}
    return [name for name in names if name in available]


if __name__ == "__main__":
    main(
        __file__,
        variants=[all_peers, over_tls, late],
        report=report,
        columns=COLUMNS,
        packages=[*PACKAGES, *installed(OPTIONAL)],
        is_awake=True,
    )
