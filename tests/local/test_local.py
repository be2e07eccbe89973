"""The embedded engine: one per process, started on first use, ended with the process."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import contextlib
import io
import logging
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import typing as t
import urllib.parse

import botocore.session
import pytest

from dynaflask import local
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import LocalServerError
from dynaflask.local import server as engine

START = "from dynaflask import local; print(local.endpoint(), flush=True);"
START_ON = "import sys; from dynaflask import local; print(local.endpoint(sys.argv[1]), flush=True);"


@pytest.fixture(autouse=True)
def stopped() -> cabc.Iterator[None]:
    """No test leaves its engine to the next."""
    yield
    local.stop()


@pytest.fixture
def ministack_script(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    """Put a shell script called ministack first on PATH; ``$REAL`` in it is the real one, ``$DIR`` its directory."""
    monkeypatch.setenv("REAL", str(shutil.which("ministack")))
    monkeypatch.setenv("DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def write(script: str) -> None:
        file = tmp_path / "ministack"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    return write


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Run the code in a process of its own, in development mode, which shows what is left open."""
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", textwrap.dedent(code), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """What the process prints until it ends well, without complaint."""
    output, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, "")
    return output


def answers(url: str) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(url))).close()
        return True
    return False


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def eventually(claim: cabc.Callable[[], object]) -> bool:
    """Whether it becomes true; the bound is no measure of anything, only the end of patience."""
    patience = time.monotonic() + 20
    while not (holds := claim()) and time.monotonic() < patience:
        time.sleep(0.02)
    return bool(holds)


def client(url: str) -> t.Any:
    return botocore.session.get_session().create_client(
        "dynamodb", "us-east-1", endpoint_url=url, aws_access_key_id="key", aws_secret_access_key="secret"
    )


def create_table(url: str, name: str) -> None:
    client(url).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


# Starting


def test_import_starts_nothing() -> None:
    """Importing the module starts no process and no thread, and connects to nothing."""
    code = """
        import sys, threading
        events = []
        sys.addaudithook(lambda event, arguments: events.append(event))
        import dynaflask.local
        print({"subprocess.Popen", "os.fork", "socket.connect"} & {*events}, threading.active_count())
    """
    assert finish(python(code)) == "set() 1\n"


def test_first_use_starts_an_engine() -> None:
    """What it returns is the URL of a DynamoDB."""
    assert client(local.endpoint()).list_tables()["TableNames"] == []


def test_every_use_has_the_same_engine() -> None:
    """A process has one engine."""
    assert local.endpoint() == local.endpoint()


def test_threads_at_once_start_one_engine(caplog: pytest.LogCaptureFixture) -> None:
    """The first of many threads starts the engine, and the others wait for it."""
    caplog.set_level(logging.INFO, "dynaflask.local")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        urls = set(pool.map(lambda _: local.endpoint(), range(8)))
    assert len(urls) == len(caplog.records) == 1


def test_the_log_says_where_it_runs_and_for_whom(caplog: pytest.LogCaptureFixture) -> None:
    """One line at the start gives the URL and the process that it is for."""
    caplog.set_level(logging.INFO, "dynaflask.local")
    url = local.endpoint()
    [record] = caplog.records
    assert url in record.getMessage()
    assert f"process {os.getpid()}" in record.getMessage()


def test_it_listens_on_loopback_alone() -> None:
    """No other address of the machine reaches it."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port_of(local.endpoint())))


def test_it_leaves_the_environment_alone() -> None:
    """Its settings are given to its process, not written to this one's environment."""
    before = dict(os.environ)
    local.endpoint()
    assert dict(os.environ) == before


def test_stop_ends_it_and_the_next_use_starts_another() -> None:
    """After stop() the process may have another engine."""
    first = local.endpoint()
    local.stop()
    assert not answers(first)
    assert answers(local.endpoint())


def test_stop_closes_what_start_opened() -> None:
    """Starting and stopping leaves no file descriptor behind."""
    before = len(os.listdir("/dev/fd"))
    local.endpoint()
    local.stop()
    assert len(os.listdir("/dev/fd")) == before


def test_stop_without_an_engine_does_nothing() -> None:
    """stop() may be called at any time."""
    local.stop()
    local.stop()


def test_works_under_gevent() -> None:
    """A process that gevent has patched has its engine too, and ends it."""
    pytest.importorskip("gevent")
    url = finish(python("import gevent.monkey; gevent.monkey.patch_all();" + START)).strip()
    assert not answers(url)


# Ending

ENDS = {
    "end of the program": "",
    "exception": "raise ValueError",
    "SIGTERM": "import os; os.kill(os.getpid(), 15)",
    "SIGKILL": "import os; os.kill(os.getpid(), 9)",
    "Ctrl-C": "import os; os.setpgid(0, 0); os.killpg(0, 2)",
}


@pytest.mark.parametrize("end", ENDS)
def test_it_ends_with_its_process_and_keeps_its_data(end: str, tmp_path: pathlib.Path) -> None:
    """However the process ends, its engine does too, and the next process finds what it has written."""
    with python(START_ON + "input();" + ENDS[end], str(tmp_path)) as process:
        url = process.stdout.readline().strip()
        create_table(url, "thread")
        process.communicate("\n")
    assert eventually(lambda: not answers(url))
    assert client(local.endpoint(str(tmp_path))).list_tables()["TableNames"] == ["thread"]


def test_it_ends_with_its_process_although_a_child_lives() -> None:
    """A program that the process started does not hold on to the engine."""
    code = "import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()']); os.kill(os.getpid(), 9)"
    with python(START + code) as process:
        url = process.stdout.readline()
        process.wait()
        assert eventually(lambda: not answers(url))


def test_an_engine_that_has_ended_is_an_error(ministack_script: t.Any, tmp_path: pathlib.Path) -> None:
    """The error gives the exit code, and does not start an empty engine in its place."""
    ministack_script('echo $$ >$DIR/pid; exec "$REAL"')
    url = local.endpoint()
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert eventually(lambda: not answers(url))
    with pytest.raises(LocalServerError, match="ended with exit code 137"):
        eventually(lambda: local.endpoint() is None)


def test_the_reloader_has_one_engine_at_a_time(tmp_path: pathlib.Path) -> None:
    """Each round of Flask's reloader ends its engine before the next."""
    app = tmp_path / "app.py"
    app.write_text(
        "import os, flask\n"
        "from dynaflask import local\n"
        "app = flask.Flask(__name__)\n"
        "if 'WERKZEUG_RUN_MAIN' in os.environ:\n"
        "    print('ENGINE', local.endpoint(), flush=True)\n"
    )
    with reloading(app) as lines:
        first = next(lines)
        # Again and again, as nothing tells when the reloader has had its first look.
        assert eventually(lambda: os.utime(app, (time.time(), time.time() + 5)) or not answers(first))
        second = next(lines)
        assert answers(second)
    assert eventually(lambda: not answers(second))


@contextlib.contextmanager
def reloading(app: pathlib.Path) -> cabc.Iterator[cabc.Iterator[str]]:
    """Run the app under Flask's reloader; what it prints about its engines."""
    command = [sys.executable, "-m", "flask", "--app", str(app), "run", "--reload", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield (line.split()[1] for line in process.stdout or () if line.startswith("ENGINE"))
        finally:
            process.terminate()


# Data that lasts


def test_without_a_path_the_data_goes() -> None:
    """An engine in memory starts empty, whatever the environment says."""
    create_table(local.endpoint(), "thread")
    local.stop()
    assert client(local.endpoint()).list_tables()["TableNames"] == []


def test_another_path_is_refused(tmp_path: pathlib.Path) -> None:
    """A process has one engine, with one path; the error names both."""
    local.endpoint(str(tmp_path / "one"))
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_LOCAL_PATH.*two.*one"):
        local.endpoint(str(tmp_path / "two"))


def test_a_path_beside_an_engine_in_memory_is_refused(tmp_path: pathlib.Path) -> None:
    """What is in memory cannot be moved to a path."""
    local.endpoint()
    with pytest.raises(ConfigurationError, match="in memory"):
        local.endpoint(str(tmp_path))


def test_no_path_joins_what_runs(tmp_path: pathlib.Path) -> None:
    """Who does not say where the data goes takes the engine that there is."""
    assert local.endpoint(str(tmp_path)) == local.endpoint()


def test_a_path_is_one_however_it_is_written(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path and an absolute one are the same directory."""
    monkeypatch.chdir(tmp_path)
    assert local.endpoint("data") == local.endpoint(str(tmp_path / "data"))


def test_a_path_that_cannot_be_written_is_refused(tmp_path: pathlib.Path) -> None:
    """A file in the place of the directory is a wrong setting."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="DYNAMODB_LOCAL_PATH must be a directory"):
        local.endpoint(str(tmp_path / "file"))


def test_a_path_that_another_process_uses_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two engines on one directory would overwrite each other's data."""
    monkeypatch.setattr(local, "LOCK_SECONDS", 0.1)
    with python(START_ON + "input()", str(tmp_path)) as process:
        url = process.stdout.readline().strip()
        with pytest.raises(LocalServerError, match=f"in use by the engine that process {process.pid} has at {url}"):
            local.endpoint(str(tmp_path))
        process.communicate("\n")


def test_a_child_process_joins_its_parents_path(tmp_path: pathlib.Path) -> None:
    """Flask's reloader loads the app in a parent and in its child: both see the same data."""
    url = local.endpoint(str(tmp_path))
    assert finish(python(START_ON, str(tmp_path))) == f"{url}\n"
    assert answers(url)


# Forks


def test_a_forked_process_has_its_parents_engine() -> None:
    """A worker reaches the data of the process that forked it."""
    code = """
        import os
        from dynaflask import local
        url = local.endpoint()
        if os.fork() == 0:
            print(local.endpoint() == url, flush=True)
        else:
            os.wait()
            print(local.endpoint() == url)
    """
    assert finish(python(code)) == "True\nTrue\n"


def test_a_forked_process_is_told_that_its_parents_engine_has_ended() -> None:
    """The engine ends with the process that started it; its forks get an error that says what to do."""
    code = """
        import os, signal, time
        from dynaflask import exceptions, local
        local.endpoint()
        parent = os.getpid()
        if os.fork():
            os.kill(parent, signal.SIGKILL)
        try:
            while True:
                local.endpoint()
                time.sleep(0.02)
        except exceptions.LocalServerError as error:
            print(f"by process {parent}," in str(error), "flask dynamo local" in str(error))
    """
    output, complaints = python(code).communicate(timeout=60)
    assert (output, complaints) == ("True True\n", "")


def test_a_process_forked_before_the_first_use_has_an_engine_of_its_own() -> None:
    """Workers share what was started before the fork, and nothing else."""
    code = """
        import os
        from dynaflask import local
        if child := os.fork():
            os.waitpid(child, 0)
        print(local.endpoint(), flush=True)
    """
    assert len({*finish(python(code)).split()}) == 2


def test_a_fork_amid_a_start_has_an_engine_of_its_own(ministack_script: t.Any, tmp_path: pathlib.Path) -> None:
    """A thread that starts an engine is not in the forked process, which neither waits for it nor keeps its lock."""
    ministack_script('touch $DIR/started; sleep 0.5; exec "$REAL"')
    code = """
        import os, pathlib, sys, threading, time
        from dynaflask import local
        thread = threading.Thread(target=lambda: print(local.endpoint(), flush=True))
        thread.start()
        while not pathlib.Path(sys.argv[1]).exists():
            time.sleep(0.01)
        if child := os.fork():
            thread.join()
            os.waitpid(child, 0)
        else:
            print(local.endpoint(), flush=True)
    """
    process = python(code, str(tmp_path / "started"))
    output, _ = process.communicate(timeout=60)  # Python 3.12 and later warn of a fork beside a thread
    assert len({*output.split()}) == 2


# What may be wrong with it


def test_found_beside_python(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment need not be on PATH."""
    (tmp_path / "ministack").symlink_to(str(shutil.which("ministack")))
    (tmp_path / "python").symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", os.defpath)
    assert answers(local.endpoint())


def test_not_installed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error gives the command that installs it."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalServerError, match=r'pip install "dynaflask\[local\]"'):
        local.endpoint()


OLD_MINISTACK = """
import http.server, json, os
class Old(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(dict(version="1.4.21")).encode())
http.server.HTTPServer(("127.0.0.1", int(os.environ["GATEWAY_PORT"])), Old).serve_forever()
"""


def test_too_old(ministack_script: t.Any) -> None:
    """A release whose pages do not end at 1 MB is refused."""
    ministack_script(f"exec {sys.executable} -c '{OLD_MINISTACK}'")
    with pytest.raises(LocalServerError, match=r"ministack 1\.4\.21, which is too old"):
        local.endpoint()


def test_dies_at_its_start(ministack_script: t.Any) -> None:
    """The error gives the exit code and what it said last."""
    ministack_script("echo no such luck; exit 3")
    with pytest.raises(LocalServerError, match=r"exit code 3.*\nno such luck"):
        local.endpoint()


def test_dies_at_its_start_without_a_word(ministack_script: t.Any) -> None:
    """The error says that there is nothing more to know."""
    ministack_script("exit 3")
    with pytest.raises(LocalServerError, match="exit code 3. It said nothing"):
        local.endpoint()


def test_does_not_answer(ministack_script: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience with a start has an end."""
    monkeypatch.setattr(engine, "START_SECONDS", 0.1)
    ministack_script("exec sleep 60")
    with pytest.raises(LocalServerError, match="did not answer within 0.1 seconds"):
        local.endpoint()


def test_a_failed_start_is_tried_again_at_the_next_use(ministack_script: t.Any) -> None:
    """An error at the start is not the last word: the cause may have been mended."""
    ministack_script("exit 3")
    with pytest.raises(LocalServerError):
        local.endpoint()
    ministack_script('exec "$REAL"')
    assert answers(local.endpoint())


def test_a_port_lost_to_another_is_no_error(ministack_script: t.Any) -> None:
    """Another process may take a port between its choice and its use: the next one will do."""
    ministack_script('test -e $DIR/tried && exec "$REAL"; touch $DIR/tried; echo already in use; exit 1')
    assert answers(local.endpoint())


def test_all_ports_lost_is_an_error(ministack_script: t.Any) -> None:
    """After some tries, the error says that the port is taken."""
    ministack_script("echo already in use; exit 1")
    with pytest.raises(LocalServerError, match=r"Port \d+ of 127.0.0.1 cannot be had: already in use"):
        local.endpoint()


# In the foreground


class TermAtFlush(io.StringIO):
    """Standard output at which the process is told to end as soon as it has said something."""

    def flush(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def test_run_gives_the_setting_and_ends_at_sigterm() -> None:
    """What it prints is the line to put into the environment; SIGTERM is a good end."""
    with contextlib.redirect_stdout(TermAtFlush()) as output:
        assert local.run(port=0, path=None) == 0
    [setting] = [line.strip() for line in output.getvalue().splitlines() if "=" in line]
    assert urllib.parse.urlsplit(setting.removeprefix("DYNAMODB_HOST=")).hostname == "127.0.0.1"


def test_run_leaves_the_signals_as_they_were() -> None:
    """What SIGTERM did before, it does after."""
    before = signal.getsignal(signal.SIGTERM)
    with contextlib.redirect_stdout(TermAtFlush()):
        local.run(port=0, path=None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_run_takes_over_from_an_engine_of_the_app() -> None:
    """An app that starts an engine while it is loaded does not keep the path from the foreground."""
    url = local.endpoint()
    with contextlib.redirect_stdout(TermAtFlush()):
        local.run(port=0, path=None)
    assert not answers(url)


def test_run_on_a_taken_port_is_an_error() -> None:
    """The error says which port, and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalServerError, match=f"Port {port} .*--port {port + 1}"):
            local.run(port=port, path=None)


def test_run_tells_of_an_engine_that_ends_by_itself(ministack_script: t.Any, tmp_path: pathlib.Path) -> None:
    """An engine that ends unasked is an error, with its exit code."""
    ministack_script('"$REAL" & while ! test -e $DIR/end; do sleep 0.1; done; kill -9 $!; exit 3')

    class EndAtFlush(io.StringIO):
        def flush(self) -> None:
            (tmp_path / "end").touch()

    with contextlib.redirect_stdout(EndAtFlush()), pytest.raises(LocalServerError, match="ended with exit code 3"):
        local.run(port=0, path=None)
