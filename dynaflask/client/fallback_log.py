"""Says once per process and reason that calls take another transport than that of the settings.

An app may have a client for each of its tenants, and each client makes many calls.
"""

from __future__ import annotations

import logging

from dynaflask.client.codec.parts import DIFFERENCE
from dynaflask.client.tracer_patches import has_advice

_logged: set[tuple[str, str]] = set()


def log_fallback(logger: logging.Logger, mode: str, *, instead: str, reason: str, level: int | None = None) -> None:
    """Log why calls take another transport, if this process has not done so yet.

    Args:
        logger: The logger.
        mode: The value of ``DYNAMODB_TRANSPORT``.
        instead: The transport that the calls take.
        reason: Why they take it, as the end of a sentence.
        level: Level of the record. By default, ``INFO`` if the program has caused it, perhaps on purpose, and
            ``WARNING`` if the reason says what to do.
    """
    if (mode, reason) in _logged:
        return
    _logged.add((mode, reason))
    message = (
        "DYNAMODB_TRANSPORT is %r, but the transport of a client is %r: %s. Results are the same, and calls take more"
        " time. If this is to stay, set DYNAMODB_TRANSPORT to %r."
    )
    if level is None:
        # The program cannot know that a release of botocore has other names.
        is_unexpected = reason.startswith(DIFFERENCE) or has_advice(reason)
        level = logging.WARNING if is_unexpected else logging.INFO
    logger.log(level, message, mode, instead, reason, instead)
