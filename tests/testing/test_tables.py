"""``AppTables`` creates the tables of an app on the test server alone, copies their items, and puts them back."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.testing import AppTables
from dynaflask.testing import account_config
from dynaflask.testing import count_operations
from tests.support.settings import MakeApp


@pytest.fixture
def counter_model(db: dynaflask.Dynamo) -> t.Any:
    """A model with a hash key alone."""

    class Counter(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Counter"

        name = UnicodeAttribute(hash_key=True)
        value = NumberAttribute(default=0)
        text = UnicodeAttribute(null=True)

    return Counter


@pytest.fixture
def app(db: dynaflask.Dynamo, counter_model: t.Any, dynamo_config: dict[str, str]) -> flask.Flask:
    """An app with the settings of the test."""
    app = flask.Flask("app")
    app.config.update(dynamo_config)
    db.init_app(app)
    return app


class TestSnapshots:
    """``snapshot`` and ``restore``."""

    def test_the_items_are_put_back(self, app: flask.Flask, dynamo_tables: AppTables, counter_model: t.Any) -> None:
        """Items that were added are gone, those that were deleted or changed are as before."""
        with app.app_context():
            for name in ("kept", "changed", "deleted"):
                counter_model(name).save()
        snapshot = dynamo_tables.snapshot()
        with app.app_context():
            counter_model("changed", value=1).save()
            counter_model("deleted").delete()
            counter_model("added").save()
        dynamo_tables.restore(snapshot)
        with app.app_context():
            assert {item.name: item.value for item in counter_model.scan()} == {"kept": 0, "changed": 0, "deleted": 0}

    def test_only_what_differs_is_written(
        self, app: flask.Flask, dynamo_tables: AppTables, counter_model: t.Any
    ) -> None:
        """Items that are as in the snapshot are not written again."""
        with app.app_context():
            for name in ("one", "two"):
                counter_model(name).save()
        snapshot = dynamo_tables.snapshot()
        with app.app_context():
            counter_model("two").delete()
        with count_operations(app) as counts:
            dynamo_tables.restore(snapshot)
        assert counts.by_operation == {"Scan": 1, "PutItem": 1}

    def test_more_than_a_page(self, app: flask.Flask, dynamo_tables: AppTables, counter_model: t.Any) -> None:
        """A table of several pages is copied in full. A page has 1 MB."""
        with app.app_context():
            for number in range(4):
                counter_model(str(number), text="x" * 350_000).save()
        with count_operations(app) as counts:
            [items] = t.cast("t.Any", dynamo_tables.snapshot()[None]).values()
        assert sorted(item["name"]["S"] for item in items) == ["0", "1", "2", "3"]
        assert counts == {("Counter", "Scan"): 2}

    def test_into_another_account(
        self, app: flask.Flask, dynamo_tables: AppTables, counter_model: t.Any, db: dynaflask.Dynamo, dynamo_server: str
    ) -> None:
        """A snapshot can be restored for another app with the same tables, as each test has its own app."""
        with app.app_context():
            counter_model("one").save()
        other = flask.Flask("other")
        other.config.update(account_config(dynamo_server))
        db.init_app(other)
        tables = AppTables(other, server=dynamo_server)
        tables.create()
        tables.restore(dynamo_tables.snapshot())
        with other.app_context():
            assert [item.name for item in counter_model.scan()] == ["one"]

    def test_two_tenants(
        self, db: dynaflask.Dynamo, counter_model: t.Any, dynamo_config: dict[str, str], dynamo_server: str
    ) -> None:
        """The tables of tenants are created by name, and each tenant gets its own items back."""
        app = flask.Flask("tenants")
        tenants = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")}
        app.config.update(dynamo_config, DYNAMODB_TENANTS=tenants, DYNAMODB_REQUIRE_TENANT=True)
        db.init_app(app)
        tables = AppTables(app, server=dynamo_server)
        tables.create("acme", "globex")
        for tenant in tenants:
            with app.app_context(), db.tenant(tenant):
                counter_model(f"of {tenant}").save()
        snapshot = tables.snapshot()
        assert {tenant: list(copies) for tenant, copies in snapshot.items()} == {
            "acme": ["acme-Counter"],
            "globex": ["globex-Counter"],
        }
        with app.app_context(), db.tenant("acme"):
            counter_model("of acme").delete()
        tables.restore(snapshot)
        for tenant in tenants:
            with app.app_context(), db.tenant(tenant):
                assert [item.name for item in counter_model.scan()] == [f"of {tenant}"]

    def test_the_table_of_all_tenants(
        self, db: dynaflask.Dynamo, counter_model: t.Any, dynamo_config: dict[str, str], dynamo_server: str
    ) -> None:
        """Without names, the tables without a tenant are created, also if a tenant is required."""
        app = flask.Flask("tenants")
        app.config.update(dynamo_config, DYNAMODB_TENANTS={"acme": {}}, DYNAMODB_REQUIRE_TENANT=True)
        db.init_app(app)
        tables = AppTables(app, server=dynamo_server)
        tables.create()
        with app.app_context(), db.tenant("acme"):
            counter_model("one").save()
        [items] = t.cast("t.Any", tables.snapshot()[None]).values()
        assert [item["name"] for item in items] == [{"S": "one"}]


class TestServer:
    """Tables on other endpoints are refused."""

    @pytest.mark.parametrize("settings", [{}, {"host": "https://dynamodb.example"}])
    def test_an_app_without_the_settings(
        self, make_app: MakeApp, counter_model: t.Any, settings: dict[str, t.Any], dynamo_server: str
    ) -> None:
        """No request is sent for an app whose endpoint is AWS's, or another one than the test server's."""
        app = make_app(region="eu-west-1", **settings)
        with count_operations(app) as counts, pytest.raises(RuntimeError, match="not on the test server"):
            AppTables(app, server=dynamo_server).create()
        assert counts.total() == 0

    def test_the_local_server_by_its_name(self, make_app: MakeApp, counter_model: t.Any, dynamo_server: str) -> None:
        """``DYNAMODB_HOST = "local"`` is a local server, too."""
        app = make_app(host="local")
        AppTables(app, server=dynamo_server).create()
        with app.app_context():
            assert counter_model.exists()
