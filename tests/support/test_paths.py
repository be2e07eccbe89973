"""The paths that tests rely on, and the environment of the programs that they start."""

from __future__ import annotations

import sys
import threading

import pytest

from tests.support.paths import SLOW_FILES
from tests.support.paths import environment


def test_every_slow_file_exists() -> None:
    """A test file that moves keeps its mark, because its old path in ``SLOW_FILES`` is an error."""
    assert [path for path in SLOW_FILES if not path.is_file()] == []


@pytest.mark.unmeasured
def test_an_unmeasured_test_has_no_tracer() -> None:
    """Nothing follows the lines of a test that is marked, nor those of its threads."""
    assert (sys.gettrace(), threading.gettrace()) == (None, None)


def test_a_program_is_not_measured_after_an_unmeasured_test() -> None:
    """The environment of a program does not measure it, unless a test asks for that."""
    assert [name for name in environment() if name.startswith("COVERAGE_PROCESS_")] == []
