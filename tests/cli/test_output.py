"""Records on a terminal, in a pipe, and as JSON."""

from __future__ import annotations

import json
import typing as t

import pytest

from dynaflask.cli import output as printing

RECORDS: list[dict[str, t.Any]] = [
    {"model": "Thread", "keys": ["forum S HASH", "subject S RANGE"], "region": None},
    {"model": "User", "keys": [], "region": "eu-west-1"},
]


def test_a_table_has_a_line_for_each_record() -> None:
    """In a pipe nothing is cut or wrapped; what is not there is a dash."""
    assert printing.format_table(RECORDS).splitlines() == [
        "model   keys                           region",
        "Thread  forum S HASH, subject S RANGE  -",
        "User    -                              eu-west-1",
    ]


@pytest.mark.parametrize("width", [26, 30, 40, 80])
def test_a_table_fits_the_terminal(width: int) -> None:
    """The widest column is wrapped first, and no word is lost."""
    table = printing.format_table(RECORDS, width=width)
    assert max(map(len, table.splitlines())) <= width
    # A word may be broken at its hyphens.
    unwrapped = printing.format_table(RECORDS)
    assert sorted(table.replace("-", "- ").split()) == sorted(unwrapped.replace("-", "- ").split())
    assert table.startswith("model ")


def test_on_a_narrow_terminal_a_record_is_a_list() -> None:
    """A column needs some room."""
    table = printing.format_table(RECORDS, width=20)
    assert max(map(len, table.splitlines())) <= 20
    assert table.startswith("model: Thread\nkeys: forum S HASH,\n  subject S RANGE\n")


def test_a_word_that_is_too_long_is_broken() -> None:
    """As a table's name may be."""
    assert printing.format_table([{"name": "x" * 100}], width=50).count("x" * 50) == 2


def test_json_is_one_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Also of nothing, of which no table is printed."""
    printing.print_records(RECORDS, as_json=True)
    assert json.loads(capsys.readouterr().out) == RECORDS
    printing.print_records([], as_json=True)
    assert json.loads(capsys.readouterr().out) == []
    printing.print_records([])
    assert capsys.readouterr().out == ""


def test_off_a_terminal_progress_is_a_line_for_each_thousand(capsys: pytest.CaptureFixture[str]) -> None:
    """However they come, and nobody is asked for the total."""
    with printing.progress("Loading", total=lambda: pytest.fail("asked")) as tell:
        for count in (999, 0, 1, 2500):
            tell(count)
    assert capsys.readouterr().out.splitlines() == ["Loading: 1000 items", "Loading: 3500 items"]
