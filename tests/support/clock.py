"""A clock for tests of what depends on the time."""

from __future__ import annotations


class Clock:
    """A clock that moves only when a test sets ``now``.

    Args:
        now: Its time, in seconds.
    """

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
