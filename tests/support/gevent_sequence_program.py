"""Greenlets of two apps and two tenants that switch inside of their blocks, and generators that they pass on.

python gevent_sequence_program.py URL_ONE URL_TWO
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - the patch must come before the imports
import typing as t  # noqa: E402

import flask  # noqa: E402
import gevent  # noqa: E402

import dynaflask  # noqa: E402
from tests.support import models  # noqa: E402

ROUNDS = 5

db = dynaflask.Dynamo()
Thread = models.declare_thread(db)
apps = []
for name, url, region in (("one", sys.argv[1], "eu-west-1"), ("two", sys.argv[2], "us-west-2")):
    app = flask.Flask(name)
    app.config.update(
        DYNAMODB_HOST=url,
        DYNAMODB_REGION=region,
        DYNAMODB_AWS_ACCESS_KEY_ID=name,
        DYNAMODB_AWS_SECRET_ACCESS_KEY="hush",
        DYNAMODB_TENANTS={tenant: {"table_prefix": f"{tenant}-"} for tenant in ("acme", "globex")},
    )
    db.init_app(app)
    apps.append(app)


def saves(app: flask.Flask, tenant: str) -> t.Iterator[None]:
    """Save an item in a tenant's block at each step."""
    with db.tenant(tenant):
        for number in range(ROUNDS):
            Thread(f"{app.name} {tenant}", str(number)).save()
            yield


def work(app: flask.Flask, tenant: str) -> None:
    """Go on with a generator, and switch after each step."""
    with app.app_context():
        for _ in saves(app, tenant):
            gevent.sleep(0)


def take_over(app: flask.Flask, generator: t.Iterator[None]) -> str:
    """Go on with a generator of another greenlet in a context of one's own."""
    with app.app_context(), db.tenant("globex"):
        try:
            next(generator)
        except RuntimeError as error:
            return str(error)
        return "It went on."


greenlets = [gevent.spawn(work, app, tenant) for app in apps for tenant in ("acme", "globex")]
gevent.joinall(greenlets, timeout=60, raise_error=True)
with apps[0].app_context():
    kept = saves(apps[0], "acme")
    next(kept)
    answers = [gevent.spawn(take_over, app, kept).get(timeout=60) for app in apps[1:]]
sys.exit(0 if all("goes on while another one, of 'two'" in answer for answer in answers) else str(answers))
