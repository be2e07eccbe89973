"""Generators that are resumed where another app context is current."""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import concurrent.futures
import contextlib
import contextvars
import gc
import itertools
import sys
import threading
import typing as t

import flask
import pytest

from dynaflask.compat.flask_pynamodb import PynamoDB
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


async def main_in_globex(world: World, main: t.Callable[[], t.Awaitable[None]]) -> None:
    """Run a coroutine for no tenant, and make a call after it."""
    with world.db.without_tenant(reason="test"):
        await main()
    world.Thread("forum", "globex").save()


def in_thread(function: cabc.Callable[[], t.Any]) -> t.Any:
    """Run a function in another thread."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(60)
