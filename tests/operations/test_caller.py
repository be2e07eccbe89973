"""``find_caller`` returns the line of the program."""

from __future__ import annotations

import inspect
import threading
import typing as t

import pytest

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


def test_code_without_a_file_may_be_a_librarys_or_the_programs() -> None:
    """Two functions made by ``exec`` have one file name. The module of each one decides, at each call."""
    own = {"__name__": "forum.views", "find": caller.find_caller}
    exec("def view(): return find()", own)  # noqa: S102
    library = {"__name__": "pynamodb.models", "find": own["view"]}
    exec("def save(): return find()", library)  # noqa: S102
    namespace = {"__name__": "botocore.client", "find": caller.find_caller}
    exec("def call(): return find()", namespace)  # noqa: S102
    for _ in range(2):
        test = "test_code_without_a_file_may_be_a_librarys_or_the_programs"
        assert namespace["call"]().function == test  # type: ignore[operator]
        assert library["save"]().function == "view"  # type: ignore[operator]


def test_a_name_that_only_begins_like_a_library() -> None:
    """A package of the program may have a name that begins with the name of a library."""
    namespace = {"__name__": "flask_forum.views", "find": caller.find_caller}
    exec("def view(): return find()", namespace)  # noqa: S102
    assert namespace["view"]().function == "view"  # type: ignore[operator]


def test_a_stack_without_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that only libraries run has no caller. Here its frames are taken for those of a library."""
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(caller.find_caller()))
    monkeypatch.setattr(caller, "LIBRARIES", caller.LIBRARIES | {"threading", __name__.partition(".")[0]})
    monkeypatch.setattr(caller, "_library_files", set())
    monkeypatch.setattr(caller, "_program_files", set())
    thread.start()
    thread.join()
    assert found == [None]


# A page of Flask-Admin, as its own views call it, with a function of its own in between.
PAGE = """
def helper():
    return find()


class BaseView:
    def index_view(self):
        return helper()
"""


def admin_base() -> t.Any:
    """A base class of Flask-Admin's, in whose page the caller is looked for."""
    namespace: dict[str, t.Any] = {"__name__": "flask_admin.base", "find": caller.find_caller}
    exec(PAGE, namespace)  # noqa: S102
    return namespace["BaseView"]


class OwnModel:
    """A model of the program."""


def test_a_page_of_flask_admin_is_that_of_the_programs_view() -> None:
    """No line of Flask-Admin is the program's. The class of the view is, and two views have two."""
    base = admin_base()

    class ThreadAdmin(base):  # type: ignore[misc]
        """A view of the program."""

    class ReplyAdmin(base):  # type: ignore[misc]
        """Another view of the program."""

    for view in (ThreadAdmin, ReplyAdmin, ThreadAdmin):
        line = inspect.getsourcelines(view)[1]
        assert view().index_view() == (__file__, line, f"{view.__name__}.index_view")


def test_a_page_of_flask_admin_may_have_the_programs_model_alone() -> None:
    """A view that is not subclassed shows a model of the program."""
    view = admin_base()()
    view.model = OwnModel
    line = inspect.getsourcelines(OwnModel)[1]
    assert view.index_view() == (__file__, line, "BaseView.index_view")


def test_a_page_of_flask_admin_without_a_class_of_the_program() -> None:
    """A page of Flask-Admin that has nothing of the program is named itself."""
    found = admin_base()().index_view()
    assert (found.file, found.line) == ("<string>", 3)


def test_a_view_that_has_no_file() -> None:
    """A view that was defined in a shell has the name of its module."""
    view = type("ShellAdmin", (admin_base(),), {"__module__": "shell"})
    assert view().index_view() == ("shell", 0, "ShellAdmin.index_view")
