"""Connections and invocation ids belong to one process. ``test_transport.py`` forks."""

from __future__ import annotations

import os

import pytest

from dynaflask.client.direct.process_state import InvocationIds
from dynaflask.client.direct.process_state import ProcessState
from dynaflask.client.direct.process_state import current_state


def test_a_process_has_one_state() -> None:
    """Each use in one process gets the same state."""
    states: dict[int, ProcessState] = {}
    assert current_state(states) is current_state(states)


def test_another_process_has_another_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with another id starts with its own ids and without pools, and leaves the first state unchanged."""
    states: dict[int, ProcessState] = {}
    parent, pid = current_state(states), os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    child = current_state(states)
    assert child is not parent
    assert child.pools is not parent.pools
    assert child.invocation_ids.next()[:-12] != parent.invocation_ids.next()[:-12]
    monkeypatch.undo()
    assert current_state(states) is parent


def test_invocation_ids_count_up_and_wrap() -> None:
    """Each id is the last one plus one; the last twelve digits wrap, so that the id stays a UUID."""
    prefix = "0fd61f0e-9a9f-4a3c-8d2b-"
    ids = InvocationIds(f"{prefix}fffffffffffe")
    assert [ids.next() for _ in range(3)] == [f"{prefix}fffffffffffe", f"{prefix}ffffffffffff", f"{prefix}000000000000"]
