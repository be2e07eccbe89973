"""No request of one tenant ever goes where another's belong: see ``tenant_program.py``."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

CALLS = 10_000
WAIT_SECONDS = 280


def test_a_hundred_tenants_are_kept_apart() -> None:
    """In the calls of 16 threads, while credentials expire, clients are evicted and the engine fails.

    ``nox --session proof`` makes five times as many.
    """
    program = str(pathlib.Path(__file__).with_name("tenant_program.py"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, program, str(CALLS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
