"""No request of one tenant goes to another tenant's destination: see ``tenant_program.py``."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import SUPPORT
from tests.support.paths import environment

CALLS = 10_000
WAIT_SECONDS = 280


def test_a_hundred_tenants_are_kept_apart() -> None:
    """In 16 threads, each call goes to its own tenant while credentials expire, clients are evicted and calls fail.

    ``nox --session proof`` makes five times as many.
    """
    program = str(SUPPORT / "tenant_program.py")
    command = [sys.executable, program, str(CALLS)]
    process = subprocess.run(
        command, env=environment(), capture_output=True, text=True, check=False, timeout=WAIT_SECONDS
    )
    assert process.returncode == 0, process.stdout + process.stderr
