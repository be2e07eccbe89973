"""Fifty greenlets with an empty pool make one client, and call at the same time.

python gevent_program.py URL [TRANSPORT]
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - the patch must come before the imports

import flask  # noqa: E402
import gevent  # noqa: E402

import dynaflask  # noqa: E402
from tests.support import models  # noqa: E402

GREENLETS = 50

db = dynaflask.Dynamo()
Thread = models.declare_thread(db)
app = flask.Flask("app")
app.config.from_mapping(
    DYNAMODB_HOST=sys.argv[1],
    DYNAMODB_REGION="us-east-1",
    DYNAMODB_AWS_ACCESS_KEY_ID="AKIA",
    DYNAMODB_AWS_SECRET_ACCESS_KEY="hush",
    DYNAMODB_TRANSPORT=(sys.argv[2:] or ["botocore"])[0],
    DYNAMODB_MAX_POOL_CONNECTIONS=GREENLETS,
)
db.init_app(app)


def read(number: int) -> str:
    with app.app_context():
        return str(Thread.get("forum", str(number)).subject)


answers = [greenlet.get(timeout=100) for greenlet in [gevent.spawn(read, number) for number in range(GREENLETS)]]
stats = dynaflask.Registry.pool.stats()
print(stats)  # noqa: T201 - the output of a failed test
sys.exit(answers != [str(number) for number in range(GREENLETS)] or stats.creations != 1)
