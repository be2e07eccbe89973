"""``DYNAMODB_CALL_TIMEOUT_SECONDS``: the longest time of a call, with all its attempts."""

from __future__ import annotations

import contextlib
import contextvars
import pickle
import socket
import threading
import typing as t

import flask
import pytest
from pynamodb.exceptions import GetError
from pynamodb.exceptions import PutError

import dynaflask
from dynaflask.client.call_timeout import CallTimeoutError
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

TRANSPORTS = ["botocore", "direct", "stock"]
THROTTLED = (400, {"__type": "x#ThrottlingException", "message": "slow down"})


def wait_for_threads() -> None:
    """Wait until the attempts in flight have ended."""
    for thread in threading.enumerate():
        if thread.name == "dynaflask-call":
            thread.join(60)


@contextlib.contextmanager
def slow_server() -> t.Iterator[str]:
    """URL of a server that sends one byte of a response every 20 ms, without an end."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not stop.wait(0.02):
                connection.sendall(b" ")

    def accept(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        wait_for_threads()
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("transport", TRANSPORTS)
class TestLimit:
    """The limit holds for each transport."""

    def test_a_slow_response(self, make_app: MakeApp, thread_model: t.Any, transport: str) -> None:
        """Bytes that keep coming do not extend it. The error names the bind and the setting."""
        with slow_server() as url:
            limits: t.Any = {"read_timeout_seconds": 60, "max_retry_attempts": 0, "call_timeout_seconds": 0.3}
            app = make_app(host=url, region="us-east-1", transport=transport, **limits, **KEYS)
            with app.app_context():
                with pytest.raises(GetError) as caught:
                    thread_model.get("forum", "subject")
        assert isinstance(caught.value.cause, CallTimeoutError)
        assert str(caught.value).endswith(
            "GetItem took longer than 0.3 seconds, over all attempts. A write may have been carried out. (The bind is"
            " 'default'. Check DYNAMODB_CALL_TIMEOUT_SECONDS.)"
        )

    def test_no_attempt_follows(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, transport: str
    ) -> None:
        """A write that is sent again later could undo another one."""

        is_over = threading.Event()

        def answer(_: recorders.Request) -> recorders.Answer:
            is_over.wait(60)
            return THROTTLED

        recorder.answer = answer
        app = make_app(
            host=recorder.url,
            region="us-east-1",
            transport=transport,
            call_timeout_seconds=0.3,
            retry_configuration={"mode": "standard", "total_max_attempts": 3},
            **KEYS,
        )
        with app.app_context(), pytest.raises(PutError, match="PutItem took longer than 0.3 seconds"):
            thread_model("forum", "subject").save()
        is_over.set()
        wait_for_threads()
        assert len(recorder.requests) <= 1  # none, where the machine is so busy that the time ends before the request

    def test_a_bind_without_it(
        self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any, transport: str
    ) -> None:
        """Only the bind with the setting has the limit, also if both have one client."""
        is_over = threading.Event()

        def answer(_: recorders.Request) -> None:
            is_over.wait(60)

        recorder.answer = answer
        app = make_app(
            host=recorder.url,
            region="us-east-1",
            transport=transport,
            binds={"hasty": {"call_timeout_seconds": 0.1}},
            **KEYS,
        )
        with app.app_context():
            with db.using("hasty"), pytest.raises(GetError, match="The bind is 'hasty'"):
                thread_model.get("forum", "late")
            threading.Timer(0.3, is_over.set).start()
            assert thread_model.get("forum", "subject").subject == "subject"

    def test_a_fast_response(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, transport: str
    ) -> None:
        """The result and the errors are those of a call without the limit, and handlers see the context of the app."""
        app = make_app(
            host=recorder.url,
            region="us-east-1",
            transport=transport,
            call_timeout_seconds=30,
            max_retry_attempts=0,
            **KEYS,
        )
        seen: list[str] = []
        with app.app_context():
            assert thread_model.get("forum", "subject").subject == "subject"
            assert [item.subject for item in thread_model.query("forum")] == [
                item.subject for item in thread_model.query("forum")
            ]
            client = app.extensions["dynamo"].client
            client.meta.events.register("before-send", lambda **_: seen.append(flask.current_app.name))
            recorder.answer = lambda _: THROTTLED
            with pytest.raises(GetError) as caught:
                thread_model.get("forum", "subject")
        assert caught.value.cause_response_code == "ThrottlingException"
        assert set(seen) == {app.name}


def test_a_task_of_the_middle_of_a_call_may_retry(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """A task that a handler starts in a call with a limit makes its later calls, of another app, without one."""
    settings: dict[str, t.Any] = {"host": recorder.url, "region": "us-east-1", "share_client": False, **KEYS}
    tenants = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")}
    limited = make_app("limited", call_timeout_seconds=30, tenants=tenants, **settings)
    other = make_app("other", transport="botocore", tenants=tenants, **settings)
    contexts: list[contextvars.Context] = []

    def read_in_other() -> str:
        with other.app_context(), db.tenant("globex"):
            return str(thread_model.get("forum", "subject").subject)

    with limited.app_context(), db.tenant("acme"):
        events = db.client.meta.events
        events.register("before-send", lambda **_: contexts.append(contextvars.copy_context()))
        thread_model.get("forum", "subject")
    (context,) = contexts
    assert context.run(read_in_other) == "subject"


def test_the_error_can_be_pickled() -> None:
    """An unpickled error has the same text."""
    error = CallTimeoutError(operation="GetItem", seconds=2)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - it was made here
