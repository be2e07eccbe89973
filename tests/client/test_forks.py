"""A forked child starts with an empty pool, and never reads a response to another process."""

from __future__ import annotations

import concurrent.futures
import http.client
import importlib.util
import json
import subprocess
import sys
import threading
import time
import typing as t

import pytest

from tests.support import engines
from tests.support import recorder as recorders
from tests.support.paths import PROJECT
from tests.support.paths import SUPPORT
from tests.support.paths import environment

TRANSPORTS = ["botocore", "direct", "stock"]
REQUESTS = 500


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "always::ResourceWarning", str(SUPPORT / program), *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_child_forked_among_calls_makes_its_own_clients(recorder: recorders.Recorder, transport: str) -> None:
    """No child waits for a lock of a thread that it does not have, and each response belongs to its request."""
    finished = run("fork_program.py", recorder.url, transport)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_fork_without_hooks_is_noticed(recorder: recorders.Recorder, transport: str) -> None:
    """A child of fork in C, where no ``os.register_at_fork`` hook runs, makes its own clients, too.

    The parent's threads hold the pool's locks at that moment, and their calls go on after the children have ended.
    """
    release = threading.Event()

    def answer(request: recorders.Request) -> None:
        subject = request.body["Key"]["subject"]["S"]
        if subject == "release":
            release.set()
        if subject == "held":
            release.wait(60)

    recorder.answer = answer
    finished = run("uwsgi_fork_program.py", recorder.url, transport)
    assert finished.returncode == 0, finished.stderr
    assert "ResourceWarning" not in finished.stderr


def test_gunicorn_with_preload(recorder: recorders.Recorder) -> None:
    """Four workers share no connection with the master, which made a call before it forked them."""
    port = engines.free_port()
    command = [sys.executable, "-m", "gunicorn", "tests.support.preload_program:application", "--preload"]
    options = ["--bind", f"127.0.0.1:{port}", "--workers", "4", "--threads", "4", "--log-level", "error"]
    assert_each_response_is_its_own([*command, *options], port, RECORDER_URL=recorder.url)


@pytest.mark.skipif(importlib.util.find_spec("pyuwsgi") is None, reason="pyuwsgi is not installed")
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_uwsgi_forks_after_calls(recorder: recorders.Recorder, transport: str) -> None:
    """Four workers share no connection with the master, which warmed its clients and made calls before the fork."""
    port = engines.free_port()
    command = [sys.executable, "-c", "import pyuwsgi; pyuwsgi.run()", "--module", "tests.support.preload_program"]
    options = ["--http-socket", f"127.0.0.1:{port}", "--processes", "4", "--threads", "4", "--enable-threads"]
    stop = ["--master", "--die-on-term", "--disable-logging", "--listen", "100", "--virtualenv", sys.prefix]
    assert_each_response_is_its_own([*command, *options, *stop], port, RECORDER_URL=recorder.url, TRANSPORT=transport)


def assert_each_response_is_its_own(command: list[str], port: int, **variables: str) -> None:
    server = subprocess.Popen(command, env=environment(**variables), cwd=PROJECT)
    try:
        wait_for(port)
        with concurrent.futures.ThreadPoolExecutor(16) as clients:
            answers = list(clients.map(lambda number: get(port, f"/{number}"), range(REQUESTS)))
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert [answer["subject"] for answer in answers] == [str(number) for number in range(REQUESTS)]
    assert [answer["kept"] for answer in answers] == [f"kept-{number}" for number in range(REQUESTS)]
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
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)
        else:
            return
