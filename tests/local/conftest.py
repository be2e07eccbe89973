"""Fixtures for the tests of the local server."""

from __future__ import annotations

import collections.abc as cabc
import os
import pathlib
import shutil
import typing as t

import pytest

from dynaflask import local


@pytest.fixture(autouse=True)
def stopped() -> cabc.Iterator[None]:
    """End the server before and after each test, so that each starts its own. A test elsewhere may have left one."""
    local.stop()
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
