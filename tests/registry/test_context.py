"""How the scope of the current context is found."""

from __future__ import annotations

import concurrent.futures
import contextvars
import typing as t

import flask
import pytest

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
