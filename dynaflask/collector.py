"""The garbage collector of Python: paused while modules are imported, and watched while it closes generators."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import gc
import os
import sys
import threading
import typing as t

# Python 3.12 starts with 375 frozen objects, other versions with none. A freeze() of a program also freezes the objects
# of all modules, which are thousands.
FROZEN_BY_PYTHON: t.Final = 1_000
# Up to Python 3.11, the collector may run in the middle of a change of a ContextVar. If a generator that it closes then
# changes one, too, CPython reads freed memory: it crashes, or a ContextVar has the value of another object. Later
# versions run the collector between two instructions.
RUNS_ANYWHERE: t.Final = sys.version_info < (3, 12)

# The threads in which the collector runs, with their process: a thread of a forked child may get the number of one that
# the child does not have.
_threads: t.Final[set[tuple[int, int]]] = set()


def watch() -> None:
    """Let `is_collecting` know of each run of the collector, in a Python where that matters."""
    if RUNS_ANYWHERE and _note not in gc.callbacks:
        gc.callbacks.append(_note)


def is_collecting() -> bool:
    """True for code that the collector runs, as the end of a generator. To leave a block there sets no ContextVar."""
    return bool(_threads) and (os.getpid(), threading.get_ident()) in _threads


def _note(phase: str, _: dict[str, int]) -> None:
    (_threads.add if phase == "start" else _threads.discard)((os.getpid(), threading.get_ident()))


@contextlib.contextmanager
def paused_to_import(module: str) -> cabc.Iterator[None]:
    """A block that imports a module while the garbage collector does not run, if that is the first import.

    The modules and what they import create tens of thousands of objects, and no garbage. The collector would look at
    all of them, some several times: 5 % of the time from start to the first response.

    In a program with several threads, the collector goes on: another thread may fork, and the child process would never
    collect anything.

    Args:
        module: Name of the module.
    """
    if module in sys.modules or not gc.isenabled() or threading.active_count() > 1:
        yield
        return
    try:
        # In here: the handler of a signal may raise as soon as the collector is disabled.
        gc.disable()
        yield
    finally:
        # This moves all objects to the oldest generation. The next collection of the youngest would look at the new
        # ones at once. PyPy has no freeze(). unfreeze() would also undo a freeze() of the program.
        if hasattr(gc, "freeze") and gc.get_freeze_count() < FROZEN_BY_PYTHON:
            gc.freeze()
            gc.unfreeze()
        gc.enable()
