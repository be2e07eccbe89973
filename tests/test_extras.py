"""Optional packages: what a program is told if one is missing."""

from __future__ import annotations

import importlib

import pytest

from dynaflask.extras import required_extra


def test_a_missing_package_names_its_extra() -> None:
    """The error says what the package is for, and the command that installs it."""
    with pytest.raises(ModuleNotFoundError) as caught:
        with required_extra("pages", reason="db.paginate encrypts its cursors"):
            importlib.import_module("no_such_package")
    command = 'pip install "dynaflask[pages]"'
    assert str(caught.value) == f"db.paginate encrypts its cursors, and no_such_package is not installed: {command}"
    assert caught.value.name == "no_such_package"
