"""A Flask view that reads one item of eleven attributes.

BENCHMARK_URL=... BENCHMARK_CLIENT=botocore gunicorn _view:application

The client is "PynamoDB", a ``DYNAMODB_TRANSPORT``, or none: "Flask alone".
"""

from __future__ import annotations

import os
import types

import _peers
from _canned import take_core
from _common import make_app
from _common import settings
from pynamodb.models import Model

import dynaflask

take_core(last=False)  # the workers, too, which are forked from the process that imports this
CLIENT = os.environ["BENCHMARK_CLIENT"]
db = dynaflask.Dynamo()

if CLIENT == "PynamoDB":
    application = make_app(CLIENT)
    Thread = _peers.declare(Model, **settings())
elif CLIENT == "Flask alone":
    application = make_app(CLIENT)
    thread = types.SimpleNamespace(**_peers.attributes())
    Thread = types.SimpleNamespace(get=lambda *key: thread)
else:
    application = make_app(CLIENT, db, transport=CLIENT)
    Thread = _peers.declare(db.Model)


@application.get("/")
def read() -> dict[str, object]:
    """Three attributes of the item."""
    thread = Thread.get(*_peers.KEY.values())
    return {"subject": thread.subject, "views": thread.views, "author": thread.author["name"]}
