"""``PooledClient``: one client, its leases, and when it may serve the next call."""

from __future__ import annotations

import gc
import typing as t

import moto
import pytest
from botocore.handlers import BUILTIN_HANDLERS

import dynaflask
from dynaflask.client.key import client_key
from dynaflask.client.lazy_client import LazyClient
from dynaflask.client.pooled_client import PooledClient
from tests.support import recorder as recorders
from tests.support.clients import lease
from tests.support.clients import ping
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class TestFork:
    """A forked child leaves its parent's clients open; ``test_forks.py`` forks for real."""

    def test_a_child_does_not_close_its_parents_clients(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``registry.close`` in a child only forgets them."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        pooled = lease(app).pooled_client()
        client = pooled.client
        closings: list[int] = []
        monkeypatch.setattr(client, "close", lambda: closings.append(1))
        monkeypatch.setattr("dynaflask.client.pooled_client.getpid", lambda: -1)
        app.extensions["dynamo"].close()
        assert closings == []
        assert pooled.client is client
        assert not lease(app).has_client

    def test_a_client_that_the_pool_does_not_know_is_not_closed(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its last reference may go in the child."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        bind = lease(app).bind
        pooled = PooledClient(client_key(bind), LazyClient(client_key(bind), bind))
        closings: list[int] = []
        monkeypatch.setattr(pooled.client, "close", lambda: closings.append(1))
        monkeypatch.setattr("dynaflask.client.pooled_client.getpid", lambda: -1)
        del pooled
        gc.collect()
        assert closings == []


class TestLog:
    """The logger ``dynaflask.pool`` at DEBUG level."""

    def test_it_tells_of_a_client_that_was_made_under_a_mock(
        self, make_app: MakeApp, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Such a client is replaced after the mock."""
        app = make_app(region="us-east-1", host=recorder.url, **KEYS)
        with moto.mock_aws():
            lease(app).pooled_client()
        with caplog.at_level("DEBUG", "dynaflask.pool"):
            ping(app)
        assert "Replaced after a mock: the client of <ClientKey region='us-east-1'" in caplog.text


class TestMoto:
    """``moto.mock_aws`` affects existing clients, and clients made under it are not used afterwards."""

    def test_it_affects_existing_clients(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
    ) -> None:
        """A context pushed before the mock calls the mock."""
        app = make_app(region="us-east-1", host=recorder.url, **KEYS)
        ping(app)
        with app.app_context(), db.using(host="https://dynamodb.us-east-1.amazonaws.com"), moto.mock_aws():
            db.create_all()
            thread_model("forum", "mocked").save()
            assert thread_model.get("forum", "mocked").views == 0
        assert len(recorder.requests) == 1

    def test_its_credentials_end_with_it(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A client made under the mock is replaced after it, because it has the mock's credentials."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
        app = make_app(region="us-east-1", host=recorder.url)
        with moto.mock_aws():
            lease(app).pooled_client()
        ping(app)
        assert [request.access_key_id for request in recorder.requests] == ["REAL"]

    def test_a_handler_that_is_added_later_reaches_existing_clients(
        self, make_app: MakeApp, recorder: recorders.Recorder
    ) -> None:
        """moto appends its handler to botocore's list on import, which may be after the first call."""
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
