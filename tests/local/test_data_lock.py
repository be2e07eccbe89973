"""One local server at a time writes to a data directory."""

from __future__ import annotations

import pathlib

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
