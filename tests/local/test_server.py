"""``ServerProcess``: one ministack on loopback, as a child process."""

from __future__ import annotations

import importlib.util
import logging
import os
import pathlib
import re
import shutil
import socket
import sys
import typing as t

import pytest

from dynaflask import local
from dynaflask.exceptions import LocalServerError
from dynaflask.local import server
from tests.support import servers


def test_it_listens_on_loopback_alone() -> None:
    """The server does not listen on other addresses of the machine."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", servers.port_of(local.endpoint())))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_opens_one_socket_whatever_is_installed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """ministack's listeners for MQTT and SFTP, which need cryptography and bind all interfaces, stay off."""
    for name in ("cryptography", "cffi", "_cffi_backend"):
        origin = pathlib.Path(str(importlib.util.find_spec(name).origin))  # type: ignore[union-attr]
        installed = origin if origin.name != "__init__.py" else origin.parent
        (tmp_path / installed.name).symlink_to(installed)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    caplog.set_level(logging.DEBUG, "dynaflask.local")
    url = local.endpoint()
    # It answers this when all its listeners are up.
    assert servers.eventually(lambda: servers.status(url, "/_ministack/ready") == 200)
    session = int(re.findall(r"as process (\d+)", caplog.text)[0])
    assert servers.listeners(session) == {f"0100007F:{servers.port_of(url):04X}"}


def test_it_leaves_the_environment_alone() -> None:
    """The server's settings are not written to the environment of this process."""
    before = dict(os.environ)
    local.endpoint()
    assert dict(os.environ) == before


def test_stop_closes_what_start_opened() -> None:
    """Starting and stopping a server leaves no file descriptor open."""
    before = len(os.listdir("/dev/fd"))
    local.endpoint()
    local.stop()
    assert len(os.listdir("/dev/fd")) == before


def test_without_a_path_the_data_goes() -> None:
    """Without a path the data is in memory: the next server starts empty."""
    servers.create_table(local.endpoint(), "thread")
    local.stop()
    assert servers.client(local.endpoint()).list_tables()["TableNames"] == []


def test_each_step_is_logged_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """The executable, the version, the port and the end of the server are in the log."""
    caplog.set_level(logging.DEBUG, "dynaflask.local")
    port = servers.port_of(local.endpoint())
    local.stop()
    started, ready, running, stopped = caplog.messages
    assert re.match(rf"Started .*ministack on port {port}, as process \d+", started)
    assert re.match(rf"ministack [\d.]+ answers on port {port}", ready)
    assert running.startswith("The local server runs at")
    assert stopped == f"ministack on port {port} has stopped."


def test_a_program_that_embeds_python_is_not_taken_for_python(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under uWSGI ``sys.executable`` is uwsgi: the Python of ``sys.prefix`` runs the watcher."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "uwsgi"))
    assert servers.answers(local.endpoint())


def test_ministack_is_found_beside_python(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment need not be on PATH."""
    (tmp_path / "ministack").symlink_to(str(shutil.which("ministack")))
    (tmp_path / "python").symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", os.defpath)
    assert servers.answers(local.endpoint())


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
