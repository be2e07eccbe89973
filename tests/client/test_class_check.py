"""A check of the attributes of classes is repeated after one of them was set, and not before."""

from __future__ import annotations

import contextlib
import threading
import typing as t
from unittest import mock

import pytest

from dynaflask.client import class_check
from dynaflask.client.class_check import ClassCheck


class Base:
    """Has a method."""

    def send(self) -> str:
        """A method."""
        return "sent"


class Child(Base):
    """Inherits the method."""


class Other:
    """A class beside it."""


class Counted:
    """A check that ``Child.send`` is what it was, and the number of times that it was made."""

    def __init__(self) -> None:
        self.count = 0
        self.original = Child.send

    def __call__(self) -> bool:
        self.count += 1
        return Child.send is self.original


@pytest.fixture(params=[True, False], ids=["flag", "no flag"])
def check(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ClassCheck:
    """A check, also as in a Python that does not tell of changes."""
    if not request.param:
        monkeypatch.setattr(class_check, "HAS_FLAG", False)
    return ClassCheck(Counted(), [Base, Child, Other])


@pytest.mark.parametrize("cls", [Child, Base], ids=lambda cls: cls.__name__)
def test_a_patch_is_found_at_the_next_check(check: ClassCheck, cls: type) -> None:
    """A patch of a class or of its base is found each time, also after many look-ups of the classes."""
    for _ in range(3):
        assert check.passes()
        with mock.patch.object(cls, "send"):
            assert not check.passes()
            assert Child().send
            assert not check.passes()
        assert Child().send() == "sent"
        assert check.passes()


def test_a_class_that_registers_its_subclasses() -> None:
    """A class of the program with ``__init_subclass__`` gets no subclass by the check, which is made at each call."""
    registered: list[type] = []

    class Registering(Base):
        """A class of a program, as a mixin of botocore's clients."""

        def __init_subclass__(cls) -> None:
            registered.append(cls)

    counted = Counted()
    check = ClassCheck(counted, [Child, Registering])
    assert [check.passes(), check.passes()] == [True, True]
    assert (registered, counted.count) == ([], 2)


def test_a_change_that_concerns_no_check(check: ClassCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another attribute may change as often as it likes: the check is made again, and is true."""
    for number in range(2000):
        monkeypatch.setattr(Other, "number", number, raising=False)
        assert check.passes()
    with mock.patch.object(Child, "send"):
        assert not check.passes()


@pytest.mark.skipif(not class_check.HAS_FLAG, reason="this Python does not tell of changes")
def test_an_unchanged_class_is_not_checked_again() -> None:
    """While no attribute is set, the check is made once and, to miss no change meanwhile, once more."""
    counted = Counted()
    check = ClassCheck(counted, [Child])
    assert all(check.passes() for _ in range(10))
    assert counted.count == 2


@pytest.mark.skipif(not class_check.HAS_FLAG, reason="this Python does not tell of changes")
def test_a_change_during_the_check_is_found() -> None:
    """A patch that another thread makes after the check has read the method is found by the next call."""
    counted, patches = Counted(), contextlib.ExitStack()

    def patch_after_reading() -> bool:
        is_true = counted()
        if counted.count == 2:
            patches.enter_context(mock.patch.object(Base, "send"))
        return is_true

    check = ClassCheck(patch_after_reading, [Child])
    with patches:
        assert check.passes()
        assert not check.passes()
    assert check.passes()


@pytest.mark.parametrize("name", ["__init__", "__getattr__", "__call__"])
def test_a_special_method_is_found(name: str) -> None:
    """A special method, which Python also looks up in the subclasses when it is set, is a change like any other."""

    class Special(Base):
        """Has no special methods."""

    present = ClassCheck(lambda: name not in vars(Special), [Special])
    assert present.passes()
    setattr(Special, name, lambda *args: None)
    assert not present.passes()
    delattr(Special, name)
    assert present.passes()


def test_threads_find_each_change(check: ClassCheck) -> None:
    """No thread takes a patched class for an unchanged one, whatever the others check at that moment."""
    is_patched, missed, barrier = threading.Event(), [], threading.Barrier(5)

    def look() -> None:
        for _ in range(200):
            barrier.wait(60)
            if check.passes() is is_patched.is_set():
                missed.append(is_patched.is_set())
            barrier.wait(60)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(200):
        with mock.patch.object(Base, "send") if number % 2 else contextlib.nullcontext():
            (is_patched.set if number % 2 else is_patched.clear)()
            barrier.wait(60)
            barrier.wait(60)
    for thread in threads:
        thread.join(60)
    assert missed == []


@pytest.mark.parametrize(
    "bases", [(int, str), (type("Meta", (type,), {})("WithMeta", (), {}),)], ids=["layout", "meta"]
)
def test_classes_that_no_class_can_inherit(bases: tuple[t.Any, ...]) -> None:
    """Without a common subclass, or with code of a metaclass, the check is made at each call."""
    counted = Counted()
    check = ClassCheck(counted, [Child, *bases])
    assert [check.passes(), check.passes()] == [True, True]
    assert counted.count == 2
