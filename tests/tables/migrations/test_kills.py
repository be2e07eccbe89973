"""A migration that is killed at any moment, while another process writes."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

from tests.support import engines
from tests.support.paths import SUPPORT
from tests.support.paths import environment

# The proof of a release takes 20,000.
ITEMS = os.environ.get("DYNAFLASK_TEST_MIGRATION_ITEMS", "1500")


def test_a_migration_survives_ten_kills_while_another_process_writes(
    ministack: engines.Engine, account: engines.Account, tmp_path: pathlib.Path
) -> None:
    """After ten kills, two runs at once complete it: every item is changed, and no edit and no deletion is undone."""
    program = str(SUPPORT / "migration_program.py")
    command = [sys.executable, program, ITEMS, "10", str(tmp_path), json.dumps(ministack.settings(account))]
    process = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    result = json.loads(process.stdout)
    assert result["problems"] == []
    assert (result["killed"], result["before"], result["after"]) == (10, "running", "applied"), process.stderr
    assert result["codes"] == [0, 0], process.stderr
    # Each item that is left was there all the time, so that a run has seen it.
    assert result["read"] >= result["left"] > 0
