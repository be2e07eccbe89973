"""Whether DynamoDB returns the item that a condition was false for."""

from __future__ import annotations

import threading

from dynaflask.client.condition_values import asked_for
from dynaflask.client.condition_values import asking_for


def test_it_holds_for_the_block_and_the_thread() -> None:
    """After the block, and in another thread, the setting of the bind decides."""
    others: list[str | None] = []
    with asking_for("ALL_OLD"):
        with asking_for("NONE"):
            assert asked_for() == "NONE"
        thread = threading.Thread(target=lambda: others.append(asked_for()))
        thread.start()
        thread.join()
        assert asked_for() == "ALL_OLD"
    assert (asked_for(), others) == (None, [None])
