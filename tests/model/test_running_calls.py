"""What a call reads and writes is of the scope that it began in, until it ends."""

from __future__ import annotations

import contextlib
import contextvars
import typing as t
from unittest import mock

import pytest

from dynaflask.model import running_calls
from dynaflask.model.tenant_key import TenantKey
from dynaflask.registry.context import current_scope
from tests.support.interrupts import interrupted_after
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


def test_a_context_that_was_copied_in_a_call_is_in_its_own_scope(world: World) -> None:
    """A task that starts in the middle of a call in one app has no part in the call's scope, neither then nor later."""
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
        assert copied.run(running_calls.scope_of, item) is current_scope(world.db) is not scope


def test_a_call_that_a_signal_interrupts_at_its_start_leaves_no_scope(world: World) -> None:
    """The next object may have the same id: it is in its own tenant's scope, in either app."""
    item = world.Thread("forum", "subject")
    with world.one.app_context(), world.db.tenant("acme"), interrupted_after("set", running_calls._scopes):
        with pytest.raises(KeyboardInterrupt), running_calls.in_call(current_scope(world.db), item):
            pytest.fail("the call began")
    for app in (world.one, world.two):
        with app.app_context(), world.db.tenant("globex"):
            assert running_calls.scope_of(item) is current_scope(world.db)


OPERATIONS: dict[str, t.Callable[[t.Any], object]] = {
    "get": lambda note: type(note).get("hello"),
    "consistent get": lambda note: type(note).get("hello", consistent_read=True),
    "save": lambda note: note.save(),
    "conditional save": lambda note: note.save(type(note).text.does_not_exist()),
    "update": lambda note: note.update([type(note).text.set("new")]),
    "delete": lambda note: note.delete(),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_key_is_of_the_tables_tenant(world: World, operation: str) -> None:
    """If a block ends in the middle of a call, as that of a collected generator, no key goes to another's table."""

    def stand_in_block() -> t.Iterator[None]:
        with world.db.tenant("acme"):
            yield

    own_principal = TenantKey._principal

    def end_block(key: TenantKey) -> t.Any:
        block.close()
        return own_principal(key)

    for app in (world.one, world.two):
        with app.app_context():
            note = world.Note("hello")
            with world.db.tenant("globex"):
                block = t.cast("t.Generator[None, None, None]", stand_in_block())
                next(block)
                with mock.patch.object(TenantKey, "_principal", end_block):
                    with pytest.raises(RuntimeError, match="in the middle of a call of Note"):
                        OPERATIONS[operation](note)
                assert world.sent() == []
                with contextlib.suppress(world.Note.DoesNotExist):
                    OPERATIONS[operation](note)
        assert world.sent() == [f"{app.name} globex-Note globex"]


def test_the_keys_of_a_batch_are_of_the_tables_tenant(world: World) -> None:
    """An override that finds the table, and leaves a block entered, does not decide on the keys."""
    own_connection = world.Note._get_connection

    def enter_block() -> t.Any:
        table = own_connection()
        world.db.tenant("globex").__enter__()
        return table

    for app in (world.one, world.two):
        with app.app_context():
            note = world.Note("hello")
            with world.db.tenant("acme"), world.Note.batch_write() as batch:
                batch.save(note)
                with mock.patch.object(world.Note, "_get_connection", enter_block):
                    with pytest.raises(RuntimeError, match="in the middle of a call of Note"):
                        batch.commit()
                assert world.sent() == []
                batch.pending_operations.clear()
