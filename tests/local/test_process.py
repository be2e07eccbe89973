"""The local server of a process: started on first use, shared with forks, ended with the process."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import contextlib
import io
import logging
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import typing as t
import urllib.parse

import flask
import pytest

from dynaflask import local
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import LocalServerError
from dynaflask.local import process as local_process
from tests.support import servers

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
    assert servers.finish(servers.python(code)) == "set() 1\n"


def test_first_use_starts_a_server() -> None:
    """``endpoint`` returns the URL of a running DynamoDB without tables."""
    assert servers.client(local.endpoint()).list_tables()["TableNames"] == []


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


def test_stop_ends_it_and_the_next_use_starts_another() -> None:
    """``stop`` ends the server before it returns; the next ``endpoint`` starts a new one."""
    first = local.endpoint()
    local.stop()
    assert not servers.answers(first)
    assert servers.answers(local.endpoint())


def test_stop_without_a_server_does_nothing() -> None:
    """``stop`` may be called at any time."""
    local.stop()
    local.stop()


def test_a_server_that_runs_or_was_never_started_has_no_failure() -> None:
    """``failure`` returns an error only for a server that has ended by itself."""
    assert local.failure() is None
    local.endpoint()
    assert local.failure() is None


def test_works_under_gevent() -> None:
    """A process that gevent has patched starts a server, and ends it when it exits."""
    pytest.importorskip("gevent")
    url = servers.finish(servers.python("import gevent.monkey; gevent.monkey.patch_all();" + servers.START)).strip()
    assert not servers.answers(url)


# Ending


def test_a_server_that_has_ended_is_an_error(ministack_script: t.Any, tmp_path: pathlib.Path) -> None:
    """The error gives the exit code, and no empty server is started in its place."""
    ministack_script('echo $$ >$DIR/pid; exec "$REAL"')
    url = local.endpoint()
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert servers.eventually(lambda: not servers.answers(url))
    with pytest.raises(LocalServerError, match="ended with exit code 137"):
        servers.eventually(lambda: local.endpoint() is None)


RELOADED = """
import os, sys, flask
from dynaflask import local
app = flask.Flask(__name__)
if {condition}:
    print("SERVER", local.endpoint({path!r}), os.getpid(), flush=True)
"""


@pytest.mark.parametrize("first", ["the reloader", "its child"])
@pytest.mark.parametrize("place", ["memory", "path"])
def test_a_reloaded_app_keeps_its_server_and_its_data(tmp_path: pathlib.Path, first: str, place: str) -> None:
    """Under Flask's reloader, each round of the app has the same server, whichever process uses it first."""
    app = tmp_path / "app.py"
    condition = "True" if first == "the reloader" else "'WERKZEUG_RUN_MAIN' in os.environ"
    app.write_text(RELOADED.format(condition=condition, path=str(tmp_path / "data") if place == "path" else None))
    with reloading(app) as lines:
        url, process = next(lines)
        servers.create_table(url, "thread")
        rounds = {process}
        with touching(app):
            while len(rounds) < 3:
                again, process = next(lines)
                assert again == url
                rounds.add(process)
        assert servers.client(url).list_tables()["TableNames"] == ["thread"]
    assert servers.eventually(lambda: not servers.answers(url))
    if place == "path":
        # The server stops answering before it writes.
        data = tmp_path / "data" / "dynamodb.json"
        assert servers.eventually(lambda: data.exists() and "thread" in data.read_text())


def test_a_reloader_that_is_killed_ends_its_server(tmp_path: pathlib.Path) -> None:
    """The server lives as long as the reloader, not as the child that started it, and does not outlive it."""
    code = """
        import subprocess, sys
        child = [sys.executable, "-c", "from dynaflask import local; print(local.endpoint(), flush=True)"]
        environment = {**__import__("os").environ, "WERKZEUG_RUN_MAIN": "true"}
        for _ in range(2):
            subprocess.run(child, env=environment, check=True)
        input()
    """
    with servers.python(code) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert process.stdout.readline().strip() == url
        assert servers.answers(url)
        process.kill()
        process.wait()
        assert servers.eventually(lambda: not servers.answers(url))


def test_two_reloaders_have_their_own_servers() -> None:
    """The child of one reloader does not find the server of another."""
    code = "import os, subprocess, sys; os.environ['WERKZEUG_RUN_MAIN'] = 'true';"
    code += f"subprocess.run([sys.executable, '-c', {servers.START!r}], check=True); input()"
    with servers.python(code, is_measured=True) as one, servers.python(code) as two:
        assert one.stdout
        assert two.stdout
        assert one.stdout.readline() != two.stdout.readline()
        one.communicate("\n")
        two.communicate("\n")


@contextlib.contextmanager
def touching(file: pathlib.Path) -> cabc.Iterator[None]:
    """Change a file's time again and again: the reloader does not tell when it has first read it."""
    done = threading.Event()

    def touch() -> None:
        while not done.wait(1):
            os.utime(file)

    thread = threading.Thread(target=touch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def reloading(app: pathlib.Path) -> cabc.Iterator[cabc.Iterator[list[str]]]:
    """Run the app under Flask's reloader, and give the URLs of its servers and the ids of its processes."""
    command = [sys.executable, "-m", "flask", "--app", str(app), "run", "--reload", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield (line.split()[1:] for line in process.stdout or () if line.startswith("SERVER"))
        finally:
            process.terminate()


# Persistent data


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


def test_a_child_process_joins_its_parents_server(tmp_path: pathlib.Path) -> None:
    """Flask's reloader loads the app in a parent and in its child: on one path, both use the parent's server."""
    url = local.endpoint(str(tmp_path))
    assert servers.finish(servers.python(servers.START_ON, str(tmp_path), is_measured=True)) == f"{url}\n"
    assert servers.answers(url)


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
    assert servers.finish(servers.python(code)) == "True\nTrue\n"


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
    assert servers.python(code, is_measured=True).communicate(timeout=60) == ("True True\n", "")


def test_a_process_forked_before_the_first_use_starts_its_own_server() -> None:
    """Workers share only the server that was started before the fork."""
    code = """
        import os
        from dynaflask import local
        if child := os.fork():
            os.waitpid(child, 0)
        print(local.endpoint(), flush=True)
    """
    assert len({*servers.finish(servers.python(code)).split()}) == 2


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
    process = servers.python(code, str(tmp_path / "started"), is_measured=True)
    output, _ = process.communicate(timeout=60)  # Python 3.12 and later warn of a fork beside a thread
    assert len({*output.split()}) == 2


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
    assert servers.finish(servers.python(code)) == "True\nTrue\n"


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
    assert servers.finish(servers.python(code, is_measured=True)) == "True\n" * 3


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


# Retries


def test_a_failed_start_is_tried_again_at_the_next_use(ministack_script: t.Any) -> None:
    """After a failed start, the next use starts the server again."""
    ministack_script("exit 3")
    with pytest.raises(LocalServerError):
        local.endpoint()
    ministack_script('exec "$REAL"')
    assert servers.answers(local.endpoint())


def test_a_port_taken_by_another_process_is_retried(ministack_script: t.Any) -> None:
    """If another process takes the port between its choice and its use, the server starts on another port."""
    ministack_script('test -e $DIR/tried && exec "$REAL"; touch $DIR/tried; echo already in use; exit 1')
    assert servers.answers(local.endpoint())


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
    """``run`` prints the settings that reach it, and SIGTERM ends it with exit code 0."""
    with contextlib.redirect_stdout(TermAtFlush()) as output:
        assert local.run(port=0, path=None) == 0
    settings = dict(line.strip().split("=") for line in output.getvalue().splitlines() if "=" in line)
    assert urllib.parse.urlsplit(settings["DYNAMODB_HOST"]).hostname == "127.0.0.1"
    assert list(settings)[1:] == ["DYNAMODB_REGION", "DYNAMODB_AWS_ACCESS_KEY_ID", "DYNAMODB_AWS_SECRET_ACCESS_KEY"]


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
    assert not servers.answers(url)


def test_run_on_a_taken_port_is_an_error() -> None:
    """The error names the port, and the option that chooses another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalServerError, match=f"Port {port} .*--port {port + 1}"):
            local.run(port=port, path=None)


def test_run_raises_if_the_data_was_not_written(ministack_script: t.Any, tmp_path: pathlib.Path) -> None:
    """After Ctrl-C or SIGTERM, data that was not written is an error with the exit code."""
    ministack_script('"$REAL" & trap "kill -9 $!; exit 3" TERM; while :; do wait; done')
    with (
        contextlib.redirect_stdout(TermAtFlush()),
        pytest.raises(LocalServerError, match="did not write all its data into .* exit code 3"),
    ):
        local.run(port=0, path=str(tmp_path / "data"))


def test_run_raises_if_the_server_ends_by_itself(ministack_script: t.Any, tmp_path: pathlib.Path) -> None:
    """A server that ends by itself is an error with its exit code."""
    ministack_script('"$REAL" & while ! test -e $DIR/end; do sleep 0.1; done; kill -9 $!; exit 3')

    class EndAtFlush(io.StringIO):
        def flush(self) -> None:
            (tmp_path / "end").touch()

    with contextlib.redirect_stdout(EndAtFlush()), pytest.raises(LocalServerError, match="ended with exit code 3"):
        local.run(port=0, path=None)
