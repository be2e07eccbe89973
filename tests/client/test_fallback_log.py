"""The line that says why calls take another transport."""

from __future__ import annotations

import logging

import pytest

from dynaflask.client import fallback_log
from dynaflask.client.fallback_log import log_fallback

LOGGER = logging.getLogger("dynaflask.direct")


def test_each_reason_is_logged_once_per_mode(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another reason, and the same reason for another mode, is another line."""
    monkeypatch.setattr(fallback_log, "_logged", set())
    caplog.set_level("INFO", logger=LOGGER.name)
    for mode, reason in [("direct", "a"), ("direct", "a"), ("direct", "b"), ("botocore", "a"), ("direct", "b")]:
        log_fallback(LOGGER, mode, instead="stock", reason=reason)
    assert [message.partition(". ")[0] for message in caplog.messages] == [
        "DYNAMODB_TRANSPORT is 'direct', but the transport of a client is 'stock': a",
        "DYNAMODB_TRANSPORT is 'direct', but the transport of a client is 'stock': b",
        "DYNAMODB_TRANSPORT is 'botocore', but the transport of a client is 'stock': a",
    ]


def test_a_line_has_the_level_of_its_caller(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The level is the one that the caller asks for; by default it is ``INFO``."""
    monkeypatch.setattr(fallback_log, "_logged", set())
    caplog.set_level("INFO", logger=LOGGER.name)
    log_fallback(LOGGER, "direct", instead="botocore", reason="a")
    log_fallback(LOGGER, "direct", instead="botocore", reason="b", level=logging.WARNING)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
