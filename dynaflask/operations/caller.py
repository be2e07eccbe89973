"""The line of the program that makes a call."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing as t
import weakref

# Packages between a line of a program and the end of its call. `contextlib` and `functools` run its decorators.
LIBRARIES = frozenset(
    {"blinker", "boto3", "botocore", "contextlib", "dynaflask", "flask", "functools", "pynamodb", "werkzeug"}
)

# Has the lines of all pages of its views.
ADMIN = "flask_admin"


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


# Files whose code belongs to LIBRARIES. Each call looks at about ten frames, and finds most of them here.
_library_files: set[str] = set()
# Files whose code belongs to the program. Their lines end the search.
_program_files: set[str] = set()


def find_caller(depth: int = 1) -> Caller | None:
    """The innermost line of the current stack that does not belong to dynaflask or to the libraries below it.

    Args:
        depth: Number of frames to pass over, which the caller knows to be dynaflask's. Each frame takes time.

    Returns:
        The line, or the class of a page of Flask-Admin, whose lines no program owns; ``None`` if a library made the
        call in a thread of its own.
    """
    frame: types.FrameType | None = sys._getframe(depth)
    files = _library_files
    while frame is not None:
        code = frame.f_code
        file = code.co_filename
        if file not in files:
            line = _line(file, frame.f_lineno, code.co_name)
            if file in _program_files:
                return line
            package = _package(frame.f_globals.get("__name__", ""))
            if package == ADMIN:
                return _page(frame) or line
            is_library = package in LIBRARIES
            # Code without a file, such as "<string>", shares its name with other code.
            if not file.startswith("<"):
                (files if is_library else _program_files).add(file)
            if not is_library:
                return line
        frame = frame.f_back
    return None


# To find the line of a class, Python parses its file.
_class_lines: weakref.WeakKeyDictionary[type, Caller] = weakref.WeakKeyDictionary()

# Records keep a line thousands of times. They share it.
_line = functools.lru_cache(1000)(Caller)


@functools.lru_cache(1000)
def _package(module: object) -> str:
    return str(module).partition(".")[0]


def _page(frame: types.FrameType | None) -> Caller | None:
    """The class of the view whose page Flask-Admin shows: the program's own, or else its model's."""
    while frame is not None and _package(frame.f_globals.get("__name__", "")) == ADMIN:
        view = frame.f_locals.get("self")
        for owner in () if view is None else (type(view), getattr(view, "model", None)):
            if isinstance(owner, type) and _package(owner.__module__) not in {*LIBRARIES, ADMIN}:
                return _class_line(owner)._replace(function=f"{type(view).__name__}.{frame.f_code.co_name}")
        frame = frame.f_back
    return None


def _class_line(owner: type) -> Caller:
    line = _class_lines.get(owner)
    if line is None:
        try:
            file, number = inspect.getfile(owner), inspect.getsourcelines(owner)[1]
        except (OSError, TypeError):
            # Defined in a shell: there is no file.
            file, number = owner.__module__, 0
        line = _class_lines[owner] = Caller(file, number, owner.__qualname__)
    return line
