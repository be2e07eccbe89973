"""No request of one tenant ever goes where another's belong: see ``tenant_program.py``."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.paths import PROJECT
from tests.support.paths import SUPPORT

CALLS = 10_000
WAIT_SECONDS = 280


def test_a_hundred_tenants_are_kept_apart() -> None:
    """In the calls of 16 threads, while credentials expire, clients are evicted and the engine fails.

    ``nox --session proof`` makes five times as many.
    """
    program = str(SUPPORT / "tenant_program.py")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment["PYTHONPATH"] = str(PROJECT)
    command = [sys.executable, program, str(CALLS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
