"""A server ends when the process that started it is gone."""

from __future__ import annotations

import logging
import os
import pathlib
import re
import signal
import typing as t

import pytest

from dynaflask import local
from dynaflask.exceptions import LocalServerError
from tests.support import servers

ENDS = {
    "end of the program": "",
    "exception": "raise ValueError",
    "SIGTERM": "import os; os.kill(os.getpid(), 15)",
    "SIGKILL": "import os; os.kill(os.getpid(), 9)",
    "Ctrl-C": "import os; os.setpgid(0, 0); os.killpg(0, 2)",
}


@pytest.mark.parametrize("end", ENDS)
def test_it_ends_with_its_process_and_keeps_its_data(end: str, tmp_path: pathlib.Path) -> None:
    """However the process ends, the server ends with it, and the next process finds its data."""
    with servers.python(servers.START_ON + "input();" + ENDS[end], str(tmp_path)) as process:
        url = process.stdout.readline().strip()
        servers.create_table(url, "thread")
        process.communicate("\n")
    assert servers.eventually(lambda: not servers.answers(url))
    assert servers.client(local.endpoint(str(tmp_path))).list_tables()["TableNames"] == ["thread"]


def test_it_ends_with_its_process_although_a_child_lives() -> None:
    """A program that the process started does not keep the server alive."""
    code = "import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()']); os.kill(os.getpid(), 9)"
    with servers.python(servers.START + code) as process:
        url = process.stdout.readline()
        process.wait()
        assert servers.eventually(lambda: not servers.answers(url))


def test_a_forked_process_that_lives_on_does_not_keep_the_server_alive(tmp_path: pathlib.Path) -> None:
    """When the parent is killed, its server writes its data and ends, although a child has inherited the lifeline."""
    code = """
        import os, signal, sys
        from dynaflask import local
        url = local.endpoint(sys.argv[1])
        if child := os.fork():
            print(url, child, flush=True)
            input()
            os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()
    """
    with servers.python(code, str(tmp_path)) as process:
        assert process.stdout
        assert process.stdin
        url, child = process.stdout.readline().split()
        try:
            servers.create_table(url, "thread")
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.wait(timeout=60) == -signal.SIGKILL
            os.kill(int(child), 0)  # it lives
            assert servers.eventually(lambda: not servers.answers(url))
        finally:
            os.kill(int(child), signal.SIGKILL)
    assert servers.client(local.endpoint(str(tmp_path))).list_tables()["TableNames"] == ["thread"]


def test_a_killed_watcher_does_not_orphan_the_server(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    """When the watcher is killed, the server writes its data and ends, which frees the path."""
    caplog.set_level(logging.DEBUG, "dynaflask.local")
    url = local.endpoint(str(tmp_path))
    servers.create_table(url, "thread")
    watcher = int(re.findall(r"as process (\d+)", caplog.text)[0])
    os.kill(watcher, signal.SIGKILL)
    os.waitid(
        os.P_PID, watcher, os.WEXITED | os.WNOWAIT
    )  # it closes its files, so that the server ends, before it ends
    assert servers.eventually(lambda: not servers.answers(url))
    with pytest.raises(LocalServerError, match="ended with exit code -9"):
        local.endpoint(str(tmp_path))
    local.stop()
    assert servers.client(local.endpoint(str(tmp_path))).list_tables()["TableNames"] == ["thread"]


def test_the_data_of_a_killed_server_is_that_of_its_last_end(
    tmp_path: pathlib.Path, ministack_script: t.Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that gets SIGKILL loses what was written since its start; the log says so when the process ends."""
    data = str(tmp_path / "data")
    ministack_script('echo $$ >$DIR/pid; exec "$REAL"')
    servers.create_table(local.endpoint(data), "before")
    local.stop()
    servers.create_table(local.endpoint(data), "after")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    local.stop()
    assert "did not write all its data" in caplog.text
    assert "exit code 137" in caplog.text
    assert servers.client(local.endpoint(data)).list_tables()["TableNames"] == ["before"]
