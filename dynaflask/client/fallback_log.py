"""Says once per process and reason that calls take another transport than that of the settings.

An app may have a client for each of its tenants, and each client makes many calls.
"""

from __future__ import annotations

import logging

_logged: set[tuple[str, str]] = set()


def log_fallback(logger: logging.Logger, mode: str, *, instead: str, reason: str, level: int = logging.INFO) -> None:
    """Log why calls take another transport, if this process has not done so yet.

    Args:
        logger: The logger.
        mode: The value of ``DYNAMODB_TRANSPORT``.
        instead: The transport that the calls take.
        reason: Why they take it, as the end of a sentence.
        level: ``INFO`` if the program's own doing is the reason, because that may be meant.
    """
    if (mode, reason) in _logged:
        return
    _logged.add((mode, reason))
    message = (
        "DYNAMODB_TRANSPORT is %r, but the transport of a client is %r: %s. Results are the same, and calls take more"
        " time. If this is to stay, set DYNAMODB_TRANSPORT to %r."
    )
    logger.log(level, message, mode, instead, reason, instead)
