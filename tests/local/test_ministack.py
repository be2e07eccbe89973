"""ministack: where it is found, and which one is refused. Its guard is tested in ``test_guard.py``."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
import typing as t

import pytest

from dynaflask import local
from dynaflask.exceptions import LocalServerError
from tests.support import servers


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
