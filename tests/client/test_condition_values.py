"""Whether DynamoDB returns the item that a condition was false for."""

from __future__ import annotations

import contextvars
import threading
import typing as t

from pynamodb.signals import pre_dynamodb_send

from dynaflask.client.condition_values import asked_for
from dynaflask.client.condition_values import asking_for
from tests.support.recorder import Answer
from tests.support.recorder import Request
from tests.support.recorder import plain_answer
from tests.support.two_apps import World


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


def test_a_task_of_the_middle_of_a_call_does_not_ask_after_it(world: World) -> None:
    """A task that a receiver of a signal starts in one app does not ask in its later calls, which may be another's."""
    contexts: list[contextvars.Context] = []
    asked: list[t.Any] = []

    def answer(request: Request) -> Answer:
        asked.append(request.body.get("ReturnValuesOnConditionCheckFailure"))
        return plain_answer(request)

    def start_task(_: t.Any, **__: t.Any) -> None:
        contexts.append(contextvars.copy_context())

    def save_in_two() -> None:
        with world.two.app_context(), world.db.tenant("globex"):
            world.Thread("forum", "subject").save(condition=world.Thread.subject.does_not_exist())

    world.answer = answer
    with pre_dynamodb_send.connected_to(start_task), world.one.app_context(), world.db.tenant("acme"):
        item = world.Thread("forum", "subject")
        item.save(condition=world.Thread.subject.does_not_exist(), return_values_on_condition_failure="ALL_OLD")
    (context,) = contexts
    context.run(save_in_two)
    assert asked == ["ALL_OLD", None]
