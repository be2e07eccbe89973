"""The record of each call of a connection."""

from __future__ import annotations

import typing as t
from unittest import mock

import dynaflask
from dynaflask.client.direct.head_pattern import HeadPattern
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

KEY = {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}}


def test_each_call_is_counted_for_its_own_app_and_tenant(
    make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """The connections of two apps, of two tenants and of none are made in turn, and none counts for another."""
    settings = {"host": recorder.url, "region": "us-east-1", "meter": True, **KEYS}
    apps = [make_app(name, tenants={"blue": {}, "red": {"table_prefix": "red-"}}, **settings) for name in ("us", "eu")]
    for app in apps:
        for tenant in (None, "blue", None, "red", "blue", None):
            with app.app_context():
                block = db.without_tenant(reason="no tenant") if tenant is None else db.tenant(tenant)
                with block:
                    thread_model.get("forum", "subject")
    for app in apps:
        with app.app_context():
            counts = {tenant: usage.calls for tenant, usage in db.registry.usage(by="tenant").items()}
        assert counts == {None: 3, "blue": 2, "red": 1}


def test_a_limit_holds_for_its_own_app_and_tenant(
    make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """Connections of a tenant with a limit and of one without, in two apps, are made in turn from one template."""
    recorder.answer = lambda _: {"ConsumedCapacity": {"TableName": "Thread", "CapacityUnits": 1e6}, "Item": KEY}
    limit: dict[str, t.Any] = {"tenant_capacity": 1}
    tenants: dict[str, t.Any] = {"us": {"blue": limit, "red": {}}, "eu": {"blue": {}, "red": limit}}
    settings = {"host": recorder.url, "region": "us-east-1", **KEYS}
    apps = {name: make_app(name, tenants=tenants[name], **settings) for name in tenants}
    refused: set[tuple[str, str]] = set()
    for name, tenant in [(name, tenant) for _ in range(3) for name in apps for tenant in ("blue", "red", "blue")]:
        with apps[name].app_context(), db.tenant(tenant):
            try:
                thread_model.get("forum", "subject")
            except dynaflask.TenantLimitExceeded:
                refused.add((name, tenant))
    assert refused == {("us", "blue"), ("eu", "red")}


def test_a_record_of_a_read_decodes_no_headers(
    make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """The record takes the request id alone. A write, whose whole result the program gets, has the headers."""
    settings = {"host": recorder.url, "region": "us-east-1", "transport": "direct", "server_timing": True, **KEYS}
    apps = [make_app(name, **settings) for name in ("us", "eu")]
    ids: list[str | None] = []
    for app in apps:
        with app.app_context():
            for _ in range(2):
                thread_model.get("forum", "subject")
            with mock.patch.object(HeadPattern, "headers", autospec=True, return_value={}) as headers:
                thread_model.get("forum", "subject")
                assert headers.call_count == 0
                thread_model("forum", "subject").save()
                assert headers.call_count == 1
            ids += [operation.request_id for operation in db.recorded_operations()]
    assert len(set(ids)) == len(ids) == 8
    assert None not in ids
