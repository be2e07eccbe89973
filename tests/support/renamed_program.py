"""Makes calls with each transport, in a process whose botocore or PynamoDB has another name for something.

python renamed_program.py URL

Prints, as JSON, the subjects that were read, the modes in use, and the warnings.
"""

from __future__ import annotations

import json
import logging
import sys

import flask

import dynaflask
from tests.support import models


class Warnings(logging.Handler):
    """Collects the messages of the warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Collect one."""
        self.messages.append(record.getMessage())


results: dict[str, list[object]] = {}
for transport in ("stock", "botocore", "direct"):
    db = dynaflask.Dynamo()
    Thread = models.declare_thread(db)
    app = flask.Flask(transport)
    app.config.from_mapping(
        DYNAMODB_HOST=sys.argv[1],
        DYNAMODB_REGION="us-east-1",
        DYNAMODB_TRANSPORT=transport,
        DYNAMODB_AWS_ACCESS_KEY_ID="AKIA",
        DYNAMODB_AWS_SECRET_ACCESS_KEY="hush",
    )
    db.init_app(app)
    warnings = Warnings()
    logging.getLogger("dynaflask").addHandler(warnings)
    with app.app_context():
        subjects = [Thread.get("forum", f"{transport}-{number}").subject for number in range(2)]
        Thread("forum", transport).save()
        Thread("forum", transport).update(actions=[Thread.views.add(1)])
        list(Thread.query("forum"))
        mode = db.client.meta.dynaflask_transport.mode
        # A client of an HTTPS endpoint has TLS settings, too.
        with db.using(host="https://localhost:1", region="us-east-1"):
            secure_mode = db.client.meta.dynaflask_transport.mode
    results[transport] = [subjects, mode, secure_mode, warnings.messages]
    logging.getLogger("dynaflask").removeHandler(warnings)
json.dump(results, sys.stdout)
