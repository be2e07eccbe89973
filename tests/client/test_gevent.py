"""Greenlets of a patched program."""

from __future__ import annotations

import subprocess
import sys
import threading

from tests.support import recorder as recorders
from tests.support.paths import SUPPORT
from tests.support.paths import environment

GREENLETS = 50


def test_greenlets_share_a_client_and_do_not_wait_for_each_other(recorder: recorders.Recorder) -> None:
    """The pool makes one, and no call holds up another: the server answers when all of them have come."""
    together = threading.Barrier(GREENLETS)

    def answer(_: recorders.Request) -> None:
        together.wait(timeout=20)

    recorder.answer = answer
    command = [sys.executable, str(SUPPORT / "gevent_program.py"), recorder.url]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
