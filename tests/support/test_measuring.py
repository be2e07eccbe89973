"""Coverage follows fixtures and tests, and nothing of a test that is not measured."""

from __future__ import annotations

import collections.abc as cabc
import sys
import threading

import pytest

from dynaflask.client.direct.signature import timestamp
from tests.support import measuring
from tests.support import servers
from tests.support.paths import environment
from tests.support.recorder import Recorder


def tracers() -> tuple[object, object]:
    return sys.gettrace(), threading.gettrace()


AT_COLLECTION = tracers()


def test_the_collection_is_not_followed() -> None:
    """Nothing follows the import of the files of tests; the package has been imported before them."""
    assert AT_COLLECTION == (None, None)


@pytest.fixture
def followed() -> cabc.Iterator[tuple[object, object]]:
    """The tracers of a fixture, which are those of its end."""
    before = tracers()
    yield before
    assert tracers() == before


def test_a_test_and_its_fixtures_are_followed(followed: tuple[object, object]) -> None:
    """They have the tracers that pytest had before the first test."""
    assert tracers() == followed == measuring._measured


@pytest.mark.unmeasured
def test_an_unmeasured_test_is_not_followed(followed: tuple[object, object]) -> None:
    """Nothing follows the lines of a test that is marked, nor those of its fixtures and threads."""
    assert tracers() == followed == (None, None)


@pytest.mark.parametrize("measures", [False, True])
def test_the_threads_of_a_recorder_are_followed_where_it_is_tested(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, measures: bool
) -> None:
    """Nothing follows the server of a test, unless the test is about it."""
    monkeypatch.setattr(measuring, "_measures_recorders", measures)
    found: list[bool] = []
    recorder.answer = lambda request: found.append(sys.gettrace() is not None)
    servers.status(recorder.url, "/", method="POST")
    assert found == [measures and measuring._measured.mine is not None]


def test_a_program_is_not_measured_after_an_unmeasured_test() -> None:
    """The environment of a program does not measure it, unless a test asks for that."""
    assert [name for name in environment() if name.startswith("COVERAGE_PROCESS_")] == []


def test_the_results_of_unmeasured_tests_are_forgotten() -> None:
    """A cached function that an unmeasured test has called runs again."""
    before = timestamp(0)
    measuring.forget_results()
    assert timestamp.cache_info().currsize == 0
    assert timestamp(0) == before
