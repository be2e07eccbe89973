"""Each of DynamoDB's reasons for throttling has something to do about it."""

from __future__ import annotations

import itertools

import pytest

from dynaflask.integrations.dashboard.throttling import BY_LIMIT
from dynaflask.integrations.dashboard.throttling import WITHOUT_REASON
from dynaflask.integrations.dashboard.throttling import what_to_do


@pytest.mark.parametrize(
    "reason", ["".join(parts) for parts in itertools.product(("Table", "Index"), ("Read", "Write"), BY_LIMIT)]
)
def test_each_of_the_sixteen_reasons_has_advice(reason: str) -> None:
    """The limit decides what to do. A write to an index delays the writes to its table."""
    advice = what_to_do(reason)
    assert advice.startswith(next(text for limit, text in BY_LIMIT.items() if reason.endswith(limit)))
    assert ("The index is throttled" in advice) is reason.startswith("IndexWrite")


def test_an_error_code_is_no_reason() -> None:
    """Without a reason, the page says where to look."""
    assert what_to_do("ProvisionedThroughputExceededException") == WITHOUT_REASON
