"""Print records and progress: on a terminal, in a pipe, and as JSON."""

from __future__ import annotations

import collections
import json
import pathlib
import typing as t

import click
import pytest

from dynaflask.cli import output

RECORDS: list[dict[str, t.Any]] = [
    {"model": "Thread", "keys": ["forum S HASH", "subject S RANGE"], "region": None},
    {"model": "User", "keys": [], "region": "eu-west-1"},
]


def count_characters(table: str) -> collections.Counter[str]:
    """How often a table has each character, spaces excepted."""
    return collections.Counter("".join(table.split()))


def test_a_table_has_a_line_for_each_record() -> None:
    """Without a width, no cell is cut or wrapped; a missing value is a dash."""
    assert output.format_table(RECORDS).splitlines() == [
        "model   keys                           region",
        "Thread  forum S HASH, subject S RANGE  -",
        "User    -                              eu-west-1",
    ]


@pytest.mark.parametrize("width", [26, 30, 40, 80])
def test_a_table_fits_the_terminal(width: int) -> None:
    """The widest column is wrapped first, and no character is lost."""
    table = output.format_table(RECORDS, width=width)
    assert max(map(len, table.splitlines())) <= width
    assert count_characters(table) == count_characters(output.format_table(RECORDS))
    assert table.startswith("model ")


def test_on_a_narrow_terminal_a_record_is_a_list() -> None:
    """Below a minimum width of its columns, each record is printed as a list of names and values."""
    table = output.format_table(RECORDS, width=20)
    assert max(map(len, table.splitlines())) <= 20
    assert table.startswith("model: Thread\nkeys: forum S HASH,\n  subject S RANGE\n")


def test_a_word_that_is_too_long_is_broken() -> None:
    """A word that is longer than its column is broken, and no character is lost."""
    assert output.format_table([{"name": "x" * 100}], width=50).count("x" * 50) == 2


def test_json_is_one_list(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON is one list, also without records; a table without records prints nothing."""
    output.print_records(RECORDS, as_json=True)
    assert json.loads(capsys.readouterr().out) == RECORDS
    output.print_records([], as_json=True)
    assert json.loads(capsys.readouterr().out) == []
    output.print_records([])
    assert capsys.readouterr().out == ""


def test_off_a_terminal_progress_is_a_line_for_each_thousand(capsys: pytest.CaptureFixture[str]) -> None:
    """A line is printed each time the count passes a thousand; ``total`` is not called."""
    with output.progress("Loading", total=lambda: pytest.fail("total was called")) as report:
        for count in (999, 0, 1, 2500):
            report(count)
    assert capsys.readouterr().out.splitlines() == ["Loading: 1000 items", "Loading: 3500 items"]


class TestDocuments:
    """``print_document``."""

    DOCUMENT: t.ClassVar = {"Resources": {"ThreadTable": {"Type": "AWS::DynamoDB::Table"}}}

    def test_a_document_is_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A document is printed as JSON, with its names in their order."""
        assert output.print_document({"b": 1, "a": 2})
        assert capsys.readouterr().out == '{\n  "b": 1,\n  "a": 2\n}\n'

    def test_a_file_with_the_document_may_have_any_format(
        self, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A formatter of JSON makes no difference."""
        file = tmp_path / "tables.json"
        file.write_text(json.dumps(self.DOCUMENT, indent=8), encoding="utf-8")
        assert output.print_document(self.DOCUMENT, compared=file)
        assert capsys.readouterr().out == f"{file} is up to date.\n"

    def test_a_file_with_another_document_is_shown(
        self, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The output is a diff from the file to the models."""
        file = tmp_path / "tables.json"
        file.write_text(json.dumps({"Resources": {}}), encoding="utf-8")
        assert not output.print_document(self.DOCUMENT, compared=file)
        lines = capsys.readouterr().out.splitlines()
        assert lines[:2] == [f"--- {file}", "+++ models"]
        assert '-  "Resources": {}' in lines
        assert '+    "ThreadTable": {' in lines

    @pytest.mark.parametrize("content", [None, "Resources:"])
    def test_a_file_that_cannot_be_read_is_an_error(self, tmp_path: pathlib.Path, content: str | None) -> None:
        """The message names the file, and says what to do, if the file is missing or no JSON."""
        file = tmp_path / "tables.json"
        if content is not None:
            file.write_text(content, encoding="utf-8")
        with pytest.raises(
            click.ClickException, match=r"tables\.json cannot be read: .* Write it with the same command"
        ):
            output.print_document(self.DOCUMENT, compared=file)
