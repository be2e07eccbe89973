"""Blocks that a program enters and leaves by hand, in any order and any place."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import typing as t

import pytest

from dynaflask.registry.block_stack import BlockStack
from dynaflask.registry.block_stack import block_stack
from tests.support.two_apps import World

LEFT = (None, None, None)


def enter(world: World, tenant: str) -> t.Any:
    """A tenant's block, entered."""
    block = world.db.tenant(tenant)
    block.__enter__()
    return block


def save(world: World) -> None:
    """Make a call."""
    world.Thread("forum", "subject").save()


def save_for(world: World, tenant: str) -> None:
    """Make a call for a tenant."""
    with world.db.tenant(tenant):
        save(world)


def enter_by_function(block: t.Any) -> None:
    """Enter a block by another function."""
    THROUGH["a function"](block)


def enter_by_callback(block: t.Any) -> None:
    """Enter a block through a stack, which is not closed."""
    list(map(contextlib.ExitStack().enter_context, [block]))


#: How a function enters a block for its caller.
THROUGH: dict[str, t.Callable[[t.Any], None]] = {
    "a function": lambda block: block.__enter__(),
    "two functions": enter_by_function,
    "a callback": enter_by_callback,
}


class TestOrder:
    """Blocks may be left in another order than they were entered in: each ends alone."""

    def test_the_outer_one_first(self, world: World) -> None:
        """The inner block stays in force when the outer one is left."""
        with world.one.app_context():
            acme, globex = enter(world, "acme"), enter(world, "globex")
            acme.__exit__(*LEFT)
            save(world)
            globex.__exit__(*LEFT)
            save(world)
        assert world.sent() == ["one globex-Thread", "one Thread"]

    def test_one_object_twice(self, world: World) -> None:
        """An object that is entered twice is left twice; a third time is an error, and changes nothing."""
        with world.one.app_context(), world.db.tenant("globex"):
            acme = enter(world, "acme")
            acme.__enter__()
            for _ in range(2):
                save(world)
                acme.__exit__(*LEFT)
            with pytest.raises(RuntimeError, match="left already"):
                acme.__exit__(*LEFT)
            save(world)
        assert world.sent() == ["one acme-Thread", "one acme-Thread", "one globex-Thread"]

    def test_one_object_in_two_apps(self, world: World) -> None:
        """An object may be entered in contexts of two apps, which have a tenant of that name each."""
        acme = world.db.tenant("acme")
        with world.one.app_context(), acme:
            with world.two.app_context(), acme:
                save(world)
            save(world)
        assert world.sent() == ["two acme-Thread", "one acme-Thread"]

    def test_after_an_error(self, world: World) -> None:
        """A block that an error jumped over ends with its context, and is not in force in the next one."""
        with contextlib.suppress(ZeroDivisionError), world.one.app_context():
            enter(world, "acme")
            1 / 0  # noqa: B018
        with world.one.app_context():
            save(world)
        assert world.sent() == ["one Thread"]


class TestContexts:
    """A block belongs to the app context that it was entered in."""

    def test_left_in_a_context_of_the_other_app(self, world: World) -> None:
        """The other app's own block stays in force."""
        with world.one.app_context():
            acme = enter(world, "acme")
            with world.two.app_context(), world.db.tenant("globex"):
                acme.__exit__(*LEFT)
                save(world)
            save(world)
        assert world.sent() == ["two globex-Thread", "one Thread"]

    def test_left_after_its_context(self, world: World) -> None:
        """It is not in force after the context, and can still be left."""
        with world.one.app_context():
            acme = enter(world, "acme")
        with world.one.app_context():
            save(world)
            acme.__exit__(*LEFT)
            save(world)
        assert world.sent() == ["one Thread", "one Thread"]


class TestGenerators:
    """A block that is entered by hand for a generator is the generator's, as that of a ``with`` statement."""

    @pytest.mark.parametrize("through", ["itself", *THROUGH])
    def test_two_in_turns(self, world: World, through: str) -> None:
        """The generator's code is in its own block, whichever function entered it for the generator."""

        def saves(tenant: str) -> t.Iterator[None]:
            block = world.db.tenant(tenant)
            if through == "itself":
                block.__enter__()
            else:
                THROUGH[through](block)
            for _ in range(2):
                save(world)
                yield
            block.__exit__(*LEFT)
            save(world)
            yield

        with world.one.app_context():
            acme, globex = saves("acme"), saves("globex")
            for generator in (acme, globex, acme, globex, acme, globex):
                next(generator)
        # When the first has left its block, that of the second is in force for it, as for all code around.
        assert world.sent() == [
            *["one acme-Thread", "one globex-Thread"] * 2,
            "one globex-Thread",
            "one Thread",
        ]

    def test_left_by_other_code(self, world: World) -> None:
        """Code that leaves a suspended generator's block ends it for the generator, too."""
        blocks = []

        def saves() -> t.Iterator[None]:
            blocks.append(enter(world, "acme"))
            while True:
                save(world)
                yield

        with world.one.app_context():
            generator = saves()
            next(generator)
            with world.db.tenant("globex"):
                blocks[0].__exit__(*LEFT)
                next(generator)
            next(generator)
        assert world.sent() == ["one acme-Thread", "one globex-Thread", "one Thread"]

    def test_a_with_statement_in_a_function_ends_with_it(self, world: World) -> None:
        """What a function enters and leaves for itself has no effect in the generator that calls it."""

        def save_in_globex() -> None:
            with world.db.tenant("globex"):
                save(world)

        def saves() -> t.Iterator[None]:
            with world.db.tenant("acme"):
                while True:
                    save_in_globex()
                    save(world)
                    yield

        with world.one.app_context():
            first, second = saves(), saves()
            for generator in (first, second, first):
                next(generator)
        assert world.sent() == ["one globex-Thread", "one acme-Thread"] * 3


class TestElsewhere:
    """A block that is left in another thread or task is over where it was entered."""

    def test_in_another_thread(self, world: World) -> None:
        """The thread that entered it is not in the block any more."""
        with world.one.app_context(), concurrent.futures.ThreadPoolExecutor(1) as pool:
            acme = enter(world, "acme")
            pool.submit(acme.__exit__, *LEFT).result(60)
            save(world)
        assert world.sent() == ["one Thread"]

    def test_in_a_copy_of_the_context(self, world: World) -> None:
        """It is over in the context that entered it and in the one that left it; other copies are refused.

        Python does not tell whether a copy was made inside of the block, or after it was left.
        """
        with world.one.app_context():
            acme = enter(world, "acme")
            leaving, before = contextvars.copy_context(), contextvars.copy_context()
            leaving.run(acme.__exit__, *LEFT)
            after = contextvars.copy_context()
            for copied in (before, after):
                with pytest.raises(RuntimeError, match=r"not known if the copy was made before or after.* Name the"):
                    copied.run(save, world)
                copied.run(save_for, world, "globex")
            leaving.run(save, world)
            save(world)
            contextvars.copy_context().run(save, world)
        assert world.sent() == [*["one globex-Thread"] * 2, *["one Thread"] * 3]

    def test_in_another_task(self, world: World) -> None:
        """A task that entered a block which another task has left goes on outside of it."""

        async def main() -> None:
            acme = enter(world, "acme")

            async def leave() -> None:
                acme.__exit__(*LEFT)
                save(world)

            await asyncio.create_task(leave())
            save(world)

        with world.one.app_context(), world.db.tenant("globex"):
            asyncio.run(main())
        assert world.sent() == ["one globex-Thread", "one globex-Thread"]

    def test_a_transaction_of_the_block(self, world: World) -> None:
        """A transaction that was begun in the block is sent for its tenant."""
        with world.one.app_context():
            with world.db.transact_write() as transaction:
                with world.db.tenant("acme"):
                    transaction.save(world.Thread("forum", "subject"))
                with world.db.tenant("globex"):
                    save(world)
            save(world)
        assert world.sent() == ["one globex-Thread", "one acme-Thread", "one Thread"]


class Interrupted(BaseException):
    """What the handler of a signal raises, such as a time limit of Celery or RQ."""


@contextlib.contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch, name: str, *, is_late: bool) -> t.Iterator[None]:
    """Interrupt a step of the stack of blocks once, before or after it."""
    step = getattr(BlockStack, name)

    def interrupt(*args: t.Any) -> t.NoReturn:
        patch.undo()
        if is_late:
            step(*args)
        raise Interrupted

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(BlockStack, name, interrupt)
        yield


def save_in(block: t.Any, world: World) -> t.Iterator[None]:
    """A generator that makes a call in a block."""
    with block:
        save(world)
        yield


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
class TestInterrupted:
    """A signal may raise while a block is entered or left. The code that handles it is not in the block."""

    @pytest.mark.parametrize("name", ["push", "remove", "innermost_of"])
    def test_the_block_is_left(
        self, world: World, monkeypatch: pytest.MonkeyPatch, *, name: str, is_late: bool
    ) -> None:
        """No call goes to the tenant of the block, in either app, and the same object can be entered again."""
        block = world.db.tenant("acme")
        for app in (world.one, world.two):
            with app.app_context(), world.db.tenant("globex"):
                # A second block of the object, so that the innermost one is looked for.
                twin = block if name == "innermost_of" else contextlib.nullcontext()
                with interrupted(monkeypatch, name, is_late=is_late), twin, block:
                    pass
                save(world)
                with block:
                    save(world)
                save(world)
            assert [table[4:] for table in world.sent()] == ["globex-Thread", "acme-Thread", "globex-Thread"]
            with pytest.raises(RuntimeError, match="left already"):
                block.__exit__(*LEFT)

    @pytest.mark.parametrize("name", ["push", "remove"])
    def test_a_generators_block(
        self, world: World, monkeypatch: pytest.MonkeyPatch, *, name: str, is_late: bool
    ) -> None:
        """If a signal interrupts a block of a generator, the context keeps nothing of the generator."""
        with world.one.app_context():
            with interrupted(monkeypatch, name, is_late=is_late):
                list(save_in(world.db.tenant("acme"), world))
            assert list(world.db.registry.scope.root.generator_blocks) == []
            assert world.db.current_tenant is None

    def test_a_copy_of_the_context(self, world: World, monkeypatch: pytest.MonkeyPatch, *, is_late: bool) -> None:
        """A copy of the context that was made in the block stays in it."""
        with world.one.app_context():
            with interrupted(monkeypatch, "remove", is_late=is_late), world.db.tenant("acme"):
                copied = contextvars.copy_context()
            copied.run(save, world)
            save(world)
        assert world.sent() == ["one acme-Thread", "one Thread"]


class InterruptedVariable:
    """A ``ContextVar`` whose first change is made, and interrupted then."""

    def __init__(self, variable: contextvars.ContextVar[t.Any]) -> None:
        self._variable = variable
        self._is_interrupted = False

    def set(self, value: t.Any) -> t.Any:
        """Set the value."""
        token = self._variable.set(value)
        if not self._is_interrupted:
            self._is_interrupted = True
            raise Interrupted
        return token


@pytest.mark.parametrize("step", ["reset", "set"])
def test_a_look_at_the_stack_that_is_interrupted(world: World, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """A signal may raise while the stack is asked in which thread a block was entered. The block stays in force."""
    reset = block_stack.reset

    def interrupted_reset(token: t.Any) -> t.NoReturn:
        reset(token)
        raise Interrupted

    for app in (world.one, world.two):
        stand_ins = {
            "reset": ("reset", interrupted_reset),
            "set": ("_blocks", InterruptedVariable(block_stack._blocks)),
        }
        with app.app_context():
            for _ in save_in(world.db.tenant("acme"), world):
                with world.db.tenant("globex"):
                    with monkeypatch.context() as patch, pytest.raises(Interrupted):
                        patch.setattr(block_stack, *stand_ins[step])
                        block_stack._is_entered_here(block_stack.entered()[-1])
                    save(world)
                    with world.db.tenant("acme"):
                        save(world)
                    save(world)
        acme, globex = f"{app.name} acme-Thread", f"{app.name} globex-Thread"
        assert world.sent() == [acme, globex, acme, globex]


def test_results_that_are_interrupted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal may raise when a result of one tenant is read for another one, whose block goes on."""
    for app in (world.one, world.two):
        with app.app_context():
            with world.db.tenant("acme"):
                items = world.Thread.batch_get([("forum", "subject")])
            with world.db.tenant("globex"):
                with monkeypatch.context() as patch, pytest.raises(Interrupted):
                    patch.setattr(block_stack, "_blocks", InterruptedVariable(block_stack._blocks))
                    next(items)
                save(world)
        assert world.sent() == [f"{app.name} globex-Thread"]
