"""Imports that are not at the top of their module."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

FORK_AMID_AN_IMPORT = """
import importlib.abc, os, sys, threading
import flask, dynaflask, models

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "dynaflask.plans":
            begun.set()
            goes_on.wait(1)

begun, goes_on = threading.Event(), threading.Event()
sys.meta_path.insert(0, Slow())
Thread = models.declare_thread(dynaflask.Dynamo())
thread = threading.Thread(target=Thread.from_raw_data, args=({"forum_name": {"S": "flask"}},))
thread.start()
begun.wait()
child = os.fork()
if child == 0:
    found = Thread.from_raw_data({"forum_name": {"S": "flask"}})
    os._exit(0 if found.forum_name == "flask" else 1)
thread.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_fork_waits_for_the_import_of_another_thread() -> None:
    """A child does not wait for a module that a thread was importing which it does not have."""
    tests = pathlib.Path(__file__).parent
    command = [sys.executable, "-W", "ignore", "-c", FORK_AMID_AN_IMPORT]
    assert subprocess.run(command, cwd=tests, timeout=60, check=False).returncode == 0
