"""Numbers, lines of code and charts, as text for the page."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import typing as t

if t.TYPE_CHECKING:
    from dynaflask.operations.caller import Caller

KIB = 1024
MINUTE = 60
THREE_DIGITS = 100
# Of the path of a line: enough to find it, and narrow enough for a phone.
SHOWN_FOLDERS = 2


def number(value: float) -> str:
    """A number with three digits or more, without an exponent."""
    return f"{value:.3g}" if abs(value) < THREE_DIGITS else f"{value:,.0f}"


def milliseconds(seconds: float) -> str:
    """The duration of a call."""
    return f"{number(seconds * 1000)} ms"


def duration(seconds: float) -> str:
    """A longer duration, in seconds or minutes."""
    return f"{seconds:.0f} s" if seconds < MINUTE else f"{number(seconds / MINUTE)} min"


def size(size_bytes: float) -> str:
    """A number of bytes in the unit that fits."""
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    while size_bytes >= KIB and len(units) > 1:
        size_bytes /= KIB
        units.pop(0)
    return f"{number(size_bytes)} {units[0]}"


def line(caller: Caller | None) -> str:
    """A line of code, with the end of its path."""
    if caller is None:
        return "a line of a library"
    path = pathlib.PurePath(*pathlib.PurePath(caller.file).parts[-SHOWN_FOLDERS - 1 :])
    return f"{path}:{caller.line} in {caller.function}"


def bar_path(values: cabc.Sequence[float], *, height: float = 20) -> str:
    """The path of an SVG chart with a bar for each value, as high as its share in the highest value.

    Args:
        values: The values. Each bar is one unit wide.
        height: Height of the highest bar.
    """
    highest = max(values, default=0)
    bars = [(index, height * value / highest) for index, value in enumerate(values) if value > 0]
    return " ".join(f"M{index} {height:g}v{-bar:.2f}h.8v{bar:.2f}z" for index, bar in bars)
