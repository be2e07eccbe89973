"""No request of one app goes to another app's destination: see ``isolation_program.py``."""

from __future__ import annotations

import collections.abc as cabc
import subprocess
import sys

import pytest

from tests.support.paths import SUPPORT
from tests.support.paths import environment

WAIT_SECONDS = 250

# All run at once.
PROOFS = {
    "two apps, eight threads each, contexts of every kind": ["many_contexts"],
    "the same with greenlets": ["many_contexts", "greenlets"],
    "threads that share a context": ["one_context"],
    "threads with a copy of a request's context": ["one_request"],
    "async views, their tasks and threads": ["async_views"],
}


@pytest.fixture(scope="module")
def running() -> cabc.Iterator[dict[str, subprocess.Popen[str]]]:
    """The running processes by what they prove."""
    program = str(SUPPORT / "isolation_program.py")
    processes = {
        proof: subprocess.Popen(
            [sys.executable, program, *arguments],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for proof, arguments in PROOFS.items()
    }
    yield processes
    for process in processes.values():
        with process:
            process.kill()


@pytest.mark.parametrize("proof", PROOFS)
def test_each_request_goes_to_its_own_destination(running: dict[str, subprocess.Popen[str]], proof: str) -> None:
    """With two apps at work at once, each request has the host, region, keys, headers and table of its own app."""
    output, _ = running[proof].communicate(timeout=WAIT_SECONDS)
    assert running[proof].returncode == 0, output
