"""Connections and invocation ids belong to one process. ``test_transport.py`` forks."""

from __future__ import annotations

from dynaflask.client.direct.process_state import InvocationIds
from dynaflask.client.direct.process_state import ProcessState


def test_two_states_share_nothing() -> None:
    """Each has ids and pools of its own."""
    parent, child = ProcessState(), ProcessState()
    assert child.pools is not parent.pools
    assert child.invocation_ids.next()[:-12] != parent.invocation_ids.next()[:-12]


def test_invocation_ids_count_up_and_wrap() -> None:
    """Each id is the last one plus one; the last twelve digits wrap, so that the id stays a UUID."""
    prefix = "0fd61f0e-9a9f-4a3c-8d2b-"
    ids = InvocationIds(f"{prefix}fffffffffffe")
    assert [ids.next() for _ in range(3)] == [f"{prefix}fffffffffffe", f"{prefix}ffffffffffff", f"{prefix}000000000000"]
