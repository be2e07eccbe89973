"""A planned fault belongs to one app and one block, whatever made the client."""

from __future__ import annotations

import threading
import typing as t

import botocore.session
import flask
import moto
import pynamodb.exceptions
import pytest

import dynaflask
from dynaflask.testing import fail_next
from tests.support.recorder import Recorder
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

THROTTLED = "ProvisionedThroughputExceededException"
TRANSPORTS = ["stock", "botocore", "direct"]


class TestScope:
    """A fault belongs to one app and one block."""

    @pytest.mark.parametrize("transport", TRANSPORTS)
    def test_the_other_app_has_no_fault(
        self, make_app: MakeApp, recorder: Recorder, thread_model: t.Any, transport: str
    ) -> None:
        """Two apps share one client. The fault of one does not happen to the other, also at the same time."""
        settings = {"host": recorder.url, "region": "eu-west-1", "transport": transport, "max_retry_attempts": 0}
        one, two = make_app("one", **settings, **KEYS), make_app("two", **settings, **KEYS)
        reached = threading.Barrier(2, timeout=30)
        outcomes: dict[str, BaseException | None] = {}

        def call(app: flask.Flask) -> None:
            reached.wait()
            with app.app_context():
                try:
                    thread_model.get("flask", "hello")
                    outcomes[app.name] = None
                except pynamodb.exceptions.GetError as error:
                    outcomes[app.name] = error

        with fail_next("GetItem", THROTTLED, times=None, app=one):
            threads = [threading.Thread(target=call, args=(app,)) for app in (one, two)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert isinstance(outcomes["one"], pynamodb.exceptions.GetError)
        assert outcomes["two"] is None
        assert dynaflask.Registry.pool.stats().clients == 1

    @pytest.mark.usefixtures("counted")
    def test_other_operations_have_no_fault(self, recorder: Recorder, thread_model: t.Any) -> None:
        """Only the operation that is named fails."""
        with pytest.raises(AssertionError, match="'app' made no PutItem in this block"):
            with fail_next("PutItem", THROTTLED):
                thread_model.get("flask", "hello")
        assert len(recorder.requests) == 1

    @pytest.mark.usefixtures("counted")
    def test_it_ends_with_its_block(self, served: flask.Flask, thread_model: t.Any) -> None:
        """After the block, calls are made as before, also if the block raised. The exception is the block's own."""
        with pytest.raises(ZeroDivisionError):
            with fail_next("GetItem", THROTTLED, times=None):
                raise ZeroDivisionError
        thread_model.get("flask", "hello")
        assert served.extensions["dynamo"].recorder.interceptor is None

    def test_the_client_of_a_factory(self, make_app: MakeApp, recorder: Recorder, thread_model: t.Any) -> None:
        """A client of ``DYNAMODB_CLIENT_FACTORY`` has the faults, too."""

        def make(bind: dynaflask.Bind) -> t.Any:
            session = botocore.session.get_session()
            return session.create_client("dynamodb", "eu-west-1", endpoint_url=recorder.url, **KEYS)

        app = make_app(client_factory=make)
        with app.app_context(), fail_next("GetItem", "ValidationException"):
            with pytest.raises(pynamodb.exceptions.GetError):
                thread_model.get("flask", "hello")
            thread_model.get("flask", "hello")

    def test_within_a_mock(self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """With moto, the attempts after the fault are moto's."""
        with moto.mock_aws():
            app = make_app(region="eu-west-1")
            with app.app_context():
                db.create_all(wait=True)
                with fail_next("PutItem", THROTTLED, times=2) as fault:
                    thread_model("flask", "hello").save()
                assert [thread.subject for thread in thread_model.query("flask")] == ["hello"]
        assert fault.count == 2

    def test_a_call_after_a_fork_has_the_fault(
        self, served: flask.Flask, thread_model: t.Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A client that renews its sockets in a forked child has the faults at once."""
        with served.app_context():
            thread_model.get("flask", "hello")
            monkeypatch.setattr("dynaflask.client.factory.getpid", lambda: -1)
            with fail_next("GetItem", "ValidationException"):
                with pytest.raises(pynamodb.exceptions.GetError):
                    thread_model.get("flask", "hello")
