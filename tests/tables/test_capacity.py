"""Read and write units."""

from __future__ import annotations

import pytest

from dynaflask.tables.capacity import UNSPECIFIED
from dynaflask.tables.capacity import Capacity
from dynaflask.tables.capacity import described_maximum
from dynaflask.tables.capacity import described_warm


def test_unspecified_units_come_from_the_other() -> None:
    """``None`` is filled in from the other capacity, and 0 is not."""
    assert Capacity(0).with_defaults(Capacity(1, 2)) == (0, 2)


@pytest.mark.parametrize(
    ("setting", "capacity"), [(None, UNSPECIFIED), ({"write": 2}, (None, 2)), ({"read": 1, "write": -1}, (1, -1))]
)
def test_a_setting_may_have_one_of_the_units(setting: dict[str, int] | None, capacity: object) -> None:
    """The other one is unspecified."""
    assert Capacity.of_setting(setting) == capacity


def test_each_kind_has_its_names() -> None:
    """A request has the units that are specified, by the names of DynamoDB."""
    assert Capacity(1, 2).request == {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2}
    assert Capacity(1).maximum_request == {"MaxReadRequestUnits": 1}
    assert Capacity(write=2).warm_request == {"WriteUnitsPerSecond": 2}


def test_no_maximum_is_said_in_words() -> None:
    """DynamoDB's -1 means nothing to a reader."""
    assert str(Capacity(-1, 5)) == "unlimited read, 5 write"


def test_a_description_may_be_partial() -> None:
    """What DynamoDB does not describe has no maximum, and no warm throughput."""
    assert described_maximum({"OnDemandThroughput": {"MaxReadRequestUnits": 3}}) == (3, -1)
    assert described_warm({"WarmThroughput": {"WriteUnitsPerSecond": 4}}) == (0, 4)
