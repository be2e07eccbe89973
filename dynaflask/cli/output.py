"""Print records and progress: on a terminal, in a pipe, and as JSON."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import difflib
import itertools
import json
import pathlib
import shutil
import sys
import textwrap
import typing as t

import click

Record = cabc.Mapping[str, t.Any]

GAP = "  "
MIN_COLUMN_WIDTH = 6
ITEMS_PER_LINE = 1000


def record_of_bind(result: t.Any) -> dict[str, t.Any]:
    """The fields of a result about one bind, whose key the commands call ``bind``, as their option does.

    Args:
        result: A dataclass with the field ``bind_key``.
    """
    fields = dataclasses.asdict(result)
    return {"bind": fields.pop("bind_key"), **fields}


def print_records(records: cabc.Sequence[Record], *, as_json: bool = False) -> None:
    """Print records: as one JSON list, as a table that fits the terminal, or in a pipe as one line each.

    Args:
        records: Records that all have the same names.
        as_json: Print JSON.
    """
    if as_json:
        click.echo(json.dumps(records, indent=2))
    elif records:
        click.echo(format_table(records, width=shutil.get_terminal_size().columns if sys.stdout.isatty() else None))


def print_document(document: Record, *, compared: pathlib.Path | None = None) -> bool:
    """Print a document as JSON, or its differences from a file.

    Args:
        document: The document.
        compared: A file with JSON, which may be formatted in any way.

    Returns:
        False if the file has another document.

    Raises:
        ClickException: The file cannot be read, or is no JSON.
    """
    text = json.dumps(document, indent=2)
    if compared is None:
        click.echo(text)
        return True
    try:
        present = json.loads(compared.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"{compared} cannot be read: {reason}. Write it with the same command, without --check."
        raise click.ClickException(message) from error
    if present == document:
        click.echo(f"{compared} is up to date.")
        return True
    lines = json.dumps(present, indent=2).splitlines(), text.splitlines()
    click.echo("\n".join(difflib.unified_diff(*lines, str(compared), "models", lineterm="")))
    return False


def format_table(records: cabc.Sequence[Record], *, width: int | None = None) -> str:
    """A table with a row for each record. Cells wrap to fit the width; if it is too narrow for that, a list.

    Args:
        records: Records that all have the same names.
        width: Most characters in a line; ``None`` for any number.
    """
    rows = [list(records[0]), *([_text(value) for value in record.values()] for record in records)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if width is not None:
        available = width - len(GAP) * (len(widths) - 1)
        widths = _shrink(widths, to=available)
        if sum(widths) > available:
            return "\n\n".join(_list(record, width) for record in records)
    return "\n".join(line for row in rows for line in _lines(row, widths))


@contextlib.contextmanager
def progress(label: str, *, total: cabc.Callable[[], int]) -> cabc.Iterator[cabc.Callable[[int], None]]:
    """Show progress: a bar on a terminal, and elsewhere a line for each thousand items.

    Args:
        label: The name of the work.
        total: Returns the approximate number of items. It may be slow, so it is called only for a bar.

    Yields:
        A function to call with each number of items that are done.
    """
    if sys.stdout.isatty():
        with click.progressbar(length=total(), label=label, show_pos=True) as bar:
            yield bar.update
    else:
        yield _ProgressLines(label)


class _ProgressLines:
    def __init__(self, label: str) -> None:
        self._label = label
        self._count = 0

    def __call__(self, count: int) -> None:
        before, self._count = self._count, self._count + count
        if before // ITEMS_PER_LINE < self._count // ITEMS_PER_LINE:
            click.echo(f"{self._label}: {self._count} items")


def _text(value: t.Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value)) or "-"
    return str(value)


def _shrink(widths: cabc.Sequence[int], *, to: int) -> list[int]:
    # The widest column shrinks first.
    shrunk = list(widths)
    while sum(shrunk) > to and max(shrunk) > MIN_COLUMN_WIDTH:
        shrunk[shrunk.index(max(shrunk))] -= 1
    return shrunk


def _list(record: Record, width: int) -> str:
    lines = (f"{name}: {_text(value)}" for name, value in record.items())
    return "\n".join(textwrap.fill(line, width, subsequent_indent=GAP, break_on_hyphens=False) for line in lines)


def _lines(row: cabc.Sequence[str], widths: cabc.Sequence[int]) -> cabc.Iterator[str]:
    cells = [textwrap.wrap(cell, width, break_on_hyphens=False) for cell, width in zip(row, widths, strict=True)]
    for parts in itertools.zip_longest(*cells, fillvalue=""):
        yield GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
