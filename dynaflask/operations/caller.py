"""The line of the program that makes a call."""

from __future__ import annotations

import sys
import types
import typing as t

# Packages between a line of a program and the end of its call. `contextlib` and `functools` run its decorators.
LIBRARIES = frozenset(
    {"blinker", "boto3", "botocore", "contextlib", "dynaflask", "flask", "functools", "pynamodb", "werkzeug"}
)


class Caller(t.NamedTuple):
    """A line of a program.

    Attributes:
        file: Path of the file, as Python compiled it.
        line: Number of the line.
        function: Name of the function.
    """

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


def find_caller() -> Caller | None:
    """The innermost line of the current stack that does not belong to dynaflask or to the libraries below it.

    Returns:
        The line; ``None`` if a library made the call in a thread of its own.
    """
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in LIBRARIES:
            return Caller(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    return None
