"""Compile generated functions, and register their source so that a traceback shows it."""

from __future__ import annotations

import itertools
import linecache
import re
import typing as t
import weakref


def function_suffix(cls: type) -> str:
    """The class name as the end of a function's name. A class made by ``type()`` may have any name."""
    return re.sub(r"\W", "_", cls.__name__, flags=re.ASCII)


def indented(lines: list[str]) -> list[str]:
    """Lines of source, one level deeper."""
    return [line and f"    {line}" for line in lines]


def execute(source: str, namespace: dict[str, t.Any], *, title: str, cls: type) -> None:
    """Run generated source, which defines functions in a namespace.

    Args:
        source: The source. Names and values stand in it as their repr alone.
        namespace: The globals of the functions.
        title: Purpose of the functions, for the file name in a traceback.
        cls: The class that the functions serve. The source is removed when the class is garbage collected.
    """
    filename = _register(source, f"dynaflask {title} of {cls.__module__}.{cls.__qualname__}")
    # Some programs declare classes in functions: without this, each call would leave a source behind.
    weakref.finalize(cls, linecache.cache.pop, filename, None).atexit = False
    exec(compile(source, filename, "exec"), namespace)  # noqa: S102 - names come in by repr alone


def _register(source: str, name: str) -> str:
    # An entry without a modification time is exempt from linecache.checkcache(), as attrs and IPython use it.
    entry = (len(source), None, source.splitlines(keepends=True), name)
    filenames = itertools.chain([f"<{name}>"], (f"<{name} {number}>" for number in itertools.count(2)))
    # setdefault is atomic: two threads that compile classes of one name get two file names.
    return next(filename for filename in filenames if linecache.cache.setdefault(filename, entry) is entry)
