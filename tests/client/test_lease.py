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


@pytest.fixture
def lease(recorder: recorders.Recorder) -> Lease:
    """A lease of a client that the recorder answers."""
    return Lease(Bind(host=recorder.url, region="us-east-1", **KEYS))


def test_a_call_counts_as_active_from_acquire_to_release(lease: Lease) -> None:
    """Several calls at once are counted one by one."""
    pooled = lease.acquire()
    assert lease.acquire() is pooled
    lease.release(pooled)
    assert not pooled.is_idle
    lease.release(pooled)
    assert pooled.is_idle


def test_a_call_that_fails_is_released(lease: Lease) -> None:
    """``call`` releases the client also after an error."""
    with pytest.raises(ZeroDivisionError), lease.call():
        raise ZeroDivisionError
    assert lease.acquire().active_calls == [None]


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
    pooled = lease.acquire()
    lease.release(pooled)
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
    pooled = lease.acquire()
    lease.release(pooled)
    assert not pooled.is_idle
