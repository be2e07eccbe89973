"""The methods of some classes before a test patches them."""

from __future__ import annotations

from unittest import mock

import pytest
import wrapt

from dynaflask.client.patches import Originals
from dynaflask.client.patches import original
from dynaflask.client.patches import remember


class Base:
    """Has a method and a class method."""

    def send(self) -> str:
        """A method."""
        return "sent"

    @classmethod
    def make(cls) -> Base:
        """A class method."""
        return cls()


class Child(Base):
    """Inherits the method."""


def test_a_patch_of_a_class() -> None:
    """A patched method is seen while the patch is in place."""
    originals = Originals({Base: ["send"]})
    assert originals.are_in_place()
    with mock.patch.object(Base, "send"):
        assert not originals.are_in_place()
    assert originals.are_in_place()


def test_a_wrapper_that_equals_its_function() -> None:
    """A wrapper of a tracer is a patch, although it equals the function that it wraps."""
    originals = Originals({Base: ["send"]})
    wrapper = wrapt.FunctionWrapper(vars(Base)["send"], lambda wrapped, instance, args, kwargs: wrapped(*args))
    assert wrapper == vars(Base)["send"]
    with mock.patch.object(Base, "send", wrapper):
        assert not originals.are_in_place()


def test_a_method_that_a_class_begins_to_override() -> None:
    """A class that inherits a method is patched as soon as it defines it."""
    originals = Originals({Child: ["send"]})
    with mock.patch.object(Child, "send"):
        assert not originals.are_in_place()
    assert originals.are_in_place()


def test_a_method_that_a_class_no_longer_defines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deleted method counts as patched."""
    originals = Originals({Base: ["send"]})
    monkeypatch.delattr(Base, "send")
    assert not originals.are_in_place()


def test_a_patch_of_one_object() -> None:
    """A method of an instance counts for that instance alone."""
    originals, patched = Originals({Base: ["send"]}), Base()
    with mock.patch.object(patched, "send"):
        assert not originals.are_of_class(patched)
        assert originals.are_of_class(Base())
    assert originals.are_of_class(patched)


def test_a_class_method() -> None:
    """A class method is compared by its function, and anything else in its place is a patch."""
    originals = Originals({Base: ["make"], Child: ["make", "unknown"]})
    assert originals.are_in_place()
    with mock.patch.object(Base, "make", classmethod(lambda cls: cls())):
        assert not originals.are_in_place()
    with mock.patch.object(Base, "make", len):
        assert not originals.are_in_place()
    assert originals.are_in_place()


def test_inherited_methods() -> None:
    """A subclass has a base's methods until it or a patch defines another."""
    inherited = Originals({Base: ["send", "make"]})

    class Other(Base):
        def send(self) -> str:
            return "other"

    class Service:
        def end(self) -> None:
            """Another method."""

    service = Originals({Service: ["end"]})
    methods = service.and_inherited(Child, inherited)
    assert methods.are_in_place()
    assert not service.and_inherited(Other, inherited).are_in_place()
    for owner in (Base, Child):
        with mock.patch.object(owner, "send"):
            assert not methods.are_in_place()
        with mock.patch.object(owner, "make", len):
            assert not methods.are_in_place()
    with mock.patch.object(Service, "end"):
        assert not methods.are_in_place()
    assert methods.are_in_place()


def test_a_remembered_method() -> None:
    """A class that is remembered has its methods of that moment, also if a patch is in place later."""

    class Remembered(Base):
        def send(self) -> str:
            return "remembered"

    send = vars(Remembered)["send"]
    remember(Remembered, Base)
    with mock.patch.object(Remembered, "send"), mock.patch.object(Base, "make"):
        assert original(Remembered, "send") is send
        assert not Originals({Remembered: ["send"]}).are_in_place()
        assert not Originals({Remembered: ["make"]}).are_in_place()
    assert Originals({Remembered: ["send", "make"]}).are_in_place()
    assert original(Remembered, "unknown") is None
