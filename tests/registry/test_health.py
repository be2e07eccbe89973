"""``registry.ping`` and ``registry.check``: does DynamoDB answer, and can the tables be used?"""

from __future__ import annotations

import typing as t

import flask
import pytest
from botocore.exceptions import BotoCoreError
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from tests.support import engines
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

NOT_DYNAMODB = [
    "<html>It works!</html>",
    "",
    {},
    "[]",
    "null",
    '{"TableNames": 5}',
    '{"TableNames": ["Thr',
    {"Table": {"TableName": "Thread"}},
]


# The transports find some of these themselves.
NOT_DYNAMODB_MESSAGE = (
    "not (one of DynamoDB|the JSON object that DynamoDB sends).*The bind is 'default'. Check DYNAMODB_HOST"
)


class Lister:
    """A client of a factory that only lists tables."""

    def list_tables(self, **_: t.Any) -> t.Any:
        """No tables."""
        return {"TableNames": []}


def ignore(**_: t.Any) -> None:
    """An event handler that does nothing."""


def of(table: str | None, results: list[dynaflask.Health]) -> dynaflask.Health:
    """The only result for a table."""
    (result,) = [result for result in results if result.table == table]
    return result


@pytest.mark.parametrize("transport", ["direct", "stock"])
@pytest.mark.parametrize("body", NOT_DYNAMODB, ids=str)
def test_an_answer_of_another_server_is_an_error(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, body: t.Any, transport: str
) -> None:
    """A 200 that is not one of DynamoDB fails ``ping``, ``warm`` and ``check``, and the error names the bind."""
    recorder.answer = lambda request: (200, body)
    app = make_app(host=recorder.url, region="us-east-1", transport=transport, max_retry_attempts=0, **KEYS)
    registry = app.extensions["dynamo"]
    for call in (registry.ping, registry.warm):
        with pytest.raises(BotoCoreError, match=NOT_DYNAMODB_MESSAGE):
            call()
    assert not registry.check()[0].is_ok
    with app.app_context():
        result = of("Thread", registry.check(tables=True))
    assert not result.is_ok
    assert thread_model is not None


class TestCheck:
    """``registry.check`` has one result per bind, or per table."""

    def test_a_bind_that_does_not_answer_is_a_result(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """A failed call raises nothing; its result has the error with the setting to check."""
        far = {"host": "http://127.0.0.1:1", "max_retry_attempts": 0}
        app = make_app(host=recorder.url, region="us-east-1", binds={"far": far}, **KEYS)
        good, bad = app.extensions["dynamo"].check()
        assert (good.bind_key, good.table, good.models, good.error, good.is_ok) == ("default", None, (), None, True)
        assert (bad.bind_key, bad.is_ok) == ("far", False)
        assert good.seconds > 0
        assert "The bind is 'far'. Check DYNAMODB_HOST" in bad.error
        assert [result.bind_key for result in app.extensions["dynamo"].check("default")] == ["default"]

    def test_a_result_names_the_transport_of_the_bind(
        self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
    ) -> None:
        """A transport that is not that of the settings has its reason, in the app that has the reason alone."""
        binds = {"far": {"host": "http://127.0.0.1:1", "max_retry_attempts": 0}, "stock": {"transport": "stock"}}
        options = {"host": recorder.url, "region": "us-east-1", "transport": "direct", "share_client": False, **KEYS}
        plain, watched = (make_app(name, binds=binds, **options) for name in ("plain", "watched"))
        watched.extensions["dynamo"].get_client().meta.events.register("before-send.dynamodb", ignore)
        transports = [
            [result.transport for result in app.extensions["dynamo"].check("default", "stock", "far")]
            for app in (plain, watched)
        ]
        reason = f"botocore: {__name__}.ignore listens to the client's events"
        assert transports == [["direct", "stock", None], [reason, "stock", None]]
        (unmanaged,) = make_app(client_factory=lambda _: Lister()).extensions["dynamo"].check()
        assert (unmanaged.is_ok, unmanaged.transport) == (True, "stock")

    def test_an_unknown_bind_is_an_error(self, app: flask.Flask) -> None:
        """A key that the app does not have raises, before any call."""
        with pytest.raises(dynaflask.UnknownBind, match="mars"):
            app.extensions["dynamo"].check("default", "mars")

    def test_each_table_is_described_once(
        self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
    ) -> None:
        """Models that share a table have one result, and a bind without a table is checked by itself."""
        thread = models.declare_thread(db)

        class Twin(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                table_name = "Thread"

            forum_name = UnicodeAttribute(hash_key=True)
            subject = UnicodeAttribute(range_key=True)

        class Far(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                table_name = "Far"
                bind_key = "eu"

            key = UnicodeAttribute(hash_key=True)

        class Abstract(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                region = "us-east-1"

            key = UnicodeAttribute(hash_key=True)

        binds = {"eu": {"region": "eu-west-1"}, "spare": {"region": "ap-south-1"}}
        app = make_app(host=recorder.url, region="us-east-1", binds=binds, **KEYS)
        state = "ACTIVE"
        recorder.answer = lambda request: (
            {"TableNames": []} if request.operation == "ListTables" else {"Table": {"TableStatus": state}}
        )
        registry = app.extensions["dynamo"]
        with app.app_context():
            results = registry.check(tables=True)
            assert [(result.bind_key, result.table, result.is_ok) for result in results] == [
                ("default", "Thread", True),
                ("eu", "Far", True),
                ("spare", None, True),
            ]
            assert results[0].models == (thread.__name__, Twin.__name__)
            assert [(request.operation, request.region) for request in recorder.requests] == [
                ("DescribeTable", "us-east-1"),
                ("DescribeTable", "eu-west-1"),
                ("ListTables", "ap-south-1"),
            ]
            assert [result.table for result in registry.check("eu", tables=True)] == ["Far"]
            for state, is_ok in (("UPDATING", True), ("CREATING", False), ("ARCHIVED", False)):
                result = of("Thread", registry.check(tables=True))
                assert (result.is_ok, state in (result.error or state)) == (is_ok, True)

    def test_a_missing_table_is_not_ok(
        self, make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
    ) -> None:
        """``ping`` is green where a table is missing; ``check(tables=True)`` is not, and names what to do."""
        thread = models.declare_thread(db)
        keys = {"aws_access_key_id": account.access_key_id, "aws_secret_access_key": "any"}
        app = make_app(host=ministack.url, region="us-east-1", **keys)
        registry = app.extensions["dynamo"]
        with app.app_context():
            assert registry.ping() > 0
            assert registry.check()[0].is_ok
            assert "`flask dynamo create`" in (of("Thread", registry.check(tables=True)).error or "")
            db.create_all(wait=True)
            assert of("Thread", registry.check(tables=True)).is_ok
            assert thread.count() == 0
            db.drop_all()

    def test_each_app_and_tenant_checks_its_own_tables(
        self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """The tables are those of the current app and tenant. Without a required tenant nothing is called."""
        assert thread_model.__dynamo__ is db
        recorder.answer = lambda request: {"Table": {"TableStatus": "ACTIVE"}}
        tenants = {"acme": {"table_prefix": "acme-"}, "globex": {"region": "eu-west-1"}}
        us = make_app("us", host=recorder.url, region="us-west-2", tenants=tenants, require_tenant=True, **KEYS)
        eu = make_app("eu", host=recorder.url, region="eu-central-1", table_prefix="eu-", **KEYS)
        with us.app_context():
            with pytest.raises(dynaflask.TenantRequired):
                us.extensions["dynamo"].check(tables=True)
            with pytest.raises(RuntimeError, match="used outside of its application context"):
                eu.extensions["dynamo"].check(tables=True)
            assert recorder.requests == []
            for tenant in tenants:
                with db.tenant(tenant):
                    us.extensions["dynamo"].check(tables=True)
        with eu.app_context():
            eu.extensions["dynamo"].check(tables=True)
        assert [(request.region, request.body["TableName"]) for request in recorder.requests] == [
            ("us-west-2", "acme-Thread"),
            ("eu-west-1", "Thread"),
            ("eu-central-1", "eu-Thread"),
        ]
