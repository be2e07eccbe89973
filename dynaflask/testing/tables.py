"""The tables of an app under test: created on the test server alone, copied and put back."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import json
import typing as t

import flask

from dynaflask.client.key import LOCAL
from dynaflask.operations.requests import Json
from dynaflask.registry.context import registry_of
from dynaflask.registry.registry import Registry
from dynaflask.tables.manage import create
from dynaflask.tables.table import Table
from dynaflask.tables.table import find_tables
from dynaflask.testing.apps import find_app

#: The items of each table, by tenant (``None`` for no tenant) and by the table's real name.
Snapshot = dict[t.Optional[str], dict[str, list[Json]]]  # noqa: UP045 - evaluated at run time, on Python 3.10


class AppTables:
    """The tables of one app on a test server.

    Args:
        app: The app.
        server: URL of the test server. A table on any other endpoint is refused.
    """

    def __init__(self, app: flask.Flask, *, server: str) -> None:
        self._app = find_app(app)
        self._server = server
        # In the order of their creation.
        self._tenants: dict[str | None, None] = {}

    def create(self, *tenants: str) -> None:
        """Create the tables that do not exist, and wait until they can be used.

        Args:
            *tenants: Tenants that have tables of their own; by default the tables without a tenant are created.

        Raises:
            RuntimeError: A table would be on another endpoint than the test server.
        """
        for tenant in tenants or (None,):
            with self._tables(tenant) as tables:
                create(tables, wait=True)
            self._tenants[tenant] = None

    def snapshot(self) -> Snapshot:
        """All items of the tables that `create` has created, for `restore`."""
        copies: Snapshot = {}
        for tenant in self._tenants:
            with self._tables(tenant) as tables:
                copies[tenant] = {table.name: list(_items(table)) for table in tables}
        return copies

    def restore(self, snapshot: Snapshot) -> None:
        """Give the tables the items of a snapshot, and no others.

        Args:
            snapshot: What `snapshot` returned, also for another app with the same tables.
        """
        for tenant, copies in snapshot.items():
            with self._tables(tenant) as tables:
                for table in tables:
                    _replace_items(table, copies[table.name])

    @contextlib.contextmanager
    def _tables(self, tenant: str | None) -> cabc.Iterator[list[Table]]:
        registry = registry_of(self._app)
        with self._app.app_context(), _block_for(tenant, registry):
            tables = find_tables(registry)
            for table in tables:
                self._check(table)
            yield tables

    def _check(self, table: Table) -> None:
        # Otherwise an app that forgets the settings of the test writes to the account of the developer.
        if table.bind.host not in {self._server, LOCAL}:
            raise RuntimeError(
                f"The {table} is not on the test server {self._server}. Pass the settings of the fixture dynamo_config"
                f" to the factory of {self._app.name!r}, and let no other setting override DYNAMODB_HOST."
            )


def _block_for(tenant: str | None, registry: Registry) -> t.ContextManager[object]:
    if tenant is not None:
        return registry.dynamo.tenant(tenant)
    # Such a block is logged: an app without tenants needs none.
    if registry.tenants.is_required or registry.tenants.has_loader:
        return registry.dynamo.without_tenant(reason="the tables of a test")
    return contextlib.nullcontext()


def _items(table: Table) -> cabc.Iterator[Json]:
    request: dict[str, t.Any] = {"TableName": table.name, "ConsistentRead": True}
    while True:
        page = table.call("Scan", **request)
        yield from page["Items"]
        if not page.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _replace_items(table: Table, items: list[Json]) -> None:
    names = [key["AttributeName"] for key in table.schema.create_request()["KeySchema"]]
    wanted, actual = ({_key(item, names): item for item in group} for group in (items, _items(table)))
    for key, item in actual.items():
        if key not in wanted:
            table.call("DeleteItem", TableName=table.name, Key={name: item[name] for name in names})
    for key, item in wanted.items():
        if actual.get(key) != item:
            table.call("PutItem", TableName=table.name, Item=item)


def _key(item: Json, names: list[str]) -> str:
    return json.dumps([item[name] for name in names], default=repr)
