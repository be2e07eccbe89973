"""Hooks that let coverage follow only what may run lines of the package: fixtures and tests, not pytest itself.

With a tracer, all code of Python takes about twice its time, also that which coverage does not measure. Where coverage
needs no tracer, as from Python 3.14 on, the hooks do nothing.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import functools
import importlib
import pathlib
import pkgutil
import sys
import threading
import typing as t

import pytest

import dynaflask
from dynaflask.testing import recorder
from tests.support.paths import TESTS

MEASURED_ENGINE = "ministack"
# The transports of a test that is about models, and not about them: the tests of ``client`` measure the other two.
TRANSPORTS: t.Final = ("direct", *(pytest.param(name, marks=pytest.mark.unmeasured) for name in ("botocore", "stock")))
CACHED = type(functools.cache(lambda: None))

Hook = cabc.Generator[None, object, object]


class _Tracers(t.NamedTuple):
    mine: t.Any
    of_new_threads: t.Any


_NONE: t.Final = _Tracers(None, None)
# The tracers of the tests that are measured, and those of the current one.
_measured = _current = _NONE
# The file of an unmeasured test that may have called cached functions first.
_filled_by: pathlib.Path | None = None
_measures_recorders = False


def is_unmeasured(item: pytest.Item) -> bool:
    """True if a test is marked, tries many examples, or is measured on another engine: coverage doubles its time."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return (
        item.get_closest_marker("unmeasured") is not None
        or getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        or parameters.get("engine", MEASURED_ENGINE) != MEASURED_ENGINE
    )


def serve_connection(server: t.Any, request: t.Any, address: t.Any) -> None:
    """Answer the requests of a connection to a recorder, in its thread. Only the tests of ``testing`` measure that."""
    if not _measures_recorders:
        sys.settrace(None)
    super(recorder._Server, server).process_request_thread(request, address)


def forget_results() -> None:
    """Empty the cached functions of the package, so that a measured test runs their lines in any order of the files."""
    for name, module in sys.modules.copy().items():
        if name.startswith("dynaflask."):
            for value in vars(module).copy().values():
                if isinstance(value, CACHED):
                    value.cache_clear()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Hook:
    """Follow the import of the package alone. It would be half of the time in which pytest collects the tests."""
    if sys.gettrace():
        for module in pkgutil.walk_packages(dynaflask.__path__, "dynaflask."):
            importlib.import_module(module.name)
    with _traced_by(_NONE):
        result = yield
    forget_results()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop() -> Hook:
    """Put the tracers of coverage aside between the tests, and in the threads of recorders."""
    recorder._Server.process_request_thread = serve_connection  # type: ignore[method-assign]
    global _measured  # noqa: PLW0603 - one process runs one loop
    _measured = _Tracers(sys.gettrace(), threading.gettrace())
    with _traced_by(_NONE):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Hook:
    """Choose the tracers of a test.

    The marker of pytest-cov would start coverage again after each test that is not measured. A start puts the variables
    back that measure programs, and lets ``os._exit`` write the data of a fork once more.
    """
    global _current, _filled_by, _measures_recorders  # noqa: PLW0603 - one test runs at a time
    _measures_recorders = item.path.is_relative_to(TESTS / "testing")
    _current = _NONE if is_unmeasured(item) else _measured
    if is_unmeasured(item):
        _filled_by = item.path
    elif _filled_by not in {None, item.path}:
        _filled_by = None
        forget_results()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[t.Any]) -> Hook:
    """Follow a fixture, unless it is pytest's own."""
    is_pytests = fixturedef.func.__module__.startswith("_pytest.")
    with _traced_by(_NONE if is_pytests else _current):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Hook:
    """Follow the function of a test."""
    with _traced_by(_current):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Hook:
    """Follow the ends of the fixtures."""
    with _traced_by(_current):
        return (yield)


@contextlib.contextmanager
def _traced_by(tracers: _Tracers) -> cabc.Iterator[None]:
    before = _Tracers(sys.gettrace(), threading.gettrace())
    if tracers == before:
        yield
        return
    sys.settrace(tracers.mine)
    threading.settrace(tracers.of_new_threads)
    try:
        yield
    finally:
        sys.settrace(before.mine)
        threading.settrace(before.of_new_threads)
