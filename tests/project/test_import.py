"""``import dynaflask`` imports its requirements and no optional package."""

from __future__ import annotations

import ast
import configparser
import importlib
import os
import pathlib
import re
import subprocess
import sys

import pytest

import dynaflask
from tests.support.paths import PROJECT
from tests.support.paths import measured_environment

# Optional packages that are used if they are installed.
ACCELERATORS = {"msgspec", "typing_extensions", "cython_runtime"}

PROGRAM = """
import sys, flask, pynamodb.models, botocore.session
before = set(sys.modules)
from dynaflask import Dynamo
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
"""

PROGRAM_WITHOUT_ACCELERATORS = """
import sys
sys.modules.update(msgspec=None)
from dynaflask import Dynamo
from dynaflask.client import transport
from dynaflask.client.codec import json_codec
print(json_codec.load(json_codec.dump({"a": 1})), transport.DirectTransport.__name__)
"""


def test_it_imports_only_its_requirements() -> None:
    """The import loads no package beyond the requirements and those that they import."""
    process = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=PROJECT)
    # Modules whose names depend on the version of Cython, or on the platform of Python's own build.
    generated = ("_cython_", "_sysconfigdata_")
    packages = {package for package in process.stdout.split() if not package.startswith(generated)}
    assert packages <= {"dynaflask", "flask", "werkzeug", "pynamodb", "botocore", *ACCELERATORS}


def test_a_name_is_imported_when_it_is_used() -> None:
    """The type checker's imports, the table of modules and ``__all__`` name the same. The first use imports a name."""
    program = (
        "import sys, dynaflask; assert {*dynaflask.__all__} <= {*dir(dynaflask)}; print(*sorted(sys.modules));"
        "dynaflask.Page; from dynaflask import *; assert {*dynaflask.__all__} <= {*globals()}"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert not {"flask", "pynamodb", "botocore", "dynaflask.extension"} & set(process.stdout.split())
    tree = ast.parse(pathlib.Path(dynaflask.__file__).read_text(encoding="utf-8"))
    (for_type_checkers,) = (node.body for node in tree.body if isinstance(node, ast.If))
    imports = {alias.name: node.module for node in for_type_checkers for alias in node.names}
    assert imports == {name: dynaflask._MODULES.get(name, "dynaflask.exceptions") for name in dynaflask.__all__}
    assert dynaflask.__all__ == sorted(dynaflask.__all__)
    assert dynaflask._MODULES.keys() <= set(dynaflask.__all__)


PACKAGES = ["dynaflask", "dynaflask.cli", "dynaflask.local", "dynaflask.views"]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_found_and_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first use of a name finds its object, and each later one the same object."""
    package = importlib.import_module(name)
    for public in package.__all__:
        used = getattr(package, public)
        monkeypatch.delitem(vars(package), public)
        assert getattr(package, public) is used
        assert vars(package)[public] is used


@pytest.mark.parametrize("name", PACKAGES)
def test_an_unknown_name(name: str) -> None:
    """A name that does not exist is an ``AttributeError``, as in any module; also where names are imported on use."""
    module = importlib.import_module(name)
    assert all(hasattr(module, public) for public in module.__all__)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'Dinamo'"):
        _ = module.Dinamo


def test_it_works_without_accelerators() -> None:
    """Without the optional packages the standard library's JSON is used, and ``direct`` works."""
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM_WITHOUT_ACCELERATORS],
        env=measured_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.split() == ["{'a':", "1}", "DirectTransport"]


def test_an_accelerator_that_cannot_be_imported_is_not_used(tmp_path: pathlib.Path) -> None:
    """An accelerator that is installed and raises an ``ImportError``, as in a subinterpreter, counts as missing."""
    (tmp_path / "msgspec.py").write_text('raise ImportError("does not support loading in subinterpreters")')
    program = "from dynaflask.client.codec import json_codec; print(json_codec.msgspec, json_codec.load(b'[1]'))"
    process = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(PROJECT)])},
    )
    assert process.stdout.split() == ["None", "[1]"]


def test_its_requirements_have_only_lower_bounds() -> None:
    """Each requirement has one lower bound and no upper bound, so that applications can use newer versions."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg")
    requirements = config["options"]["install_requires"].split()
    matches = [re.fullmatch(r"([a-z]+)>=[\d.]+", requirement) for requirement in requirements]
    assert [match and match[1] for match in matches] == ["botocore", "flask", "pynamodb", "werkzeug"]


def test_it_starts_nothing() -> None:
    """The import starts no thread and creates no client."""
    program = "import threading, dynaflask; print(threading.active_count(), dynaflask.Registry.pool.stats().creations)"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert process.stdout.split() == ["1", "0"]


@pytest.mark.parametrize(
    ("extra", "package", "module"),
    [
        ("admin", "flask_admin", "flask_admin"),
        ("celery", "celery", "celery"),
        ("debugtoolbar", "flask_debugtoolbar", "debugtoolbar"),
        ("prometheus", "prometheus_client", "prometheus"),
        ("restx", "flask_restx", "flask_restx"),
    ],
)
def test_an_integration_names_the_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, extra: str, package: str, module: str
) -> None:
    """Without its library an integration raises ``ModuleNotFoundError`` with the command that installs it."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"dynaflask.integrations.{module}", raising=False)
    command = rf'{package} is not installed: pip install "dynaflask\[{extra}\]"$'
    with pytest.raises(ModuleNotFoundError, match=command) as caught:
        importlib.import_module(f"dynaflask.integrations.{module}")
    assert caught.value.name == package


def test_each_extra_is_quoted() -> None:
    """Commands in messages quote the extra, because zsh expands brackets."""
    sources = "".join(path.read_text() for path in (PROJECT / "dynaflask").rglob("*.py"))
    assert "pip install dynaflask[" not in sources
