"""botocore clients, one per distinct destination."""

from __future__ import annotations

import gc
import time
import typing as t

import flask
import moto
import pytest
from botocore.handlers import BUILTIN_HANDLERS

import dynaflask
from dynaflask.client.pool import Lease
from dynaflask.client.pool import pool
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def ping(app: flask.Flask) -> float:
    seconds: float = app.extensions["dynamo"].ping()
    return seconds


def save(app: flask.Flask, model: t.Any) -> None:
    with app.app_context():
        model("forum", "subject").save()


def lease(app: flask.Flask) -> Lease:
    registry: dynaflask.Registry = app.extensions["dynamo"]
    return registry.lease(registry.binds["default"])


def mark(client: t.Any) -> None:
    """Have every request of the client carry a mark."""
    client.meta.events.register("before-send", lambda request, **_: request.headers.update({"X-Mark": "1"}))


def bounded(make_app: MakeApp, url: str, max_clients: int) -> list[flask.Flask]:
    """Three apps of three destinations, with a bound on the clients of the process."""
    pool.close()
    regions = ("us-east-1", "us-east-2", "us-west-1")
    return [make_app(region, host=url, region=region, max_clients=max_clients, **KEYS) for region in regions]


class TestSharing:
    """Equal keys share a client, until an app asks for one of its own."""

    def test_two_apps_of_one_destination_share(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """One client, one socket."""
        before = pool.stats()
        for name in ("a", "b"):
            ping(make_app(name, host=recorder.url, region="us-east-1", **KEYS))
        after = pool.stats()
        assert (after.creations - before.creations, after.hits - before.hits) == (1, 1)
        assert after.open_sockets - before.open_sockets == 1

    def test_a_handler_of_one_app_is_not_felt_by_another(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """The client that is given to the user is the app's own from then on, and serves its models."""
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

    def test_a_cold_call_does_not_take_the_apps_own_client_away(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A thread that was waiting for the shared client, while another asked for one of the app's own."""
        app, other = (make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("app", "other"))
        get, asked = pool.get, iter([True])

        def get_while_another_asks(*args: t.Any) -> t.Any:
            pooled = get(*args)
            if next(asked, False):
                mark(app.extensions["dynamo"].client)
            return pooled

        monkeypatch.setattr(pool, "get", get_while_another_asks)
        ping(app)
        ping(app)
        ping(other)
        assert ["x-mark" in request.headers for request in recorder.requests] == [False, True, False]

    def test_a_connections_client_is_the_apps_own_as_well(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
    ) -> None:
        """connection.client is registry.client."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        with app.app_context():
            mark(db.connection.client)
            assert db.connection.client is db.client
        save(app, thread_model)
        assert "x-mark" in recorder.requests[0].headers

    def test_an_app_may_have_its_own_from_the_start(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """DYNAMODB_SHARE_CLIENT = False."""
        before = pool.stats().creations
        for name in ("a", "b"):
            ping(make_app(name, host=recorder.url, region="us-east-1", share_client=False, **KEYS))
        assert pool.stats().creations - before == 2

    def test_extra_headers_never_leak(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """Apps that differ in a header have clients of their own."""
        apps = [
            make_app(name, host=recorder.url, region="us-east-1", extra_headers={"X-Team": name}, **KEYS)
            for name in ("a", "b")
        ]
        for app in [*apps, *apps]:
            save(app, thread_model)
        assert [request.headers["x-team"] for request in recorder.requests] == ["a", "b", "a", "b"]

    def test_a_dropped_app_releases_its_client(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """The sockets are closed when the last app of the destination goes."""
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

    def test_a_closed_registry_releases_its_client(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """And gets another when it is used again."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        gc.collect()
        ping(app)
        before = pool.stats()
        app.extensions["dynamo"].close()
        gc.collect()
        assert pool.stats().clients == before.clients - 1
        ping(app)


class TestBounds:
    """``DYNAMODB_MAX_CLIENTS`` and ``DYNAMODB_CLIENT_IDLE_SECONDS``."""

    def test_the_least_recently_used_goes_first(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """Its sockets are closed, and the app goes on with a new one."""
        first, second, third = bounded(make_app, recorder.url, 2)
        for app in (first, second, first, third):
            ping(app)
        stats = pool.stats()
        ping(first)
        assert pool.stats().creations == stats.creations
        ping(second)
        assert pool.stats().creations == stats.creations + 1

    def test_one_in_use_is_never_closed(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """A call that is under way keeps its client."""
        first, second, third = bounded(make_app, recorder.url, 1)
        with lease(first).call() as client:
            ping(second)
            ping(third)
            assert client.list_tables()
            evictions, creations = pool.stats().evictions, pool.stats().creations
        ping(first)
        assert (pool.stats().evictions, pool.stats().creations) == (evictions, creations)

    def test_one_that_the_user_has_is_never_closed(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """Its handlers would be lost."""
        first, second, third = bounded(make_app, recorder.url, 1)
        mine = first.extensions["dynamo"].client
        ping(second)
        ping(third)
        assert first.extensions["dynamo"].client is mine

    def test_the_bound_goes_with_the_app_that_asked_for_it(
        self, make_app: MakeApp, recorder: recorders.Recorder
    ) -> None:
        """Another app's strictness is not for ever."""
        bounded(make_app, recorder.url, 1)
        gc.collect()
        evictions = pool.stats().evictions
        for region in ("us-east-1", "us-east-2"):
            ping(make_app(host=recorder.url, region=region, **KEYS))
        assert pool.stats().evictions == evictions

    def test_a_block_leaves_the_programs_own_client_alone(
        self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
    ) -> None:
        """Which the program holds, and may have registered handlers on."""
        app = make_app(
            host=recorder.url, region="us-east-1", max_clients=1, binds={"eu": {"region": "eu-west-1"}}, **KEYS
        )
        with app.app_context():
            mine = db.client
            with db.using(table_prefix="blue-"):
                assert db.client is mine
            db.get_connection("eu").list_tables()
            assert db.client is mine

    def test_an_idle_one_is_closed(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At the end of some later context, once its time has passed."""
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

    def test_one_that_is_closed_before_its_call_is_made_anew(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another thread may close it just before it sees the call."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        current, closings = Lease._current, iter([True])

        def current_and_closed(lease: Lease) -> t.Any:
            pooled = current(lease)
            if next(closings, False):
                pooled.close()
            return pooled

        monkeypatch.setattr(Lease, "_current", current_and_closed)
        ping(app)
        assert len(recorder.requests) == 1

    def test_one_that_cannot_be_closed_is_let_go(
        self, make_app: MakeApp, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The failure is logged, and the rest goes on."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        ping(app)
        with lease(app).call() as client:
            client._endpoint.close, close = None, client._endpoint.close
        pool.close()
        close()
        assert "A client could not be closed." in caplog.text

    def test_binds_made_by_blocks_are_not_remembered_for_ever(
        self,
        make_app: MakeApp,
        recorder: recorders.Recorder,
        db: dynaflask.Dynamo,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A block per request with a token of its own leaves no trace, and the client in use stays."""
        monkeypatch.setattr("dynaflask.registry.registry.MAX_BINDS", 3)
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        mine = app.extensions["dynamo"].client
        before = pool.stats().clients
        with app.app_context():
            for number in range(10):
                with db.using(**KEYS, aws_session_token=str(number)):
                    db.registry.lease(db.get_connection().bind)
        assert app.extensions["dynamo"].client is mine
        assert pool.stats().clients == before

    def test_clients_of_blocks_are_bounded_as_well(
        self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
    ) -> None:
        """Those that the user asked for in a block may be evicted, or each request would leave one."""
        app = bounded(make_app, recorder.url, 3)[0]
        with app.app_context():
            for number in range(10):
                with db.using(**KEYS, aws_session_token=str(number)):
                    assert db.client.list_tables()
        assert pool.stats().clients <= 3


class TestMoto:
    """``moto.mock_aws`` takes effect, and leaves nothing behind."""

    def test_it_takes_effect_on_clients_that_exist(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
    ) -> None:
        """Also in a context that was pushed before."""
        app = make_app(region="us-east-1", host=recorder.url, **KEYS)
        ping(app)
        with app.app_context(), db.using(host="https://dynamodb.us-east-1.amazonaws.com"), moto.mock_aws():
            db.create_all()
            thread_model("forum", "mocked").save()
            assert thread_model.get("forum", "mocked").views == 0
        assert len(recorder.requests) == 1

    def test_its_credentials_do_not_survive_it(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A client that was made under the mock is not used after it."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
        app = make_app(region="us-east-1", host=recorder.url)
        with moto.mock_aws():
            assert lease(app)._current() is not None
        ping(app)
        assert [request.access_key_id for request in recorder.requests] == ["REAL"]

    def test_a_handler_that_comes_later_reaches_clients_that_exist(
        self, make_app: MakeApp, recorder: recorders.Recorder
    ) -> None:
        """As moto's does, where it is imported after the first call."""
        app = make_app(region="us-east-1", host=recorder.url, **KEYS)
        ping(app)
        seen: list[str] = []
        handler = ("before-send", lambda event_name, **_: seen.append(event_name))
        BUILTIN_HANDLERS.append(handler)
        try:
            ping(app)
        finally:
            BUILTIN_HANDLERS.remove(handler)
        assert seen == ["before-send.dynamodb.ListTables"]


def test_a_client_without_credentials_is_not_kept(
    make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A metadata service that failed once does not leave the app without credentials for good."""
    registry = make_app(host=recorder.url, region="us-east-1").extensions["dynamo"]
    poisoned = registry.client
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "RECOVERED")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    assert registry.client is not poisoned
    registry.client.list_tables()
    assert recorder.requests[0].access_key_id == "RECOVERED"
