"""Batches and transactions that are begun for one tenant, and sent where another one, or another app, is current."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

import pynamodb.models
import pynamodb.transactions
import pytest

import dynaflask
from dynaflask import TenantMismatch
from tests.support import models
from tests.support.two_apps import World


def save_in(transaction: t.Any, world: World) -> t.Any:
    """Add an item to a transaction."""
    item = world.Thread("forum", "subject")
    transaction.save(item)
    return item


def read_in(transaction: t.Any, world: World) -> t.Any:
    """Read an item in a transaction."""
    return transaction.get(world.Thread, "forum", "subject")


#: A transaction of PynamoDB's own, and what is added to it.
OWN: dict[str, tuple[t.Any, cabc.Callable[[t.Any, World], t.Any]]] = {
    "write": (pynamodb.transactions.TransactWrite, save_in),
    "read": (pynamodb.transactions.TransactGet, read_in),
}


class TestTransactions:
    """PynamoDB's own transactions are sent for the tenant that they were begun for, or refused."""

    @pytest.mark.parametrize("kind", OWN)
    def test_in_another_tenants_block(self, world: World, kind: str) -> None:
        """The objects would then count as the other tenant's, and could be saved to its table."""
        cls, add = OWN[kind]
        with world.one.app_context():
            with world.db.tenant("acme"):
                transaction = cls(connection=world.db.connection)
                add(transaction, world)
            with (
                world.db.tenant("globex"),
                pytest.raises(TenantMismatch, match="added for 'acme', .* is sent for 'globex'. Send it in the block"),
            ):
                send(transaction)
            with pytest.raises(TenantMismatch, match="is sent for no tenant"):
                send(transaction)
            assert world.sent() == []
            with world.db.tenant("acme"):
                send(transaction)
        assert world.sent() == ["one acme-Thread"]

    @pytest.mark.parametrize("kind", OWN)
    def test_in_a_context_of_the_other_app(self, world: World, kind: str) -> None:
        """A tenant of the same name in the other app is another one."""
        cls, add = OWN[kind]
        with world.one.app_context(), world.db.tenant("acme"):
            transaction = cls(connection=world.db.connection)
            add(transaction, world)
            with world.two.app_context(), world.db.tenant("acme"):
                with pytest.raises(RuntimeError, match="added in a context of 'one', which is not the current one"):
                    send(transaction)
        assert world.sent() == []

    def test_from_no_tenant_to_one(self, world: World) -> None:
        """A transaction of a context without a tenant is not sent in a tenant's block."""
        with world.one.app_context():
            transaction = pynamodb.transactions.TransactWrite(connection=world.db.connection)
            save_in(transaction, world)
            with world.db.tenant("acme"), pytest.raises(TenantMismatch, match="added for no tenant"):
                send(transaction)
            send(transaction)
        assert world.sent() == ["one Thread"]

    def test_a_model_that_belongs_to_no_tenant(self, world: World) -> None:
        """Its operations may be sent for any tenant: its table and its objects are nobody's own."""
        plan = models.declare_thread(world.db, tenant=False, table_name="Plan")
        with world.one.app_context():
            with world.db.tenant("acme"):
                transaction = pynamodb.transactions.TransactWrite(connection=plan._get_connection().connection)
                transaction.save(plan("forum", "subject"))
            with world.db.tenant("globex"):
                send(transaction)
        assert world.sent() == ["one Plan"]

    @pytest.mark.parametrize("kind", ["transact_write", "transact_get"])
    def test_those_of_the_extension(self, world: World, kind: str) -> None:
        """They go on in the block of their models, wherever they are sent, but not in another app."""
        add = {"transact_write": save_in, "transact_get": read_in}[kind]
        with world.one.app_context():
            transactions = [getattr(world.db, kind)() for _ in range(2)]
            with world.db.tenant("acme"):
                items = [add(transaction, world) for transaction in transactions]
            with world.db.tenant("globex"):
                send(transactions[0])
                item = items[0] if kind == "transact_write" else items[0].get()
                with pytest.raises(TenantMismatch):
                    item.save()
            with world.two.app_context(), world.db.tenant("acme"), pytest.raises(RuntimeError, match="begun in"):
                send(transactions[1])
        assert world.sent() == ["one acme-Thread"]

    def test_a_batch_of_pynamodbs_own_class(self, world: World) -> None:
        """It belongs to the block that commits it, and refuses objects of other tenants. A model's batch stays put."""
        with world.one.app_context():
            with world.db.tenant("acme"):
                own, models_own = pynamodb.models.BatchWrite(world.Thread), world.Thread.batch_write()
                refused = pynamodb.models.BatchWrite(world.Thread)
                refused.save(world.Thread.get("forum", "subject"))
                world.sent()
                for batch in (own, models_own):
                    batch.save(world.Thread("forum", "new"))
            with world.db.tenant("globex"):
                own.commit()
                models_own.commit()
                with pytest.raises(TenantMismatch):
                    refused.commit()
        assert world.sent() == ["one globex-Thread", "one acme-Thread"]

    def test_keys_of_a_shared_table(self, world: World) -> None:
        """In a table that tenants share, the keys are those of the block that the items were added in."""
        with world.one.app_context():
            transaction = world.db.transact_write()
            with world.db.tenant("north"):
                transaction.save(world.Note("x"))
            with world.db.tenant("south"):
                with pytest.raises(TenantMismatch, match="one tenant"):
                    transaction.save(world.Note("x"))
                send(transaction)
        assert world.sent() == ["one Note north"]


class TestBatches:
    """Batches stay on the destination that they were made for."""

    def test_writes_in_turns(self, world: World) -> None:
        """Batches of two tenants that a program fills in turns, and sends in each other's block."""
        with world.one.app_context():
            batches = {}
            for tenant in ("acme", "globex"):
                with world.db.tenant(tenant):
                    batches[tenant] = world.Thread.batch_write()
            for number in range(3):
                for tenant, batch in batches.items():
                    with world.db.tenant(tenant):
                        batch.save(world.Thread("forum", str(number)))
            with world.db.tenant("acme"):
                batches["globex"].commit()
            with world.db.tenant("globex"):
                batches["acme"].commit()
        assert world.sent() == ["one globex-Thread", "one acme-Thread"]

    def test_a_batch_that_fills_up_elsewhere(self, world: World) -> None:
        """A full batch is sent at once, and for its own tenant."""
        with world.one.app_context():
            with world.db.tenant("north"):
                batch = world.Note.batch_write()
            with world.db.tenant("south"):
                for number in range(26):
                    batch.save(world.Note(str(number))) if number else contextlib.nullcontext()
                with pytest.raises(TenantMismatch):
                    batch.commit()
        assert world.sent() == []

    def test_an_object_of_another_tenant(self, world: World) -> None:
        """An object of another tenant is refused when the batch is sent."""
        with world.one.app_context():
            with world.db.tenant("acme"):
                item = world.Thread.get("forum", "subject")
            with world.db.tenant("globex"):
                batch = world.Thread.batch_write()
                batch.save(item)
            with world.db.tenant("acme"), pytest.raises(TenantMismatch, match="for another tenant than 'globex'"):
                batch.commit()
        assert world.sent() == ["one acme-Thread"]

    def test_reads_in_turns(self, world: World) -> None:
        """Pages of two tenants' reads, which are fetched in turns in each other's block, by key of the tenant."""
        keys = [str(number) for number in range(150)]
        with world.one.app_context():
            reads = {}
            for tenant in ("north", "south"):
                with world.db.tenant(tenant):
                    reads[tenant] = world.Note.batch_get(keys)
            for _ in range(2):
                for tenant, other in (("north", "south"), ("south", "north")):
                    with world.db.tenant(other):
                        for _ in range(75):
                            next(reads[tenant])
        assert world.sent() == ["one Note north", "one Note south"] * 2

    def test_in_the_other_app(self, world: World) -> None:
        """A batch is refused in the other app's context, and goes on in its own."""
        with world.one.app_context(), world.db.tenant("acme"):
            batch = world.Thread.batch_write()
            batch.save(world.Thread("forum", "subject"))
            with world.two.app_context(), world.db.tenant("acme"), pytest.raises(RuntimeError, match="begun in"):
                batch.commit()
            batch.commit()
        assert world.sent() == ["one acme-Thread"]

    def test_after_its_context(self, world: World) -> None:
        """It is refused in a later context of its app, and its items can be saved there."""
        with world.one.app_context(), world.db.tenant("acme"):
            batch = world.Thread.batch_write()
            batch.save(world.Thread("forum", "subject"))
        with world.one.app_context(), world.db.tenant("acme"):
            with pytest.raises(RuntimeError, match="begun in an application context"):
                batch.commit()
            for operation in batch.pending_operations:
                operation["item"].save()
        assert world.sent() == ["one acme-Thread"]


def send(transaction: t.Any) -> None:
    """Send a transaction, as the end of its ``with`` statement does."""
    with transaction:
        pass


def test_the_error_is_one_that_a_program_may_catch() -> None:
    """A refused transaction is a ``TenantMismatch``, which is a RuntimeError as the other refusals are."""
    assert issubclass(dynaflask.TenantMismatch, RuntimeError)
