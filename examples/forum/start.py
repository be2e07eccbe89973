"""The start page: the sites side by side, each with what its registry says and its table holds."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

from flask import Flask
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from werkzeug.exceptions import BadRequest
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from examples.forum.models import Thread
from examples.forum.models import db
from examples.forum.views import MOST
from examples.forum.views import add_thread


def create_start_page(sites: cabc.Mapping[str, Flask]) -> Flask:
    """An app of its own, without data: what it shows, it asks of the sites."""
    app = Flask(__name__)

    @app.get("/")
    def show(error: str | None = None) -> str:
        described = [describe(name, site) for name, site in sites.items()]
        return render_template("start.html", sites=described, error=error)

    @app.post("/")
    def add() -> Response | tuple[str, int | None]:
        name = request.form.get("site", "")
        try:
            add_to(sites, name, fields=request.form)
        except HTTPException as refused:
            return show(error=refused.description), refused.code
        return redirect(url_for("show", _anchor=name), 303)

    return app


def describe(name: str, site: Flask) -> dict[str, t.Any]:
    """What there is to show of a site, read in its context."""
    registry = site.extensions["dynamo"]
    with site.app_context():
        return {
            "name": name,
            "region": registry.meta(Thread).region,
            "table": registry.meta(Thread).table_name,
            "endpoint": registry.client.meta.endpoint_url,
            "threads": [{"tenant": name, "thread": thread} for name in everybody() for thread in threads_of(name)],
            "tenants": db.tenant_names,
            "usage": registry.usage(by="tenant"),
        }


def everybody() -> list[str | None]:
    """The site itself, and its tenants."""
    return [None, *db.tenant_names]


def threads_of(tenant: str | None) -> list[Thread]:
    """The threads of a tenant, or of the site itself."""
    with for_tenant(tenant):
        return list(Thread.scan(limit=MOST))


def for_tenant(tenant: str | None) -> contextlib.AbstractContextManager[None]:
    """A block for a tenant, or for the site itself."""
    return db.tenant(tenant) if tenant else contextlib.nullcontext()


def add_to(sites: cabc.Mapping[str, Flask], name: str, *, fields: cabc.Mapping[str, str]) -> None:
    """Create a thread on a site, in its context; 400 if there is no such site, 404 if it has no such tenant."""
    if name not in sites:
        raise BadRequest(f"site must be one of {', '.join(sites)}.")
    with sites[name].app_context(), for_tenant(fields.get("tenant")):
        add_thread(fields)
