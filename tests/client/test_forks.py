"""A forked child begins with no client, and reads no other process's answers."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import subprocess
import sys
import time
import typing as t

from tests.support import engines
from tests.support import recorder as recorders
from tests.support.paths import PROJECT
from tests.support.paths import SUPPORT
from tests.support.paths import environment


def test_a_fork_while_eight_threads_call(recorder: recorders.Recorder) -> None:
    """No child hangs on a lock of a thread that it does not have, and every answer belongs to its question."""
    command = [sys.executable, str(SUPPORT / "fork_program.py"), recorder.url]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_gunicorn_with_preload(recorder: recorders.Recorder) -> None:
    """Four workers share nothing with the master that called before them."""
    port = engines.free_port()
    command = [sys.executable, "-m", "gunicorn", "tests.support.gunicorn_program:application", "--preload"]
    options = ["--bind", f"127.0.0.1:{port}", "--workers", "4", "--threads", "4", "--log-level", "error"]
    server = subprocess.Popen([*command, *options], env=environment(RECORDER_URL=recorder.url), cwd=PROJECT)
    try:
        wait_for(port)
        with concurrent.futures.ThreadPoolExecutor(16) as clients:
            answers = list(clients.map(lambda number: get(port, f"/{number}"), range(400)))
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert [answer["subject"] for answer in answers] == [str(number) for number in range(400)]
    assert len({answer["process"] for answer in answers}) > 1


def get(port: int, path: str) -> dict[str, t.Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer: dict[str, t.Any] = json.load(connection.getresponse())
    finally:
        connection.close()
    return answer


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            get(port, "/ready")
        except OSError:
            assert time.monotonic() < deadline, "gunicorn did not start"
            time.sleep(0.05)
        else:
            return
