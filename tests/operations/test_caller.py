"""``find_caller`` returns the line of the program."""

from __future__ import annotations

import inspect
import threading

from dynaflask.operations import caller


def test_a_line_of_the_program() -> None:
    """The line, the function and the file of the caller are returned."""
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    found = caller.find_caller()
    assert found == (__file__, line, "test_a_line_of_the_program")
    assert str(found) == f"{__file__}:{line} in test_a_line_of_the_program"


def test_the_libraries_are_passed_over() -> None:
    """Frames of a library between the program and the call are not the caller."""
    namespace = {"__name__": "pynamodb.models", "find": caller.find_caller}
    exec("def save(): return find()", namespace)  # noqa: S102
    found = namespace["save"]()  # type: ignore[operator]
    assert found.function == "test_the_libraries_are_passed_over"


def test_a_name_that_only_begins_like_a_library() -> None:
    """A package of the program may have a name that begins with the name of a library."""
    namespace = {"__name__": "flask_forum.views", "find": caller.find_caller}
    exec("def view(): return find()", namespace)  # noqa: S102
    assert namespace["view"]().function == "view"  # type: ignore[operator]


def test_a_stack_without_a_program() -> None:
    """A thread that only libraries run has no caller. Here its frames are taken for those of a library."""
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(caller.find_caller()))
    libraries = caller.LIBRARIES
    caller.LIBRARIES = libraries | {"threading", __name__.partition(".")[0]}  # type: ignore[misc]
    try:
        thread.start()
        thread.join()
    finally:
        caller.LIBRARIES = libraries  # type: ignore[misc]
    assert found == [None]
