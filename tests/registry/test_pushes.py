"""App contexts that generators push: their code is refused while another context is current."""

from __future__ import annotations

import _thread
import contextlib
import contextvars
import gc
import operator
import threading
import typing as t

import flask
import pytest

from dynaflask.registry import generators
from dynaflask.registry import pushes
from tests.support.two_apps import World

ASTRAY = "was begun in an app context of 'one', and goes on while another one, of 'two', is current"


def saves_in_context(world: World, app: flask.Flask) -> t.Iterator[None]:
    """Saves an item in a context of an app at each step."""
    with app.app_context():
        for _ in range(3):
            world.Thread("forum", app.name).save()
            yield


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


def test_a_flask_without_the_private_name() -> None:
    """Flask 3.2 counts the pushes by another name. Without both, a context counts as pushed once."""
    assert pushes._depth(type("Context", (), {"_push_count": 2})()) == 2
    assert pushes._depth(type("Context", (), {})()) == 1


def test_a_thread_may_begin_with_the_push_of_a_context(world: World) -> None:
    """Where no Python code pushes a context, no generator does."""
    pushed = threading.Event()
    steps = [world.one.app_context().push, pushed.set]
    _thread.start_new_thread(list, (map(operator.methodcaller("__call__"), steps),))
    assert pushed.wait(30)


def pushed(app: flask.Flask) -> t.Any:
    """A context of an app, which is pushed."""
    context = app.app_context()
    context.push()
    return context


class TestAContextThatIsPushedAgain:
    """A program may push one context object for each of its jobs. What one job has done is not that of the next."""

    @pytest.mark.parametrize("app", ["one", "two"])
    def test_the_tenant_of_a_job(self, world: World, app: str) -> None:
        """A context that has acted for a tenant is refused; so it is for its own tenant, and without one."""
        job: list[str | None] = [None]
        world.db.tenant_loader(lambda: job[0])
        context = getattr(world, app).app_context()
        for job[0] in (None, "acme"):
            with context:
                world.Thread("forum", "subject").save()
        assert world.sent() == [f"{app} Thread", f"{app} acme-Thread"]
        for job[0] in ("globex", None, "acme"):
            with context:
                with pytest.raises(RuntimeError, match="was pushed again after its end. .* Push a new one"):
                    world.Thread("forum", "subject").save()
                with pytest.raises(RuntimeError, match="was pushed again after its end"):
                    world.db.current_tenant  # noqa: B018 - the loader is not called
                with pytest.raises(RuntimeError, match="was pushed again after its end"), world.db.tenant("north"):
                    world.Note("key").save()
        assert world.sent() == []

    @pytest.mark.parametrize("app", ["one", "two"])
    def test_a_change_of_meta(self, world: World, app: str) -> None:
        """A context that has changed a model's ``Meta`` is refused, and a new one has the app's settings."""
        context = getattr(world, app).app_context()
        with context:
            world.Thread.Meta.table_name = "Other"
            world.Thread("forum", "subject").save()
        with context, pytest.raises(RuntimeError, match="was pushed again after its end"):
            world.Thread("forum", "subject").save()
        with getattr(world, app).app_context():
            world.Thread("forum", "subject").save()
        assert world.sent() == [f"{app} Other", f"{app} Thread"]

    def test_without_a_tenant_it_begins_again(self, world: World) -> None:
        """Then no block and no object of the first time is in force, which is refused also in the context itself."""
        context = world.one.app_context()
        with context:
            kept, batch = world.Thread._get_connection(), world.Thread.batch_write()
            batch.save(world.Thread("forum", "subject"))
            results = world.Thread.query("forum")
            world.db.tenant("acme").__enter__()
            world.Thread("forum", "subject").save()
        with context:
            world.Thread("forum", "subject").save()
            for use in (lambda: kept.get_item("forum", "subject"), batch.commit, lambda: next(results)):
                with pytest.raises(RuntimeError, match=r"has ended|can only continue in that context"):
                    use()
        assert world.sent() == ["one acme-Thread", "one Thread"]

    def test_a_thread_that_goes_on_after_its_end(self, world: World) -> None:
        """The thread has no tenant, which would be that of the next job."""
        job = ["acme"]
        world.db.tenant_loader(lambda: job[0])
        context = world.one.app_context()
        with context:
            late = contextvars.copy_context()
        with pytest.raises(RuntimeError, match="has ended"):
            late.run(lambda: world.db.current_tenant)
        job[0] = "globex"
        with context:
            world.Thread("forum", "subject").save()
        assert world.sent() == ["one globex-Thread"]

    def test_a_teardown_function_fails(self, world: World) -> None:
        """Flask calls no further one then. The context has ended all the same."""
        world.one.teardown_appcontext(lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
        job = ["acme"]
        world.db.tenant_loader(lambda: job[0])
        context = world.one.app_context()
        with pytest.raises(ZeroDivisionError), context:
            world.Thread("forum", "subject").save()
        job[0] = "globex"
        with pytest.raises(ZeroDivisionError), context:
            with pytest.raises(RuntimeError, match="was pushed again after its end"):
                world.Thread("forum", "subject").save()
        assert world.sent() == ["one acme-Thread"]

    def test_what_a_receiver_of_the_push_does(self, world: World) -> None:
        """A receiver of Flask's signal may use the context before all others. That belongs to this push."""

        def change(_: flask.Flask) -> None:
            world.Thread.Meta.table_name = "Other"

        with flask.appcontext_pushed.connected_to(change, world.two), world.two.app_context():
            world.Thread("forum", "subject").save()
        assert world.sent() == ["two Other"]

    def test_before_its_end(self, world: World) -> None:
        """A context that is pushed a second time inside of itself goes on."""
        world.db.tenant_loader(iter(["acme"]).__next__)
        context = world.one.app_context()
        with context:
            world.Thread("forum", "subject").save()
            with context:
                world.Thread("forum", "subject").save()
            world.Thread("forum", "subject").save()
        assert world.sent() == ["one acme-Thread"] * 3

    def test_the_context_of_a_request(self, world: World) -> None:
        """It goes on for the request, as in a thread that begins after the response."""
        world.db.tenant_loader(lambda: flask.request.headers["X-Tenant"])
        kept: list[t.Any] = []

        @world.one.get("/")
        def view() -> str:
            world.Thread("forum", "subject").save()
            kept.append(flask.globals.app_ctx._get_current_object())
            return ""

        for tenant in ("acme", "globex"):
            world.one.test_client().get("/", headers={"X-Tenant": tenant})
        for context in kept * 2:
            with context:
                world.Thread("forum", "subject").save()
        assert world.sent() == ["one acme-Thread", "one globex-Thread"] * 3

    def test_the_debugger(self, world: World) -> None:
        """Werkzeug's debugger enters the context of a failed request for each command, which sees what the view did."""
        code = "def run(context, command):\n    with context:\n        command()\n"
        debugger: dict[str, t.Any] = {"__name__": "werkzeug.debug"}
        exec(code, debugger)  # noqa: S102 - a function of that module
        context = world.one.app_context()
        with context:
            world.Thread.Meta.table_name = "Other"
        for _ in range(3):
            debugger["run"](context, world.Thread("forum", "subject").save)
        assert world.sent() == ["one Other"] * 3

    def test_the_client_of_a_test(self, world: World) -> None:
        """After a request, ``with client:`` goes on with what the view has done."""

        @world.one.get("/")
        def view() -> str:
            world.Thread.Meta.table_name = "Other"
            return str(world.Thread.Meta.table_name)

        with world.one.test_client() as client:
            client.get("/")
            world.Thread("forum", "subject").save()
        assert world.sent() == ["one Other"]


def pop_all(*suspended: t.Generator[None] | t.Iterator[None]) -> None:
    """Close generators and pop contexts that ended in the wrong order, which Flask reports."""
    for generator in suspended:
        with contextlib.suppress(AssertionError, LookupError):
            t.cast("t.Generator[None]", generator).close()
    while flask.has_app_context():
        flask.globals.app_ctx._get_current_object().pop()
