"""Blocks of generators that one thread resumes in turns."""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import concurrent.futures
import contextlib
import contextvars
import gc
import sys
import typing as t
import weakref

import flask
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import dynaflask
from dynaflask.registry.block_stack import block_stack
from dynaflask.registry.generators import EnteredContexts
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp
from tests.support.two_apps import World

NAMES = ("acme", "globex", "initech")


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder) -> cabc.Iterator[flask.Flask]:
    """An app with three tenants, in a context. No block is left when the test has ended."""
    tenants = {name: {"table_prefix": f"{name}."} for name in NAMES}
    app = make_app("app", **KEYS, host=recorder.url, region="us-west-2", tenants=tenants)
    with app.app_context():
        yield app
        gc.collect()
        assert block_stack.entered() == ()


@pytest.fixture
def notes(db: dynaflask.Dynamo, thread_model: t.Any) -> cabc.Callable[[str], cabc.Generator[str]]:
    """A generator that stands in a tenant's block, and yields the real table name at each step."""

    def notes(name: str) -> cabc.Generator[str]:
        with db.tenant(name):
            while True:
                yield thread_model._get_connection().table_name

    return notes


class TestInTurns:
    """A generator's code acts for the tenant of the block that it stands in, in any order of resuming."""

    def test_the_third_call_goes_to_the_generators_own_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """Each of two generators that take turns writes to its own tenant's table."""

        def save(name: str) -> t.Iterator[None]:
            with db.tenant(name):
                while True:
                    thread_model("forum", name).save()
                    yield

        acme, globex = save("acme"), save("globex")
        for generator in (acme, globex, acme, globex, globex, acme):
            next(generator)
        sent = [(request.body["Item"]["subject"]["S"], request.body["TableName"]) for request in recorder.requests]
        assert len(sent) == 6
        assert all(table_name == f"{name}.Thread" for name, table_name in sent)

    def test_a_generator_that_resumes_another_goes_on_in_its_own_block(
        self, app: flask.Flask, db: dynaflask.Dynamo, notes: t.Any
    ) -> None:
        """The innermost generator that runs decides: the outer one may have been started later."""
        acme = notes("acme")
        next(acme)

        def outer() -> t.Iterator[t.Any]:
            with db.tenant("globex"):
                while True:
                    yield next(acme), db.current_tenant

        globex = outer()
        assert [next(globex), next(globex)] == [("acme.Thread", "globex")] * 2

    def test_a_block_inside_a_resumed_generator_is_not_in_force_outside_of_it(
        self, app: flask.Flask, db: dynaflask.Dynamo
    ) -> None:
        """A block of a suspended generator hides with it, although the code that resumed it was running."""

        def inner() -> t.Iterator[None]:
            with db.tenant("globex"):
                yield
                with db.using(region="sa-east-1"), acting(db, "initech"):
                    yield

        def outer(other: t.Iterator[None]) -> t.Iterator[t.Any]:
            with db.tenant("acme"):
                yield db.current_tenant
                next(other)
                yield db.current_tenant

        globex = inner()
        acme = outer(globex)
        assert next(acme) == "acme"
        next(globex)
        assert next(acme) == "acme"
        assert db.current_tenant == "initech"

    def test_a_plain_block_around_a_step_does_not_reach_into_the_generator(
        self, app: flask.Flask, db: dynaflask.Dynamo, notes: t.Any
    ) -> None:
        """A block that was entered while the generator was suspended has no effect on the generator's next step."""
        acme = notes("acme")
        next(acme)
        with db.tenant("globex"):
            assert next(acme) == "acme.Thread"
            assert db.current_tenant == "globex"

    def test_a_block_that_the_generator_enters_later_is_inside_its_first(
        self, app: flask.Flask, db: dynaflask.Dynamo, notes: t.Any
    ) -> None:
        """Nested blocks, decorated functions and pinned results work in a generator that takes turns."""

        def nested() -> t.Iterator[t.Any]:
            with db.tenant("acme"):
                yield db.current_tenant
                with acting(db, "initech"):
                    yield db.current_tenant
                yield db.tenant("globex")(lambda: db.current_tenant)()
                yield db.current_tenant

        acme, globex = nested(), notes("globex")
        seen = []
        for step in acme:
            next(globex)
            seen.append(step)
        assert seen == ["acme", "initech", "globex", "acme"]

    def test_results_stay_on_their_own_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any, notes: t.Any
    ) -> None:
        """A generator may read results that another block made: they keep their destination."""
        with db.tenant("initech"):
            threads = thread_model.query("forum")

        def read() -> t.Iterator[None]:
            with db.tenant("acme"):
                yield
                list(threads)
                thread_model.get("forum", "subject")
                yield

        acme, globex = read(), notes("globex")
        next(acme)
        next(globex)
        next(acme)
        assert [request.body["TableName"] for request in recorder.requests] == ["initech.Thread", "acme.Thread"]

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
    def test_they_may_end_in_any_order(
        self, app: flask.Flask, db: dynaflask.Dynamo, notes: t.Any, order: tuple[int, ...]
    ) -> None:
        """When one is closed, the others go on in their own blocks; code outside is in the last one's."""
        generators = [notes(name) for name in NAMES]
        for generator in generators:
            next(generator)
        rest = [0, 1, 2]
        for position in order:
            generators[position].close()
            rest.remove(position)
            assert db.current_tenant == (NAMES[rest[-1]] if rest else None)
            assert [next(generators[other]) for other in rest] == [f"{NAMES[other]}.Thread" for other in rest]

    def test_one_block_object_in_several_generators(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Generators may share the object of db.using: each leaves its own entry."""
        shared = db.using(region="sa-east-1")

        def regions(name: str, steps: int) -> t.Iterator[t.Any]:
            with db.tenant(name):
                with shared:
                    for _ in range(steps):
                        yield thread_model.Meta.region, db.current_tenant
                yield thread_model.Meta.region, db.current_tenant

        acme, globex = regions("acme", 1), regions("globex", 3)
        seen = [next(generator) for generator in (acme, globex, acme, globex)]
        assert seen == [
            ("sa-east-1", "acme"),
            ("sa-east-1", "globex"),
            ("us-west-2", "acme"),
            ("sa-east-1", "globex"),
        ]

    def test_a_shared_block_object_ends_under_a_suspended_generator(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any, notes: t.Any
    ) -> None:
        """Each exit leaves the entry that it stands in, although a generator that was begun in it is suspended."""
        shared, acme = db.using(region="sa-east-1"), notes("acme")

        def regions() -> t.Iterator[t.Any]:
            with shared:
                while True:
                    yield thread_model.Meta.region

        others = regions()
        next(others)
        with shared:
            next(acme)
        acme.close()
        assert next(others) == "sa-east-1"
        others.close()
        assert thread_model.Meta.region == "us-west-2"

    def test_two_apps(self, app: flask.Flask, db: dynaflask.Dynamo, make_app: MakeApp, notes: t.Any) -> None:
        """Generators in the contexts of two apps, which have tenants of the same names, stay in their own."""
        acme = notes("acme")
        next(acme)
        other = make_app("other", tenants={"acme": {"table_prefix": "other-acme."}, "globex": {}})
        with other.app_context():
            theirs, globex = notes("acme"), notes("globex")
            assert [next(theirs), next(globex), next(theirs)] == ["other-acme.Thread", "Thread", "other-acme.Thread"]
            theirs.close()
            globex.close()
        assert next(acme) == "acme.Thread"

    def test_a_block_of_another_app_is_skipped(
        self, app: flask.Flask, db: dynaflask.Dynamo, make_app: MakeApp, notes: t.Any
    ) -> None:
        """When a context is current again, the blocks of the context between have no effect in it."""
        context = flask.globals.app_ctx._get_current_object()
        acme = notes("acme")
        other = make_app("other", tenants={"globex": {}})
        with acting(db, "initech"), other.app_context(), acting(db, "globex"), context:
            assert db.current_tenant == "initech"
            assert [next(acme), next(acme)] == ["acme.Thread", "acme.Thread"]
            acme.close()


class TestContextManagers:
    """A generator that is suspended in a block keeps it in force for the code that resumed it."""

    def test_a_context_manager_keeps_its_block_in_force(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """The body of a @contextmanager runs in its block, also nested and next to generators that take turns."""
        with acting(db, "acme"):
            assert db.current_tenant == "acme"
            with acting(db, "globex"), db.using(region="sa-east-1"):
                assert db.current_tenant == "globex"
            assert db.current_tenant == "acme"

    def test_fixtures_may_be_torn_down_in_any_order(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """The code of a fixture runs in its own block, when it begins and when it ends."""
        seen = []

        def fixture(name: str) -> t.Iterator[None]:
            with db.tenant(name):
                yield
                seen.append(db.current_tenant)

        first, second = fixture("acme"), fixture("globex")
        next(first)
        next(second)
        assert db.current_tenant == "globex"
        for generator in (first, second):
            next(generator, None)
        assert seen == ["acme", "globex"]

    @pytest.mark.parametrize("helper", ["exit_stack", "class"])
    def test_a_helper_may_enter_the_block_for_the_generator(
        self, app: flask.Flask, db: dynaflask.Dynamo, helper: str
    ) -> None:
        """An ExitStack in a function, and a class with __enter__, enter the block for the generator that calls them."""

        def enter(stack: contextlib.ExitStack, name: str) -> None:
            stack.enter_context(db.tenant(name) if helper == "exit_stack" else Acting(db, name))

        def tenants(name: str) -> t.Iterator[t.Any]:
            with contextlib.ExitStack() as stack:
                enter(stack, name)
                while True:
                    yield db.current_tenant

        acme, globex = tenants("acme"), tenants("globex")
        assert [next(acme), next(globex), next(acme)] == ["acme", "globex", "acme"]

    @pytest.mark.parametrize("is_nested", [False, True])
    def test_a_context_manager_enters_the_block_for_the_generator(
        self, app: flask.Flask, db: dynaflask.Dynamo, is_nested: bool
    ) -> None:
        """A generator in the body of a @contextmanager is in its own block, also if others take turns with it."""

        def tenants(name: str) -> t.Iterator[t.Any]:
            with acting_inside(db, name) if is_nested else acting(db, name):
                while True:
                    yield db.current_tenant

        acme, globex = tenants("acme"), tenants("globex")
        assert [next(each) for each in (acme, globex, acme, acme, globex)] == [
            "acme",
            "globex",
            "acme",
            "acme",
            "globex",
        ]
        acme.close()
        assert [next(globex), db.current_tenant] == ["globex", "globex"]

    def test_an_asynchronous_context_manager_enters_the_block_for_the_generator(
        self, app: flask.Flask, db: dynaflask.Dynamo
    ) -> None:
        """The same of an @asynccontextmanager and asynchronous generators of one task."""

        @contextlib.asynccontextmanager
        async def acting_later(name: str) -> t.AsyncIterator[None]:
            with db.tenant(name):
                yield

        async def tenants(name: str) -> t.AsyncIterator[t.Any]:
            async with acting_later(name):
                while True:
                    yield db.current_tenant

        async def main() -> list[t.Any]:
            acme, globex = tenants("acme"), tenants("globex")
            seen = [await anext(generator) for generator in (acme, globex, acme)]
            await acme.aclose()
            await globex.aclose()
            return seen

        assert asyncio.run(main()) == ["acme", "globex", "acme"]

    def test_a_helper_may_enter_the_block_for_a_function(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """The same helpers in a program without generators."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(db.tenant("acme"))
            stack.enter_context(Acting(db, "globex"))
            assert db.current_tenant == "globex"

    def test_an_asynchronous_helper_may_enter_the_block(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """An AsyncExitStack and a class with __aenter__ enter the block for the asynchronous generator."""

        async def tenants(name: str) -> t.AsyncIterator[t.Any]:
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(AsyncActing(db, name))
                while True:
                    yield db.current_tenant

        async def main() -> list[t.Any]:
            acme, globex = tenants("acme"), tenants("globex")
            seen = [await anext(generator) for generator in (acme, globex, acme)]
            await acme.aclose()
            await globex.aclose()
            return seen

        assert asyncio.run(main()) == ["acme", "globex", "acme"]

    def test_code_after_a_generator_that_left_a_block_entered(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """A block that outlives its generator is in force until it is left, except in a resumed generator."""

        def tenants(name: str) -> t.Iterator[t.Any]:
            with db.tenant(name):
                while True:
                    yield db.current_tenant

        def entered() -> t.Iterator[contextlib.ExitStack]:
            with contextlib.ExitStack() as stack:
                stack.enter_context(db.tenant("globex"))
                yield stack.pop_all()

        acme = tenants("acme")
        next(acme)
        (left_open,) = entered()
        with left_open:
            assert [db.current_tenant, next(acme), db.current_tenant] == ["globex", "acme", "globex"]


class TestElsewhere:
    """Generators that are resumed in other threads and tasks."""

    def test_a_generator_resumed_in_another_threads_context_is_in_its_block(
        self, app: flask.Flask, db: dynaflask.Dynamo, notes: t.Any
    ) -> None:
        """A block that another thread entered for the generator is in force there, and the thread's own is not."""
        acme = notes("acme")
        copied = contextvars.copy_context()
        next(acme)

        def elsewhere() -> list[t.Any]:
            with db.tenant("globex"):
                return [next(acme), db.current_tenant]

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            assert pool.submit(copied.run, elsewhere).result() == ["acme.Thread", "globex"]
            assert pool.submit(copied.run, lambda: db.current_tenant).result() is None
            assert pool.submit(copied.run, notes_in_block, db, acme).result() == ["acme.Thread", "globex"]

    def test_a_block_inside_a_generator_that_is_resumed_elsewhere(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """A block that the generator enters in the other thread is inside the one that it entered before."""

        def tenants() -> t.Iterator[t.Any]:
            with db.tenant("acme"):
                yield db.current_tenant
                with db.tenant("initech"):
                    yield db.current_tenant
                yield db.current_tenant

        acme, copied = tenants(), contextvars.copy_context()
        assert next(acme) == "acme"
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            assert pool.submit(copied.run, lambda: [next(acme), next(acme)]).result() == ["initech", "acme"]

    def test_asynchronous_generators_take_turns(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """Two asynchronous generators of one task stay in their own blocks."""

        async def tenants(name: str) -> t.AsyncIterator[t.Any]:
            with db.tenant(name):
                while True:
                    await asyncio.sleep(0)
                    yield db.current_tenant

        async def main() -> list[t.Any]:
            acme, globex = tenants("acme"), tenants("globex")
            seen = [await anext(generator) for generator in (acme, globex, acme, globex)]
            await acme.aclose()
            await globex.aclose()
            return seen

        assert asyncio.run(main()) == ["acme", "globex", "acme", "globex"]

    def test_coroutines_that_a_scheduler_resumes_take_turns(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """Coroutines that run in one context, without tasks, stay in their own blocks."""

        class Pause:
            def __await__(self) -> t.Iterator[None]:
                yield

        def tenants(name: str) -> t.Any:
            @db.tenant(name)
            async def run(seen: list[t.Any]) -> None:
                while True:
                    seen.append(db.current_tenant)
                    await Pause()

            return run

        seen: list[t.Any] = []
        acme, globex = tenants("acme")(seen), tenants("globex")(seen)
        for coroutine in (acme, globex, acme):
            coroutine.send(None)
        acme.close()
        globex.close()
        assert seen == ["acme", "globex", "acme"]

    def test_a_generator_that_is_dropped_leaves_its_block_at_once(
        self, app: flask.Flask, db: dynaflask.Dynamo, notes: t.Any
    ) -> None:
        """A block keeps neither the generator nor its variables alive."""
        generator = notes("acme")
        next(generator)
        dropped = weakref.ref(generator)
        gc.disable()
        try:
            del generator
            assert dropped() is None
            assert db.current_tenant is None
        finally:
            gc.enable()


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from([*NAMES, "leave", "using", "acting", "close", "resume 0", "resume 1", "check"]),
        ),
        max_size=30,
    )
)
def test_any_order_of_resuming_entering_and_leaving(steps: list[tuple[int, str]]) -> None:
    """Four generators that enter, leave and resume each other in any order stand in their own blocks."""
    db = dynaflask.Dynamo()
    app = flask.Flask("app")
    app.config.update(DYNAMODB_REGION="eu-west-1", DYNAMODB_TENANTS={name: {} for name in NAMES})
    db.init_app(app)
    generators: list[t.Any] = []
    with app.app_context():
        for position in range(4):
            generators.append(commanded(db, generators, NAMES[position % 3]))
            next(generators[-1])
        for position, command in steps:
            with contextlib.suppress(StopIteration):
                generators[position].close() if command == "close" else generators[position].send(command)
        for generator in generators:
            generator.close()
        assert db.current_tenant is None
        assert block_stack.entered() == ()


def commanded(db: dynaflask.Dynamo, generators: list[t.Any], tenant: str) -> t.Generator[None, str]:
    """A generator in a tenant's block, which does what it is sent, and compares the tenant after each step."""
    with db.tenant(tenant):
        command = ""
        while command != "leave":
            command = yield
            if command in NAMES:
                yield from commanded(db, generators, command)
            elif command == "using":
                with db.using(region="sa-east-1"):
                    yield
            elif command == "acting":
                yield from commanded_inside(db, generators, NAMES[NAMES.index(tenant) - 1])
            elif command.startswith("resume"):
                with contextlib.suppress(ValueError, StopIteration):  # it runs already, or has ended
                    generators[int(command[-1])].send("check")
            assert db.current_tenant == tenant


def commanded_inside(db: dynaflask.Dynamo, generators: list[t.Any], tenant: str) -> t.Generator[None, str]:
    """A generator in the body of a @contextmanager, which resumes others, and compares the tenant after each step."""
    with acting(db, tenant):
        for number in range(3):
            command = yield
            if command.startswith("resume"):
                with contextlib.suppress(ValueError, StopIteration):  # it runs already, or has ended
                    generators[number].send("check")
            assert db.current_tenant == tenant


class Acting:
    """A context manager of a program, around a block."""

    def __init__(self, db: dynaflask.Dynamo, name: str) -> None:
        self._block = db.tenant(name)

    def __enter__(self) -> None:
        self._block.__enter__()

    def __exit__(self, *exception: t.Any) -> None:
        self._block.__exit__(*exception)


class AsyncActing(Acting):
    """An asynchronous context manager of a program, around a block."""

    async def __aenter__(self) -> None:
        self._block.__enter__()

    async def __aexit__(self, *exception: t.Any) -> None:
        self._block.__exit__(*exception)


@contextlib.contextmanager
def acting(db: dynaflask.Dynamo, name: str) -> t.Iterator[None]:
    """A context manager of a program, written as a generator."""
    with db.tenant(name):
        yield


@contextlib.contextmanager
def acting_inside(db: dynaflask.Dynamo, name: str) -> t.Iterator[None]:
    """A context manager around another one."""
    with acting(db, name):
        yield


def notes_in_block(db: dynaflask.Dynamo, generator: t.Iterator[str]) -> list[t.Any]:
    """A step of the generator in a block that a context manager entered, and the tenant after it."""
    with acting(db, "globex"):
        return [next(generator), db.current_tenant]


def leave_behind(world: World, ended_for: list[str | None]) -> None:
    """Begin a generator that stands in a block, and that the garbage collector ends: it refers to itself."""

    def save() -> t.Iterator[None]:
        with world.db.tenant("acme"):
            world.Thread("forum", "subject").save()
            try:
                yield
            finally:
                ended_for.append(itself and world.db.current_tenant)

    itself = save()
    next(itself)


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11),
    reason="Python 3.10 keeps the generator with its frame, and 3.12 runs the collector between two instructions",
)
@pytest.mark.parametrize("app", ["one", "two"])
def test_the_garbage_collector_ends_a_generator(world: World, app: str) -> None:
    """It may run in the middle of a change of the stack, which CPython does not expect to change: that comes later."""
    ended_for: list[str | None] = []
    with getattr(world, app).app_context(), world.db.tenant("globex"):
        leave_behind(world, ended_for)
        leave_behind(world, ended_for)
        entered = block_stack.entered()
        gc.collect()
        assert block_stack.entered() is entered
        assert (len(entered), ended_for) == (3, ["acme", "acme"])
        world.Thread("forum", "subject").save()
        (block,) = block_stack.entered()
        assert block.root.generator_blocks == []
    assert world.sent() == [*[f"{app} acme-Thread"] * 2, f"{app} globex-Thread"]


@pytest.mark.parametrize("app", ["one", "two"])
def test_blocks_of_code_that_the_garbage_collector_runs(world: World, app: str) -> None:
    """A finalizer may enter one block after another. Each is in force in it, and none after it."""
    seen: list[str | None] = []

    class Finalized:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            for name in ("acme", "globex", "acme"):
                with world.db.tenant(name):
                    seen.append(world.db.current_tenant)
            seen.append(world.db.current_tenant)

    with getattr(world, app).app_context(), world.db.tenant("north"):
        leave_behind(world, [])  # from the first generator in a block on, the stack knows of the collector
        Finalized()
        gc.collect()
        assert seen == ["acme", "globex", "acme", "north"]
        assert world.db.current_tenant == "north"
    world.sent()


def test_another_thread_drops_a_block_that_is_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads share a context. One looks at the stack while the other leaves the block of a generator."""

    def generator() -> t.Iterator[None]:
        with world.db.tenant("acme"):
            yield

    remove = EnteredContexts.remove

    def remove_slowly(contexts: EnteredContexts, block: t.Any) -> None:
        remove(contexts, block)
        dropped.append(block_stack._drop_left(block.root))

    dropped: list[None] = []
    monkeypatch.setattr(EnteredContexts, "remove", remove_slowly)
    for each in (world.one, world.two):
        with each.app_context():
            assert [world.db.current_tenant for _ in generator()] == ["acme"]
            assert world.db.current_tenant is None
    assert dropped == [None, None]
