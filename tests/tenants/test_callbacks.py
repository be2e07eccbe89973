"""``TenantCallbacks``: the functions of a program that find tenants."""

from __future__ import annotations

import flask
import pytest

import dynaflask

CONFIG = {"DYNAMODB_REGION": "us-east-1", "DYNAMODB_TENANTS": {"acme": {}, "umbrella": {}}}


@pytest.mark.parametrize("app_name", ["one", "two"])
def test_the_functions_of_an_extension_object_serve_its_apps_alone(app_name: str) -> None:
    """The apps of one ``Dynamo`` share its functions. The apps of another ``Dynamo`` have none of them."""
    with_functions, without = dynaflask.Dynamo(), dynaflask.Dynamo()
    with_functions.tenant_lister(lambda: ["acme"])
    with_functions.tenant_loader(lambda: "acme")
    for db, tenant, names in ((with_functions, "acme", ["acme"]), (without, None, ["acme", "umbrella"])):
        app = flask.Flask(app_name)
        app.config.update(CONFIG)
        db.init_app(app)
        with app.app_context():
            assert (db.current_tenant, sorted(db.tenant_names)) == (tenant, names)
