"""Three tenants of an app, how a request names one, and what is refused without one."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import flask

import dynaflask
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

TENANTS = {"acme": {"table_prefix": "acme-"}, "globex": {"region": "eu-west-1"}, "plain": {}}

USES: dict[str, cabc.Callable[..., t.Any]] = {
    "get": lambda db, model: model.get("forum", "subject"),
    "save": lambda db, model: model("forum", "subject").save(),
    "query": lambda db, model: list(model.query("forum")),
    "batch_get": lambda db, model: list(model.batch_get([("forum", "subject")])),
    "exists": lambda db, model: model.exists(),
    "meta": lambda db, model: model.Meta.table_name,
    "connection": lambda db, model: db.connection,
    "get_connection": lambda db, model: db.get_connection("default"),
    "client": lambda db, model: db.client,
    "tables": lambda db, model: db.tables["Other"],
    "transact_write": lambda db, model: db.transact_write(),
    "create_all": lambda db, model: db.create_all(),
}


def make_app_of_tenants(make_app: MakeApp, url: str) -> flask.Flask:
    """An app with the tenants, and with a second bind."""
    binds = {"archive": {"table_prefix": "archive-", "region": "us-west-1"}}
    return make_app(host=url, region="us-east-1", tenants=TENANTS, binds=binds, **KEYS)


def load_by_header(db: dynaflask.Dynamo) -> list[str]:
    """Register a loader that reads a header of the request. The result lists the names that it returned."""
    calls: list[str] = []

    @db.tenant_loader
    def load() -> str | None:
        name = flask.request.headers.get("X-Tenant") if flask.has_request_context() else None
        calls.append(str(name))
        return name

    return calls


def as_tenant(app: flask.Flask, name: str) -> t.Any:
    """A request of a tenant."""
    return app.test_request_context(headers={"X-Tenant": name})
