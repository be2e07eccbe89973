"""``import dynaflask`` brings in what it needs, and nothing that is optional."""

from __future__ import annotations

import configparser
import importlib
import subprocess
import sys

import pytest

from tests.support.paths import PROJECT

# Taken where they are installed, and needed by nothing.
ACCELERATORS = {"httptools", "orjson", "cython_runtime", "_cython_3_3_0"}

PROGRAM = """
import sys, flask, pynamodb.models, botocore.session
before = set(sys.modules)
import dynaflask
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
"""


def test_it_imports_its_requirements_alone() -> None:
    """Whatever else is loaded comes with Flask, PynamoDB or botocore."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert set(done.stdout.split()) <= {"dynaflask", "flask", "werkzeug", "pynamodb", "botocore", *ACCELERATORS}


def test_its_requirements_have_lower_bounds_alone() -> None:
    """An application is free to take newer ones."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg")
    requirements = config["options"]["install_requires"].split()
    assert sorted(requirement.partition(">=")[0] for requirement in requirements) == [
        "botocore",
        "flask",
        "pynamodb",
        "werkzeug",
    ]


def test_it_starts_nothing() -> None:
    """No thread, no process and no client."""
    program = "import threading, dynaflask; print(threading.active_count(), dynaflask.Registry.pool.stats().creations)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert done.stdout.split() == ["1", "0"]


@pytest.mark.parametrize(("extra", "package"), [("celery", "celery"), ("restx", "flask_restx")])
def test_what_an_extra_brings_is_asked_for_by_its_command(
    monkeypatch: pytest.MonkeyPatch, extra: str, package: str
) -> None:
    """As it can be pasted into any shell; a program that can do without catches what it would catch anyway."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"dynaflask.integrations.{package}", raising=False)
    command = rf'{package} is not installed: pip install "dynaflask\[{extra}\]"$'
    with pytest.raises(ModuleNotFoundError, match=command) as caught:
        importlib.import_module(f"dynaflask.integrations.{package}")
    assert caught.value.name == package


def test_each_extra_is_named_in_quotes() -> None:
    """zsh takes brackets for a pattern."""
    sources = "".join(path.read_text() for path in (PROJECT / "dynaflask").rglob("*.py"))
    assert "pip install dynaflask[" not in sources
