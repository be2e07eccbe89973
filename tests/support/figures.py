"""The figures of the README, from the results of the benchmarks."""

from __future__ import annotations

import typing as t

from tests.support.paths import PROJECT


class Figure(t.NamedTuple):
    """A row of the README's table: one row of a benchmark's results."""

    text: str
    file: str
    row: str
    pynamodb: str = "PynamoDB"
    dynaflask: str = "dynaflask"


FIGURES = (
    Figure("CPU time of the first use of 30 models", "startup.md", "30 models, first use of each"),
    Figure(
        "memory of one more app with 20 models", "tenants.md", "1,000 apps x 20 models, one destination, memory per app"
    ),
    Figure(
        "requests per second, of a view that reads an item", "throughput.md", "requests per second", dynaflask="direct"
    ),
)


def rows_of_the_readme() -> list[str]:
    """The rows of the table, from the files in ``benchmarks/results/``."""
    return [
        f"| {figure.text} | {read(figure, figure.pynamodb)} | {read(figure, figure.dynaflask)}"
        f" | [{figure.file}](benchmarks/results/{figure.file}) |"
        for figure in FIGURES
    ]


def read(figure: Figure, column: str) -> str:
    """A value of the results, without its lowest and highest values."""
    lines = (PROJECT / "benchmarks/results" / figure.file).read_text(encoding="utf-8").splitlines()
    table = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("|")]
    (row,) = (row for row in table if row[0] == figure.row)
    # The first heading may be empty, and lose its bar.
    position = len(row) - len(table[0]) + table[0].index(column)
    return row[position].partition(" (")[0]
