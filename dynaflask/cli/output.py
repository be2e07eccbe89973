"""Records on a terminal, in a pipe, and as JSON."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import itertools
import json
import shutil
import sys
import textwrap
import typing as t

import click

Record = cabc.Mapping[str, t.Any]

GAP = "  "
LEAST_WIDTH = 6
LINES_EVERY = 1000


def print_records(records: cabc.Sequence[Record], *, as_json: bool = False) -> None:
    """Print records: as one JSON list, as a table that fits the terminal, or in a pipe as one line each.

    Args:
        records: The records, which have the same names.
        as_json: Whether to print JSON.
    """
    if as_json:
        click.echo(json.dumps(records, indent=2))
    elif records:
        click.echo(format_table(records, width=shutil.get_terminal_size().columns if sys.stdout.isatty() else None))


def format_table(records: cabc.Sequence[Record], *, width: int | None = None) -> str:
    """A table with a row for each record, its cells wrapped to fit the width. Where it is too narrow, a list instead.

    Args:
        records: The records, which have the same names.
        width: How many characters a line may have; ``None`` for any number.
    """
    rows = [list(records[0]), *([_text(value) for value in record.values()] for record in records)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if width is not None:
        room = width - len(GAP) * (len(widths) - 1)
        widths = _shrink(widths, to=room)
        if sum(widths) > room:
            return "\n\n".join(_list(record, width) for record in records)
    return "\n".join(line for row in rows for line in _lines(row, widths))


@contextlib.contextmanager
def progress(label: str, *, total: cabc.Callable[[], int]) -> cabc.Iterator[cabc.Callable[[int], None]]:
    """Show how far something is: a bar on a terminal, and elsewhere a line for each thousand items.

    Args:
        label: What is going on.
        total: About how many items there are; asked on a terminal alone.

    Yields:
        What to call with the number of items that are done.
    """
    if sys.stdout.isatty():
        with click.progressbar(length=total(), label=label, show_pos=True) as bar:
            yield bar.update
    else:
        yield _Lines(label)


class _Lines:
    def __init__(self, label: str) -> None:
        self._label = label
        self._count = 0

    def __call__(self, count: int) -> None:
        before, self._count = self._count, self._count + count
        if before // LINES_EVERY < self._count // LINES_EVERY:
            click.echo(f"{self._label}: {self._count} items")


def _text(value: t.Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value)) or "-"
    return str(value)


def _shrink(widths: cabc.Sequence[int], *, to: int) -> list[int]:
    # The widest column gives way first.
    shrunk = list(widths)
    while sum(shrunk) > to and max(shrunk) > LEAST_WIDTH:
        shrunk[shrunk.index(max(shrunk))] -= 1
    return shrunk


def _list(record: Record, width: int) -> str:
    lines = (f"{name}: {_text(value)}" for name, value in record.items())
    return "\n".join(textwrap.fill(line, width, subsequent_indent=GAP, break_on_hyphens=False) for line in lines)


def _lines(row: cabc.Sequence[str], widths: cabc.Sequence[int]) -> cabc.Iterator[str]:
    cells = [textwrap.wrap(cell, width, break_on_hyphens=False) for cell, width in zip(row, widths, strict=True)]
    for parts in itertools.zip_longest(*cells, fillvalue=""):
        yield GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
