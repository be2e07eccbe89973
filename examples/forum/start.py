"""The start page: the sites side by side, each with its settings, threads and usage."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

from flask import Flask
from flask import flash
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest
from werkzeug.exceptions import HTTPException

from examples.forum.models import Thread
from examples.forum.models import db
from examples.forum.views import LIMIT
from examples.forum.views import NEW_FIELDS
from examples.forum.views import add_thread

# The words for the threads and the calls of no tenant.
NO_TENANT = "the site itself"


def create_start_page(sites: cabc.Mapping[str, Flask]) -> Flask:
    """An app without data of its own, which reads from the sites."""
    app = Flask(__name__)
    # For the message after a redirect. The sites' cookies have the same path, so this one has a name of its own.
    app.config.from_mapping(SECRET_KEY="for development", SESSION_COOKIE_NAME="start", SESSION_COOKIE_SAMESITE="Lax")
    app.config.from_prefixed_env("FORUM")

    @app.get("/")
    def show(error: str | None = None) -> str:
        site_facts = [describe(name, site) for name, site in sites.items()]
        return render_template("start.html", sites=site_facts, no_tenant=NO_TENANT, error=error)

    @app.post("/")
    def add() -> ResponseReturnValue:
        name = request.form.get("site", "")
        try:
            added = add_to(sites, name, fields=request.form)
        except HTTPException as http_error:
            return show(error=http_error.description), http_error.code or 500
        owner = request.form.get("tenant") or NO_TENANT
        flash(f"Added “{added.subject}” to the forum {added.forum_name} of {owner}.", category=name)
        return redirect(url_for("show"), 303)

    return app


def describe(name: str, site: Flask) -> dict[str, t.Any]:
    """The facts about a site, read in its app context."""
    registry = site.extensions["dynamo"]
    with site.app_context(), for_tenant(None):
        return {
            "name": name,
            "region": registry.meta(Thread).region,
            "table": registry.meta(Thread).table_name,
            "endpoint": registry.client.meta.endpoint_url,
            "threads": [{"tenant": owner, "thread": thread} for owner in owners() for thread in threads_of(owner)],
            "tenants": db.tenant_names,
            "usage": registry.usage(by="tenant"),
        }


def owners() -> list[str | None]:
    """The site itself (None) and its tenants."""
    return [None, *db.tenant_names]


def threads_of(tenant: str | None) -> list[Thread]:
    """The threads of a tenant, or of the site itself."""
    with for_tenant(tenant):
        return list(Thread.scan(limit=LIMIT))


def for_tenant(tenant: str | None) -> contextlib.AbstractContextManager[t.Any]:
    """A block for a tenant, or for the site itself."""
    # A request of this app is not one of the site, so that the program names the tenant, or that there is none.
    return db.tenant(tenant) if tenant else db.without_tenant(reason="The start page shows the site itself.")


def add_to(sites: cabc.Mapping[str, Flask], name: str, *, fields: cabc.Mapping[str, str]) -> Thread:
    """Create a thread on a site. An unknown site is a 400, an unknown tenant a 404."""
    if name not in sites:
        raise BadRequest(f"site must be one of {', '.join(sites)}.")
    with sites[name].app_context(), for_tenant(fields.get("tenant")):
        return add_thread({field: fields[field] for field in NEW_FIELDS if field in fields})
