"""Imports that are not at the top of their module."""

from __future__ import annotations

import ast
import pathlib
import subprocess
import sys

import pytest

import recorder as recorders
from dynaflask import late

TESTS = pathlib.Path(__file__).parent
PACKAGE = TESTS.parent / "dynaflask"

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


FIRST_CALLS = """
import importlib.abc, sys
import flask, dynaflask, models
from dynaflask.late import imports

class Notes(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name not in sys.builtin_module_names and not imports._is_owned():
            print(name)

app = flask.Flask("app")
app.config.from_mapping(
    DYNAMODB_HOST=sys.argv[1].replace("127.0.0.1", "localhost"),
    DYNAMODB_REGION="us-east-1",
    DYNAMODB_AWS_ACCESS_KEY_ID="AKIA",
    DYNAMODB_AWS_SECRET_ACCESS_KEY="hush",
    DYNAMODB_TRANSPORT=sys.argv[2],
)
db = dynaflask.Dynamo(app)
Thread = models.declare_thread(db)
sys.meta_path.insert(0, Notes())
with app.app_context():
    Thread("forum", "subject").save()
    Thread.get("forum", "subject").update([Thread.views.add(1)])
    [*Thread.query("forum"), *Thread.batch_get([("forum", "subject")])]
    with Thread.batch_write() as batch:
        batch.save(Thread("forum", "subject"))
"""


def run(program: str, *arguments: str) -> str:
    """What a program says, if it does not fail or hang."""
    command = [sys.executable, "-W", "ignore", "-c", program, *arguments]
    done = subprocess.run(command, cwd=TESTS, timeout=60, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def test_whatever_is_not_imported_at_the_top_is_imported_so() -> None:
    """In each module, whoever calls it from whichever thread."""
    loose = [
        f"{path.name}:{statement.lineno}"
        for path in PACKAGE.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for statement in set(imported_in(function)) - set(imported_while_held(function))
    ]
    assert loose == []


def imported_in(part: ast.AST) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(part) if isinstance(node, (ast.Import, ast.ImportFrom))]


def imported_while_held(function: ast.AST) -> list[ast.Import | ast.ImportFrom]:
    blocks = [node for node in ast.walk(function) if isinstance(node, ast.With)]
    held = [block for block in blocks if ast.unparse(block.items[0]) == "imports"]
    return [statement for block in held for statement in imported_in(block)]


@pytest.mark.parametrize("transport", ["tuned", "direct", "stock"])
def test_whatever_the_first_calls_import_is_imported_so(recorder: recorders.Recorder, transport: str) -> None:
    """Threads make them, and a server may fork meanwhile."""
    assert run(FIRST_CALLS, recorder.url, transport) == ""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_fork_waits_for_the_import_of_another_thread() -> None:
    """A child does not wait for a module that a thread was importing which it does not have."""
    run(FORK_AMID_AN_IMPORT)


def test_a_fork_that_was_not_announced_is_no_error() -> None:
    """uWSGI forks in C, and may tell of it in the child alone."""
    late._after_fork()
    assert late.imports.acquire(blocking=False)
    late.imports.release()
