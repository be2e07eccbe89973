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


# Data in a path

# The real server runs beside the script, which keeps SIGTERM from it until the condition holds.
SLOW_END = """
"$REAL" &
end() {{ for i in 1 2 3 4 5 6 7 8; do {step}; sleep 0.3; done; kill $!; wait $!; exit $?; }}
trap end TERM
while :; do wait $!; done
"""


def start_with_table(path: pathlib.Path) -> str:
    """Start a server on a path, with one table."""
    url = local.endpoint(str(path))
    servers.create_table(url, "thread")
    return url


def tables(path: pathlib.Path) -> list[str]:
    """Names of the tables in the data of a path."""
    names: list[str] = servers.client(local.endpoint(str(path))).list_tables()["TableNames"]
    return names


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    """A data directory that does not exist yet."""
    return tmp_path / "data"


def test_a_new_data_directory_is_private(path: pathlib.Path) -> None:
    """No other user of the machine may read the data."""
    local.endpoint(str(path))
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_server_may_write_for_as_long_as_it_takes(
    ministack_script: t.Any, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """``stop`` waits for a server that goes on writing, and a warning says so and how far it is."""
    monkeypatch.setattr(server, "STALL_SECONDS", 1.0)
    monkeypatch.setattr(server, "REPORT_SECONDS", 0.5)
    ministack_script(SLOW_END.format(step="cat /bin/sh >> $STATE_DIR/some.json.tmp"))
    start_with_table(path)
    local.stop()
    assert f"Waiting for the local server to write its data into {path}: 0 MB so far." in caplog.messages
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert tables(path) == ["thread"]


def test_a_server_that_neither_writes_nor_ends_is_killed_and_reported(
    ministack_script: t.Any, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Lost data is an error in the log with the exit code and the last lines of the server's log."""
    monkeypatch.setattr(server, "STALL_SECONDS", 1.0)
    ministack_script(SLOW_END.format(step="echo no such luck"))
    start_with_table(path)
    local.stop()
    [error] = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert f"did not write all its data into {path}, and ended with exit code 137." in error
    assert error.endswith("no such luck")


def test_a_full_disk_is_reported_and_the_last_good_data_stays(
    ministack_script: t.Any, path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If ministack cannot write, which it only logs, the error says so; the data of its last end is still there."""
    start_with_table(path)
    local.stop()
    ministack_script('ulimit -f 64; exec "$REAL"')  # in blocks of 512 bytes, or of 1 kB
    client = servers.client(local.endpoint(str(path)))
    client.put_item(TableName="thread", Item={"id": {"S": "long"}, "text": {"S": "x" * 100_000}})
    local.stop()
    [error] = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert "ended with exit code 0" in error
    assert "failed to save dynamodb" in error
    assert tables(path) == ["thread"]
    assert servers.client(local.endpoint()).scan(TableName="thread")["Count"] == 0


DAMAGE = ["", "{", "null", "[]", '{"payload": "\xff"}', "\0" * 100]


@pytest.fixture(scope="module")
def good_data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The data of a server with a table, which was started twice: the second start has copied the good state."""
    return tmp_path_factory.mktemp("good") / "data"


@pytest.mark.parametrize("content", DAMAGE, ids=ascii)
def test_damaged_data_is_set_aside_and_refused(path: pathlib.Path, good_data: pathlib.Path, content: str) -> None:
    """A file that is not a JSON object is kept under another name, at each start, until the user decides."""
    if not good_data.exists():
        start_with_table(good_data)
        local.stop()
        assert tables(good_data) == ["thread"]
        local.stop()
    shutil.copytree(good_data, path)
    state = path / "dynamodb.json"
    state.write_bytes(content.encode("latin-1"))
    for _ in range(2):
        with pytest.raises(
            server.DamagedData, match=rf"copy .*{state}.last-good to .*delete {state}.damaged"
        ) as caught:
            local.endpoint(str(path))
        assert caught.value.files == [f"{state}.damaged"]
    assert (path / "dynamodb.json.damaged").read_bytes() == content.encode("latin-1")
    shutil.copy(path / "dynamodb.json.last-good", state)
    assert tables(path) == ["thread"]


def test_damaged_data_may_be_deleted(path: pathlib.Path) -> None:
    """Without the damaged file, the server starts empty."""
    path.mkdir()
    (path / "dynamodb.json").touch()
    with pytest.raises(server.DamagedData):
        local.endpoint(str(path))
    (path / "dynamodb.json.damaged").unlink()
    assert tables(path) == []


@pytest.mark.parametrize("state", ['{"__ministack_format__": 99, "payload": {}}', '{"tables": {"a": 1}}'])
def test_data_that_ministack_does_not_load_is_refused_and_unchanged(path: pathlib.Path, state: str) -> None:
    """ministack would start without the data of a newer release, and write its own over that when it ends."""
    path.mkdir()
    (path / "dynamodb.json").write_text(state)
    with pytest.raises(LocalServerError, match=r"did not load the data in .*, which is unchanged"):
        local.endpoint(str(path))
    local.stop()
    assert (path / "dynamodb.json").read_text() == state


def test_a_copy_that_cannot_be_written_is_no_error(path: pathlib.Path) -> None:
    """The server starts also if the last good state cannot be copied."""
    start_with_table(path)
    local.stop()
    (path / "dynamodb.json.last-good.tmp").mkdir()
    assert tables(path) == ["thread"]
