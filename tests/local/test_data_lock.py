"""One local server at a time writes to a data directory."""

from __future__ import annotations

import os
import pathlib
import tempfile
import time
import types
import typing as t

import pytest

from dynaflask import local
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import LocalServerError
from dynaflask.local import data_lock
from tests.support import servers


def test_a_path_that_cannot_be_written_is_refused(tmp_path: pathlib.Path) -> None:
    """A path that names a file is a configuration error that names the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="DYNAMODB_LOCAL_PATH must be a directory"):
        local.endpoint(str(tmp_path / "file"))


def test_a_path_that_another_process_uses_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers on one directory would overwrite each other's data; the error names the process and its URL."""
    monkeypatch.setattr(data_lock, "LOCK_SECONDS", 0.1)
    with servers.python(servers.START_ON + "input()", str(tmp_path)) as process:
        url = process.stdout.readline().strip()
        with pytest.raises(LocalServerError, match=f"in use by the server that process {process.pid} runs at {url}"):
            local.endpoint(str(tmp_path))
        process.communicate("\n")


def test_only_the_first_use_waits_for_a_path_in_use(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path in use delays one request, not each; when it is free, the next use starts the server."""
    monkeypatch.setattr(data_lock, "LOCK_SECONDS", 0.2)
    naps: list[float] = []
    clock = types.SimpleNamespace(monotonic=lambda: time.monotonic() + sum(naps), sleep=naps.append)
    monkeypatch.setattr(data_lock, "time", clock)
    with servers.python(servers.START_ON + "input()", str(tmp_path)) as process:
        assert process.stdout
        process.stdout.readline()
        counts = []
        for _ in range(3):
            with pytest.raises(LocalServerError, match=f"in use by the server that process {process.pid} runs"):
                local.endpoint(str(tmp_path))
            counts.append(len(naps))
        process.communicate("\n")
    assert counts[0] > 0
    assert counts == [counts[0]] * 3
    assert servers.answers(local.endpoint(str(tmp_path)))


def test_the_server_of_an_ended_process_is_named(
    tmp_path: pathlib.Path, ministack_script: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server of a killed process writes its data, the error says that it does, and to try again."""
    monkeypatch.setattr(data_lock, "LOCK_SECONDS", 0.1)
    ministack_script('"$REAL" & trap "sleep 2; kill $!; exit" TERM; while :; do wait $!; done')
    path = str(tmp_path / "data")
    servers.finish(servers.python(servers.START_ON + "import os; os._exit(0)", path))
    with pytest.raises(LocalServerError, match="is still writing the data: try again in a moment"):
        local.endpoint(path)
    assert servers.eventually(lambda: _is_free(path))


@pytest.mark.parametrize("mode", [0o755, 0o777, None])
def test_a_directory_of_others_has_no_lock_of_memory(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, mode: int | None
) -> None:
    """A reloaded app never takes a port from a file that another user could have written; the server starts."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    local.endpoint()
    [file] = tmp_path.glob("dynaflask-*/*.lock")
    assert file.parent.stat().st_mode & 0o777 == 0o700
    local.stop()
    assert not file.exists()
    if mode is None:
        file.parent.rmdir()
        file.parent.touch()
    else:
        file.parent.chmod(mode)
    assert servers.answers(local.endpoint())
    assert not file.exists()


def test_a_lock_of_an_ended_process_of_the_same_id_is_no_error(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server in memory that has not ended yet does not keep this process from starting its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with data_lock.locked(None, port=1, owner=os.getpid()):
        assert servers.answers(local.endpoint())


def _is_free(path: str) -> bool:
    try:
        return servers.answers(local.endpoint(path))
    except LocalServerError:
        return False
