"""Generators that are resumed where another app context is current."""

from __future__ import annotations

import _thread
import asyncio
import collections.abc as cabc
import concurrent.futures
import contextlib
import contextvars
import gc
import itertools
import operator
import sys
import threading
import typing as t

import flask
import pytest

from dynaflask.compat.flask_pynamodb import PynamoDB
from dynaflask.registry import generators
from tests.support import models
from tests.support.recorder import Recorder
from tests.support.two_apps import World

ASTRAY = "was begun in an app context of 'one', and goes on while another one, of 'two', is current"


def saves(world: World, tenant: str) -> t.Iterator[None]:
    """Saves an item in a tenant's block at each step."""
    with world.db.tenant(tenant):
        while True:
            world.Thread("forum", tenant).save()
            yield


def saves_in_context(world: World, app: flask.Flask) -> t.Iterator[None]:
    """Saves an item in a context of an app at each step."""
    with app.app_context():
        for _ in range(3):
            world.Thread("forum", app.name).save()
            yield


class TestBlockOfAnotherContext:
    """The code of a generator that stands in a block is refused in another context than the block's."""

    def test_in_a_context_of_the_other_app(self, world: World) -> None:
        """Nothing is sent to the app whose context was pushed meanwhile, whichever tenant it acts for."""
        with world.one.app_context():
            acme = saves(world, "acme")
            next(acme)
            with world.two.app_context(), world.db.tenant("acme"), pytest.raises(RuntimeError, match=ASTRAY):
                next(acme)
        assert world.sent() == ["one acme-Thread"]

    def test_in_another_context_of_the_same_app(self, world: World) -> None:
        """A nested context of the app may act for another tenant."""
        with world.one.app_context():
            acme = saves(world, "acme")
            next(acme)
            with world.one.app_context(), world.db.tenant("globex"):
                with pytest.raises(RuntimeError, match="another one, of 'one'"):
                    next(acme)
                world.Thread("forum", "globex").save()
        assert world.sent() == ["one acme-Thread", "one globex-Thread"]

    def test_in_its_own_context_again(self, world: World) -> None:
        """It goes on where its own context is current, also if that was pushed a second time."""
        context = world.one.app_context()
        with context:
            acme = saves(world, "acme")
            next(acme)
            with world.two.app_context(), context:
                next(acme)
            next(acme)
        assert world.sent() == ["one acme-Thread"] * 3

    def test_in_another_thread(self, world: World) -> None:
        """A thread with a context of the other app, pushed before the generator was begun, sends nothing."""
        begun, pushed = threading.Event(), threading.Event()

        def resume() -> None:
            with world.two.app_context():
                pushed.set()
                assert begun.wait(60)
                world.Thread("forum", "two").save()
                next(acme)

        with world.one.app_context(), concurrent.futures.ThreadPoolExecutor(1) as pool:
            acme = saves(world, "acme")
            resumed = pool.submit(resume)
            assert pushed.wait(60)
            next(acme)
            begun.set()
            with pytest.raises(RuntimeError, match=ASTRAY):
                resumed.result(60)
        assert world.sent() == ["one acme-Thread", "two Thread"]

    def test_it_may_push_a_context_itself(self, world: World) -> None:
        """A context that the generator, or a function that it calls, pushes is right for its code."""

        def copy() -> None:
            with world.two.app_context():
                world.Thread("forum", "copy").save()

        def copies() -> t.Iterator[None]:
            with world.db.tenant("acme"):
                yield
                copy()
                with world.two.app_context(), world.db.tenant("globex"):
                    world.Thread("forum", "copy").save()
                    copy()
                    yield
                    world.Thread("forum", "copy").save()
                world.Thread("forum", "own").save()
                yield

        with world.one.app_context():
            acme = copies()
            for _ in range(3):
                next(acme)
        assert world.sent() == ["two Thread", "two globex-Thread", "two Thread", "two globex-Thread", "one acme-Thread"]

    def test_a_request_in_its_block_is_right(self, world: World) -> None:
        """A generator, such as a fixture, may send requests of a test client from its block."""
        world.db.tenant_loader(lambda: flask.request.headers.get("X-Tenant") if flask.has_request_context() else None)
        for app in (world.one, world.two):
            app.add_url_rule("/", "save", lambda: world.Thread("forum", "view").save() and "")

        def fixture() -> t.Iterator[None]:
            with world.one.app_context(), world.db.tenant("acme"):
                for app in (world.one, world.two):
                    app.test_client().get("/", headers={"X-Tenant": "globex"})
                yield

        for _ in fixture():
            assert world.sent() == ["one globex-Thread", "two globex-Thread"]

    def test_a_copy_that_it_runs(self, world: World) -> None:
        """Python does not tell a copy of the other app's context from that context: only another thread may run it."""
        save = world.Thread("forum", "subject").save

        def runs(run: t.Callable[[], t.Any]) -> t.Iterator[None]:
            with world.db.tenant("acme"):
                run()
                yield

        with world.two.app_context(), world.db.tenant("globex"):
            copied = contextvars.copy_context()
            with world.one.app_context():
                with pytest.raises(RuntimeError, match=ASTRAY):
                    next(runs(lambda: copied.run(save)))
                assert world.sent() == []
                with concurrent.futures.ThreadPoolExecutor(1) as pool:
                    next(runs(lambda: pool.submit(copied.run, save).result(60)))
                with world.db.tenant("acme"):
                    copied.run(save)
        assert world.sent() == ["two globex-Thread"] * 2

    def test_a_copy_that_a_coroutine_runs(self, world: World) -> None:
        """So it is in a coroutine. A task of its own may run in the copy."""

        def save() -> None:
            world.Thread("forum", "subject").save()

        async def save_in_task() -> None:
            save()

        async def run() -> None:
            with world.one.app_context(), world.db.tenant("acme"):
                with pytest.raises(RuntimeError, match=ASTRAY):
                    copied.run(save)
                await copied.run(asyncio.get_running_loop().create_task, save_in_task())
                save()

        with world.two.app_context(), world.db.tenant("globex"):
            copied = contextvars.copy_context()
            asyncio.run(run())
        assert world.sent() == ["two globex-Thread", "one acme-Thread"]

    def test_code_that_stands_in_no_block_uses_the_current_context(self, world: World) -> None:
        """A generator without a block of its own is in the context that is current when it runs, as any code."""

        def names() -> t.Iterator[str]:
            while True:
                world.Thread("forum", "subject").save()
                yield flask.current_app.name

        with world.one.app_context():
            plain, acme = names(), saves(world, "acme")
            next(acme)
            acme.close()
            with world.two.app_context():
                assert next(plain) == "two"
            assert next(plain) == "one"
        assert world.sent() == ["one acme-Thread", "two Thread", "one Thread"]


class TestAsynchronousFixtures:
    """An asynchronous generator that pushes a context, or enters a block, for tests that run as tasks of their own.

    So do the fixtures of pytest-asyncio and of anyio: each step is a task, all of them in one context of variables.
    """

    def test_of_two_apps(self, world: World) -> None:
        """Each test is in the fixture that was begun last, and after its end in the one before."""

        async def fixture(app: flask.Flask, tenant: str) -> t.AsyncIterator[None]:
            with app.app_context(), world.db.tenant(tenant):
                yield

        async def test() -> None:
            world.Thread("forum", "subject").save()

        with contextlib.closing(asyncio.new_event_loop()) as loop:
            context = contextvars.copy_context()

            def run(step: t.Coroutine[t.Any, t.Any, t.Any]) -> None:
                with contextlib.suppress(StopAsyncIteration):
                    loop.run_until_complete(context.run(loop.create_task, step))

            first, second = fixture(world.one, "acme"), fixture(world.two, "globex")
            # A task copies the context that it is made in: a fixture's step runs in the context itself.
            for fixtures in ([first], [first, second]):
                context.run(run_step, fixtures[-1])
                run(test())
            for ended in (second, first):
                context.run(run_step, ended)
                with contextlib.suppress(RuntimeError):
                    run(test())
        assert world.sent() == ["one acme-Thread", "two globex-Thread", "one acme-Thread"]


def run_step(generator: t.AsyncIterator[None]) -> None:
    """Resume an asynchronous generator that awaits nothing."""
    with contextlib.suppress(StopIteration, StopAsyncIteration):
        generator.__anext__().__await__().__next__()


class TestContextOfAGenerator:
    """The code of a generator that pushed an app context is refused while another context is current."""

    def test_two_generators_in_turns(self, world: World) -> None:
        """The first is refused while the second has its context pushed, and sends nothing to the other app."""
        first, second = saves_in_context(world, world.one), saves_in_context(world, world.two)
        next(first)
        next(second)
        # Flask adds its own error, because the contexts then end in the wrong order.
        with pytest.raises((RuntimeError, AssertionError)) as caught:
            next(first)
        assert ASTRAY in str(caught.getrepr(style="short", chain=True))
        pop_all(second)
        assert world.sent() == ["one Thread", "two Thread"]

    def test_nested_generators(self, world: World) -> None:
        """A generator that reads another to its end, in a context of its own each, is right at each step."""

        def outer() -> t.Iterator[None]:
            with world.one.app_context():
                for _ in saves_in_context(world, world.two):
                    yield
                world.Thread("forum", "outer").save()

        assert len(list(outer())) == 3
        assert world.sent() == [*["two Thread"] * 3, "one Thread"]

    def test_yield_from(self, world: World) -> None:
        """A generator that delegates is not in force before the inner one ends."""

        def outer() -> t.Iterator[None]:
            with world.one.app_context(), world.db.tenant("acme"):
                yield from saves_in_context(world, world.two)
                world.Thread("forum", "outer").save()

        assert len(list(outer())) == 3
        assert world.sent() == [*["two Thread"] * 3, "one acme-Thread"]

    def test_pushed_by_hand_in_a_helper(self, world: World) -> None:
        """A context that a helper pushes for a generator is the generator's, until it is popped."""

        def reads() -> t.Iterator[None]:
            context = pushed(world.one)
            yield
            with pytest.raises(RuntimeError, match=ASTRAY):
                world.Thread("forum", "subject").save()
            yield
            context.pop()
            world.Thread("forum", "after").save()

        with world.two.app_context():
            first = reads()
            next(first)
            with world.two.app_context():
                next(first)
            next(first, None)
        assert world.sent() == ["two Thread"]

    def test_after_its_context_it_is_in_the_current_one(self, world: World) -> None:
        """Nothing is left of a context that was popped."""

        def reads() -> t.Iterator[None]:
            with world.one.app_context():
                world.Thread("forum", "inside").save()
            yield
            world.Thread("forum", "after").save()

        gc.collect()
        # Other code of this process may keep a generator.
        before = set(generators.entered_contexts.by_frame)
        with world.two.app_context():
            list(reads())
        assert world.sent() == ["one Thread", "two Thread"]
        assert set(generators.entered_contexts.by_frame) <= before

    def test_a_context_that_is_pushed_again_by_other_code(self, world: World) -> None:
        """A generator that has popped its context stands in none, although other code pushes the same object again."""
        context = world.one.app_context()

        def reads() -> t.Iterator[None]:
            with context:
                world.Thread("forum", "inside").save()
            yield
            world.Thread("forum", "after").save()

        reading = reads()
        next(reading)
        with context, world.two.app_context():
            list(reading)
        assert world.sent() == ["one Thread", "two Thread"]

    def test_fixtures(self, world: World) -> None:
        """The code after a fixture, and that of the fixture when it ends, is in the context that the fixture pushed."""

        @contextlib.contextmanager
        def fixture(app: flask.Flask) -> t.Iterator[None]:
            with app.app_context():
                yield
                world.Thread("forum", "teardown").save()

        with fixture(world.one):
            world.Thread("forum", "test").save()
            with fixture(world.two):
                world.Thread("forum", "test").save()
            world.Thread("forum", "test").save()
        assert world.sent() == ["one Thread", "two Thread", "two Thread", "one Thread", "one Thread"]

    def test_comparing_the_items_of_two_apps(self, world: World) -> None:
        """Results may be read in turns: they need no current context. The generators around them end in any order."""

        def items(app: flask.Flask) -> t.Any:
            with app.app_context():
                return list(world.Thread.query("forum"))

        assert [[item.subject for item in pair] for pair in zip(items(world.one), items(world.two), strict=True)]
        assert world.sent() == ["one Thread", "two Thread"]


class TestWithoutFlasksHelp:
    """What does not depend on Flask's contexts, or on its private names."""

    def test_outside_of_contexts(self, world: World, recorder: Recorder) -> None:
        """An extension object that works outside of contexts keeps the generators' blocks apart as well."""
        app = flask.Flask("peer")
        app.config.update(
            DYNAMODB_HOST=recorder.url,
            DYNAMODB_REGION="eu-west-1",
            DYNAMODB_AWS_ACCESS_KEY_ID="peer",
            DYNAMODB_AWS_SECRET_ACCESS_KEY="hush",
        )
        peer = PynamoDB(app)
        model = models.declare_thread(peer)

        def saves_on(prefix: str) -> t.Iterator[None]:
            with peer.using(table_prefix=prefix):
                while True:
                    model("forum", "subject").save()
                    yield

        first, second = saves_on("a-"), saves_on("b-")
        for generator in (first, second, first):
            next(generator)
        assert [request.body["TableName"] for request in recorder.requests] == ["a-Thread", "b-Thread", "a-Thread"]

    def test_a_flask_without_the_private_name(self) -> None:
        """Flask 3.2 counts the pushes by another name. Without both, a context counts as pushed once."""
        assert generators._depth(type("Context", (), {"_push_count": 2})()) == 2
        assert generators._depth(type("Context", (), {})()) == 1


class TestSuspended:
    """A block ends with its generator, wherever and however that ends."""

    def test_a_loop_that_breaks_off_an_asynchronous_generator(self, world: World) -> None:
        """asyncio closes it in a task of its own. The code that broke off is in its block until then, and not after."""

        async def tenants() -> t.AsyncIterator[int]:
            with world.db.tenant("acme"):
                for number in itertools.count():
                    yield number

        async def main() -> None:
            async for _ in tenants():
                break
            while world.db.current_tenant:  # noqa: ASYNC110 - the task that closes it is asyncio's own
                await asyncio.sleep(0)
            world.Thread("forum", "after").save()

        with world.one.app_context(), world.db.tenant("globex"):
            asyncio.run(asyncio.wait_for(main_in_globex(world, main), 60))
        assert world.sent() == ["one Thread", "one globex-Thread"]

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="a frame keeps the generators that its variables refer to")
    def test_the_garbage_collector_of_another_thread(self, world: World) -> None:
        """A generator in a reference cycle may end in any thread. Its block is then in force nowhere."""

        def cyclic() -> t.Generator[None, t.Any]:
            itself = yield
            with world.db.tenant("acme"):
                yield
            del itself

        with world.one.app_context():
            generator = cyclic()
            next(generator)
            generator.send(generator)
            assert world.db.current_tenant == "acme"
            gc.disable()
            try:
                del generator
                in_thread(gc.collect)
            finally:
                gc.enable()
            world.Thread("forum", "after").save()
        assert world.sent() == ["one Thread"]

    def test_closed_during_the_step_of_a_batch(self, world: World) -> None:
        """A block that ends while a pinned iterator makes a call stays ended after the call."""
        with world.one.app_context():
            with world.db.tenant("globex"):
                items = world.Thread.batch_get([("forum", "subject")])
            acme = saves(world, "acme")
            next(acme)
            world.sent()

            def close_and_answer(request: t.Any) -> t.Any:
                # In another thread, which the garbage collector may use as well.
                acme.close()

            world.answer = close_and_answer
            list(items)
            world.Thread("forum", "after").save()
        assert world.sent() == ["one globex-Thread", "one Thread"]

    def test_throw_and_close_run_in_the_block(self, world: World) -> None:
        """Handlers and finally clauses of a generator act for its own tenant, in any order of ending."""

        with world.one.app_context():
            acme, globex = careful(world, "acme"), careful(world, "globex")
            next(acme)
            next(globex)
            acme.throw(ValueError)
            globex.throw(ValueError)
            with pytest.raises(KeyError):
                acme.throw(KeyError)
            globex.close()
        assert world.sent() == ["one acme-Thread", "one globex-Thread", "one acme-Thread", "one globex-Thread"]

    def test_code_that_began_in_the_block_stays_in_it(self, world: World) -> None:
        """A copy of the context that was made in a block acts for its tenant, although the block has ended."""

        def inside() -> t.Iterator[contextvars.Context]:
            with world.db.tenant("acme"):
                yield contextvars.copy_context()

        with world.one.app_context():
            (copied,) = inside()
            copied.run(world.Thread("forum", "copy").save)
            world.Thread("forum", "after").save()
            copied.run(world.Thread("forum", "copy").save)
        assert world.sent() == ["one acme-Thread", "one Thread", "one acme-Thread"]


def careful(world: World, tenant: str) -> t.Generator[None]:
    """Saves an item at each error, and at the end."""
    with world.db.tenant(tenant):
        try:
            while True:
                try:
                    yield
                except ValueError:
                    world.Thread("forum", "except").save()
        finally:
            world.Thread("forum", "finally").save()


def pushed(app: flask.Flask) -> t.Any:
    """A context of an app, which is pushed."""
    context = app.app_context()
    context.push()
    return context


async def main_in_globex(world: World, main: t.Callable[[], t.Awaitable[None]]) -> None:
    """Run a coroutine for no tenant, and make a call after it."""
    with world.db.without_tenant(reason="test"):
        await main()
    world.Thread("forum", "globex").save()


def in_thread(function: cabc.Callable[[], t.Any]) -> t.Any:
    """Run a function in another thread."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(60)


def pop_all(*suspended: t.Generator[None] | t.Iterator[None]) -> None:
    """Close generators and pop contexts that ended in the wrong order, which Flask reports."""
    for generator in suspended:
        with contextlib.suppress(AssertionError, LookupError):
            t.cast("t.Generator[None]", generator).close()
    while flask.has_app_context():
        flask.globals.app_ctx._get_current_object().pop()


def test_a_thread_may_begin_with_the_push_of_a_context(world: World) -> None:
    """Where no Python code pushes a context, no generator does."""
    pushed = threading.Event()
    steps = [world.one.app_context().push, pushed.set]
    _thread.start_new_thread(list, (map(operator.methodcaller("__call__"), steps),))
    assert pushed.wait(30)
