"""The README: its figures are those of the benchmarks, and its groups those of the site."""

from __future__ import annotations

import os
import re

from tests.support.figures import rows_of_the_readme
from tests.support.paths import PROJECT
from tests.support.screenshots import VARIABLE

README = PROJECT / "README.md"
HEADING = "| | PynamoDB | dynaflask | Measured in |\n|---|---|---|---|\n"


def test_the_figures_are_those_of_the_last_benchmarks() -> None:
    """Each figure is in ``benchmarks/results``. DYNAFLASK_PICTURES=1 writes the table."""
    before, _, after = README.read_text(encoding="utf-8").partition(HEADING)
    table, _, rest = after.partition("\n\n") if not after.startswith("\n") else ("", "", after[1:])
    rows = "\n".join(rows_of_the_readme())
    if os.environ.get(VARIABLE):
        README.write_text(f"{before}{HEADING}{rows}\n\n{rest}", encoding="utf-8")
        table = rows
    assert table == rows


def test_dynaflask_is_ahead_in_each_figure() -> None:
    """The README claims that dynaflask is faster: less time and memory, and more requests per second."""
    for row in rows_of_the_readme():
        pynamodb, ours = (float(re.sub("[^0-9.]", "", cell)) for cell in row.split(" | ")[1:3])
        units = {re.sub("[0-9.,]", "", cell) for cell in row.split(" | ")[1:3]}
        assert len(units) == 1
        assert (ours > pynamodb) is ("per second" in row)


def test_there_is_no_other_figure() -> None:
    """Outside of the table and the code, the README has no number with a unit."""
    before, _, after = README.read_text(encoding="utf-8").partition(HEADING)
    prose = re.sub(r"```.*?```", "", before + after.partition("\n\n")[2], flags=re.DOTALL)
    assert re.findall(r"\b[\d.,]+ ?(?:%|ms|us|MB|kB|times|minutes|seconds)", prose) == []


def test_the_documentation_has_the_groups_of_the_site() -> None:
    """The table has a row for each group of the how-tos, in the order of the site."""
    index = (PROJECT / "docs/index.md").read_text(encoding="utf-8")
    captions = re.findall(r"^:caption: (.+)$", index, re.MULTILINE)
    table = README.read_text(encoding="utf-8").partition("## Documentation")[2]
    groups = re.findall(r"^\| ([A-Z][\w -]+) \| \[", table, re.MULTILINE)
    assert groups == captions[captions.index("Tutorials") + 1 : captions.index("Reference")]
