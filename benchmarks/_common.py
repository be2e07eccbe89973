"""Code that the benchmarks share: fresh processes, figures of several runs, and the report.

main(__file__, variants=[ours, theirs], report=report)

A variant is a function that returns its figures by name, and runs in its own process. A report starts variants by their
names and turns their figures into rows.
"""

from __future__ import annotations

import argparse
import collections.abc as cabc
import contextlib
import dataclasses
import gc
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

import flask
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute

HERE = pathlib.Path(__file__).parent
PACKAGES = ("flask", "pynamodb", "botocore", "urllib3")
COLUMNS = ("question", "dynaflask", "PynamoDB", "ratio", "to reach", "reached")
KEY = "1"
# Without these, the search for credentials in files and at the metadata service would be measured, too.
ENVIRONMENT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}
SCALES = {"s": 1.0, "ms": 1e3, "us": 1e6, "MB": 1e-6, "kB": 1e-3, "%": 100.0, "": 1.0}

Figures = dict[str, float]
Variant = cabc.Callable[..., Figures]


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """The median, minimum and maximum of several runs."""

    median: float
    low: float
    high: float

    def show(self, unit: str = "") -> str:
        """``152 ms (148 to 160)``."""
        median, low, high = (_short(value * SCALES[unit]) for value in (self.median, self.low, self.high))
        spread = "" if low == high else f" ({low} to {high})"
        return f"{median} {unit}".strip() + spread


class HasCells(t.Protocol):
    """A row of a table."""

    @property
    def cells(self) -> cabc.Sequence[str]:
        """The cells of the row, as Markdown."""


class Row(t.NamedTuple):
    """One question, its figures, and whether the target is reached."""

    question: str
    dynaflask: str
    pynamodb: str
    ratio: str
    to_reach: str
    is_reached: bool | None

    @property
    def cells(self) -> list[str]:
        """The cells of the row, as Markdown."""
        reached = {True: "yes", False: "**no**", None: ""}[self.is_reached]
        return [*self[:5], reached]


def compared(question: str, ours: Figure, theirs: Figure, *, unit: str, least: float, better: str) -> Row:
    """A row with a ratio that must reach a minimum.

    Args:
        question: What was measured.
        ours: Figure of dynaflask.
        theirs: Figure of PynamoDB alone.
        unit: Unit of both.
        least: Minimum of the ratio.
        better: Name of the improvement, such as ``"faster"``.
    """
    ratio = theirs.median / max(ours.median, 1e-9)
    cells = (ours.show(unit), theirs.show(unit), f"{ratio:.0f} times {better}", f"{least:.0f} times {better}")
    return Row(question, *cells, is_reached=ratio >= least)


def bounded(question: str, ours: Figure, *, unit: str, most: float, beside: str = "", ratio: str = "") -> Row:
    """A row with a figure that must stay under a maximum.

    Args:
        question: What was measured.
        ours: The figure.
        unit: Unit of the figure and of the maximum.
        most: The maximum.
        beside: Text of PynamoDB's column.
        ratio: Text of the ratio column.
    """
    is_under = ours.median * SCALES[unit] < most
    return Row(question, ours.show(unit), beside, ratio, f"under {most:g} {unit}", is_under)


@dataclasses.dataclass(frozen=True)
class Runs:
    """Starts the variants of one script."""

    script: str
    server: cabc.Mapping[str, str]
    pycache: str
    is_quick: bool

    def size(self, usual: int, *, quick: int) -> int:
        """A number of repetitions or objects: the usual one, or the one of ``--quick``."""
        return quick if self.is_quick else usual

    def of(self, arguments: cabc.Mapping[str, cabc.Mapping[str, t.Any]], *, count: int) -> list[dict[str, Figure]]:
        """The figures of variants that run in turn, so that other load on the machine affects all of them alike.

        Args:
            arguments: The arguments of each variant.
            count: Number of runs of each variant.
        """
        runs: dict[str, list[Figures]] = {variant: [] for variant in arguments}
        for _ in range(self.size(count, quick=1)):
            for variant, options in arguments.items():
                runs[variant].append(self.start(variant, options))
        return [_over_runs(figures) for figures in runs.values()]

    def start(self, variant: str, arguments: cabc.Mapping[str, t.Any]) -> Figures:
        """Run one variant in a fresh process."""
        command = [sys.executable, self.script, "--variant", variant, json.dumps(arguments)]
        environment = {**os.environ, **ENVIRONMENT, **self.server, "PYTHONPYCACHEPREFIX": self.pycache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
        return t.cast("Figures", json.loads(done.stdout))


def main(
    script: str,
    *,
    variants: cabc.Iterable[Variant],
    report: cabc.Callable[[Runs], cabc.Iterable[HasCells]],
    columns: cabc.Sequence[str] = COLUMNS,
    packages: cabc.Iterable[str] = PACKAGES,
    is_awake: bool = False,
) -> None:
    """Print a script's report or, in a process that the script started, run one variant.

    Args:
        script: The script's ``__file__``.
        variants: Functions that ``report`` starts by name.
        report: Function that starts the variants and returns the rows.
        columns: Columns of the table.
        packages: Packages whose versions the report names.
        is_awake: True for a server that does not sleep, so that its client need not wake it.
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it runs: no figure means anything"
    )
    parser.add_argument("--write", action="store_true", help="write the table to results/, for the documentation")
    parser.add_argument("--variant", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        name, arguments = options.variant
        called = next(function for function in variants if function.__name__ == name)
        print(json.dumps(called(**json.loads(arguments))))
        return
    with _serving(is_awake=is_awake) as server, tempfile.TemporaryDirectory() as pycache:
        rows = report(Runs(script, server=server, pycache=pycache, is_quick=options.quick))
    text = _render(rows, columns=columns, packages=packages)
    print(text)
    if options.quick:
        print("These were tiny sizes. No figure means anything.")
    elif options.write:
        (HERE / "results" / pathlib.Path(script).with_suffix(".md").name).write_text(text, encoding="utf-8")


def settings(**more: str) -> dict[str, str]:
    """The settings that lead to the server. The keys are static, so that no client searches for others."""
    keys = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "benchmark")
    return {"host": os.environ["BENCHMARK_URL"], "region": "eu-west-1", **keys, **more}


def declare(base: t.Any, name: str, **meta: str) -> t.Any:
    """A model with four attributes.

    Args:
        base: ``db.Model``, or PynamoDB's.
        name: Name of the model and of its table.
        **meta: Further attributes of its ``Meta``.
    """
    body = {
        "Meta": type("Meta", (), {"table_name": name, **meta}),
        "id": UnicodeAttribute(hash_key=True),
        "title": UnicodeAttribute(),
        "views": NumberAttribute(default=0),
        "tags": UnicodeSetAttribute(),
        "__module__": __name__,
        "__qualname__": name,
    }
    return type(base)(name, (base,), body)


def make_app(name: str, db: t.Any = None, **more: t.Any) -> flask.Flask:
    """An app with its settings. With a ``db``, the app is initialised with it."""
    app = flask.Flask(name)
    if db is not None:
        app.config.update({f"DYNAMODB_{key.upper()}": value for key, value in settings(**more).items()})
        db.init_app(app)
    return app


@contextlib.contextmanager
def measured() -> cabc.Iterator[Figures]:
    """The cost of a block: ``cpu`` and ``wall`` in seconds, ``memory`` in bytes."""
    flask.Flask("first")  # performs the imports that Flask delays
    figures: Figures = {}
    memory, wall, cpu = unshared_memory(), time.perf_counter(), time.process_time()
    yield figures
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    figures.update(cpu=cpu, wall=wall, memory=unshared_memory() - memory)


def unshared_memory() -> int:
    """Bytes of memory that this process does not share with others (Linux)."""
    gc.collect()
    lines = pathlib.Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def _over_runs(runs: list[Figures]) -> dict[str, Figure]:
    values = {name: [figures[name] for figures in runs] for name in runs[0]}
    return {name: Figure(statistics.median(series), min(series), max(series)) for name, series in values.items()}


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@contextlib.contextmanager
def _serving(*, is_awake: bool) -> cabc.Iterator[dict[str, str]]:
    """The environment variables that lead to a server."""
    with tempfile.NamedTemporaryFile(suffix=".pem") as authority:
        command = [sys.executable, str(HERE / "_canned.py"), authority.name, *(["--awake"] if is_awake else [])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
            stdin, stdout = t.cast("t.IO[str]", server.stdin), t.cast("t.IO[str]", server.stdout)
            try:
                names = ("BENCHMARK_URL", "BENCHMARK_TLS_URL", "BENCHMARK_LATE_URL")
                yield {name: stdout.readline().strip() for name in names} | {"BENCHMARK_AUTHORITY": authority.name}
            finally:
                stdin.close()


def _render(rows: cabc.Iterable[HasCells], *, columns: cabc.Sequence[str], packages: cabc.Iterable[str]) -> str:
    cells = [columns, ["---"] * len(columns), *(row.cells for row in rows)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in cells)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()}; {python}; {versions}.\n"
        "Medians of fresh processes that ran in turn, lowest to highest in brackets. Times are CPU time where nothing\n"
        f"else is said; memory is what no other process shares.\n\n{table}"
    )


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
