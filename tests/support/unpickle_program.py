"""A program that gets an object from another process, and saves it in its apps: one line for each place.

python -m tests.support.unpickle_program RUN URL URL < pickle
"""

from __future__ import annotations

import pickle
import sys
import typing as t

import flask

import dynaflask
from tests.support.two_apps import REGIONS
from tests.support.two_apps import TENANTS


def main(run: str, *urls: str) -> None:
    """Save the object for each tenant of two apps, whose names are those of the other process."""
    db, apps = dynaflask.Dynamo(), dict[str, flask.Flask]()
    item: t.Any = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - the test's own
    for (name, region), url in zip(REGIONS.items(), urls, strict=True):
        app = apps[name] = flask.Flask(name)
        app.config.update(
            DYNAMODB_HOST=url,
            DYNAMODB_REGION=region,
            DYNAMODB_AWS_ACCESS_KEY_ID=f"{name}-{run}",
            DYNAMODB_AWS_SECRET_ACCESS_KEY="hush",
            DYNAMODB_TENANTS=TENANTS,
        )
        db.init_app(app)
    for name, app in apps.items():
        for tenant in TENANTS:
            with app.app_context(), db.tenant(tenant):
                try:
                    item.save()
                except dynaflask.TenantMismatch:
                    continue
                sys.stdout.write(f"{name} {tenant}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
