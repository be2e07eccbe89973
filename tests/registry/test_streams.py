"""Streamed responses of two apps and of two tenants, read in turns, by one thread and by two."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import importlib.metadata
import threading
import typing as t

import flask
import pytest
from packaging.version import Version

from tests.support.two_apps import World

STEPS = 3

since_flask_3_1_2 = pytest.mark.skipif(
    Version(importlib.metadata.version("flask")) < Version("3.1.2"),
    reason="an older Flask leaves the context of a streamed response pushed after the view, and the next one covers it",
)


@pytest.fixture
def streaming(world: World) -> World:
    """The apps with views that stream: one call of the request's tenant for each line."""
    world.db.tenant_loader(lambda: flask.request.headers.get("X-Tenant"))

    def lines() -> t.Iterator[str]:
        for number in range(STEPS):
            world.Thread("forum", str(number)).save()
            yield f"{number}\n"

    def late_lines() -> t.Iterator[str]:
        yield "late\n"
        yield from lines()

    def lines_in_block() -> t.Iterator[str]:
        with world.db.tenant(flask.request.headers["X-Block"]):
            yield from lines()

    for app in (world.one, world.two):
        app.add_url_rule("/", "stream", lambda: flask.Response(flask.stream_with_context(lines())))
        app.add_url_rule("/block", "block", lambda: flask.Response(flask.stream_with_context(lines_in_block())))
        app.add_url_rule("/late", "late", lambda: flask.Response(flask.stream_with_context(late_lines())))
        app.add_url_rule("/bare", "bare", lambda: flask.Response(lines()))
        app.add_url_rule("/quick", "quick", lambda: str(world.Thread("forum", "quick").save() and ""))
    return world


def stream(app: flask.Flask, url: str = "/", **headers: str) -> t.Any:
    """The lines of a response, none of which has been read."""
    names = {f"X-{name.title()}": value for name, value in headers.items()}
    return app.wsgi_app(app.test_client().application.test_request_context(url, headers=names).request.environ, ignore)


def ignore(status: str, headers: t.Any, *_: t.Any) -> t.Any:
    """WSGI's start_response."""


def messages(error: BaseException | None) -> str:
    """The messages of an error, and of those that it followed."""
    return "" if error is None else f"{error} {messages(error.__context__)}"


def save_inside(world: World) -> None:
    """Make a call in a block of a plain function."""
    with world.db.tenant("north"):
        world.Thread("forum", "inside").save()


def pop_all() -> None:
    """Pop contexts that ended in the wrong order."""
    while flask.has_app_context():
        flask.globals.app_ctx._get_current_object().pop()


class TestOneThread:
    """One thread that reads two responses in turns: a line that would come from the other's app is refused."""

    @since_flask_3_1_2
    @pytest.mark.parametrize(("first", "second"), [("one", "two"), ("two", "one"), ("one", "one")])
    def test_in_turns(self, streaming: World, first: str, second: str) -> None:
        """While the second response has its context pushed, the first sends nothing."""
        apps = {"one": streaming.one, "two": streaming.two}
        responses = [stream(apps[first], tenant="acme"), stream(apps[second], tenant="globex")]
        lines = [iter(response) for response in responses]
        next(lines[0])
        next(lines[1])
        # Flask reports the wrong order, too.
        with pytest.raises((RuntimeError, AssertionError)) as caught:
            next(lines[0])
        assert "goes on while another one" in messages(caught.value)
        with contextlib.suppress(AssertionError, LookupError):
            responses[1].close()
        pop_all()
        assert streaming.sent() == [f"{first} acme-Thread", f"{second} globex-Thread"]

    @pytest.mark.parametrize("url", ["/", "/block"])
    def test_one_after_the_other(self, streaming: World, url: str) -> None:
        """Responses that are made first, and read later, are each for their own app and tenant."""
        responses = [
            stream(streaming.one, url, tenant="acme", block="globex"),
            stream(streaming.two, url, tenant="acme", block="globex"),
            stream(streaming.one, url, tenant="globex", block="acme"),
        ]
        for response in reversed(responses):
            assert b"".join(response) == b"0\n1\n2\n"
            response.close()
        tables = ["acme", "globex"] if url == "/" else ["globex", "acme"]
        assert streaming.sent() == [
            *[f"one {tables[1]}-Thread"] * STEPS,
            *[f"two {tables[0]}-Thread"] * STEPS,
            *[f"one {tables[0]}-Thread"] * STEPS,
        ]

    def test_one_inside_the_other(self, streaming: World) -> None:
        """A response that is read to its end between two lines of another one disturbs neither."""
        outer = stream(streaming.one, "/block", tenant="acme", block="globex")
        lines = iter(outer)
        next(lines)
        inner = stream(streaming.two, tenant="acme")
        assert b"".join(inner) == b"0\n1\n2\n"
        inner.close()
        assert len(list(lines)) == STEPS - 1
        outer.close()
        assert streaming.sent() == ["one globex-Thread", *["two acme-Thread"] * STEPS, *["one globex-Thread"] * 2]

    def test_one_is_abandoned(self, streaming: World) -> None:
        """A response that a server closes in the middle leaves neither a context nor a block behind."""
        response = stream(streaming.one, "/block", tenant="acme", block="globex")
        next(iter(response))
        response.close()
        assert not flask.has_app_context()
        with streaming.one.test_request_context(headers={"X-Tenant": "acme"}):
            streaming.Thread("forum", "after").save()
        assert streaming.sent() == ["one globex-Thread", "one acme-Thread"]

    def test_one_is_kept_while_the_next_request_runs(self, streaming: World) -> None:
        """A response that was begun and not closed has no effect in the requests of another app and tenant."""
        kept = stream(streaming.one, "/block", tenant="acme", block="globex")
        lines = iter(kept)
        next(lines)
        for app in (streaming.two, streaming.one):
            b"".join(stream(app, "/quick", tenant="acme"))
        assert len(list(lines)) == STEPS - 1
        kept.close()
        assert streaming.sent() == [
            *["one globex-Thread", "two acme-Thread", "one acme-Thread"],
            *["one globex-Thread"] * 2,
        ]

    def test_without_stream_with_context(self, streaming: World) -> None:
        """A bare generator has no context; inside a context of another app it would be that app's, as any code."""
        response = stream(streaming.one, "/bare", tenant="acme")
        with pytest.raises(RuntimeError, match=r"flask.stream_with_context"):
            b"".join(response)
        assert streaming.sent() == []


class TestRequestsOfOneContext:
    """A request that begins while a stream of its app is suspended shares its app context, and not its tenant."""

    @since_flask_3_1_2
    @pytest.mark.parametrize("url", ["/", "/late", "/block"])
    @pytest.mark.parametrize("order", ["01", "0011", "1010", "012", "100", "210", "2012", "0112"])
    def test_each_line_is_of_its_own_tenant(self, streaming: World, url: str, order: str) -> None:
        """In whichever order the streams go on, no line is written for another tenant; Flask reports a wrong order."""
        # In a copy: Flask leaves contexts behind that were popped in the wrong order.
        assert contextvars.copy_context().run(self.read, streaming, url, order) == []

    def read(self, streaming: World, url: str, order: str) -> list[str]:
        """The lines that were written for another tenant than that of their request."""
        tables = {"acme": "one acme-Thread", "globex": "one globex-Thread", "north": "one Thread"}
        responses = [
            streaming.one.test_client().get(url, headers={"X-Tenant": tenant, "X-Block": tenant}, buffered=False)
            for tenant in tables
        ]
        lines = [iter(response.response) for response in responses]
        for stream_lines in lines:
            next(stream_lines)
        wrong = [] if streaming.sent() == ([] if url == "/late" else [*tables.values()]) else ["at the start"]
        for number in map(int, order):
            with contextlib.suppress(RuntimeError, AssertionError, LookupError, StopIteration):
                next(lines[number])
            wrong += [f"{number}: {place}" for place in streaming.sent() if place != [*tables.values()][number]]
        for response in responses:
            with contextlib.suppress(AssertionError, LookupError):
                response.close()
        return wrong

    @since_flask_3_1_2
    def test_the_last_of_them_goes_on(self, streaming: World) -> None:
        """The stream whose request is the current one is read to its end, and so is the other one then."""
        responses = [
            streaming.one.test_client().get("/late", headers={"X-Tenant": tenant}, buffered=False)
            for tenant in ("acme", "globex")
        ]
        for response in reversed(responses):
            assert b"".join(response.response) == b"late\n0\n1\n2\n"
            response.close()
        assert streaming.sent() == [*["one globex-Thread"] * STEPS, *["one acme-Thread"] * STEPS]

    def test_a_request_inside_of_a_stream(self, streaming: World) -> None:
        """A stream may make requests, and push contexts. In another request of its own context, it names the tenant."""
        apps, refused = {"one": streaming.one, "two": streaming.two}, list[str]()

        def lines() -> t.Iterator[str]:
            for name, app in apps.items():
                app.test_client().get("/quick", headers={"X-Tenant": "globex"})
                with app.test_request_context(headers={"X-Tenant": "north"}):
                    try:
                        streaming.Thread("forum", "inside").save()
                    except RuntimeError as error:
                        refused.append(str(error))
                        with streaming.db.tenant("north"):
                            save_inside(streaming)
                streaming.Thread("forum", "line").save()
                yield name

        streaming.one.add_url_rule("/outer", "outer", lambda: flask.Response(flask.stream_with_context(lines())))
        response = streaming.one.test_client().get("/outer", headers={"X-Tenant": "acme"})
        assert response.data == b"onetwo"
        own = "one acme-Thread"
        assert streaming.sent() == ["one globex-Thread", "one Thread", own, "two globex-Thread", "two Thread", own]
        assert len(refused) <= 1
        assert all("Name the tenant here" in message for message in refused)

    def test_a_copy_of_the_request(self, streaming: World) -> None:
        """A copy of the request's context, as of ``flask.copy_current_request_context``, is of the same request."""

        def lines() -> t.Iterator[str]:
            save = flask.copy_current_request_context(streaming.Thread("forum", "line").save)
            save()
            yield "line"

        streaming.one.add_url_rule("/copy", "copy", lambda: flask.Response(flask.stream_with_context(lines())))
        assert streaming.one.test_client().get("/copy", headers={"X-Tenant": "acme"}).data == b"line"
        assert streaming.sent() == ["one acme-Thread"]

    @pytest.mark.parametrize("is_in_block", [False, True], ids=["request", "block"])
    @pytest.mark.parametrize("order", ["01", "010", "0011", "10"])
    def test_generators_that_push_requests(self, streaming: World, order: str, is_in_block: bool) -> None:
        """Resumed while another one's request is current, a generator sends nothing, also in a block of its own."""
        tenants = ["acme", "globex"]

        def job(tenant: str) -> t.Iterator[None]:
            block = streaming.db.tenant(tenant) if is_in_block else contextlib.nullcontext()
            with streaming.one.test_request_context(headers={"X-Tenant": tenant}), block:
                while True:
                    yield
                    streaming.Thread("forum", tenant).save()

        def run() -> list[str]:
            jobs = [job(tenant) for tenant in tenants]
            for each in jobs:
                next(each)
            for number in map(int, order):
                with contextlib.suppress(RuntimeError, AssertionError, LookupError, StopIteration):
                    next(jobs[number])
                wrong.extend(place for place in streaming.sent() if place != f"one {tenants[number]}-Thread")
            for each in reversed(jobs):
                with contextlib.suppress(AssertionError, LookupError):
                    each.close()
            return wrong

        wrong: list[str] = []
        assert contextvars.copy_context().run(run) == []

    @since_flask_3_1_2
    def test_without_a_loader_streams_are_read_in_turns(self, world: World) -> None:
        """An app that finds no tenants in requests needs no request: its streams stay what they were."""

        def lines() -> t.Iterator[str]:
            for number in "01":
                yield number
                world.Thread("forum", number).save()

        world.one.add_url_rule("/", "stream", lambda: flask.Response(flask.stream_with_context(lines())))
        responses = [world.one.test_client().get("/", buffered=False) for _ in range(2)]
        streams = [iter(response.response) for response in responses]
        for stream_lines in (*streams, *reversed(streams)):
            next(stream_lines)
        for response in reversed(responses):
            response.close()
        assert world.sent() == ["one Thread"] * 2


@since_flask_3_1_2
class TestBesideAStream:
    """Code that has read a streamed response in part is left in its context, and its calls are refused."""

    @pytest.mark.parametrize(
        ("inner", "message"), [("two", "has been read in part"), ("one", "Name the tenant here")], ids=["two", "one"]
    )
    def test_a_view_that_reads_a_part(self, streaming: World, inner: str, message: str) -> None:
        """The calls of a view go to its own app and tenant, or nowhere, until it closes the other response."""
        apps, errors = {"one": streaming.one, "two": streaming.two}, list[str]()

        def view() -> str:
            response = apps[inner].test_client().get("/", headers={"X-Tenant": "globex"}, buffered=False)
            try:
                streaming.Thread("forum", "beside").save()
            except RuntimeError as error:
                errors.append(str(error))
            response.close()
            streaming.Thread("forum", "after").save()
            return ""

        streaming.one.add_url_rule("/view", "view", view)
        assert streaming.one.test_client().get("/view", headers={"X-Tenant": "acme"}).status_code == 200
        assert streaming.sent() == [f"{inner} globex-Thread", "one acme-Thread"]
        assert [message in error for error in errors] == [True]

    @pytest.mark.parametrize("inner", ["one", "two"])
    def test_a_job_that_reads_a_part(self, streaming: World, inner: str) -> None:
        """So do the calls of a block in a context without a request."""
        apps = {"one": streaming.one, "two": streaming.two}
        with streaming.one.app_context(), streaming.db.tenant("acme"):
            response = apps[inner].test_client().get("/", headers={"X-Tenant": "globex"}, buffered=False)
            with pytest.raises(RuntimeError, match="read in part|Name the tenant here"):
                streaming.Thread("forum", "beside").save()
            response.close()
            streaming.Thread("forum", "after").save()
        assert streaming.sent() == [f"{inner} globex-Thread", "one acme-Thread"]

    def test_a_generator_that_reads_a_part(self, streaming: World) -> None:
        """So do the calls of a coroutine in a context of its own."""

        async def job() -> None:
            with streaming.one.app_context(), streaming.db.tenant("acme"):
                response = streaming.two.test_client().get("/", headers={"X-Tenant": "globex"}, buffered=False)
                with pytest.raises(RuntimeError, match="read in part"):
                    streaming.Thread("forum", "beside").save()
                response.close()
                streaming.Thread("forum", "after").save()

        asyncio.run(job())
        assert streaming.sent() == ["two globex-Thread", "one acme-Thread"]

    def test_its_own_request(self, streaming: World) -> None:
        """A view may read the first line of its own response: the context is the same."""

        def view() -> flask.Response:
            lines = flask.stream_with_context(map(str, range(2)))
            first = next(lines)
            streaming.Thread("forum", first).save()
            lines.close()
            return flask.Response(first)

        for app in (streaming.one, streaming.two):
            app.add_url_rule("/view", "view", view)
            assert app.test_client().get("/view", headers={"X-Tenant": "acme"}).data == b"0"
        assert streaming.sent() == ["one acme-Thread", "two acme-Thread"]

    def test_its_own_request_in_a_context_of_the_other_app(self, streaming: World) -> None:
        """In a context of another app, the first line brings back the request's own."""

        def view() -> str:
            lines = flask.stream_with_context(map(str, range(2)))
            with streaming.two.app_context(), streaming.db.tenant("globex"):
                next(lines)
                with pytest.raises(RuntimeError, match="read in part"):
                    streaming.Thread("forum", "beside").save()
                lines.close()
                streaming.Thread("forum", "after").save()
            return ""

        streaming.one.add_url_rule("/view", "view", view)
        assert streaming.one.test_client().get("/view", headers={"X-Tenant": "acme"}).status_code == 200
        assert streaming.sent() == ["two globex-Thread"]

    def test_a_thread_of_the_stream(self, streaming: World) -> None:
        """A thread that a stream begins with a copy of its context makes calls for the stream's tenant."""

        def lines() -> t.Iterator[str]:
            run = contextvars.copy_context().run
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                pool.submit(run, streaming.Thread("forum", "thread").save).result(60)
            yield "line"

        for app in (streaming.one, streaming.two):
            app.add_url_rule("/thread", "thread", lambda: flask.Response(flask.stream_with_context(lines())))
            assert app.test_client().get("/thread", headers={"X-Tenant": "acme"}).data == b"line"
        assert streaming.sent() == ["one acme-Thread", "two acme-Thread"]


class TestTwoThreads:
    """Threads that each read a response do so for its own app and tenant, also in turns."""

    def test_in_turns(self, streaming: World) -> None:
        """Each thread has its own context, whichever thread reads between."""
        turns = threading.Barrier(2)

        def read(app: flask.Flask, tenant: str) -> int:
            response = stream(app, "/block", tenant=tenant, block="globex" if tenant == "acme" else "acme")
            count = 0
            for _ in response:
                count += 1
                turns.wait(60)
            response.close()
            return count

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            counts = pool.map(read, (streaming.one, streaming.two), ("acme", "globex"))
            assert list(counts) == [STEPS, STEPS]
        assert sorted(streaming.sent()) == [*["one globex-Thread"] * STEPS, *["two acme-Thread"] * STEPS]

    @since_flask_3_1_2
    def test_a_response_that_another_thread_goes_on_reading(self, streaming: World) -> None:
        """The context stays in the thread that began to read. Another one is refused, with and without a context."""

        def go_on(lines: t.Iterator[bytes], app: flask.Flask | None) -> None:
            with app.app_context() if app else contextlib.nullcontext():
                next(lines)

        for app, message in ((streaming.two, "goes on while another one, of 'two'"), (None, "outside of application")):
            lines = iter(stream(streaming.one, tenant="acme"))
            contextvars.copy_context().run(next, lines)
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                error = pool.submit(go_on, lines, app).exception(60)
            assert message in messages(error)
        assert streaming.sent() == ["one acme-Thread"] * 2


class TestRequestInsideAnother:
    """A generator or a coroutine that enters a second request inside of its first one, of another tenant."""

    @staticmethod
    def request(app: flask.Flask, tenant: str) -> t.Any:
        """A request of a tenant."""
        return app.test_request_context(headers={"X-Tenant": tenant})

    def test_in_a_context_of_its_own(self, streaming: World) -> None:
        """With an app context of its own, each call is for the tenant of the request that it stands in."""

        def lines(app: flask.Flask) -> t.Iterator[str]:
            with self.request(app, "acme"):
                streaming.Thread("forum", "a").save()
                with app.app_context(), self.request(app, "globex"):
                    streaming.Thread("forum", "b").save()
                    yield "b"
                streaming.Thread("forum", "c").save()

        for app in (streaming.one, streaming.two):
            assert list(lines(app)) == ["b"]
        tables = ["acme-Thread", "globex-Thread", "acme-Thread"]
        assert streaming.sent() == [f"{app} {table}" for app in ("one", "two") for table in tables]

    def test_in_the_same_context(self, streaming: World) -> None:
        """Otherwise it is not known who entered the request: a call is for the tenant that it names, or refused."""

        async def work(app: flask.Flask) -> None:
            with self.request(app, "acme"):
                streaming.Thread("forum", "a").save()
                with self.request(app, "globex"):
                    with pytest.raises(RuntimeError, match="Name the tenant here"):
                        streaming.Thread("forum", "b").save()
                    with streaming.db.tenant("globex"):
                        streaming.Thread("forum", "b").save()

        for app in (streaming.one, streaming.two):
            asyncio.run(work(app))
        assert streaming.sent() == [f"{app} {tenant}-Thread" for app in ("one", "two") for tenant in ("acme", "globex")]
