"""``Leases``: the claims of an app on the clients of the process."""

from __future__ import annotations

import pytest

import dynaflask
from dynaflask.client.lease import Lease
from dynaflask.client.pool import pool
from dynaflask.config.bind import Bind
from dynaflask.registry import leases
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def test_leases_may_be_added_while_unused_ones_are_dropped(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that needs a new destination does not disturb the one that clears the full cache of binds."""
    registry = make_app(region="eu-west-1").extensions["dynamo"]
    regions = (f"us-east-{number}" for number in range(1000))

    def has_client(lease: Lease) -> bool:
        # What another thread does at this moment.
        monkeypatch.setattr(leases, "MAX_BINDS", 1000)
        registry.leases.get(Bind(region=next(regions)))
        return False

    for _ in range(3):
        registry.leases.get(Bind(region=next(regions)))
    monkeypatch.setattr(Lease, "has_client", property(has_client))
    monkeypatch.setattr(leases, "MAX_BINDS", 3)
    lease = registry.leases.get(Bind(region="us-west-2"))
    assert registry.leases.get(Bind(region="us-west-2")) is lease


def test_an_app_has_its_own_leases(make_app: MakeApp) -> None:
    """The leases are those of one app, each destination once."""
    us, eu = (make_app(name, region="us-east-1").extensions["dynamo"].leases for name in ("us", "eu"))
    found = [us.get(Bind(region=region)) for region in ("us-east-1", "eu-west-1", "us-east-1")]
    assert us.all() == found[:2]
    assert eu.all() == []


def test_the_leases_of_blocks_are_forgotten(
    make_app: MakeApp,
    recorder: recorders.Recorder,
    db: dynaflask.Dynamo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cache of leases is bounded, and the app's dedicated client survives its clearing."""
    monkeypatch.setattr(leases, "MAX_BINDS", 3)
    app = make_app(host=recorder.url, region="us-east-1", **KEYS)
    mine = app.extensions["dynamo"].client
    before = pool.stats().clients
    with app.app_context():
        for number in range(10):
            with db.using(**KEYS, aws_session_token=str(number)):
                db.registry.leases.get(db.get_connection().bind)
    assert app.extensions["dynamo"].client is mine
    assert pool.stats().clients == before
