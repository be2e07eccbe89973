"""How the scope of the current context is found."""

from __future__ import annotations

import concurrent.futures
import contextvars
import typing as t

import flask
import pytest
import werkzeug.test

import dynaflask
from dynaflask.registry import context as contexts
from dynaflask.registry.scope import Scope
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class TestCurrentScope:
    """Which scope is current, and which error is raised if there is none."""

    def test_outside_of_a_context_the_error_names_the_model_and_both_causes(self, thread_model: t.Any) -> None:
        """The error names what was used, why there is no context, and what to do."""
        with pytest.raises(RuntimeError, match="outside of application context") as caught:
            thread_model.get("forum", "subject")
        for part in ("Thread needs", "with app.app_context():", "stream_with_context"):
            assert part in str(caught.value)

    def test_an_app_that_was_not_initialised_is_named(self, thread_model: t.Any) -> None:
        """The error names the app, and tells to call init_app."""
        with flask.Flask("bare").app_context():
            with pytest.raises(RuntimeError, match="'bare', which was not initialised. Call db.init_app"):
                thread_model.get("forum", "subject")

    def test_a_nested_context_of_another_app_answers_for_that_app(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """The innermost app context is current, and the outer one again when it ends."""
        with make_app("us", region="us-west-2").app_context():
            with make_app("eu", region="eu-west-1").app_context():
                assert thread_model.Meta.region == "eu-west-1"
            assert thread_model.Meta.region == "us-west-2"

    def test_a_nested_context_of_the_same_app_is_another_scope(self, app: flask.Flask, thread_model: t.Any) -> None:
        """A change in the outer context is not seen in the inner one."""
        with app.app_context():
            thread_model.Meta.region = "sa-east-1"
            with app.app_context():
                assert thread_model.Meta.region == "us-west-2"

    def test_threads_may_share_a_context(self, app: flask.Flask, thread_model: t.Any) -> None:
        """Threads with a copy of the context share its scope and its connections."""
        with app.app_context(), concurrent.futures.ThreadPoolExecutor(1) as pool:
            mine = thread_model._get_connection()
            theirs = pool.submit(contextvars.copy_context().run, thread_model._get_connection).result()
            assert theirs is mine

    def test_a_thread_without_a_context_has_no_scope(self, app: flask.Flask, thread_model: t.Any) -> None:
        """A new thread has no scope, not even that of the last app."""
        with app.app_context(), concurrent.futures.ThreadPoolExecutor(1) as pool:
            with pytest.raises(RuntimeError, match="outside of application context"):
                pool.submit(thread_model._get_connection).result()


class TestEndedContext:
    """A thread that still has an ended context is refused, and ends nothing of what the end of the context decided."""

    def test_a_straggler_does_not_open_the_context_again(
        self, app: flask.Flask, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A thread that uses a model after the end of its context gets the error; a kept handle stays refused."""
        with app.app_context():
            table, copied = thread_model._get_connection(), contextvars.copy_context()
        for use in (lambda: thread_model.get("forum", "subject"), table.describe_table):
            with pytest.raises(RuntimeError, match="context of 'app' that has ended"):
                in_thread(copied, use)
            with pytest.raises(RuntimeError, match="context of 'app' that has ended"):
                table.describe_table()
        assert recorder.requests == []

    def test_a_straggler_is_the_first_to_use_its_context(
        self, app: flask.Flask, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
    ) -> None:
        """A context that was not used before its end is not opened after it, not even by a block."""
        with app.app_context():
            copied = contextvars.copy_context()

        def use_in_block() -> None:
            with db.using("eu"):
                thread_model.get("forum", "subject")

        for use in (lambda: thread_model.get("forum", "subject"), use_in_block, lambda: db.connection):
            with pytest.raises(RuntimeError, match="context of 'app' that has ended"):
                in_thread(copied, use)
        assert recorder.requests == []

    def test_a_straggler_of_a_request_inside_a_pushed_context(
        self, app: flask.Flask, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
    ) -> None:
        """A request that ran in a pushed context has ended, although the context has not."""
        db.tenant_loader(lambda: None)
        kept: list[t.Any] = []

        @app.get("/")
        def view() -> str:
            kept.extend([thread_model._get_connection(), contextvars.copy_context()])
            return ""

        with app.app_context():
            werkzeug.test.Client(app).get("/")
            table, copied = kept
            with pytest.raises(RuntimeError, match="has ended"):
                in_thread(copied, lambda: thread_model.get("forum", "subject"))
            with pytest.raises(RuntimeError, match="has ended"):
                table.describe_table()
            thread_model.get("forum", "subject")
        assert len(recorder.requests) == 1

    def test_a_copied_request_context_is_pushed_again(
        self, app: flask.Flask, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
    ) -> None:
        """A function of flask.copy_current_request_context may use its request after the end of the original."""
        db.tenant_loader(lambda: None)
        kept: list[t.Any] = []

        @app.get("/")
        def view() -> str:
            thread_model._get_connection()
            kept.append(flask.copy_current_request_context(lambda: thread_model.get("forum", "subject")))
            return ""

        with app.app_context():
            werkzeug.test.Client(app).get("/")
            kept[0]()
        assert len(recorder.requests) == 1

    def test_a_teardown_function_that_calls_does_not_open_the_context_again(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A teardown function that runs after the extension's may use its context, which ends all the same."""
        app = flask.Flask("app")
        app.config.from_mapping({f"DYNAMODB_{name.upper()}": value for name, value in KEYS.items()})
        app.config.update(DYNAMODB_HOST=recorder.url, DYNAMODB_REGION="us-west-2")
        tables = []

        @app.teardown_appcontext
        def save(_: BaseException | None) -> None:
            thread_model("forum", "bye").save()
            tables.append(thread_model._get_connection())

        db.init_app(app)
        with app.app_context():
            thread_model("forum", "hello").save()
        with pytest.raises(RuntimeError, match="has ended"):
            tables[0].describe_table()
        assert len(recorder.requests) == 2

    def test_a_block_in_a_stream_keeps_the_one_around_it(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """In a streamed response, after its context was torn down once, blocks nest as elsewhere."""

        @app.get("/")
        def regions() -> t.Any:
            thread_model._get_connection()

            @flask.stream_with_context
            def stream() -> t.Iterator[str]:
                with db.using("eu"):
                    with db.using(table_prefix="p-"):
                        yield f"{thread_model.Meta.region} {thread_model.Meta.table_name} "
                    yield f"{thread_model.Meta.region} {thread_model.Meta.table_name}"

            return stream()

        assert werkzeug.test.Client(app).get("/").text == "eu-west-1 p-Thread eu-west-1 Thread"

    def test_a_flask_without_the_private_name(self) -> None:
        """Flask 3.2's name tells the same. Without both, a context counts as pushed."""

        class Context:
            _cv_token: object = None

        context = Context()
        pushes = contexts._pushes(context)
        assert not pushes
        context._cv_token = object()
        assert pushes
        assert contexts._pushes(type("Bare", (), {})())


def test_a_request_may_be_used_in_another_context_while_it_ends(
    app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that shares the request does not disturb the end of its scopes."""
    db.tenant_loader(lambda: None)
    app.get("/", endpoint="view")(lambda: str(thread_model.Meta.region))
    second = app.app_context()
    with second:
        assert thread_model.Meta.region == "us-west-2"
    close, uses = Scope.close, [1]

    def use_and_close(scope: Scope) -> None:
        # What another thread does at this moment.
        if uses and uses.pop():
            with second:
                assert thread_model.Meta.region == "us-west-2"
        close(scope)

    with app.app_context():
        assert thread_model.Meta.region == "us-west-2"
        monkeypatch.setattr(Scope, "close", use_and_close)
        assert werkzeug.test.Client(app).get("/").text == "us-west-2"
    assert not uses


def in_thread(copied: contextvars.Context, use: t.Callable[[], t.Any]) -> None:
    """Run a function in another thread, in a copied context."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(copied.run, use).result()
