"""A value that code has until its block ends, and that no thread, task or generator takes out of the block."""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import contextlib
import contextvars
import threading
import typing as t
import weakref

import pytest

from dynaflask.operations.block_value import BlockVariable
from tests.support.interrupts import interrupted_after


@pytest.fixture
def variable() -> BlockVariable[str]:
    """A variable of its own for each test: a context keeps what a test leaves behind."""
    return BlockVariable("test", "default")


def in_thread(function: cabc.Callable[[], t.Any]) -> t.Any:
    """The result of a function that runs in another thread."""
    results: list[t.Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join(30)
    (result,) = results
    return result


class TestBlock:
    """The code of the block has the value."""

    def test_it_ends_with_the_block(self, variable: BlockVariable[str]) -> None:
        """The value is there from the begin of the block to its end, however often it is read."""
        assert variable.get() == "default"
        with variable.block("one"):
            assert [variable.get(), variable.get()] == ["one", "one"]
        assert variable.get() == "default"

    def test_an_error_ends_it(self, variable: BlockVariable[str]) -> None:
        """An exception ends the block and its value, and is not hidden."""
        with pytest.raises(ZeroDivisionError), variable.block("one"):
            raise ZeroDivisionError
        assert variable.get() == "default"

    def test_the_innermost_block_wins(self, variable: BlockVariable[str]) -> None:
        """After an inner block, the value of the outer one is back."""
        with variable.block("one"):
            with variable.block("two"):
                assert variable.get() == "two"
            assert variable.get() == "one"
        assert variable.get() == "default"

    def test_two_variables_are_apart(self, variable: BlockVariable[str]) -> None:
        """A block of one variable does not change another one."""
        other = BlockVariable("test", 0)
        with variable.block("one"), other.block(1):
            assert (variable.get(), other.get()) == ("one", 1)
        with variable.block("one"):
            assert other.get() == 0


class TestCopies:
    """A copy of the block's context does not have the value."""

    def test_a_thread_with_a_copied_context(self, variable: BlockVariable[str]) -> None:
        """A thread that is begun in the block is no part of it, and the block goes on after it."""
        with variable.block("one"):
            context = contextvars.copy_context()
            assert in_thread(lambda: context.run(variable.get)) == "default"
            assert variable.get() == "one"

    def test_a_thread_with_a_context_of_its_own(self, variable: BlockVariable[str]) -> None:
        """A thread that copies no context has the default, and blocks of its own."""

        def enter() -> str:
            with variable.block("two"):
                return variable.get()

        with variable.block("one"):
            assert (in_thread(variable.get), in_thread(enter), variable.get()) == ("default", "two", "one")

    def test_a_copy_in_the_same_thread(self, variable: BlockVariable[str]) -> None:
        """The thread alone does not tell a copy: a handler may run code in one."""
        with variable.block("one"):
            context = contextvars.copy_context()
            assert (context.run(variable.get), variable.get()) == ("default", "one")

    def test_a_copy_that_outlives_the_block(self, variable: BlockVariable[str]) -> None:
        """A thread that is begun in the block and reads later has the default, also within a block of another value."""
        with variable.block("one"):
            context = contextvars.copy_context()
        assert context.run(variable.get) == "default"
        with variable.block("two"):
            assert (in_thread(lambda: context.run(variable.get)), variable.get()) == ("default", "two")

    def test_a_copy_keeps_no_value(self) -> None:
        """A task that is begun in the block, and runs for long, does not keep what the block had."""

        class Connection:
            """What a program would not keep open."""

        variable: BlockVariable[Connection | None] = BlockVariable("test", None)
        connection = Connection()
        with variable.block(connection):
            context = contextvars.copy_context()
        reference = weakref.ref(connection)
        del connection
        assert reference() is None
        assert context.run(variable.get) is None

    def test_a_block_inside_of_a_copy(self, variable: BlockVariable[str]) -> None:
        """A copy enters blocks as any context does, and returns to the default."""

        def enter() -> list[str]:
            with variable.block("two"):
                inside = variable.get()
            return [inside, variable.get()]

        with variable.block("one"):
            assert contextvars.copy_context().run(enter) == ["two", "default"]
            assert variable.get() == "one"

    def test_a_task(self, variable: BlockVariable[str]) -> None:
        """A task that is begun in the block is no part of it, during the block and after it; its own coroutine is."""

        async def read(has_ended: asyncio.Event) -> list[str]:
            during = variable.get()
            await has_ended.wait()
            return [during, variable.get()]

        async def run() -> list[str]:
            has_ended = asyncio.Event()
            with variable.block("one"):
                task = asyncio.create_task(read(has_ended))
                await asyncio.sleep(0)
                assert variable.get() == "one"
            has_ended.set()
            return await task

        assert asyncio.run(run()) == ["default", "default"]

    def test_tasks_have_values_of_their_own(self, variable: BlockVariable[str]) -> None:
        """Two tasks that run in turns each have the value of their own block."""

        async def enter(value: str) -> str:
            with variable.block(value):
                await asyncio.sleep(0)
                return variable.get()

        async def run() -> list[str]:
            return await asyncio.gather(enter("one"), enter("two"))

        assert asyncio.run(run()) == ["one", "two"]


class TestGenerators:
    """The end of a generator ends its block, also where the block was not begun."""

    @staticmethod
    def read(variable: BlockVariable[str]) -> cabc.Iterator[str]:
        """A generator that stands in a block."""
        with variable.block("one"):
            yield variable.get()
            yield variable.get()

    def test_one_that_is_closed_in_another_thread(self, variable: BlockVariable[str]) -> None:
        """No value stays in the context that the generator was begun in."""
        generator = self.read(variable)
        assert next(generator) == "one"
        in_thread(t.cast("t.Any", generator).close)
        assert variable.get() == "default"
        with variable.block("two"):
            assert variable.get() == "two"

    def test_one_that_is_closed_in_another_thread_while_a_block_is_around_it(
        self, variable: BlockVariable[str]
    ) -> None:
        """The block around the generator stays in force."""
        with variable.block("outer"):
            generator = self.read(variable)
            assert next(generator) == "one"
            in_thread(t.cast("t.Any", generator).close)
            assert variable.get() == "outer"
        assert variable.get() == "default"

    def test_one_that_goes_on_in_another_thread(self, variable: BlockVariable[str]) -> None:
        """The value does not follow it there: the thread may be in a call of another app."""
        generator = self.read(variable)
        assert next(generator) == "one"
        with variable.block("two"):
            assert in_thread(lambda: next(generator)) == "default"

    def test_one_that_is_closed_in_a_copy_of_its_context(self, variable: BlockVariable[str]) -> None:
        """The block has ended in the context and in its copy."""
        generator = self.read(variable)
        next(generator)
        context = contextvars.copy_context()
        context.run(t.cast("t.Any", generator).close)
        assert (context.run(variable.get), variable.get()) == ("default", "default")

    def test_an_asynchronous_one_that_the_loop_closes(self, variable: BlockVariable[str]) -> None:
        """asyncio closes it in a task of its own."""

        async def read() -> cabc.AsyncIterator[str]:
            with variable.block("one"):
                yield variable.get()

        async def run() -> list[str]:
            generator = read()
            values = [await anext(generator)]
            await asyncio.create_task(t.cast("t.Any", generator).aclose())
            return [*values, variable.get()]

        assert asyncio.run(run()) == ["one", "default"]


class TestSignals:
    """A signal may raise in each line: the value must not stay."""

    def test_while_the_block_is_entered(self, variable: BlockVariable[str]) -> None:
        """A block that has raised at its begin gives no value, and the block around it keeps its own."""
        with variable.block("one"):
            with interrupted_after("set", variable), pytest.raises(KeyboardInterrupt), variable.block("two"):
                pytest.fail("the block was entered")
            assert variable.get() == "one"
        with interrupted_after("set", variable), pytest.raises(KeyboardInterrupt), variable.block("two"):
            pytest.fail("the block was entered")
        assert variable.get() == "default"

    @pytest.mark.parametrize("name", ["set", "reset"])
    def test_while_the_value_is_read(self, variable: BlockVariable[str], name: str) -> None:
        """A read that has raised leaves no value behind, and the block ends without a second error."""
        with variable.block("one"):
            with pytest.raises(KeyboardInterrupt), variable.block("two"):
                with interrupted_after(name, variable):
                    variable.get()
            assert variable.get() == "one"
        assert variable.get() == "default"

    def test_while_the_block_is_left(self, variable: BlockVariable[str]) -> None:
        """A block that has raised at its end has ended."""
        with pytest.raises(KeyboardInterrupt), variable.block("one"):
            stack = contextlib.ExitStack()
            stack.enter_context(variable.block("two"))
            with interrupted_after("reset", variable):
                stack.close()
        assert variable.get() == "default"

    def test_the_block_without_a_begin_may_be_left(self, variable: BlockVariable[str]) -> None:
        """An exit stack may leave a block whose begin has raised."""
        block = variable.block("one")
        block.__exit__(None, None, None)
        assert variable.get() == "default"
