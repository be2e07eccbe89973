"""``import dynaflask`` brings in what it needs, and nothing that is optional."""

from __future__ import annotations

import configparser
import pathlib
import subprocess
import sys

PROJECT = pathlib.Path(__file__).parent.parent

PROGRAM = """
import sys, flask, pynamodb.models, botocore.session
before = set(sys.modules)
import dynaflask
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
"""


def test_it_imports_its_requirements_alone() -> None:
    """Whatever else is loaded comes with Flask, PynamoDB or botocore."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert set(done.stdout.split()) <= {"dynaflask", "flask", "werkzeug", "pynamodb", "botocore"}


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
