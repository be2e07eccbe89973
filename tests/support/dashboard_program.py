"""An app with a dashboard that calls DynamoDB before its server forks the workers: ``gunicorn --preload``."""

from __future__ import annotations

import os

import flask

import dynaflask
from dynaflask.integrations.dashboard import Dashboard
from tests.support import models

db = dynaflask.Dynamo()
Thread = models.declare_thread(db)

application = flask.Flask("application")
application.config.from_mapping(
    DYNAMODB_HOST=os.environ["RECORDER_URL"],
    DYNAMODB_REGION="us-east-1",
    DYNAMODB_AWS_ACCESS_KEY_ID="AKIA",
    DYNAMODB_AWS_SECRET_ACCESS_KEY="hush",
)
db.init_app(application)
application.register_blueprint(Dashboard(authorize=lambda: True), url_prefix="/dashboard")


@application.get("/count")
def count() -> str:
    """Make one call, and return the id of the process."""
    Thread.count("forum")
    return str(os.getpid())


with application.app_context():
    for _ in range(100):
        Thread.count("before the fork")
