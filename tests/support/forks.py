"""Forks of a process of tests: each child ends, whatever happens in it, so that no run waits for it."""

from __future__ import annotations

import collections.abc as cabc
import os
import signal
import time
import traceback
import typing as t
import warnings

SECONDS = 60
Check: t.TypeAlias = cabc.Callable[[], bool]


def exit_code(child: int) -> int:
    """The exit code of a child, which is killed after a minute. A child that hangs keeps the run's pipes open."""
    deadline = time.monotonic() + SECONDS
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(ended[1])


def exit_code_of(check: Check) -> int:
    """The exit code of a forked child: 0 if the check is true in it. The child never goes on with the tests.

    By ``os.fork``, as in C a fork has to be alone: the child of a process with threads waits for ever for the
    interpreter lock, if another thread asks for it in that moment.
    """
    with warnings.catch_warnings():
        # Since Python 3.12, a fork beside other threads is a warning. pytest-xdist has one in each of its processes.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return exit_code(child)
    code = 1
    try:
        code = 0 if check() else 1
    except BaseException:  # noqa: BLE001 - the child must not return into the parent's test
        traceback.print_exc()
    finally:
        os._exit(code)
