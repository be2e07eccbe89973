"""``ClientPool``: one botocore client per client key."""

from __future__ import annotations

import concurrent.futures
import gc
import queue
import time
import types
import typing as t

import botocore.session
import flask
import pytest
from pynamodb.exceptions import GetError

import dynaflask
from dynaflask.client.pool import PoolStats
from dynaflask.client.pool import pool
from dynaflask.config.bind import Bind
from tests.support import recorder as recorders
from tests.support.clients import lease
from tests.support.clients import ping
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def save(app: flask.Flask, model: t.Any) -> None:
    with app.app_context():
        model("forum", "subject").save()


def mark(client: t.Any) -> None:
    """Add a header to every request of the client."""
    client.meta.events.register("before-send", lambda request, **_: request.headers.update({"X-Mark": "1"}))


def limited(make_app: MakeApp, url: str, max_clients: int) -> list[flask.Flask]:
    """Three apps with three destinations, and a limit on the clients of the process."""
    pool.close()
    regions = ("us-east-1", "us-east-2", "us-west-1")
    return [make_app(region, host=url, region=region, max_clients=max_clients, **KEYS) for region in regions]


class SlowFactory:
    """A client factory whose test decides when a call returns, and what.

    Attributes:
        answers: The client, or the error, of each call.
    """

    def __init__(self) -> None:
        self.answers: queue.SimpleQueue[t.Any] = queue.SimpleQueue()
        self._calls: queue.SimpleQueue[t.Any] = queue.SimpleQueue()

    def __call__(self, bind: Bind) -> t.Any:
        self._calls.put(bind)
        answer = self.answers.get(timeout=10)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait_for_call(self, *, timeout: float = 10) -> None:
        """Wait until a thread calls the factory."""
        self._calls.get(timeout=timeout)


class TestSharing:
    """Apps with equal keys share a client, until one of them asks for its own."""

    def test_two_apps_of_one_destination_share(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """Two apps with the same destination have one client with one socket."""
        before = pool.stats()
        for name in ("a", "b"):
            ping(make_app(name, host=recorder.url, region="us-east-1", **KEYS))
        after = pool.stats()
        assert (after.creations - before.creations, after.hits - before.hits) == (1, 1)
        assert after.open_sockets - before.open_sockets == 1

    def test_a_handler_of_one_app_does_not_affect_another(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """The client that user code gets serves this app alone from then on, and its models use it."""
        mine, other = (make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("mine", "other"))
        for app in (mine, other):
            save(app, thread_model)
        with mine.app_context():
            thread_model("forum", "before").save()
            mark(mine.extensions["dynamo"].client)
            thread_model("forum", "after").save()
        save(other, thread_model)
        save(mine, thread_model)
        assert ["x-mark" in request.headers for request in recorder.requests] == [
            False,
            False,
            False,
            True,
            False,
            True,
        ]

    def test_a_slow_thread_does_not_replace_the_dedicated_client(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A thread waits for the shared client while another gets a dedicated one. Later calls use the latter."""
        app, other = (make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("app", "other"))
        get, is_first = pool.get, iter([True])

        def get_while_another_thread_asks(*args: t.Any) -> t.Any:
            pooled = get(*args)
            if next(is_first, False):
                mark(app.extensions["dynamo"].client)
            return pooled

        monkeypatch.setattr(pool, "get", get_while_another_thread_asks)
        ping(app)
        ping(app)
        ping(other)
        assert ["x-mark" in request.headers for request in recorder.requests] == [False, True, False]

    def test_a_connections_client_is_the_dedicated_client(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
    ) -> None:
        """``connection.client`` is ``registry.client``, and it makes the calls of the models."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        with app.app_context():
            mark(db.connection.client)
            assert db.connection.client is db.client
        save(app, thread_model)
        assert "x-mark" in recorder.requests[0].headers

    def test_share_client_false_gives_each_app_its_own(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """With ``DYNAMODB_SHARE_CLIENT = False``, two apps with the same destination have two clients."""
        before = pool.stats().creations
        for name in ("a", "b"):
            ping(make_app(name, host=recorder.url, region="us-east-1", share_client=False, **KEYS))
        assert pool.stats().creations - before == 2

    def test_extra_headers_are_part_of_the_key(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """Apps with different extra headers never send each other's."""
        apps = [
            make_app(name, host=recorder.url, region="us-east-1", extra_headers={"X-Team": name}, **KEYS)
            for name in ("a", "b")
        ]
        for app in [*apps, *apps]:
            save(app, thread_model)
        assert [request.headers["x-team"] for request in recorder.requests] == ["a", "b", "a", "b"]

    def test_a_client_is_closed_with_its_last_app(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """The sockets are closed when the last app with the destination is garbage collected."""
        gc.collect()
        before = pool.stats()
        app, twin = (make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("app", "twin"))
        ping(app)
        ping(twin)
        del app
        gc.collect()
        assert pool.stats().clients == before.clients + 1
        del twin
        gc.collect()
        assert (pool.stats().clients, pool.stats().open_sockets) == (before.clients, before.open_sockets)

    def test_a_closed_registry_closes_its_client(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """The next call of the registry makes another."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        gc.collect()
        ping(app)
        before = pool.stats()
        app.extensions["dynamo"].close()
        gc.collect()
        assert pool.stats().clients == before.clients - 1
        ping(app)

    def test_close_does_not_wait_for_a_traceback(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """In an ``except`` block, the traceback refers to the client. It is closed, and the next call makes another.

        The connection of the open context gets the new client, too, and another close reaches that one.
        """
        session = botocore.session.Session()
        app = make_app(host=recorder.url, region="us-east-1", session=session)
        recorder.answer = lambda request: (400, {"__type": "x#ExpiredTokenException", "message": "expired"})
        for keys in ("OLD", "NEW", "NEWEST"):
            session.set_credentials(keys, "hush")
            with app.app_context():
                for _ in range(2):
                    try:
                        thread_model.get("forum", "subject")
                    except GetError:
                        before = pool.stats().clients
                        app.extensions["dynamo"].close()
                        assert pool.stats().clients == before - 1
        assert [request.access_key_id for request in recorder.requests] == [
            key for key in ("OLD", "NEW", "NEWEST") for _ in range(2)
        ]

    def test_close_leaves_the_client_of_another_app(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """The client is closed with its last lease, and a call in flight ends as usual."""
        app, twin = (make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("app", "twin"))
        with lease(app).call() as client, lease(twin).call() as twins:
            assert client is twins
            before = pool.stats().clients
            app.extensions["dynamo"].close()
            assert pool.stats().clients == before
            twin.extensions["dynamo"].close()
            assert pool.stats().clients == before - 1
            assert client.list_tables()["TableNames"] == []

    def test_close_ends_the_use_of_a_dedicated_client(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """The app gets another at the next request for one; its calls may use a shared one until then."""
        app, twin = (make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("app", "twin"))
        mine = app.extensions["dynamo"].client
        app.extensions["dynamo"].close()
        with lease(app).call() as client, lease(twin).call() as twins:
            assert client is twins is not mine
        assert app.extensions["dynamo"].client not in (mine, client)


class TestLimits:
    """``DYNAMODB_MAX_CLIENTS`` and ``DYNAMODB_CLIENT_IDLE_SECONDS``."""

    def test_the_least_recently_used_is_evicted(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """Beyond the limit, the least recently used client is closed; its app gets a new one at its next call."""
        first, second, third = limited(make_app, recorder.url, 2)
        for app in (first, second, first, third):
            ping(app)
        stats = pool.stats()
        ping(first)
        assert pool.stats().creations == stats.creations
        ping(second)
        assert pool.stats().creations == stats.creations + 1

    def test_a_client_with_a_call_in_flight_is_not_evicted(
        self, make_app: MakeApp, recorder: recorders.Recorder
    ) -> None:
        """A call keeps its client, whatever the limit is."""
        first, second, third = limited(make_app, recorder.url, 1)
        with lease(first).call() as client:
            ping(second)
            ping(third)
            assert client.list_tables()
            evictions, creations = pool.stats().evictions, pool.stats().creations
        ping(first)
        assert (pool.stats().evictions, pool.stats().creations) == (evictions, creations)

    def test_a_client_that_user_code_holds_is_not_evicted(
        self, make_app: MakeApp, recorder: recorders.Recorder
    ) -> None:
        """Otherwise the handlers that are registered on it would be lost."""
        first, second, third = limited(make_app, recorder.url, 1)
        mine = first.extensions["dynamo"].client
        ping(second)
        ping(third)
        assert first.extensions["dynamo"].client is mine

    def test_a_limit_ends_with_its_app(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """The limit of an app that was garbage collected does not apply any more."""
        limited(make_app, recorder.url, 1)
        gc.collect()
        evictions = pool.stats().evictions
        for region in ("us-east-1", "us-east-2"):
            ping(make_app(host=recorder.url, region=region, **KEYS))
        assert pool.stats().evictions == evictions

    def test_a_block_does_not_unpin_the_client(
        self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
    ) -> None:
        """A client that user code holds stays pinned when a block with the same destination uses it."""
        app = make_app(
            host=recorder.url, region="us-east-1", max_clients=1, binds={"eu": {"region": "eu-west-1"}}, **KEYS
        )
        with app.app_context():
            mine = db.client
            with db.using(table_prefix="blue-"):
                assert db.client is mine
            db.get_connection("eu").list_tables()
            assert db.client is mine

    def test_an_idle_client_is_evicted(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A client is closed at the end of a context, once it has been idle for ``DYNAMODB_CLIENT_IDLE_SECONDS``."""
        start = time.monotonic()
        clock = [start]
        monkeypatch.setattr("dynaflask.client.pool.time.monotonic", lambda: clock[0])
        app = make_app(host=recorder.url, region="us-east-1", client_idle_seconds=60, **KEYS)
        ping(app)
        evictions = pool.stats().evictions
        for seconds in (31, 32, 59, 63, 94):
            clock[0] = start + seconds
            with app.app_context():
                pass
            closed = pool.stats().evictions > evictions
            assert closed == (seconds > 60)

    def test_a_failure_to_close_is_logged(
        self, make_app: MakeApp, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """``pool.close`` logs the error of a client and goes on."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        ping(app)
        with lease(app).call() as client:
            client._endpoint.close, close = None, client._endpoint.close
        pool.close()
        close()
        assert "A client could not be closed." in caplog.text

    def test_clients_of_blocks_are_evicted(
        self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
    ) -> None:
        """A client that user code gets within a block is not pinned, or each request would leave one."""
        app = limited(make_app, recorder.url, 3)[0]
        with app.app_context():
            for number in range(10):
                with db.using(**KEYS, aws_session_token=str(number)):
                    assert db.client.list_tables()
        assert pool.stats().clients <= 3


class TestMaking:
    """One thread makes the client of a key."""

    def test_threads_that_wait_keep_the_lock_of_their_key(self, make_app: MakeApp) -> None:
        """If making fails, one waiting thread tries again, and a thread that comes later waits for that one."""
        factory = SlowFactory()
        app = make_app(client_factory=factory)
        with concurrent.futures.ThreadPoolExecutor(3) as threads:
            first = threads.submit(ping, app)
            factory.wait_for_call()
            second = threads.submit(ping, app)
            time.sleep(0.1)  # until it waits for the lock
            factory.answers.put(ValueError("no"))
            factory.wait_for_call()
            third = threads.submit(ping, app)
            with pytest.raises(queue.Empty):
                factory.wait_for_call(timeout=0.2)
            factory.answers.put(types.SimpleNamespace(list_tables=lambda **_: {"TableNames": []}))
            assert isinstance(first.exception(), ValueError)
            assert all(ping.result() > 0 for ping in (second, third))


class TestFork:
    """A forked child has an empty pool; ``test_forks.py`` forks for real."""

    @pytest.mark.parametrize("transport", ["direct", "botocore"])
    def test_a_child_abandons_its_parents_clients(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch, transport: str
    ) -> None:
        """It makes another client, and does not call ``close`` on the parent's."""
        app = make_app(host=recorder.url, region="us-east-1", transport=transport, **KEYS)
        ping(app)
        with lease(app).call() as client:
            closings: list[int] = []
            monkeypatch.setattr(client, "close", lambda: closings.append(1))
        for module in ("client.pooled_client", "process_local"):
            monkeypatch.setattr(f"dynaflask.{module}.getpid", lambda: -1)
        assert pool.stats() == PoolStats(0, 0, 0, 0, 0)
        ping(app)
        with lease(app).call() as other:
            assert other is not client
        assert pool.stats().creations == 1
        pool.close()
        assert closings == []


class TestLog:
    """The logger ``dynaflask.pool`` at DEBUG level."""

    def test_it_tells_the_life_of_a_client(
        self, make_app: MakeApp, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A client is made, evicted and closed; each line names the destination and no secret."""
        with caplog.at_level("DEBUG", "dynaflask.pool"):
            for app in limited(make_app, recorder.url, 1):
                lease(app).pooled_client()
            messages = [message for name, _, message in caplog.record_tuples if name == "dynaflask.pool"]
        assert [message.split(":")[0] for message in messages if "us-east-1" in message] == [
            "Made",
            "Evicted",
            "Closed",
        ]
        assert all(recorder.url in message for message in messages)
        assert "hush" not in caplog.text

    def test_it_tells_of_clients_that_a_child_abandons(
        self,
        make_app: MakeApp,
        recorder: recorders.Recorder,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """There is one line for each abandoned client."""
        ping(make_app(host=recorder.url, region="us-east-1", **KEYS))
        clients = pool.stats().clients
        monkeypatch.setattr("dynaflask.process_local.getpid", lambda: -1)
        with caplog.at_level("DEBUG", "dynaflask.pool"):
            pool.stats()
        assert caplog.text.count("Abandoned in a forked child") == clients


def test_a_client_without_credentials_is_not_kept(
    make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that found no credentials serves one call, so that a metadata service may fail once."""
    registry = make_app(host=recorder.url, region="us-east-1").extensions["dynamo"]
    without_credentials = registry.client
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "RECOVERED")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    assert registry.client is not without_credentials
    registry.client.list_tables()
    assert recorder.requests[0].access_key_id == "RECOVERED"
