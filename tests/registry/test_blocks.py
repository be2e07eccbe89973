"""Blocks that a program enters, and functions that they decorate."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import itertools
import typing as t
import weakref

import flask
import pytest

import dynaflask
from dynaflask import ConfigurationError
from dynaflask import UnknownBind
from tests.support import recorder as recorders
from tests.support.settings import MakeApp


class Awaitable:
    """An awaitable of a program, which is no coroutine."""

    def __await__(self) -> t.Iterator[None]:
        yield


class TestUsing:
    """``db.using``: a block on another bind or with other settings."""

    def test_calls_go_to_the_blocks_bind(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """Inside the block, models and connections send to the block's bind; after it, to the context's again."""
        with app.app_context():
            with db.using("eu"):
                thread_model("forum", "subject").save()
                db.connection.list_tables()
            thread_model("forum", "subject").save()
        assert [request.region for request in recorder.requests] == ["eu-west-1", "eu-west-1", "us-west-2"]

    def test_an_iterator_stays_on_the_blocks_destination(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A query made in a block sends to the block's destination, even if it is read after the block."""
        with app.app_context():
            with db.using("eu"):
                threads = thread_model.query("forum")
            assert list(threads) == []
        assert recorder.requests[0].region == "eu-west-1"

    def test_another_thread_of_the_context_is_not_in_the_block(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A block belongs to the thread that entered it."""
        with app.app_context(), concurrent.futures.ThreadPoolExecutor(1) as pool:
            before = contextvars.copy_context()
            with db.using("eu"):
                assert pool.submit(before.run, lambda: thread_model.Meta.region).result() == "us-west-2"

    def test_a_context_of_another_app_inside_the_block_is_not_in_it(
        self, app: flask.Flask, db: dynaflask.Dynamo, make_app: MakeApp, thread_model: t.Any
    ) -> None:
        """A block belongs to the context that entered it, and has effect again when that context is current again."""
        outer = app.app_context()
        with outer, db.using("eu"), make_app("other", region="sa-east-1").app_context():
            assert thread_model.Meta.region == "sa-east-1"
            with db.using(region="af-south-1"), outer:
                assert thread_model.Meta.region == "eu-west-1"

    def test_it_ends_after_an_error(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """An exception ends the block, and propagates unchanged."""
        with app.app_context():
            with pytest.raises(ZeroDivisionError), db.using("eu"):
                1 / 0  # noqa: B018
            assert thread_model.Meta.region == "us-west-2"

    def test_it_is_a_decorator(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """A function can be decorated without a context: each call uses the context that is current then."""

        @db.using("eu")
        def region() -> str | None:
            return t.cast("str | None", thread_model.Meta.region)

        with app.app_context():
            assert region() == "eu-west-1"

    def test_a_generator_closed_elsewhere_leaves_that_threads_blocks(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Leaving a block in another thread than it was entered in ends no other block."""

        def generator() -> t.Iterator[None]:
            with db.using(region="sa-east-1"):
                yield

        with app.app_context(), concurrent.futures.ThreadPoolExecutor(1) as pool:
            suspended = generator()
            pool.submit(contextvars.copy_context().run, next, suspended).result()
            with db.using("eu"):
                suspended.close()
                assert thread_model.Meta.region == "eu-west-1"

    def test_generators_that_end_out_of_order_leave_no_block(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Blocks of generators may end in any order, and each ends alone."""

        def generator(region: str) -> t.Iterator[None]:
            with db.using(region=region):
                yield

        with app.app_context():
            first, second = generator("sa-east-1"), generator("ap-south-1")
            next(first)
            next(second)
            first.close()
            assert thread_model.Meta.region == "ap-south-1"
            second.close()
            assert thread_model.Meta.region == "us-west-2"

    def test_it_decorates_a_coroutine(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """The block lasts as long as the coroutine runs."""

        @db.using("eu")
        async def region() -> t.Any:
            await asyncio.sleep(0)
            return thread_model.Meta.region

        with app.app_context():
            assert asyncio.run(region()) == "eu-west-1"
            assert thread_model.Meta.region == "us-west-2"

    def test_it_refuses_to_decorate_a_generator(self, db: dynaflask.Dynamo) -> None:
        """A generator function is refused, because it would run after the block."""

        def generator() -> t.Iterator[None]:
            yield

        with pytest.raises(TypeError, match="generator runs after its call: write `with db.using"):
            db.using("eu")(generator)

    @pytest.mark.parametrize("as_coroutine", [False, True])
    @pytest.mark.parametrize(
        "make_result",
        [
            lambda: map(str, [1]),
            lambda: filter(None, [1]),
            lambda: zip([1], [2], strict=True),
            lambda: enumerate([1]),
            lambda: iter(lambda: 1, 2),
            lambda: itertools.chain([1], [2]),
            lambda: itertools.islice(itertools.count(), 2),
            lambda: (_ for _ in [1]),
            lambda: (map(str, [1]), 200),
            lambda: flask.Response(map(str, [1])),
            lambda: (flask.Response(_ for _ in "a"), 200),
            Awaitable,
        ],
        ids=map(str, itertools.count()),
    )
    def test_it_refuses_a_result_that_runs_later(
        self, app: flask.Flask, db: dynaflask.Dynamo, make_result: t.Any, *, as_coroutine: bool
    ) -> None:
        """A decorated function may not return what would run after the block."""

        async def make_later() -> t.Any:
            return make_result()

        with app.app_context(), pytest.raises(TypeError, match="which runs later"):
            if as_coroutine:
                asyncio.run(db.using("eu")(make_later)())
            else:
                db.using("eu")(make_result)()

    @pytest.mark.parametrize(
        "result",
        ["a", [1], (1, [2]), iter([1]), range(2), flask.Response("a"), concurrent.futures.Future()],
        ids=lambda result: type(result).__name__,
    )
    def test_it_returns_any_other_result(self, app: flask.Flask, db: dynaflask.Dynamo, result: t.Any) -> None:
        """A result that is there already is returned as it is."""
        with app.app_context():
            assert db.using("eu")(lambda: result)() is result

    def test_results_of_a_model_are_pinned(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A decorated function may return results of a query: they stay on the block's destination."""
        with app.app_context():
            assert list(db.using("eu")(lambda: thread_model.query("forum"))()) == []
        assert recorder.requests[0].region == "eu-west-1"

    def test_a_batch_stays_on_the_blocks_destination(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A batch made in a block sends to the block's destination, even after it and in another block."""
        with app.app_context():
            with db.using("eu"):
                batch, threads = thread_model.batch_write(), thread_model.batch_get([("forum", "subject")])
            with db.using(region="sa-east-1"):
                assert [thread.subject for thread in threads] == ["subject"]
            batch.save(thread_model("forum", "subject"))
            batch.commit()
        assert [request.region for request in recorder.requests] == ["eu-west-1", "eu-west-1"]

    def test_a_batch_keeps_its_destination_when_meta_changes(
        self, app: flask.Flask, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A later change of the model's ``Meta`` does not redirect a batch."""
        with app.app_context():
            batch, threads = thread_model.batch_write(), thread_model.batch_get([("forum", "subject")])
            batch.save(thread_model("forum", "subject"))
            thread_model.Meta.region, thread_model.Meta.table_name = "sa-east-1", "Other"
            assert [thread.subject for thread in threads] == ["subject"]
            batch.commit()
            thread_model.get("forum", "subject")
        sent = [(request.region, *request.body.get("RequestItems", {"Other": None})) for request in recorder.requests]
        assert sent == [("us-west-2", "Thread"), ("us-west-2", "Thread"), ("sa-east-1", "Other")]

    def test_a_batch_of_one_app_is_not_written_in_anothers_context(
        self, app: flask.Flask, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A batch in the context of another app is refused, and nothing is sent."""
        with app.app_context():
            batch = thread_model.batch_write()
            batch.save(thread_model("forum", "subject"))
            with make_app("other").app_context(), pytest.raises(RuntimeError, match="begun in .* context of 'app'"):
                batch.commit()
        assert recorder.requests == []

    def test_a_block_on_a_bind_has_only_the_binds_destination(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Inside ``db.using("default")``, region, host and credentials come only from the bind; other settings stay."""
        tenant = {"aws_access_key_id": "TENANT", "aws_secret_access_key": "hush"}
        with app.app_context(), db.using(region="sa-east-1", read_timeout_seconds=1, **tenant), db.using("default"):
            meta = thread_model.Meta
            assert (meta.region, meta.aws_access_key_id, meta.read_timeout_seconds) == ("us-west-2", "AKIA", 1)

    def test_a_scope_is_freed_without_the_garbage_collector(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A request creates no reference cycle."""
        gc.collect()
        gc.disable()
        try:
            with app.app_context():
                thread_model.get("forum", "subject")
                with db.using("eu") as _, db.using(region="sa-east-1"):
                    thread_model.get("forum", thread_model.Meta.table_name)
                scopes = [weakref.ref(db.registry.scope)]
            assert [scope() for scope in scopes] == [None]
        finally:
            gc.enable()

    def test_an_unknown_bind_or_setting_is_refused(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """An unknown bind or setting raises at the start of the block."""
        with app.app_context():
            with pytest.raises(UnknownBind), db.using("mars"):
                pass
            with pytest.raises(ConfigurationError, match=r"db.using\(\) has no setting 'regoin'"), db.using(regoin=1):
                pass

    def test_a_change_from_outside_reaches_into_the_block(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A change of the outer ``Meta`` during a block has effect in the block."""
        with app.app_context():
            outer = thread_model.Meta
            with db.using("eu"):
                assert thread_model._get_connection().table_name == "Thread"
                outer.table_name = "Topic"
                assert thread_model._get_connection().table_name == "Topic"
