"""Tenants and apps of threads and tasks, with copies of the context and without."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import threading
import typing as t

import flask
import pytest

from tests.support.two_apps import World


def save(world: World) -> None:
    """Make a call."""
    world.Thread("forum", "subject").save()


class TestThreads:
    """A thread acts for the app and the tenant of the context that it got, as it was when it got it."""

    def test_a_pool_without_contexts(self, world: World) -> None:
        """A thread of a pool has no context, although the thread that submits has one."""
        with world.one.app_context(), world.db.tenant("acme"), concurrent.futures.ThreadPoolExecutor(1) as pool:
            with pytest.raises(RuntimeError, match="outside of application context"):
                pool.submit(save, world).result(60)
        assert world.sent() == []

    def test_a_pool_with_copied_contexts(self, world: World) -> None:
        """Each copy acts for the tenant of the block that it was made in, in any order, on any thread of the pool."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            with world.one.app_context():
                copies = []
                for tenant in ("acme", "globex") * 3:
                    with world.db.tenant(tenant):
                        copies.append(contextvars.copy_context())
                with world.two.app_context(), world.db.tenant("acme"):
                    copies.append(contextvars.copy_context())
                    for copied in reversed(copies):
                        pool.submit(copied.run, save, world).result(60)
        assert world.sent() == ["two acme-Thread", *["one globex-Thread", "one acme-Thread"] * 3]

    def test_a_thread_of_a_pool_keeps_nothing(self, world: World) -> None:
        """A block that a job enters and does not leave is not in force in the next job of the thread."""

        def leak(app: flask.Flask) -> None:
            with app.app_context():
                world.db.tenant("acme").__enter__()
                save(world)

        def work(app: flask.Flask) -> None:
            with app.app_context():
                save(world)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            for job in (leak, work):
                for app in (world.one, world.two):
                    pool.submit(job, app).result(60)
        assert world.sent() == ["one acme-Thread", "two acme-Thread", "one Thread", "two Thread"]

    def test_a_straggler(self, world: World) -> None:
        """A thread that goes on after its context has ended is refused, whatever is current elsewhere."""
        with world.one.app_context(), world.db.tenant("acme"):
            copied = contextvars.copy_context()
        with world.two.app_context(), world.db.tenant("acme"):
            with pytest.raises(RuntimeError, match="context of 'one' that has ended"):
                copied.run(save, world)
        assert world.sent() == []

    @pytest.mark.parametrize("app_name", ["one", "two"])
    def test_copy_current_request_context(self, world: World, app_name: str) -> None:
        """The copy has the request, and so its tenant, and none of the view's blocks."""
        world.db.tenant_loader(lambda: flask.request.headers.get("X-Tenant"))
        app = getattr(world, app_name)
        functions: list[t.Callable[[], None]] = []

        def view() -> str:
            with world.db.tenant("globex"):
                functions.append(flask.copy_current_request_context(lambda: save(world)))
            return ""

        app.add_url_rule("/", "view", view)
        app.test_client().get("/", headers={"X-Tenant": "acme"})
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(functions[0]).result(60)
        assert world.sent() == [f"{app_name} acme-Thread"]

    def test_copy_current_tenant_in_a_pool(self, world: World) -> None:
        """Functions of two apps and two tenants on one thread of a pool each act for their own."""
        functions = []
        for app in (world.one, world.two):
            for tenant in ("acme", "globex"):
                with app.app_context(), world.db.tenant(tenant):
                    functions.append(world.db.copy_current_tenant(lambda: save(world)))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            for function in functions * 2:
                pool.submit(function).result(60)
        assert world.sent() == ["one acme-Thread", "one globex-Thread", "two acme-Thread", "two globex-Thread"] * 2

    def test_many_threads_in_one_block_object(self, world: World) -> None:
        """Threads of two apps that share one object of ``db.tenant`` are each in their own app's tenant."""
        acme, together = world.db.tenant("acme"), threading.Barrier(4)

        def work(app: flask.Flask) -> None:
            for _ in range(5):
                with app.app_context(), acme:
                    together.wait(60)
                    save(world)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(work, [world.one, world.two] * 2))
        assert sorted(world.sent()) == [*["one acme-Thread"] * 10, *["two acme-Thread"] * 10]


class TestTasks:
    """A task acts for the tenant of the block that it was made in."""

    def test_after_the_block(self, world: World) -> None:
        """It stays there when the block has ended, and the code around is in its own."""

        async def main() -> None:
            tasks = []
            for tenant in ("acme", "globex"):
                with world.db.tenant(tenant):
                    tasks.append(asyncio.create_task(in_task()))
            with world.db.tenant("acme"):
                for task in reversed(tasks):
                    await task
                save(world)

        async def in_task() -> None:
            await asyncio.sleep(0)
            save(world)

        with world.one.app_context():
            asyncio.run(main())
        assert world.sent() == ["one acme-Thread", "one globex-Thread", "one acme-Thread"]

    def test_blocks_of_tasks_that_take_turns(self, world: World) -> None:
        """A block that a task enters is its own, also across the points where others run."""

        async def work(app: flask.Flask, tenant: str) -> None:
            with app.app_context(), world.db.tenant(tenant):
                for _ in range(3):
                    await asyncio.sleep(0)
                    save(world)

        async def main() -> None:
            await asyncio.gather(
                *(work(app, tenant) for app in (world.one, world.two) for tenant in ("acme", "globex"))
            )

        asyncio.run(main())
        places = ["one acme-Thread", "one globex-Thread", "two acme-Thread", "two globex-Thread"]
        assert world.sent() == places * 3

    def test_a_task_group_in_a_view(self, world: World) -> None:
        """The tasks of an async view act for the request's tenant, and a block of one for that task alone."""
        world.db.tenant_loader(lambda: flask.request.headers.get("X-Tenant"))

        async def in_globex() -> None:
            with world.db.tenant("globex"):
                await asyncio.sleep(0)
                save(world)

        async def plain() -> None:
            await asyncio.sleep(0)
            save(world)

        async def view() -> str:
            await asyncio.gather(in_globex(), plain(), in_globex())
            return ""

        world.one.add_url_rule("/", "view", world.one.ensure_sync(view))
        world.one.test_client().get("/", headers={"X-Tenant": "acme"})
        assert world.sent() == ["one globex-Thread", "one acme-Thread", "one globex-Thread"]

    def test_calls_that_the_loop_makes_later(self, world: World) -> None:
        """A callback, and a function in the loop's executor, act where they were handed over."""

        async def main() -> None:
            loop = asyncio.get_running_loop()
            done = loop.create_future()
            with world.db.tenant("acme"):
                loop.call_soon(lambda: done.set_result(save(world)))
            await done
            with world.db.tenant("globex"):
                # asyncio.to_thread copies the context. run_in_executor alone does not.
                waiting = asyncio.to_thread(save, world)
                bare = loop.run_in_executor(None, save, world)
            with pytest.raises(RuntimeError, match="outside of application context"):
                await bare
            # to_thread copies the context when it is awaited, as any coroutine runs.
            await waiting

        with world.one.app_context():
            asyncio.run(main())
        assert world.sent() == ["one acme-Thread", "one Thread"]


class TestContextRun:
    """``contextvars.Context.run``: a copy keeps what is entered in it between its runs."""

    def test_a_block_between_two_runs(self, world: World) -> None:
        """A block that is entered in one run is in force in the next one, until it is left, and not outside."""
        acme = world.db.tenant("acme")
        with world.one.app_context():
            copied = contextvars.copy_context()
            copied.run(acme.__enter__)
            save(world)
            copied.run(save, world)
            copied.run(acme.__exit__, None, None, None)
            copied.run(save, world)
        assert world.sent() == ["one Thread", "one acme-Thread", "one Thread"]

    def test_runs_inside_of_each_other(self, world: World) -> None:
        """A copy that runs inside another one acts for its own app and tenant, and so does the outer one after it."""
        copies = []
        for app, tenant in ((world.one, "acme"), (world.two, "globex")):
            copies.append(contextvars.Context())
            copies[-1].run(app.app_context().push)
            copies[-1].run(world.db.tenant(tenant).__enter__)

        def outer() -> None:
            copies[1].run(save, world)
            save(world)
            with pytest.raises(RuntimeError, match="is already entered"):
                copies[0].run(save, world)

        copies[0].run(outer)
        assert world.sent() == ["two globex-Thread", "one acme-Thread"]


def save_in_thread(world: World, copied: contextvars.Context | None = None) -> None:
    """Make a call in a thread, in a copy of the context."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit((copied or contextvars.copy_context()).run, save, world).result(60)


def save_in_threads(world: World, tenant: str, *, has_own_calls: bool) -> t.Iterator[None]:
    """A generator in a tenant's block. Threads make its calls, and perhaps itself."""
    with world.db.tenant(tenant):
        while True:
            if has_own_calls:
                save(world)
            save_in_thread(world)
            yield


async def save_in_tasks(world: World, tenant: str, start: t.Callable[[World], t.Awaitable[None]]) -> t.Any:
    """An asynchronous generator in a tenant's block. Threads or tasks make its calls."""
    with world.db.tenant(tenant):
        while True:
            await start(world)
            yield


async def save_later(world: World) -> None:
    """Make a call."""
    save(world)


#: How an asynchronous generator has its calls made.
STARTS: dict[str, t.Callable[[World], t.Awaitable[None]]] = {
    "thread": lambda world: asyncio.to_thread(save, world),
    "task": lambda world: asyncio.create_task(save_later(world)),
}


class TestGeneratorsThatStartThreads:
    """Python does not tell who made a copy of a context: a generator that has just run, or the code around it."""

    @pytest.mark.parametrize("has_own_calls", [False, True])
    def test_in_another_block(self, world: World, has_own_calls: bool) -> None:
        """A copy that may be a generator's is refused in the block that was entered while the generator slept."""
        for app in (world.one, world.two):
            with app.app_context():
                generator = save_in_threads(world, "acme", has_own_calls=has_own_calls)
                next(generator)
                with world.db.tenant("globex"):
                    world.sent()
                    save_in_thread(world)
                    with pytest.raises(RuntimeError, match="if the generator made the copy. Name the tenant here"):
                        next(generator)
                    assert world.sent() == [
                        f"{app.name} globex-Thread",
                        *([f"{app.name} acme-Thread"] if has_own_calls else []),
                    ]
                    save(world)
                    contextvars.copy_context().run(lambda: world.db.tenant("north").__enter__())
                assert world.sent() == [f"{app.name} globex-Thread"]

    @pytest.mark.parametrize("start", STARTS)
    def test_of_an_asynchronous_generator(self, world: World, start: str) -> None:
        """So it is with the threads and the tasks of an asynchronous generator."""

        async def read() -> None:
            generator = save_in_tasks(world, "acme", STARTS[start])
            await anext(generator)
            with world.db.tenant("globex"), pytest.raises(RuntimeError, match="Name the tenant here"):
                await anext(generator)

        with world.one.app_context():
            asyncio.run(read())
        assert world.sent() == ["one acme-Thread"]

    def test_a_generator_that_sleeps(self, world: World) -> None:
        """A context manager, or a fixture, has not run since: the copy is that of the code in its block."""

        @contextlib.contextmanager
        def acting(tenant: str) -> t.Iterator[None]:
            with world.db.tenant(tenant):
                yield

        with world.one.app_context(), acting("acme"):
            with world.db.tenant("globex"):
                save_in_thread(world)
            with acting("globex"):
                save_in_thread(world)
            save_in_thread(world)
        assert world.sent() == ["one globex-Thread", "one globex-Thread", "one acme-Thread"]

    def test_tasks_in_blocks_of_their_own(self, world: World) -> None:
        """A task runs in a context of its own: no other task makes a copy of it."""

        async def work(tenant: str) -> None:
            with world.db.tenant(tenant):
                for _ in range(3):
                    await asyncio.to_thread(save, world)
                    await asyncio.sleep(0)

        async def main() -> None:
            with world.db.tenant("north"):
                tasks = [asyncio.create_task(work(tenant)) for tenant in ("acme", "globex")]
                await asyncio.sleep(0)
                await asyncio.to_thread(save, world)
                await asyncio.gather(*tasks)

        with world.one.app_context():
            asyncio.run(main())
        assert sorted(world.sent()) == ["one Thread", *["one acme-Thread"] * 3, *["one globex-Thread"] * 3]

    @pytest.mark.parametrize("wrapper", ["none", "generator", "class"])
    def test_in_the_body_of_a_for_statement(self, world: World, wrapper: str) -> None:
        """A generator that the statement reads does not run meanwhile, also through another iterator."""

        def tenants() -> t.Iterator[str]:
            for tenant in ("acme", "globex"):
                with world.db.tenant(tenant):
                    yield tenant

        def wrapped(names: t.Iterator[str]) -> t.Iterator[str]:
            for name in names:  # noqa: UP028 - it reads with a `for` statement
                yield name

        class Wrapped:
            def __init__(self, names: t.Iterator[str]) -> None:
                self._names = names

            def __iter__(self) -> Wrapped:
                return self

            def __next__(self) -> str:
                return next(self._names)

        wrappers: dict[str, t.Any] = {"none": iter, "generator": wrapped, "class": Wrapped}
        with world.one.app_context():
            for _ in wrappers[wrapper](tenants()):
                with world.db.using(read_timeout_seconds=7):
                    save_in_thread(world)
        assert world.sent() == ["one acme-Thread", "one globex-Thread"]

    def test_in_the_body_of_an_asynchronous_for_statement(self, world: World) -> None:
        """So it is with an asynchronous generator, and with the tasks of a group."""

        async def tenants() -> t.AsyncIterator[str]:
            for tenant in ("acme", "globex"):
                with world.db.tenant(tenant):
                    await asyncio.sleep(0)
                    yield tenant

        async def main() -> None:
            async for _ in tenants():
                with world.db.using(read_timeout_seconds=7):
                    await asyncio.gather(asyncio.to_thread(save, world), save_later(world))

        with world.one.app_context():
            asyncio.run(main())
        assert world.sent() == [*["one acme-Thread"] * 2, *["one globex-Thread"] * 2]

    def test_a_generator_that_goes_on_after_the_block(self, world: World) -> None:
        """It makes no copy inside of a block that was left before: the thread is of the code in the block."""

        @contextlib.contextmanager
        def acting(tenant: str) -> t.Iterator[None]:
            with world.db.tenant(tenant):
                yield
                save_in_thread(world, copied)

        with world.one.app_context(), acting("acme"), world.db.tenant("globex"):
            copied = contextvars.copy_context()
        assert world.sent() == ["one globex-Thread"]
