"""How long to wait before a call is made again."""

from __future__ import annotations

import random

# AWS asks for exponential backoff before unprocessed items are sent again:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
FIRST_DELAY_SECONDS = 0.05
MAX_DELAY_SECONDS = 5.0


def backoff_delay(attempt: int) -> float:
    """Random seconds to wait after an attempt; the upper bound doubles with each, up to five seconds.

    Args:
        attempt: Number of the attempt, from 1.
    """
    # Without the randomness, all clients that were throttled together would come back together:
    # https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    return random.uniform(0, min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**attempt))  # noqa: S311 - no secret
