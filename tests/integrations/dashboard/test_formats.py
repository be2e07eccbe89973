"""Values as text for the dashboard."""

from __future__ import annotations

import pytest

from dynaflask.integrations.dashboard import formats
from dynaflask.operations.caller import Caller


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.0, "0"), (0.1234, "0.123"), (99.9, "99.9"), (100.4, "100"), (12345.6, "12,346")]
)
def test_a_number_has_three_digits_or_more(value: float, text: str) -> None:
    """Small numbers are rounded to three digits, and large ones to whole numbers."""
    assert formats.number(value) == text


def test_durations() -> None:
    """A call has milliseconds; a longer time has seconds or minutes."""
    assert formats.milliseconds(0.01234) == "12.3 ms"
    assert (formats.duration(59), formats.duration(90)) == ("59 s", "1.5 min")


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1,023 B"), (1024, "1 KiB"), (3 * 1024**4, "3 TiB"), (1024**5, "1,024 TiB")]
)
def test_a_size_has_the_unit_that_fits(size: int, text: str) -> None:
    """A size has the largest unit of which it has at least one."""
    assert formats.size(size) == text


def test_a_line_has_the_end_of_its_path() -> None:
    """A line is short enough for a phone."""
    assert formats.line(Caller("/srv/www/forum/web/views.py", 7, "show")) == "forum/web/views.py:7 in show"
    assert formats.line(None) == "a line of a library"


def test_the_bars_of_a_chart() -> None:
    """The highest value has the full height. A value of zero has no bar, and no values have none."""
    assert formats.bar_path([0, 1, 4], height=8) == "M1 8v-2.00h.8v2.00z M2 8v-8.00h.8v8.00z"
    assert formats.bar_path([]) == formats.bar_path([0, 0]) == ""
