"""Two apps and their tenants in any sequence: contexts, blocks, generators, copies, and what a program keeps of them.

Each call goes where a model of plain lists says, as two servers see it, or is refused and sends nothing.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import contextvars
import dataclasses
import typing as t

import flask
import pynamodb.transactions
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import invariant
from hypothesis.stateful import multiple
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from hypothesis.stateful import run_state_machine_as_test

from tests.support.two_apps import TENANTS
from tests.support.two_apps import World
from tests.support.two_apps import two_apps

LEFT = (None, None, None)
APPS = st.sampled_from(["one", "two"])
NAMES = st.sampled_from(sorted(TENANTS))
#: Where code runs: in the test itself, or in a copy of its context in another thread, or in this one.
WAYS = st.sampled_from(["here", "copy", "thread"])


@dataclasses.dataclass(eq=False)
class Context:
    """An app context."""

    app: str
    itself: t.Any
    pushes: int = 0


@dataclasses.dataclass(eq=False)
class Block:
    """An entered block: whose context it is in, and its tenant."""

    context: Context
    tenant: str | None
    itself: t.Any = None
    is_left_elsewhere: bool = False


class Place(t.NamedTuple):
    """Where a call belongs: a context, and its tenant."""

    context: Context
    tenant: str | None

    @property
    def table(self) -> str:
        """The app and the table of a thread."""
        return f"{self.context.app} {TENANTS.get(self.tenant or '', {}).get('table_prefix', '')}Thread"

    @property
    def owner(self) -> tuple[str, str] | None:
        """Whose an object is that is saved here."""
        return (self.context.app, self.tenant) if self.tenant else None


@dataclasses.dataclass(eq=False)
class Inside:
    """A generator in blocks, which the test has resumed."""

    itself: t.Generator[t.Any, t.Any]
    blocks: list[Block]


@dataclasses.dataclass(eq=False)
class Kept:
    """Something that was made at a place, and is used later."""

    place: Place
    use: t.Callable[[], t.Any]
    is_used: bool = False
    is_read: bool = False


@dataclasses.dataclass(eq=False)
class Item:
    """An object, and the table that it belongs to, if it was a tenant's."""

    itself: t.Any
    table: str | None


@dataclasses.dataclass(eq=False)
class Copied:
    """A copy of the test's context: the context that is current in it, and the blocks that it is inside of."""

    itself: contextvars.Context
    current: Context | None
    blocks: list[Block]
    left_before: set[Block]


def saving(world: World, tenant: str) -> t.Generator[t.Any, t.Any]:
    """A generator in a tenant's block. It does what it is sent, and returns the error, if there was one."""
    with world.db.tenant(tenant):
        error: BaseException | None = None
        while True:
            command = yield error
            error = None
            if command == "leave":
                return
            if command in TENANTS:
                error = yield from saving(world, command)
            else:
                try:
                    world.Thread("forum", "subject").save()
                except RuntimeError as refused:
                    error = refused


class Sequences(RuleBasedStateMachine):
    """After any steps, each call goes where the model says."""

    world: t.ClassVar[World]

    generators = Bundle("generators")
    batches = Bundle("batches")
    readers = Bundle("readers")
    items = Bundle("items")
    copies = Bundle("copies")

    def __init__(self) -> None:
        super().__init__()
        self.pushed: list[Context] = []
        self.entered: list[Block] = []
        self.living: list[Inside] = []
        self.left_elsewhere: set[Block] = set()
        self.are_interleaved = False
        self.world.sent()

    # The model.

    @property
    def current(self) -> Context | None:
        """The current context of the test."""
        return self.pushed[-1] if self.pushed else None

    @property
    def place(self) -> Place | None:
        """Where the test's own code is."""
        return innermost(self.current, self.entered)

    def check(self, place: Place | None, call: t.Callable[[], t.Any], *, table: str | None = None) -> t.Any:
        """A call goes to the place and nowhere else; without a place it is refused, and sends nothing."""
        if place is None or not place.context.pushes:
            with pytest.raises(RuntimeError):
                call()
            assert self.world.sent() == []
            return None
        result = call()
        assert self.world.sent() == [table or place.table]
        return result

    def run(self, way: str, copied: contextvars.Context, function: t.Callable[[], t.Any]) -> t.Any:
        """Run a function in a copied context, in this thread or in another one."""
        if way == "thread":
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                return pool.submit(copied.run, function).result(60)
        return copied.run(function)

    # Contexts and blocks.

    @precondition(lambda self: len(self.pushed) < 4)
    @rule(app=APPS)
    def push(self, app: str) -> None:
        """Push a context of an app, inside the others."""
        context = Context(app, getattr(self.world, app).app_context())
        self.push_again(context)

    @precondition(lambda self: 0 < len(self.pushed) < 5)
    @rule(data=st.data())
    def push_one_again(self, data: st.DataObject) -> None:
        """Push a context that is pushed already."""
        self.push_again(data.draw(st.sampled_from(self.pushed)))

    def push_again(self, context: Context) -> None:
        """Push a context."""
        context.itself.push()
        context.pushes += 1
        self.pushed.append(context)

    @precondition(lambda self: self.pushed)
    @rule()
    def pop(self) -> None:
        """Pop the current context. Its blocks stay entered."""
        context = self.pushed.pop()
        context.itself.pop()
        context.pushes -= 1

    @precondition(lambda self: self.pushed)
    @rule(tenant=NAMES)
    def enter(self, tenant: str) -> None:
        """Enter a block by hand."""
        itself = self.world.db.tenant(tenant)
        itself.__enter__()
        self.entered.append(Block(t.cast("Context", self.current), tenant, itself))

    @precondition(lambda self: any(block.itself for block in self.entered))
    @rule(way=WAYS, data=st.data())
    def leave(self, way: str, data: st.DataObject) -> None:
        """Leave any block that was entered by hand, here or elsewhere."""
        block = data.draw(st.sampled_from([block for block in self.entered if block.itself]))
        self.entered.remove(block)
        self.leave_by(way, block)
        if way == "here":
            block.itself.__exit__(*LEFT)
        else:
            self.run(way, contextvars.copy_context(), lambda: block.itself.__exit__(*LEFT))

    def leave_by(self, way: str, block: Block) -> None:
        """Note how a block was left."""
        block.is_left_elsewhere = way != "here"
        if block.is_left_elsewhere:
            self.left_elsewhere.add(block)

    @rule()
    def call(self) -> None:
        """A call of the test's own."""
        self.check(self.place, self.world.Thread("forum", "subject").save)

    # Generators.

    @precondition(lambda self: self.pushed and len(self.living) < 4)
    @rule(target=generators, tenant=NAMES, way=WAYS)
    def begin(self, tenant: str, way: str) -> Inside:
        """Begin a generator, which stands in a tenant's block. The block is in force where it was begun as well."""
        generator = saving(self.world, tenant)
        inside = Inside(generator, [Block(t.cast("Context", self.current), tenant)])
        if way == "here":
            next(generator)
            self.entered.append(inside.blocks[0])
        else:
            self.run(way, contextvars.copy_context(), lambda: next(generator))
        self.living.append(inside)
        return inside

    @rule(inside=generators, way=WAYS)
    def resume(self, inside: Inside, way: str) -> None:
        """A call of a generator goes to its own tenant, in its own context; elsewhere it is refused."""
        if inside not in self.living:
            return
        own = inside.blocks[-1]
        self.note_turn(inside)
        is_there = self.current is own.context

        def step() -> None:
            error = inside.itself.send("save")
            if error is not None:
                raise error

        place = Place(own.context, own.tenant) if is_there else None
        if way == "here":
            self.check(place, step)
        else:
            copied = contextvars.copy_context()
            self.check_in_copy(place, lambda: self.run(way, copied, step), is_clear=not self.left_elsewhere)

    def note_turn(self, inside: Inside) -> None:
        """Note if a generator runs inside of another block: it may have made any copy from now on."""
        if self.entered and self.entered[-1] not in inside.blocks:
            self.are_interleaved = True

    @rule(inside=generators, tenant=NAMES)
    def nest(self, inside: Inside, tenant: str) -> None:
        """A generator enters a further block."""
        if inside in self.living and self.current is inside.blocks[-1].context and len(inside.blocks) < 3:
            self.note_turn(inside)
            inside.itself.send(tenant)
            inside.blocks.append(Block(inside.blocks[-1].context, tenant))
            self.entered.append(inside.blocks[-1])

    @rule(inside=generators, way=WAYS, how=st.sampled_from(["leave", "close"]))
    def end(self, inside: Inside, way: str, how: str) -> None:
        """A generator leaves its innermost block, or all of them, here or elsewhere."""
        if inside not in self.living:
            return

        self.note_turn(inside)

        def leave() -> None:
            if how == "close":
                inside.itself.close()
            else:
                next_or_end(inside.itself, "leave")

        if way == "here":
            leave()
        else:
            self.run(way, contextvars.copy_context(), leave)
        for block in inside.blocks[-1:] if how == "leave" else list(inside.blocks):
            inside.blocks.remove(block)
            if block in self.entered:
                self.entered.remove(block)
            self.leave_by(way, block)
        if not inside.blocks:
            self.living.remove(inside)

    # Copies of the context.

    @rule(target=copies)
    def copy(self) -> Copied:
        """Copy the context: what runs in the copy stays in the blocks of now."""
        return Copied(contextvars.copy_context(), self.current, list(self.entered), set(self.left_elsewhere))

    @rule(copied=copies, way=st.sampled_from(["copy", "thread"]))
    def call_in_copy(self, copied: Copied, way: str) -> None:
        """A call in a copy."""

        def save() -> t.Any:
            return self.run(way, copied.itself, self.world.Thread("forum", "subject").save)

        is_clear = not (self.are_interleaved or copied.left_before) and not any(
            block.is_left_elsewhere for block in copied.blocks
        )
        self.check_in_copy(innermost(copied.current, copied.blocks), save, is_clear=is_clear)

    def check_in_copy(self, place: Place | None, call: t.Callable[[], t.Any], *, is_clear: bool) -> None:
        """A call in a copy goes to the place, or may be refused if other code has left a block of the copy.

        So may it if a generator of another block has run.
        """
        if is_clear:
            self.check(place, call)
            return
        with contextlib.suppress(RuntimeError):
            call()
        assert self.world.sent() in ([], [place and place.table])

    # What a program keeps.

    @precondition(lambda self: self.place)
    @rule(target=batches, kind=st.sampled_from(["batch", "transaction", "own transaction", "read"]))
    def begin_batch(self, kind: str) -> Kept:
        """Begin what goes on only in its own context."""
        place, thread, db = t.cast("Place", self.place), self.world.Thread, self.world.db
        if kind == "read":
            results = thread.batch_get([("forum", "subject")])
            return Kept(place, lambda: list(results), is_read=True)
        if kind == "batch":
            batch = thread.batch_write()
            batch.save(thread("forum", "subject"))
            return Kept(place, batch.commit)
        own = kind == "own transaction"
        transaction: t.Any = (
            pynamodb.transactions.TransactWrite(connection=db.connection) if own else db.transact_write()
        )
        transaction.save(thread("forum", "subject"))
        kept = Kept(place, lambda: transaction.__exit__(*LEFT))
        # PynamoDB's own transactions know no block: they are refused in another tenant's.
        return dataclasses.replace(kept, use=lambda: self.send_own(kept)) if own else kept

    def send_own(self, kept: Kept) -> None:
        """Send a transaction of PynamoDB's own, where the model says that it is refused or not."""
        if self.place is not None and self.place != kept.place:
            with pytest.raises(RuntimeError):
                kept.use()
            assert self.world.sent() == []
            # In its tenant's block, it is sent.
            with (
                self.world.db.tenant(kept.place.tenant)
                if kept.place.tenant
                else self.world.db.without_tenant(reason="test")
            ):
                kept.use()
        else:
            kept.use()

    @rule(kept=batches)
    def send(self, kept: Kept) -> None:
        """Send a batch in any block: it goes to its own place. In another context it is refused."""
        if not kept.is_used:
            is_there = self.current is kept.place.context
            self.check(kept.place if is_there else None, kept.use)
            # A generator that was refused has ended.
            kept.is_used = kept.is_read or (is_there and bool(kept.place.context.pushes))

    @precondition(lambda self: self.place)
    @rule(target=readers, kind=st.sampled_from(["table", "query", "scan"]))
    def keep(self, kind: str) -> Kept:
        """Keep a connection, or results that were not begun to be read."""
        thread = self.world.Thread
        if kind == "table":
            table = thread._get_connection()
            return Kept(t.cast("Place", self.place), lambda: table.get_item("forum", range_key="subject"))
        results = thread.query("forum") if kind == "query" else thread.scan()
        return Kept(t.cast("Place", self.place), lambda: next(results))

    @rule(target=items, kept=readers)
    def read(self, kept: Kept) -> t.Any:
        """Use it anywhere: it goes to its own place as long as its context has not ended."""
        if kept.is_used:
            return multiple()
        result = self.check(kept.place, kept.use)
        if result is None or isinstance(result, dict):
            return multiple()
        kept.is_used = True
        return Item(result, kept.place.table if kept.place.tenant else None)

    @precondition(lambda self: self.place)
    @rule(target=items)
    def get(self) -> Item:
        """Read an object."""
        place = t.cast("Place", self.place)
        item = self.check(place, lambda: self.world.Thread.get("forum", "subject"))
        return Item(item, place.table if place.tenant else None)

    @rule(item=items, use=st.sampled_from(["save", "delete", "refresh"]))
    def use(self, item: Item, use: str) -> None:
        """Use an object: a tenant's only where its own table is."""
        place = self.place
        is_own = place is not None and item.table in {None, place.table}
        self.check(place if is_own else None, getattr(item.itself, use))
        if place is not None and is_own and place.tenant and use != "delete":
            item.table = place.table

    @invariant()
    def nothing_else_was_sent(self) -> None:
        """No step sends more than its own call."""
        assert self.world.sent() == []

    def teardown(self) -> None:
        """End all."""
        for inside in self.living:
            inside.itself.close()
        while self.pushed:
            self.pop()
        for block in self.entered:
            if block.itself:
                block.itself.__exit__(*LEFT)


def innermost(context: Context | None, blocks: list[Block]) -> Place | None:
    """Where code is that stands in these blocks while a context is current."""
    if context is None:
        return None
    tenants = [block.tenant for block in blocks if block.context is context]
    return Place(context, tenants[-1] if tenants else None)


def next_or_end(generator: t.Generator[t.Any, t.Any], command: str) -> None:
    """Resume a generator, which may end."""
    with contextlib.suppress(StopIteration):
        generator.send(command)


@pytest.mark.unmeasured
def test_any_sequence() -> None:
    """No sequence of steps sends a call to another app or tenant than its own."""
    assert not flask.has_app_context()
    with two_apps() as world:
        Sequences.world = world
        run_state_machine_as_test(
            Sequences,
            settings=settings(max_examples=50, stateful_step_count=40),
        )
