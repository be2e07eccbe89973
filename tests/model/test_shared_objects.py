"""One object that several threads use at once, each for a tenant of its own, and attributes that enter blocks.

The threads of these tests meet where it matters: while the server answers one of them, or in the middle of an object's
conversion, where an attribute of the model waits for the other thread.
"""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import contextlib
import typing as t

import pytest
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.models import BatchWrite
from pynamodb.signals import post_dynamodb_send
from pynamodb.signals import pre_dynamodb_send
from pynamodb.transactions import TransactWrite

import dynaflask
from dynaflask import ConditionFailed
from dynaflask import TenantMismatch
from dynaflask.operations.operation import operation_finished
from tests.support import two_apps
from tests.support.measuring import TRANSPORTS
from tests.support.recorder import Answer
from tests.support.recorder import Request
from tests.support.two_apps import World

KEYS = {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}}


class Hooked(UnicodeAttribute):
    """An attribute that calls a function of the test whenever it is converted."""

    hook: t.ClassVar[cabc.Callable[[str], None]] = staticmethod(lambda name: None)

    def serialize(self, value: t.Any) -> t.Any:
        """The text."""
        Hooked.hook("serialize")
        return super().serialize(value)

    def deserialize(self, value: t.Any) -> t.Any:
        """The text."""
        Hooked.hook("deserialize")
        return super().deserialize(value)


class Entry(dynaflask.Model):
    """A model with PynamoDB's attributes alone."""

    class Meta:
        """Its table."""

        table_name = "Entry"

    forum_name = UnicodeAttribute(hash_key=True)
    subject = UnicodeAttribute(range_key=True)
    text = UnicodeAttribute(null=True)


class HookedEntry(Entry):
    """A model with an attribute of the program, which is converted between the others."""

    class Meta:
        """Its table."""

        table_name = "Entry"

    hooked = Hooked(default="hooked")
    text = UnicodeAttribute(null=True)


@pytest.fixture(params=TRANSPORTS)
def world(request: pytest.FixtureRequest) -> cabc.Iterator[World]:
    """Two apps, by each transport. Each tenant's table has an item with the table's name as its text."""
    with two_apps.two_apps(transport=request.param) as world:
        world.answer = answer
        yield world


@pytest.fixture
def hook() -> cabc.Iterator[cabc.Callable[[str, cabc.Callable[[], t.Any]], None]]:
    """Sets what the attribute calls, once, at its next conversion."""
    plain = Hooked.hook

    def set_hook(name: str, function: cabc.Callable[[], t.Any]) -> None:
        def call(called: str) -> None:
            if called == name:
                Hooked.hook = staticmethod(plain)  # type: ignore[assignment]
                function()

        Hooked.hook = staticmethod(call)  # type: ignore[assignment]

    yield set_hook
    Hooked.hook = plain


def answer(request: Request) -> Answer:
    """An item of the table, with its name as the text."""
    item = {**KEYS, "text": {"S": str(request.body.get("TableName"))}, "hooked": {"S": "hooked"}}
    if request.operation == "GetItem":
        return {"Item": item}
    if request.operation == "UpdateItem":
        return {"Attributes": item}
    if request.operation == "TransactGetItems":
        return {"Responses": [{"Item": item}]}
    return two_apps.plain_answer(request)


def in_thread(world: World, app: str, tenant: str | None, function: cabc.Callable[[], t.Any]) -> t.Any:
    """The result of a function in another thread, in a context of its own."""

    def run() -> t.Any:
        with getattr(world, app).app_context():
            if tenant is None:
                return function()
            with world.db.tenant(tenant):
                return function()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(60)


def update(item: t.Any) -> None:
    """Update an object."""
    item.update([type(item).text.set("x")])


#: What reads values of the tenant's item into an object.
READS: dict[str, cabc.Callable[[t.Any], t.Any]] = {"refresh": lambda item: item.refresh(), "update": update}
#: What sends values of an object.
WRITES: dict[str, cabc.Callable[[World, t.Any], t.Any]] = {
    "save": lambda world, item: item.save(),
    "batch": lambda world, item: saved_in(type(item).batch_write(), item),
    "PynamoDB's batch": lambda world, item: saved_in(BatchWrite(type(item)), item),
    "transaction": lambda world, item: saved_in(world.db.transact_write(), item),
    "PynamoDB's transaction": lambda world, item: saved_in(TransactWrite(connection=world.db.connection), item),
}
#: Other places than the tenant of the first: an app and a tenant.
PLACES = [("one", "globex"), ("one", None), ("two", "acme")]
#: What sends the keys of an object.
KEY_USES: dict[str, cabc.Callable[[World, t.Any], t.Any]] = {
    "update": lambda world, item: update(item),
    "delete": lambda world, item: item.delete(),
    "refresh": lambda world, item: item.refresh(),
}


def saved_in(writer: t.Any, item: t.Any) -> None:
    """Save an object in a batch or a transaction."""
    with writer:
        writer.save(item)


class TestSharedByThreads:
    """An object that no tenant owns is that of the first tenant whose values it gets, whatever other threads do."""

    @pytest.mark.unmeasured
    @pytest.mark.parametrize("read", READS)
    @pytest.mark.parametrize("write", WRITES)
    @pytest.mark.parametrize("place", PLACES, ids=str)
    def test_written_while_it_is_filled(
        self, world: World, hook: t.Any, read: str, write: str, place: tuple[str, str | None]
    ) -> None:
        """While one thread fills it with values of a tenant, it cannot be written for another one."""
        item = HookedEntry("forum", "subject", text="new")
        refused: list[BaseException] = []

        def write_it() -> None:
            with pytest.raises(TenantMismatch) as caught:
                in_thread(world, *place, lambda: WRITES[write](world, item))
            refused.append(caught.value)

        hook("deserialize", write_it)
        in_thread(world, "one", "acme", lambda: READS[read](item))
        assert len(refused) == 1
        assert world.sent() == ["one acme-Entry"]

    @pytest.mark.parametrize("read", READS)
    @pytest.mark.parametrize("write", WRITES)
    @pytest.mark.parametrize("place", PLACES, ids=str)
    def test_filled_while_it_is_written(
        self, world: World, hook: t.Any, read: str, write: str, place: tuple[str, str | None]
    ) -> None:
        """An item that may have values of another tenant's, as a thread filled the object meanwhile, is not sent."""
        item = HookedEntry("forum", "subject", text="new")
        hook("serialize", lambda: in_thread(world, "one", "acme", lambda: READS[read](item)))
        with pytest.raises(TenantMismatch):
            in_thread(world, *place, lambda: WRITES[write](world, item))
        assert world.sent() == ["one acme-Entry"]

    @pytest.mark.parametrize("read", READS)
    def test_filled_while_its_item_is_on_the_way(self, world: World, read: str) -> None:
        """From the start of a tenant's write, no other tenant's values are put into it."""
        item, refused = Entry("forum", "subject", text="new"), []

        def answer_later(request: Request) -> Answer:
            if request.operation == "PutItem":
                with pytest.raises(TenantMismatch) as caught:
                    in_thread(world, "one", "acme", lambda: READS[read](item))
                refused.append(caught.value)
            return answer(request)

        world.answer = answer_later
        in_thread(world, "one", "globex", item.save)
        assert len(refused) == 1
        assert world.sent()[0] == "one globex-Entry"
        assert item.text == "new"
        with pytest.raises(TenantMismatch):
            in_thread(world, "one", "acme", item.save)

    @pytest.mark.parametrize("first", READS)
    @pytest.mark.parametrize("second", READS)
    @pytest.mark.parametrize(("app", "tenant"), [("one", "globex"), ("two", "acme")])
    def test_filled_for_two_tenants_at_once(self, world: World, first: str, second: str, app: str, tenant: str) -> None:
        """It keeps the values of the tenant whose response comes first. The other call raises."""
        item = Entry("forum", "subject", text="new")

        def answer_later(request: Request) -> Answer:
            world.answer = answer
            in_thread(world, "one", "acme", lambda: READS[first](item))
            return answer(request)

        world.answer = answer_later
        with pytest.raises(TenantMismatch):
            in_thread(world, app, tenant, lambda: READS[second](item))
        assert item.text == "acme-Entry"
        with pytest.raises(TenantMismatch):
            in_thread(world, app, tenant, item.save)
        in_thread(world, "one", "acme", item.save)

    def test_tenants_with_one_table(self, world: World, hook: t.Any) -> None:
        """Tenants that have one table may share an object, but not while one of them fills it."""
        item = HookedEntry("forum", "subject", text="new")
        hook("serialize", lambda: in_thread(world, "one", "north", item.refresh))
        with pytest.raises(TenantMismatch):
            in_thread(world, "one", "south", item.save)
        for tenant in ("south", "north"):
            in_thread(world, "one", tenant, item.save)
        assert world.sent() == ["one Entry"] * 3

    def test_threads_of_one_tenant(self, world: World, hook: t.Any) -> None:
        """Threads of one tenant share an object as in PynamoDB."""
        item = HookedEntry("forum", "subject", text="new")
        hook("serialize", lambda: in_thread(world, "one", "acme", item.refresh))
        in_thread(world, "one", "acme", item.save)
        assert world.sent() == ["one acme-Entry"] * 2

    def test_for_no_tenant_on_purpose(self, world: World, hook: t.Any) -> None:
        """In a ``db.without_tenant`` block any object is used, as alone."""
        item = HookedEntry("forum", "subject", text="new")
        hook("serialize", lambda: in_thread(world, "one", "acme", item.refresh))

        def save() -> None:
            with world.db.without_tenant(reason="copy"):
                item.save()

        in_thread(world, "one", None, save)
        assert world.sent() == ["one acme-Entry", "one Entry"]


class Keyed(dynaflask.Model):
    """A model with attributes of the program in its key and in a list."""

    class Meta:
        """Its table."""

        table_name = "Entry"

    forum_name = Hooked(hash_key=True)
    subject = UnicodeAttribute(range_key=True)
    texts = ListAttribute(of=Hooked, null=True)
    text = UnicodeAttribute(null=True)


class TestAttributesThatEnterABlock:
    """An attribute that enters a block, and stays in it, does not take the item along."""

    @pytest.mark.parametrize("use", [*WRITES, *KEY_USES])
    def test_it_is_refused(self, world: World, hook: t.Any, use: str) -> None:
        """The item of one tenant is sent neither for that tenant nor for the other one."""
        blocks: list[t.Any] = []

        def enter() -> None:
            blocks.append(world.db.tenant("globex"))
            blocks[0].__enter__()

        with world.one.app_context():
            with world.db.tenant("acme"):
                item = Keyed("forum", "subject", texts=["x"])
                hook("serialize", enter)
                with pytest.raises(RuntimeError, match="A block was entered or left in the middle of a call of Keyed"):
                    {**WRITES, **KEY_USES}[use](world, item)
                blocks[0].__exit__(None, None, None)
                assert world.sent() == []
                {**WRITES, **KEY_USES}[use](world, item)
                world.sent()

    def test_a_block_around_the_conversion_is_right(self, world: World, hook: t.Any) -> None:
        """An attribute may enter a block and leave it: the item goes to its own tenant."""

        def look_up() -> None:
            with world.db.tenant("globex"):
                Entry.get("forum", "subject")

        with world.one.app_context(), world.db.tenant("acme"):
            hook("serialize", look_up)
            HookedEntry("forum", "subject").save()
        assert world.sent() == ["one globex-Entry", "one acme-Entry"]


def failed(call: cabc.Callable[[], t.Any]) -> ConditionFailed:
    """The error of a call."""
    with pytest.raises(ConditionFailed) as caught:
        call()
    return caught.value


#: The signals whose receivers run in the middle of a call.
SIGNALS = {"pre": pre_dynamodb_send, "post": post_dynamodb_send, "finished": operation_finished}


def read_in_transaction(world: World) -> t.Any:
    """An object that a transaction reads."""
    with world.db.transact_get() as transaction:
        future = transaction.get(Entry, "forum", "subject")
    return future.get()


class TestReceiversThatEnterABlock:
    """A receiver of a signal that enters a block, and stays in it, does not give the object to another tenant."""

    @pytest.fixture(params=SIGNALS)
    def moved(self, request: pytest.FixtureRequest, world: World) -> cabc.Iterator[list[t.Any]]:
        """A list of blocks that the receiver has entered: at the first call of a test."""
        blocks: list[t.Any] = []

        def receive(*_: t.Any, **__: t.Any) -> None:
            if not blocks:
                blocks.append(world.db.tenant("globex"))
                blocks[0].__enter__()

        with SIGNALS[request.param].connected_to(receive):
            yield blocks

    @pytest.mark.parametrize("use", ["save", "batch", "transaction", "PynamoDB's transaction", "refresh", "update"])
    def test_the_object_keeps_its_tenant(self, world: World, moved: list[t.Any], use: str) -> None:
        """It belongs to the tenant that the call began for."""
        uses = {**WRITES, **{name: lambda world, item, name=name: READS[name](item) for name in READS}}
        with world.one.app_context():
            with world.db.tenant("acme"):
                item = Entry("forum", "subject", text="new")
                uses[use](world, item)
                moved[0].__exit__(None, None, None)
                with world.db.tenant("globex"), pytest.raises(TenantMismatch):
                    item.save()
                item.save()
        assert world.sent() == ["one acme-Entry"] * 2

    @pytest.mark.parametrize("use", ["batch", "PynamoDB's batch"])
    @pytest.mark.parametrize("tenant", ["acme", "north", None])
    def test_what_a_batch_left_stays(self, world: World, moved: list[t.Any], use: str, tenant: str | None) -> None:
        """Items that DynamoDB did not process are sent again to the table of the call, or not at all."""
        world.answer = lambda request: (
            {"UnprocessedItems": request.body["RequestItems"]} if not sent else answer(request)
        )
        sent: list[str] = []
        with world.one.app_context(), world.db.tenant(tenant) if tenant else contextlib.nullcontext():
            with pytest.raises(RuntimeError, match="in the middle of a call of Entry"):
                WRITES[use](world, Entry("forum", "subject"))
            moved[0].__exit__(None, None, None)
            sent += world.sent()
            WRITES[use](world, Entry("forum", "subject"))
        assert len(set(world.sent() + sent)) == 1

    @pytest.mark.parametrize("moved", ["pre", "finished"], indirect=True)
    def test_no_table_of_another_tenant_is_made(self, world: World, moved: list[t.Any]) -> None:
        """``create_table`` looks if there is a table, and is refused if the code stands in another block after that."""
        missing = {"__type": "x#ResourceNotFoundException", "message": "Requested resource not found"}
        world.answer = lambda request: (400, missing)
        with world.one.app_context(), world.db.tenant("acme"):
            with pytest.raises(RuntimeError, match="in the middle of a call of Entry"):
                Entry.create_table()
            moved[0].__exit__(None, None, None)
            assert not Entry.exists()
        assert world.sent() == ["one acme-Entry"] * 2

    def test_no_table_of_another_tenant_is_deleted(self, world: World, moved: list[t.Any]) -> None:
        """``delete_table`` may look up the other tenants, and is refused if that has entered the block of one."""
        names = list(two_apps.TENANTS)

        @world.db.tenant_lister
        def list_tenants() -> list[str]:
            with world.db.without_tenant(reason="test"):
                Entry.get("forum", "subject", attributes_to_get=["text"])
            return names

        with world.one.app_context(), world.db.tenant("acme"):
            with pytest.raises(RuntimeError, match="in the middle of a call of Entry"):
                Entry.delete_table()
            moved[0].__exit__(None, None, None)
            assert world.sent() == ["one Entry"]
            Entry.delete_table()
        assert world.sent() == ["one Entry", "one acme-Entry"]

    @pytest.mark.parametrize("size", [2, 150])
    @pytest.mark.parametrize("tenant", ["acme", "north", None])
    def test_the_pages_of_a_batch_get_are_of_one_table(
        self, world: World, moved: list[t.Any], tenant: str | None, size: int
    ) -> None:
        """Further keys are not read from the table of the other tenant: the call is refused."""
        keys = [("forum", str(number)) for number in range(size)]
        world.answer = lambda request: {"Responses": {}, "UnprocessedKeys": request.body["RequestItems"]}
        with world.one.app_context(), world.db.tenant(tenant) if tenant else contextlib.nullcontext():
            with pytest.raises(RuntimeError, match="in the middle of a call of Entry"):
                list(Entry.batch_get(keys))
            moved[0].__exit__(None, None, None)
        assert len(world.sent()) == 1

    @pytest.mark.parametrize("model", [Entry, HookedEntry])
    def test_a_new_object_has_its_tenant_or_is_refused(self, world: World, moved: list[t.Any], model: t.Any) -> None:
        """``get`` returns an object of the tenant that it was called for, or none."""
        with world.one.app_context(), world.db.tenant("acme"):
            try:
                item = model.get("forum", "subject")
            except RuntimeError as error:
                assert "in the middle of a call of" in str(error)  # noqa: PT017 - it may also succeed
            else:
                with pytest.raises(TenantMismatch):
                    item.save()
            moved[0].__exit__(None, None, None)
            model.get("forum", "subject").save()
        assert world.sent() == ["one acme-Entry"] * 3

    # PynamoDB does not send the other one after an error.
    @pytest.mark.parametrize("moved", ["pre", "finished"], indirect=True)
    @pytest.mark.parametrize("use", ["save", "get_or_create"])
    def test_the_item_of_an_error(self, world: World, moved: list[t.Any], use: str) -> None:
        """A false condition of one tenant's call does not give the item to another tenant."""
        world.answer = lambda request: (
            answer(request)
            if request.operation != "PutItem"
            else (400, {"__type": "ConditionalCheckFailedException", "message": "no", "Item": KEYS})
        )

        def call() -> t.Any:
            if use == "get_or_create":
                return Entry.get_or_create("forum", "subject")
            return Entry("forum", "subject").save(
                Entry.text == "x",
                return_values_on_condition_failure="ALL_OLD",  # type: ignore[call-arg]
            )

        with world.one.app_context(), world.db.tenant("acme"):
            with pytest.raises(ConditionFailed) as caught:
                call()
            assert caught.value.item is None
            moved[0].__exit__(None, None, None)
            item = call()[0] if use == "get_or_create" else failed(call).item
            with world.db.tenant("globex"), pytest.raises(TenantMismatch):
                item.refresh()
            item.refresh()
        assert set(world.sent()) == {"one acme-Entry"}

    def test_what_a_transaction_reads(self, world: World, moved: list[t.Any]) -> None:
        """It is refused, and read again outside of the other block."""
        with world.one.app_context(), world.db.tenant("acme"):
            with pytest.raises(TenantMismatch, match="A transaction is for one tenant: Entry was added for 'acme'"):
                read_in_transaction(world)
            moved[0].__exit__(None, None, None)
            read_in_transaction(world).save()
        assert world.sent() == ["one acme-Entry"] * 3

    def test_a_block_that_ends(self, world: World) -> None:
        """So it is if the block ends in the middle of a call, as that of a generator that is collected."""

        def block() -> cabc.Iterator[None]:
            with world.db.tenant("globex"):
                yield

        with world.one.app_context(), world.db.tenant("acme"):
            generators = [block()]
            next(generators[0])
            with pre_dynamodb_send.connected_to(lambda *_, **__: generators.clear()):
                item = Entry("forum", "subject")
                item.refresh()
            with pytest.raises(TenantMismatch):
                item.save()
            with world.db.tenant("globex"):
                item.save()
        assert world.sent() == ["one globex-Entry"] * 2
