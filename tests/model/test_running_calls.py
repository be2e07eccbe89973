"""What a call reads and writes is of the scope that it began in, until it ends."""

from __future__ import annotations

import contextvars

import pytest

from dynaflask.model import running_calls
from dynaflask.registry.context import current_scope
from tests.support.two_apps import World


def test_an_object_is_in_the_scope_of_its_call(world: World) -> None:
    """A block that is entered in the middle of a call does not change the scope of the object, only that of others."""
    item, other = world.Thread("forum", "subject"), world.Thread("forum", "other")
    with world.one.app_context(), world.db.tenant("acme"):
        scope = current_scope(world.db)
        with running_calls.in_call(scope, item), world.db.tenant("globex"):
            assert running_calls.scope_of(item) is scope
            assert running_calls.scope_of(other) is current_scope(world.db) is not scope


def test_a_call_inside_another_one_has_its_own_objects(world: World) -> None:
    """A receiver may save another object: that call ends before the outer one, also by an error."""
    item, other = world.Thread("forum", "subject"), world.Thread("forum", "other")
    with world.one.app_context(), world.db.tenant("acme"):
        scope = current_scope(world.db)
        with running_calls.in_call(scope, item), world.two.app_context():
            inner = current_scope(world.db)
            with pytest.raises(ZeroDivisionError), running_calls.in_call(inner, other):
                assert (running_calls.scope_of(item), running_calls.scope_of(other)) == (scope, inner)
                raise ZeroDivisionError
            assert running_calls.scope_of(item) is scope


def test_a_context_that_was_copied_in_a_call_is_in_its_own_scope_after_it(world: World) -> None:
    """A task that starts in the middle of a call in one app does not keep the call's scope for what it does later."""
    with world.one.app_context():
        world.Thread("forum", "subject").save()
        scope = current_scope(world.db)
    with world.two.app_context():
        item = world.Thread("forum", "subject")
        item.save()
        with running_calls.in_call(scope, item):
            copied = contextvars.copy_context()
            assert running_calls.scope_of(item) is scope
        assert copied.run(running_calls.scope_of, item) is current_scope(world.db) is not scope
