"""``ProcessLocal``: one object per process."""

from __future__ import annotations

import concurrent.futures
import threading
import typing as t

import pytest

from dynaflask import process_local
from dynaflask.process_local import ProcessLocal


@pytest.fixture
def set_pid(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[int], None]:
    """Makes the test look like another process."""
    return lambda pid: monkeypatch.setattr(process_local, "getpid", lambda: pid)


def test_a_process_has_one_object() -> None:
    """Every call returns the same object, which is made on first use."""
    local = ProcessLocal(threading.Lock)
    assert local.get() is local.get()


def test_a_child_gets_its_own_and_abandons_its_parents_once(set_pid: t.Callable[[int], None]) -> None:
    """The child of a child does the same."""
    abandoned: list[object] = []
    local = ProcessLocal(object, abandon=abandoned.append)
    objects = []
    for pid in (1, 2, 3):
        set_pid(pid)
        objects.append(local.get())
        assert local.get() is objects[-1]
    assert len(set(map(id, objects))) == 3
    assert abandoned == objects[:2]


def test_an_object_may_need_no_step_in_the_child(set_pid: t.Callable[[int], None]) -> None:
    """A lock of the parent is dropped, also if it is held."""
    local = ProcessLocal(threading.Lock)
    local.get().acquire()
    set_pid(-1)
    assert local.get().acquire(blocking=False)


def test_the_threads_of_a_child_get_the_same_object(set_pid: t.Callable[[int], None]) -> None:
    """Also if all of them find the parent's object at the same time, and one of them abandons it."""
    together = threading.Barrier(8)
    abandoned: list[object] = []

    def make() -> object:
        if threading.current_thread() is not threading.main_thread():
            together.wait(10)
        return object()

    local = ProcessLocal(make, abandon=abandoned.append)
    parents = local.get()
    set_pid(-1)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        objects = list(threads.map(lambda _: local.get(), range(8)))
    assert len(set(map(id, objects))) == 1
    assert abandoned == [parents]
