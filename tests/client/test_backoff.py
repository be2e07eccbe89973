"""How long to wait before a call is made again."""

from __future__ import annotations

import pytest

from dynaflask.client.backoff import backoff_delay


def test_the_bound_doubles_up_to_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The delay is random, between zero and a bound that grows with the attempts."""
    monkeypatch.setattr("random.uniform", lambda least, most: (least, most))
    assert [backoff_delay(attempt) for attempt in (1, 2, 3, 20)] == [(0, 0.1), (0, 0.2), (0, 0.4), (0, 5.0)]
