"""gevent, with its monkey patch."""

from __future__ import annotations

import subprocess
import sys
import threading

from tests.support import recorder as recorders
from tests.support.paths import SUPPORT
from tests.support.paths import environment

GREENLETS = 50


def test_greenlets_share_a_client_and_call_at_the_same_time(recorder: recorders.Recorder) -> None:
    """Fifty greenlets make one client. The server answers when all of their calls have arrived."""
    together = threading.Barrier(GREENLETS)

    def answer(_: recorders.Request) -> None:
        together.wait(timeout=20)

    recorder.answer = answer
    command = [sys.executable, str(SUPPORT / "gevent_program.py"), recorder.url]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
