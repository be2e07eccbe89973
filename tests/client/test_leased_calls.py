"""Calls on the client of the pool, through PynamoDB's own method."""

from __future__ import annotations

import typing as t
from unittest import mock

import pytest
from pynamodb.exceptions import GetError

from dynaflask.client.lease import Lease
from dynaflask.client.pooled_client import PooledClient
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.mark.usefixtures("app_in_context")
class TestPatches:
    """Tests patch PynamoDB's connection class, and see what they see without dynaflask."""

    KEY: t.ClassVar = {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}}

    def test_the_call(self, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """``_make_api_call`` gets the operation and its parameters, and its result is the response."""
        with mock.patch("pynamodb.connection.Connection._make_api_call") as call:
            call.return_value = {"Item": {**self.KEY, "views": {"N": "7"}}}
            assert thread_model.get("forum", "subject").views == 7
        name, params = call.call_args[0]
        assert (name, params["Key"]) == ("GetItem", self.KEY)
        assert call.call_args[1] == {}
        assert recorder.requests == []

    def test_the_call_with_its_connection(self, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """A function in its place gets a connection whose ``client`` makes the call."""

        def call(connection: t.Any, name: str, params: dict[str, t.Any]) -> t.Any:
            return connection.client._make_api_call(name, {**params, "ConsistentRead": True})

        with mock.patch("pynamodb.connection.Connection._make_api_call", call):
            assert thread_model.get("forum", "subject").subject == "subject"
        assert recorder.requests[0].body["ConsistentRead"] is True

    def test_the_dispatch(self, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """``dispatch`` gets the operation and its parameters."""
        with mock.patch("pynamodb.connection.Connection.dispatch") as dispatch:
            dispatch.return_value = {"Item": {**self.KEY, "views": {"N": "7"}}}
            assert thread_model.get("forum", "subject").views == 7
        name, params = dispatch.call_args[0]
        assert (name, params["Key"]) == ("GetItem", self.KEY)
        assert recorder.requests == []

    @pytest.mark.parametrize("when", ["pre", "post"])
    def test_the_signals(self, thread_model: t.Any, when: str) -> None:
        """The methods that send the signals are called if they are patched."""
        with mock.patch(f"pynamodb.connection.Connection.send_{when}_boto_callback") as send:
            thread_model.get("forum", "subject")
        assert (send.call_args[0][0], send.call_args[0][2]) == ("GetItem", "test-Thread")


@pytest.mark.usefixtures("app_in_context")
def test_an_unreachable_server_is_pynamodbs_error(make_app: MakeApp, thread_model: t.Any) -> None:
    """``GetError`` has the message of botocore's error."""
    with make_app("dead", host="http://127.0.0.1:1", region="us-east-1", max_retry_attempts=0, **KEYS).app_context():
        with pytest.raises(GetError, match="Could not connect to the endpoint URL"):
            thread_model.get("forum", "subject")


def test_two_apps_call_their_own_servers(make_app: MakeApp, thread_model: t.Any) -> None:
    """A connection that outlives its context makes no call, also while a context of another app is open."""
    with recorders.Recorder() as us, recorders.Recorder() as eu:
        apps = [
            make_app(str(number), host=each.url, region="us-east-1", **KEYS) for number, each in enumerate((us, eu))
        ]
        for app in apps:
            with app.app_context():
                thread_model.get("forum", app.name)
                ended = thread_model._get_connection()
        with apps[0].app_context(), pytest.raises(RuntimeError, match="has ended"):
            ended.get_item("forum", range_key="late")
        subjects = [[request.body["Key"]["subject"]["S"] for request in each.requests] for each in (us, eu)]
    assert subjects == [["0"], ["1"]]


def test_a_client_that_was_evicted_before_the_call_is_replaced(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may close the client that two apps share, before it can see the call: each gets another one."""
    pooled_client, closed = Lease.pooled_client, []

    def closed_at_first(lease: Lease) -> PooledClient:
        pooled = pooled_client(lease)
        if pooled not in closed and len(closed) < 2:
            closed.append(pooled)
            pooled.close()
        return pooled

    monkeypatch.setattr(Lease, "pooled_client", closed_at_first)
    for name in ("one", "two"):
        with make_app(name, host=recorder.url, region="us-east-1", **KEYS).app_context():
            assert thread_model.get("forum", "subject").subject == "subject"
    assert len(closed) == 2
    assert all(pooled.is_idle for pooled in closed)
    assert len(recorder.requests) == 2
