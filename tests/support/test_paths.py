"""The paths that tests rely on."""

from __future__ import annotations

from tests.support.paths import SLOW_FILES


def test_every_slow_file_exists() -> None:
    """A test file that moves keeps its mark, because its old path in ``SLOW_FILES`` is an error."""
    assert [path for path in SLOW_FILES if not path.is_file()] == []
