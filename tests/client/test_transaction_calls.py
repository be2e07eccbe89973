"""Transactions of one destination, one context and one tenant."""

from __future__ import annotations

import typing as t

import pytest

import dynaflask
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.mark.parametrize(
    ("first", "second", "error", "message"),
    [
        ("blue", "red", dynaflask.TenantMismatch, "A transaction is for one tenant"),
        ("archive", None, ValueError, "A transaction goes to one destination"),
    ],
)
def test_a_transaction_refuses_the_model_of_another_destination(
    *,
    first: str,
    second: str | None,
    error: type[Exception],
    message: str,
    make_app: MakeApp,
    db: dynaflask.Dynamo,
    thread_model: t.Any,
    recorder: recorders.Recorder,
) -> None:
    """A connection of another tenant or destination is refused by each of two apps, and nothing is sent."""
    for name in ("us", "eu"):
        app = make_app(
            name,
            host=recorder.url,
            region="us-east-1",
            binds={"archive": {"region": "eu-west-1"}},
            tenants={"blue": {}, "red": {}},
            **KEYS,
        )
        with app.app_context():
            connections = []
            for place in (first, second):
                block = db.using() if place is None else db.using(place) if place == "archive" else db.tenant(place)
                with block:
                    connections.append(thread_model._get_connection().connection)
            with pytest.raises(error, match=message):
                connections[0].require_same_destination(connections[1], model="Thread")
            connections[0].require_same_destination(connections[0], model="Thread")
    assert recorder.requests == []


def test_a_request_that_no_model_made_is_sent(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """A program may write a dict of its own over a connection. It goes to the app whose context is current, of two."""
    put = {"TableName": "Audit", "Item": {"id": {"S": "1"}}}
    for region in ("us-west-2", "eu-west-1"):
        with recorders.Recorder() as recorder:
            with make_app(region, host=recorder.url, region=region, **KEYS).app_context():
                db.connection.transact_write_items([], [], [put], [])
            sent = [(request.region, request.body["TransactItems"]) for request in recorder.requests]
        assert sent == [(region, [{"Put": put}])]
