"""Smoke test, run by ``nox --session benchmarks_smoke``: each benchmark runs, and its results have the same rows."""

from __future__ import annotations

import functools
import os
import pathlib
import subprocess
import sys

import pytest

BENCHMARKS = pathlib.Path(__file__).parent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
every_script = pytest.mark.parametrize("script", ["calls", "limits", "operations", "startup", "tenants", "throughput"])


@functools.cache
def run_quickly(script: str) -> str:
    """The output of a script at its smallest sizes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DYNAMODB_"))}
    environment |= {"PYTHONPATH": str(BENCHMARKS.parent), "AWS_EC2_METADATA_DISABLED": "true"}
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "--quick"]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def rows(report: str) -> list[str]:
    """The lines of a report's table."""
    return [line for line in report.splitlines() if line.startswith("|")]


def questions(report: str) -> list[str]:
    """The header of a report's table, and its first column."""
    header, *rest = rows(report)
    return [header, *(row.split(" | ")[0] for row in rest)]


@every_script
def test_a_script_prints_its_table(script: str) -> None:
    """A script prints a table of at least three rows, each with all columns."""
    header, _, *rest = rows(run_quickly(script))
    assert len(rest) > 2
    assert {row.count(" | ") for row in rest} == {header.count(" | ")}


@every_script
def test_the_results_have_the_rows_of_the_script(script: str) -> None:
    """The results in the documentation have the header and the first column that the script prints."""
    written = (BENCHMARKS / "results" / f"{script}.md").read_text(encoding="utf-8")
    assert questions(written) == questions(run_quickly(script))
