"""Values of JSON that DynamoDB can store, and those that it cannot."""

from __future__ import annotations

import datetime as dt
import decimal
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaflask.model.bodies import values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)),
        ("2026-01-02t03:04:05z", dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)),
        ("2026-01-02 03:04:05-01:30", dt.datetime(2026, 1, 2, 4, 34, 5, tzinfo=dt.timezone.utc)),
        ("2026-01-02T03:04:05.1Z", dt.datetime(2026, 1, 2, 3, 4, 5, 100_000, tzinfo=dt.timezone.utc)),
        ("2026-01-02T03:04:05.123456789Z", dt.datetime(2026, 1, 2, 3, 4, 5, 123_456, tzinfo=dt.timezone.utc)),
    ],
)
def test_a_time_is_that_of_rfc_3339(text: str, expected: dt.datetime) -> None:
    """Each form of RFC 3339 is read as a moment in UTC, with microseconds."""
    assert values.read_time(text) == expected


@given(
    st.datetimes(min_value=dt.datetime(2, 1, 1), max_value=dt.datetime(9998, 12, 31)),  # noqa: DTZ001 - it gets an offset
    st.integers(-1439, 1439),
)
def test_a_time_that_python_writes_is_read(naive: dt.datetime, offset_minutes: int) -> None:
    """``isoformat`` of an aware time is read as the same moment."""
    moment = naive.replace(tzinfo=dt.timezone(dt.timedelta(minutes=offset_minutes)))
    assert values.read_time(moment.isoformat()) == moment


@given(st.one_of(st.integers(), st.floats()))
def test_the_fast_test_of_a_number_agrees_with_the_decimal(number: t.Any) -> None:
    """A number fits if, and only if, DynamoDB's decimals hold it exactly."""
    try:
        fits = values._NUMBERS.create_decimal(str(number)).is_finite()
    except decimal.DecimalException:
        fits = False
    assert values.is_number(number) == fits


@pytest.mark.parametrize("value", [True, "1", None, decimal.Decimal(1), 10**38 + 1, float("nan"), 1e-200])
def test_what_is_not_a_number_is_refused(value: t.Any) -> None:
    """Booleans, other types and numbers out of range are no numbers."""
    assert not values.is_number(value)
    assert not values.is_integer(value)
    with pytest.raises(values.InvalidValue):
        values.read_number(value)


def test_a_large_number_with_few_digits_fits() -> None:
    """38 significant digits is the limit, not 38 digits."""
    assert values.read_number(10**100) == 10**100


def test_a_whole_number() -> None:
    """A float without a fraction is a whole number."""
    assert (values.read_integer(2.0), values.is_integer(2.0), values.is_integer(2.5)) == (2, True, False)
    with pytest.raises(values.InvalidValue, match="whole"):
        values.read_integer(2.5)


@pytest.mark.parametrize("value", [float("nan"), {"a": [float("inf")]}, object()])
def test_what_json_cannot_express_is_refused(value: t.Any) -> None:
    """NaN is a number of Python's parser, and not of JSON."""
    with pytest.raises(values.InvalidValue, match="no JSON"):
        values.read_json(value)


def test_binary_is_base64() -> None:
    """Other characters are refused, not skipped."""
    assert values.read_binary("Ynl0ZXM=") == b"bytes"
    for text in ("Y n", "é", "Y"):
        with pytest.raises(values.InvalidValue, match="Base64"):
            values.read_binary(text)


def test_the_errors_of_a_value_have_paths() -> None:
    """An error of a part is named below the field, and one of the value is named by the field."""
    assert dict(values.InvalidValue("wrong").at("a")) == {"a": "wrong"}
    assert dict(values.InvalidValue(errors={"b": "wrong"}).at("a")) == {"a.b": "wrong"}
