"""The benchmarks run, and the tables in the documentation are theirs. What they measured is not tested."""

from __future__ import annotations

import functools
import subprocess
import sys

import pytest

from tests.support.paths import PROJECT
from tests.support.paths import environment

BENCHMARKS = PROJECT / "benchmarks"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
every_script = pytest.mark.parametrize("script", ["calls", "limits", "startup", "tenants", "throughput"])


@functools.cache
def run_quickly(script: str) -> str:
    """What a script prints at its smallest sizes."""
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "--quick"]
    return subprocess.run(command, env=environment(), check=True, capture_output=True, text=True).stdout


def rows(report: str) -> list[str]:
    """The lines of a report's table."""
    return [line for line in report.splitlines() if line.startswith("|")]


def questions(report: str) -> list[str]:
    """The first column of a report's table, and its header."""
    header, *rest = rows(report)
    return [header, *(row.split(" | ")[0] for row in rest)]


@every_script
def test_a_script_prints_its_table(script: str) -> None:
    """Whatever it measures, each row of its table is whole."""
    header, _, *rest = rows(run_quickly(script))
    assert len(rest) > 2
    assert {row.count(" | ") for row in rest} == {header.count(" | ")}


@every_script
def test_the_documentation_has_the_table_of_the_script(script: str) -> None:
    """It answers the questions that the script asks now."""
    written = (BENCHMARKS / "results" / f"{script}.md").read_text(encoding="utf-8")
    assert questions(written) == questions(run_quickly(script))
