"""Two sites in one process: the same factory twice, behind one dispatcher."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import typing as t

from flask import Config
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from examples.forum.app import create_app
from examples.forum.models import db
from examples.forum.start import create_start_page

Sites = cabc.Mapping[str, Flask]

# The tenants of each site. Each has its own table.
TENANTS = ("acme", "globex")


def tenants(site: str) -> dict[str, dict[str, str]]:
    """The settings of each tenant of a site."""
    return {name: {"table_prefix": f"{site}-{name}-"} for name in TENANTS}


# For the dashboard of each site. Passwords and keys of a real site are secrets, and come from its environment.
OPERATIONS = {
    "DYNAMODB_RECORD_OPERATIONS": True,
    "DYNAMODB_TENANT_CAPACITY": 100,
    "FORUM_OPERATOR_PASSWORD": "operator",
}

# The local server reads an access key of 12 digits as an account, and accepts any secret.
SITES = {
    "us": {
        "FORUM_NAME": "forum-us",
        "FORUM_TITLE": "Forum, US",
        "SECRET_KEY": "the secret of us",
        "SESSION_COOKIE_NAME": "session-us",
        "DYNAMODB_REGION": "us-west-2",
        "DYNAMODB_AWS_ACCESS_KEY_ID": "111111111111",
        "DYNAMODB_AWS_SECRET_ACCESS_KEY": "any",
        "DYNAMODB_TABLE_PREFIX": "us-",
        "DYNAMODB_TENANTS": tenants("us"),
        "DYNAMODB_METER": True,
        **OPERATIONS,
    },
    "eu": {
        "FORUM_NAME": "forum-eu",
        "FORUM_TITLE": "Forum, EU",
        "SECRET_KEY": "the secret of eu",
        "SESSION_COOKIE_NAME": "session-eu",
        "DYNAMODB_REGION": "eu-west-1",
        "DYNAMODB_AWS_ACCESS_KEY_ID": "222222222222",
        "DYNAMODB_AWS_SECRET_ACCESS_KEY": "any",
        "DYNAMODB_TABLE_PREFIX": "eu-",
        "DYNAMODB_TENANTS": tenants("eu"),
        "DYNAMODB_METER": True,
        **OPERATIONS,
    },
}


def read_settings(path: pathlib.Path | None = None) -> Config:
    """Settings for all sites, from a file such as ``everything.cfg``; by default from that in ``FORUM_SETTINGS``."""
    settings = Config(pathlib.Path.cwd())
    if path is None:
        settings.from_envvar("FORUM_SETTINGS", silent=True)
    else:
        settings.from_pyfile(path)
    return settings


def create_site(name: str, settings: cabc.Mapping[str, t.Any] | None = None) -> Flask:
    """The app of one site, for ``flask --app "examples.forum.sites:create_site('us')" dynamo ...``."""
    return create_app({**(read_settings() if settings is None else settings), **SITES[name]})


def create_sites(settings: cabc.Mapping[str, t.Any] | None = None) -> Sites:
    """The app of each site, by name."""
    return {name: create_site(name, settings) for name in SITES}


def create_tables(sites: Sites) -> None:
    """Create the missing tables of each site and of each tenant."""
    for site in sites.values():
        with site.app_context():
            db.create_all(wait=True)
            for name in db.tenant_names:
                with db.tenant(name):
                    db.create_all(wait=True)


def create_application(sites: Sites) -> DispatcherMiddleware:
    """The WSGI application: each site under its name, and the start page at the root."""
    mounts: dict[str, t.Any] = {f"/{name}": site for name, site in sites.items()}
    return DispatcherMiddleware(create_start_page(sites), mounts)
