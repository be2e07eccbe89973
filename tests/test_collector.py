"""The garbage collector while modules are imported, and while it runs code."""

from __future__ import annotations

import concurrent.futures
import gc
import os
import threading
import typing as t

import pytest

from dynaflask import collector
from tests.support import forks
from tests.support import servers
from tests.support.paths import measured_environment

PROGRAM = """
import gc, json, sys, threading
enabled = {}

def note(event, arguments):
    if event == "import" and arguments[0].startswith(("pynamodb", "dynaflask.client.", "dynaflask.tables.")):
        enabled.setdefault(arguments[0], gc.isenabled())

sys.addaudithook(note)
"""

START = """
import dynaflask
from dynaflask import Dynamo
import flask
db = Dynamo()
app, other = flask.Flask("app"), flask.Flask("other")
db.init_app(app)
"""

SHOWN = "pynamodb.models", "dynaflask.client.pool"


def run(program: str) -> t.Any:
    """What a program prints in a process of its own."""
    return servers.printed(PROGRAM + program, measured_environment())


def test_it_does_not_run_during_the_imports_of_a_start() -> None:
    """The first use of a public name and the first init_app collect no garbage. Afterwards, the collector runs."""
    seen, afterwards = run(f"{START}print(json.dumps([enabled, gc.isenabled()]))")
    assert [seen[module] for module in SHOWN] == [False, False]
    assert afterwards is True


def test_imported_objects_are_left_to_full_collections() -> None:
    """The next collection of young objects does not look at what the imports have created."""
    before, young = run(
        "before = len(gc.get_objects())\nfrom dynaflask import Dynamo\n"
        "print(json.dumps([before, sum(len(gc.get_objects(generation)) for generation in (0, 1))]))"
    )
    assert before > 1000
    assert young < 1000


def test_a_later_import_leaves_the_collector_alone() -> None:
    """The second app, which imports nothing, and the imports of functions are as in any other program."""
    program = """
from unittest import mock
with mock.patch.object(gc, "disable", side_effect=ZeroDivisionError):
    db.init_app(other)
    import dynaflask.tables.manage
print(json.dumps([enabled["dynaflask.tables.manage"], "dynamo" in other.extensions]))
"""
    assert run(START + program) == [True, True]


@pytest.mark.parametrize(
    ("beforehand", "meanwhile", "afterwards"),
    [
        ("gc.disable()", False, False),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", True, True),
    ],
    ids=["a disabled collector", "a second thread"],
)
def test_a_program_that_keeps_its_collector(beforehand: str, meanwhile: bool, afterwards: bool) -> None:
    """A disabled collector stays disabled. With several threads it runs on: a fork of one would copy the pause."""
    seen, at_the_end = run(f"{beforehand}\n{START}print(json.dumps([enabled, gc.isenabled()]))")
    assert [seen[module] for module in SHOWN] == [meanwhile, meanwhile]
    assert at_the_end is afterwards


def test_a_program_that_has_frozen_its_objects_keeps_them_frozen() -> None:
    """gc.unfreeze() would undo the gc.freeze() of a server that is about to fork its workers."""
    frozen, seen = run(f"import unittest\ngc.freeze()\n{START}print(json.dumps([gc.get_freeze_count(), enabled]))")
    assert frozen > 1000
    assert [seen[module] for module in SHOWN] == [False, False]


def test_it_runs_again_after_a_signal() -> None:
    """The handler of a signal may raise as soon as the collector is disabled. It does not stay so."""
    program = """
disable = gc.disable

def interrupted():
    disable()
    raise KeyboardInterrupt

gc.disable = interrupted
try:
    from dynaflask import Dynamo
except KeyboardInterrupt:
    print(json.dumps(["pynamodb.models" in sys.modules, gc.isenabled()]))
"""
    assert run(program) == [False, True]


def test_it_runs_again_after_an_import_that_fails() -> None:
    """A module that cannot be imported does not leave the program without a collector."""
    program = """
sys.modules["pynamodb.models"] = None
try:
    from dynaflask import Dynamo
except ImportError:
    print(json.dumps([enabled.get("pynamodb.connection", False), gc.isenabled()]))
"""
    assert run(program) == [False, True]


def test_it_tells_code_that_it_runs() -> None:
    """In a Python where it may run in the middle of a change, a finalizer knows that; other code and threads do not."""

    class Cycle:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            seen.append(collector.is_collecting())
            with concurrent.futures.ThreadPoolExecutor(1) as threads:
                seen.append(threads.submit(collector.is_collecting).result())

    seen: list[bool] = []
    collector.watch()
    Cycle()
    gc.collect()
    assert seen == [collector.RUNS_ANYWHERE, False]
    assert not collector.is_collecting()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_knows_nothing_of_its_parents_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of the child may have the number of one in which the parent's collector ran at the fork."""
    number = threading.get_ident() + 1
    monkeypatch.setattr(threading, "get_ident", lambda: number)
    collector._note("start", {})
    try:
        assert collector.is_collecting()
        assert forks.exit_code_of(lambda: not collector.is_collecting()) == 0
    finally:
        collector._note("stop", {})
    assert not collector.is_collecting()
