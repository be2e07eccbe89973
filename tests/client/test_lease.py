"""``Lease``: an app's claim on one client of the pool."""

from __future__ import annotations

import typing as t

import pytest

from dynaflask.client.lease import Lease
from dynaflask.client.pool import pool
from dynaflask.client.pooled_client import PooledClient
from dynaflask.config.bind import Bind
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def lease(recorder: recorders.Recorder) -> Lease:
    """A lease of a client that the recorder answers."""
    return Lease(Bind(host=recorder.url, region="us-east-1", **KEYS))


def test_a_call_counts_as_active_until_it_ends(lease: Lease) -> None:
    """Several calls at once are counted one by one."""
    pooled = lease.pooled_client()
    with lease.call():
        with lease.call():
            assert len(pooled.active_calls) == 2
        assert not pooled.is_idle
    assert pooled.is_idle


def test_a_call_that_fails_ends(lease: Lease) -> None:
    """``call`` removes the call also after an error."""
    with pytest.raises(ZeroDivisionError), lease.call():
        raise ZeroDivisionError
    assert lease.pooled_client().is_idle


def test_a_client_that_was_evicted_before_the_call_is_replaced(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may close a client between its lookup and the count of the call."""
    renew, is_first = Lease._renew, iter([True])

    def renewed_and_closed(lease: Lease, former: PooledClient | None) -> t.Any:
        pooled = renew(lease, former)
        if next(is_first, False):
            pooled.close()
        return pooled

    monkeypatch.setattr(Lease, "_renew", renewed_and_closed)
    with lease.call() as client:
        assert client.list_tables()["TableNames"] == []


@pytest.mark.parametrize("first", [None, ZeroDivisionError()], ids=["closed", "failed"])
def test_a_client_that_cannot_be_had_is_released(
    lease: Lease, monkeypatch: pytest.MonkeyPatch, first: Exception | None
) -> None:
    """Another thread may close it before it is made; to make it may fail. No call stays counted."""
    pooled = lease.pooled_client()
    client, outcomes = pooled.client, iter([first])

    def next_outcome(_: PooledClient) -> t.Any:
        outcome = next(outcomes, client)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(PooledClient, "client", property(next_outcome))
    with pytest.raises(ZeroDivisionError), lease.call() as found:
        assert found is client
        assert pooled.active_calls == [None]
        raise ZeroDivisionError
    assert pooled.is_idle


def test_a_closed_lease_has_no_client(lease: Lease) -> None:
    """The next call gets one; so does a lease whose client the pool has closed."""
    assert not lease.has_client
    for close in (lease.close, pool.close):
        with lease.call() as client:
            assert lease.has_client
            assert [pooled.client for pooled in lease.open_clients()] == [client]
        close()
        assert not lease.has_client


def test_a_lease_that_is_closed_while_it_gets_a_client_gets_another(
    lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one may have the credentials of before."""
    get, clients = pool.get, []

    def get_and_close(*args: t.Any) -> t.Any:
        pooled = get(*args)
        clients.append(pooled.client)
        if len(clients) == 1:
            lease.close()
        return pooled

    monkeypatch.setattr(pool, "get", get_and_close)
    with lease.call() as client:
        assert [client] == clients[1:]
        assert client is not clients[0]


def test_a_dedicated_client_serves_its_owner_alone(lease: Lease, recorder: recorders.Recorder) -> None:
    """Another lease of the same bind keeps the shared client."""
    owner, other = object(), Lease(Bind(host=recorder.url, region="us-east-1", **KEYS))
    with lease.call() as shared, other.call() as others:
        assert shared is others
    dedicated = lease.dedicated(owner)
    assert lease.dedicated(owner) is dedicated is not shared
    with lease.call() as client, other.call() as others:
        assert (client, others) == (dedicated, shared)


def test_a_dedicated_client_stays_pinned(lease: Lease) -> None:
    """Asking for it again without a pin does not make it evictable."""
    owner = object()
    lease.dedicated(owner)
    lease.dedicated(owner, is_pinned=False)
    pooled = lease.pooled_client()
    assert not pooled.is_idle


class InterruptedList(list[None]):
    """A list of calls. A time limit strikes as soon as a call is added."""

    def append(self, item: None) -> t.NoReturn:
        """Add a call, and raise."""
        super().append(item)
        raise TimeoutError


@pytest.mark.parametrize("way", ["a model", "the lease"])
def test_a_call_that_a_signal_interrupts_at_its_start_ends(make_app: MakeApp, thread_model: t.Any, way: str) -> None:
    """The client of two apps is not in use for ever, and serves the next call of each."""
    settings = {"host": "http://127.0.0.1:9", "region": "us-east-1", "max_retry_attempts": 0, **KEYS}
    apps = [make_app(name, **settings) for name in ("one", "two")]
    leases = [app.extensions["dynamo"].leases.get(app.extensions["dynamo"].binds["default"]) for app in apps]
    pooled = leases[0].pooled_client()
    assert leases[1].pooled_client() is pooled
    for app, lease in zip(apps, leases, strict=True):
        pooled.active_calls = InterruptedList()
        with app.app_context(), pytest.raises(TimeoutError):
            if way == "a model":
                thread_model.get("forum", "subject")
            with lease.call():
                pytest.fail("the call began")
        assert pooled.is_idle
