"""A forked child of a test ends in all cases, and says whether its check was true."""

from __future__ import annotations

import signal
import time

import pytest

from tests.support import forks


def test_the_exit_code_says_whether_the_check_is_true() -> None:
    """A check that is false or fails ends the child with 1."""
    checks: list[forks.Check] = [lambda: True, lambda: False, lambda: bool(1 / 0)]
    assert [forks.exit_code_of(check) for check in checks] == [0, 1, 1]


def test_a_child_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent does not wait longer than its limit."""
    monkeypatch.setattr(forks, "SECONDS", 0)
    assert forks.exit_code_of(lambda: time.sleep(600) is None) == -signal.SIGKILL
