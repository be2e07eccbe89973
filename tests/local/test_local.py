"""The local server: one per process, started on first use, ended with the process."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import contextlib
import io
import logging
import os
import pathlib
import re
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
import flask
import pytest

from dynaflask import local
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import LocalServerError
from dynaflask.local import data_lock
from dynaflask.local import process as local_process
from dynaflask.local import server

START = "from dynaflask import local; print(local.endpoint(), flush=True);"
START_ON = "import sys; from dynaflask import local; print(local.endpoint(sys.argv[1]), flush=True);"


@pytest.fixture(autouse=True)
def stopped() -> cabc.Iterator[None]:
    """End the server after each test, so that the next test starts its own."""
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
    """The output of a process that ends with exit code 0 and writes nothing to standard error."""
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    return output


def answers(url: str) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(url))).close()
        return True
    return False


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def eventually(claim: cabc.Callable[[], object]) -> bool:
    """True if the claim becomes true within 20 seconds, which is far more than any of them takes."""
    deadline = time.monotonic() + 20
    while not (holds := claim()) and time.monotonic() < deadline:
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


def test_first_use_starts_a_server() -> None:
    """``endpoint`` returns the URL of a running DynamoDB without tables."""
    assert client(local.endpoint()).list_tables()["TableNames"] == []


def test_every_use_has_the_same_server() -> None:
    """A process has one server."""
    assert local.endpoint() == local.endpoint()


def test_concurrent_threads_start_one_server(caplog: pytest.LogCaptureFixture) -> None:
    """The first of several threads starts the server, and the others wait for it."""
    caplog.set_level(logging.INFO, "dynaflask.local")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        urls = set(pool.map(lambda _: local.endpoint(), range(8)))
    assert len(urls) == len(caplog.records) == 1


def test_the_log_names_its_url_and_its_process(caplog: pytest.LogCaptureFixture) -> None:
    """At INFO, one record at the start names the URL and the id of the process."""
    caplog.set_level(logging.INFO, "dynaflask.local")
    url = local.endpoint()
    [record] = caplog.records
    assert url in record.getMessage()
    assert f"process {os.getpid()}" in record.getMessage()


def test_it_listens_on_loopback_alone() -> None:
    """The server does not listen on other addresses of the machine."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port_of(local.endpoint())))


def test_it_leaves_the_environment_alone() -> None:
    """The server's settings are not written to the environment of this process."""
    before = dict(os.environ)
    local.endpoint()
    assert dict(os.environ) == before


def test_stop_ends_it_and_the_next_use_starts_another() -> None:
    """``stop`` ends the server before it returns; the next ``endpoint`` starts a new one."""
    first = local.endpoint()
    local.stop()
    assert not answers(first)
    assert answers(local.endpoint())


def test_stop_closes_what_start_opened() -> None:
    """Starting and stopping a server leaves no file descriptor open."""
    before = len(os.listdir("/dev/fd"))
    local.endpoint()
    local.stop()
    assert len(os.listdir("/dev/fd")) == before


def test_stop_without_a_server_does_nothing() -> None:
    """``stop`` may be called at any time."""
    local.stop()
    local.stop()


def test_works_under_gevent() -> None:
    """A process that gevent has patched starts a server, and ends it when it exits."""
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
    """However the process ends, the server ends with it, and the next process finds its data."""
    with python(START_ON + "input();" + ENDS[end], str(tmp_path)) as process:
        url = process.stdout.readline().strip()
        create_table(url, "thread")
        process.communicate("\n")
    assert eventually(lambda: not answers(url))
    assert client(local.endpoint(str(tmp_path))).list_tables()["TableNames"] == ["thread"]


def test_it_ends_with_its_process_although_a_child_lives() -> None:
    """A program that the process started does not keep the server alive."""
    code = "import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()']); os.kill(os.getpid(), 9)"
    with python(START + code) as process:
        url = process.stdout.readline()
        process.wait()
        assert eventually(lambda: not answers(url))


def test_a_server_that_has_ended_is_an_error(ministack_script: t.Any, tmp_path: pathlib.Path) -> None:
    """The error gives the exit code, and no empty server is started in its place."""
    ministack_script('echo $$ >$DIR/pid; exec "$REAL"')
    url = local.endpoint()
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert eventually(lambda: not answers(url))
    with pytest.raises(LocalServerError, match="ended with exit code 137"):
        eventually(lambda: local.endpoint() is None)


def test_the_reloader_has_one_server_at_a_time(tmp_path: pathlib.Path) -> None:
    """Flask's reloader ends the server of one round before the next round starts its own."""
    app = tmp_path / "app.py"
    app.write_text(
        "import os, flask\n"
        "from dynaflask import local\n"
        "app = flask.Flask(__name__)\n"
        "if 'WERKZEUG_RUN_MAIN' in os.environ:\n"
        "    print('SERVER', local.endpoint(), flush=True)\n"
    )
    with reloading(app) as lines:
        first = next(lines)
        # Repeated, because the reloader does not tell when it has read the modification times for the first time.
        assert eventually(lambda: os.utime(app, (time.time(), time.time() + 5)) or not answers(first))
        second = next(lines)
        assert answers(second)
    assert eventually(lambda: not answers(second))


@contextlib.contextmanager
def reloading(app: pathlib.Path) -> cabc.Iterator[cabc.Iterator[str]]:
    """Run the app under Flask's reloader, and give the URLs of the servers that it starts."""
    command = [sys.executable, "-m", "flask", "--app", str(app), "run", "--reload", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield (line.split()[1] for line in process.stdout or () if line.startswith("SERVER"))
        finally:
            process.terminate()


# Persistent data


def test_without_a_path_the_data_goes() -> None:
    """Without a path the data is in memory: the next server starts empty."""
    create_table(local.endpoint(), "thread")
    local.stop()
    assert client(local.endpoint()).list_tables()["TableNames"] == []


def test_a_second_path_is_refused(tmp_path: pathlib.Path) -> None:
    """A process has one server with one path; the error names both paths."""
    local.endpoint(str(tmp_path / "one"))
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_LOCAL_PATH.*two.*one"):
        local.endpoint(str(tmp_path / "two"))


def test_a_path_is_refused_while_a_server_in_memory_runs(tmp_path: pathlib.Path) -> None:
    """The data of a server in memory is not moved to a path; the error says where the data is."""
    local.endpoint()
    with pytest.raises(ConfigurationError, match="in memory"):
        local.endpoint(str(tmp_path))


def test_no_path_uses_the_running_server(tmp_path: pathlib.Path) -> None:
    """``endpoint`` without a path gives the running server, also if that has a path."""
    assert local.endpoint(str(tmp_path)) == local.endpoint()


def test_a_relative_path_is_the_same_as_its_absolute_path(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths are compared by the directory that they name."""
    monkeypatch.chdir(tmp_path)
    assert local.endpoint("data") == local.endpoint(str(tmp_path / "data"))


def test_a_path_that_cannot_be_written_is_refused(tmp_path: pathlib.Path) -> None:
    """A path that names a file is a configuration error that names the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="DYNAMODB_LOCAL_PATH must be a directory"):
        local.endpoint(str(tmp_path / "file"))


def test_a_path_that_another_process_uses_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers on one directory would overwrite each other's data; the error names the process and its URL."""
    monkeypatch.setattr(data_lock, "LOCK_SECONDS", 0.1)
    with python(START_ON + "input()", str(tmp_path)) as process:
        url = process.stdout.readline().strip()
        with pytest.raises(LocalServerError, match=f"in use by the server that process {process.pid} runs at {url}"):
            local.endpoint(str(tmp_path))
        process.communicate("\n")


def test_a_child_process_joins_its_parents_server(tmp_path: pathlib.Path) -> None:
    """Flask's reloader loads the app in a parent and in its child: on one path, both use the parent's server."""
    url = local.endpoint(str(tmp_path))
    assert finish(python(START_ON, str(tmp_path))) == f"{url}\n"
    assert answers(url)


# Forks


def test_a_forked_process_uses_its_parents_server() -> None:
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


def test_the_end_of_the_parents_server_is_an_error() -> None:
    """The server ends with the process that started it; its forks get an error that says what to do."""
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
    assert python(code).communicate(timeout=60) == ("True True\n", "")


def test_a_process_forked_before_the_first_use_starts_its_own_server() -> None:
    """Workers share only the server that was started before the fork."""
    code = """
        import os
        from dynaflask import local
        if child := os.fork():
            os.waitpid(child, 0)
        print(local.endpoint(), flush=True)
    """
    assert len({*finish(python(code)).split()}) == 2


def test_a_process_forked_during_a_start_starts_its_own_server(ministack_script: t.Any, tmp_path: pathlib.Path) -> None:
    """The thread that starts a server is not in the forked process, which does not wait for that thread's lock."""
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
    with python(code, str(tmp_path)) as process:
        assert process.stdout
        assert process.stdin
        url, child = process.stdout.readline().split()
        try:
            create_table(url, "thread")
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.wait(timeout=60) == -signal.SIGKILL
            os.kill(int(child), 0)  # it lives
            assert eventually(lambda: not answers(url))
        finally:
            os.kill(int(child), signal.SIGKILL)
    assert client(local.endpoint(str(tmp_path))).list_tables()["TableNames"] == ["thread"]


def test_a_fork_without_hooks_uses_its_parents_server() -> None:
    """uWSGI forks in C, which runs no hook of Python's; the child uses its parent's server and does not end it."""
    code = """
        import ctypes, os
        from dynaflask import local
        url = local.endpoint()
        child = ctypes.PyDLL(None).fork()
        if child == 0:
            print(local.endpoint() == url, flush=True)
            local.stop()
            os._exit(0)
        os.waitpid(child, 0)
        print(local.endpoint() == url)
    """
    assert finish(python(code)) == "True\nTrue\n"


def test_a_grandchild_uses_the_same_server() -> None:
    """A process that is forked by a fork uses the server of the first process."""
    code = """
        import os
        from dynaflask import local
        url = local.endpoint()
        for _ in range(2):
            if child := os.fork():
                os.waitpid(child, 0)
                break
            local.endpoint()
        print(local.endpoint() == url, flush=True)
    """
    assert finish(python(code)) == "True\n" * 3


# Warning outside of development

IN_MEMORY = "DYNAMODB_HOST is 'local', outside of tests and debug mode"


@pytest.fixture
def start_outside_of_tests(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> t.Callable[..., t.Any]:
    """A function that starts a server as a process without pytest does, and returns the warnings so far."""
    monkeypatch.setattr(local_process, "_state", local_process._ProcessState())
    monkeypatch.delenv("FLASK_DEBUG", raising=False)
    caplog.set_level(logging.WARNING, "dynaflask.local")

    def start(path: str | None = None) -> list[str]:
        # Here and not in the fixture, because pytest sets the variable again before the test is called.
        monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
        with monkeypatch.context() as patch:
            patch.delitem(sys.modules, "pytest")
            local.endpoint(path)
        return caplog.messages

    return start


def test_a_server_in_memory_outside_of_development_is_a_warning(start_outside_of_tests: t.Any) -> None:
    """One warning per process says that the data is lost, and what to do."""
    start_outside_of_tests()
    local.stop()
    [message] = start_outside_of_tests()
    assert IN_MEMORY in message
    assert "leave DYNAMODB_HOST out to use AWS" in message
    assert "flask dynamo local" in message


def test_a_path_is_no_warning(start_outside_of_tests: t.Any, tmp_path: pathlib.Path) -> None:
    """A server with a path keeps its data, so nothing is lost."""
    assert start_outside_of_tests(str(tmp_path)) == []


def test_flask_debug_is_no_warning(start_outside_of_tests: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """FLASK_DEBUG=1 says that this is development."""
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert start_outside_of_tests() == []


@pytest.mark.parametrize("debug", [True, False])
def test_an_app_in_debug_mode_is_no_warning(start_outside_of_tests: t.Any, debug: bool) -> None:
    """The current app's ``debug`` says that this is development; another app's context does not silence the warning."""
    app = flask.Flask("app")
    app.debug = debug
    with app.app_context():
        assert len(start_outside_of_tests()) == (not debug)


def test_each_step_is_logged_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """The executable, the version, the port and the end of the server are in the log."""
    caplog.set_level(logging.DEBUG, "dynaflask.local")
    port = port_of(local.endpoint())
    local.stop()
    started, ready, running, stopped = caplog.messages
    assert re.match(rf"Started .*ministack on port {port}, as process \d+", started)
    assert re.match(rf"ministack [\d.]+ answers on port {port}", ready)
    assert running.startswith("The local server runs at")
    assert stopped == f"ministack on port {port} has stopped."


# Installation and failures


def test_a_program_that_embeds_python_is_not_taken_for_python(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under uWSGI ``sys.executable`` is uwsgi: the Python of ``sys.prefix`` runs the watcher."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "uwsgi"))
    assert answers(local.endpoint())


def test_ministack_is_found_beside_python(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment need not be on PATH."""
    (tmp_path / "ministack").symlink_to(str(shutil.which("ministack")))
    (tmp_path / "python").symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", os.defpath)
    assert answers(local.endpoint())


def test_a_missing_ministack_is_an_error(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error gives the command that installs ministack."""
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


def test_an_old_ministack_is_an_error(ministack_script: t.Any) -> None:
    """A release before 1.5.33, whose pages do not end at 1 MB, is refused."""
    ministack_script(f"exec {sys.executable} -c '{OLD_MINISTACK}'")
    with pytest.raises(LocalServerError, match=r"ministack 1\.4\.21, which is too old"):
        local.endpoint()


def test_a_server_that_ends_while_it_starts_is_an_error(ministack_script: t.Any) -> None:
    """The error gives the exit code and the last lines of the log."""
    ministack_script("echo no such luck; exit 3")
    with pytest.raises(LocalServerError, match=r"exit code 3\. Last lines of its log:\nno such luck"):
        local.endpoint()


def test_an_empty_log_is_an_error_that_says_so(ministack_script: t.Any) -> None:
    """A server that ends without a log is an error that gives the exit code and says that there is no log."""
    ministack_script("exit 3")
    with pytest.raises(LocalServerError, match=r"exit code 3\. It logged nothing"):
        local.endpoint()


def test_a_server_that_does_not_answer_is_an_error(ministack_script: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """``endpoint`` waits START_SECONDS for the server to answer."""
    monkeypatch.setattr(server, "START_SECONDS", 0.1)
    ministack_script("exec sleep 60")
    with pytest.raises(LocalServerError, match="did not answer within 0.1 seconds"):
        local.endpoint()


def test_a_failed_start_is_tried_again_at_the_next_use(ministack_script: t.Any) -> None:
    """After a failed start, the next use starts the server again."""
    ministack_script("exit 3")
    with pytest.raises(LocalServerError):
        local.endpoint()
    ministack_script('exec "$REAL"')
    assert answers(local.endpoint())


def test_a_port_taken_by_another_process_is_retried(ministack_script: t.Any) -> None:
    """If another process takes the port between its choice and its use, the server starts on another port."""
    ministack_script('test -e $DIR/tried && exec "$REAL"; touch $DIR/tried; echo already in use; exit 1')
    assert answers(local.endpoint())


def test_many_taken_ports_are_an_error(ministack_script: t.Any) -> None:
    """After PORT_TRIES ports, the error says that the port is taken."""
    ministack_script("echo already in use; exit 1")
    with pytest.raises(LocalServerError, match=r"Port \d+ of 127.0.0.1 is not available: already in use"):
        local.endpoint()


# In the foreground


class TermAtFlush(io.StringIO):
    """Standard output that sends SIGTERM to this process when the first line is flushed."""

    def flush(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def test_run_prints_the_setting_and_ends_at_sigterm() -> None:
    """``run`` prints the line to put into the environment, and SIGTERM ends it with exit code 0."""
    with contextlib.redirect_stdout(TermAtFlush()) as output:
        assert local.run(port=0, path=None) == 0
    [setting] = [line.strip() for line in output.getvalue().splitlines() if "=" in line]
    assert urllib.parse.urlsplit(setting.removeprefix("DYNAMODB_HOST=")).hostname == "127.0.0.1"


def test_run_restores_the_signal_handler() -> None:
    """After ``run``, SIGTERM has the handler that it had before."""
    before = signal.getsignal(signal.SIGTERM)
    with contextlib.redirect_stdout(TermAtFlush()):
        local.run(port=0, path=None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_run_ends_a_server_that_the_app_started() -> None:
    """A server that the app started while it was loaded does not keep the path or the port busy."""
    url = local.endpoint()
    with contextlib.redirect_stdout(TermAtFlush()):
        local.run(port=0, path=None)
    assert not answers(url)


def test_run_on_a_taken_port_is_an_error() -> None:
    """The error names the port, and the option that chooses another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalServerError, match=f"Port {port} .*--port {port + 1}"):
            local.run(port=port, path=None)


def test_run_raises_if_the_server_ends_by_itself(ministack_script: t.Any, tmp_path: pathlib.Path) -> None:
    """A server that ends by itself is an error with its exit code."""
    ministack_script('"$REAL" & while ! test -e $DIR/end; do sleep 0.1; done; kill -9 $!; exit 3')

    class EndAtFlush(io.StringIO):
        def flush(self) -> None:
            (tmp_path / "end").touch()

    with contextlib.redirect_stdout(EndAtFlush()), pytest.raises(LocalServerError, match="ended with exit code 3"):
        local.run(port=0, path=None)
