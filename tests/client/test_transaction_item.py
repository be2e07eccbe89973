"""An operation of a transaction is sent only to the place of its model."""

from __future__ import annotations

import json
import typing as t

import flask
import pytest

import dynaflask
from dynaflask.client.transaction_item import TransactionItem
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

GET = {"TableName": "Thread", "Key": {"forum_name": {"S": "flask"}}}


@pytest.fixture
def apps(make_app: MakeApp, recorder: recorders.Recorder) -> list[flask.Flask]:
    """Two apps in two regions, each with a tenant."""
    settings = {"host": recorder.url, "tenants": {"acme": {"table_prefix": "acme-"}}, **KEYS}
    return [make_app(region, region=region, **settings) for region in ("us-west-2", "eu-west-1")]


def test_a_connection_to_the_same_place_reads_it(apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
    """The parameters are those of the operation."""
    for app in apps:
        with app.app_context():
            assert TransactionItem(GET, db.connection).unwrapped_for(db.connection) == GET


def test_the_connection_of_another_app_is_refused(apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
    """An operation of one app is not for the connection of the other."""
    us, eu = apps
    with us.app_context():
        item = TransactionItem(GET, db.connection)
        with eu.app_context(), pytest.raises(RuntimeError, match="belongs to one application context"):
            item.unwrapped_for(db.connection)


def test_the_connection_of_another_tenant_is_refused(apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
    """An operation of a tenant is not for a connection without one."""
    for app in apps:
        with app.app_context():
            with db.tenant("acme"):
                item = TransactionItem(GET, db.connection)
            with pytest.raises((RuntimeError, dynaflask.TenantMismatch)):
                item.unwrapped_for(db.connection)


@pytest.mark.parametrize(
    "read",
    [dict, json.dumps, lambda item: item["TableName"], lambda item: item.get("Key"), lambda item: {**item}],
    ids=["dict", "JSON", "a parameter", "get", "unpacked"],
)
def test_nothing_else_reads_it(apps: list[flask.Flask], db: dynaflask.Dynamo, read: t.Callable[[t.Any], t.Any]) -> None:
    """Code that does not know the place of the operation cannot read its parameters."""
    for app in apps:
        with app.app_context(), pytest.raises(RuntimeError, match=r"is for <Connection 'default'"):
            read(TransactionItem(GET, db.connection))
