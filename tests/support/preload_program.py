"""An app that calls DynamoDB before its server forks the workers: ``gunicorn --preload``, and uWSGI."""

from __future__ import annotations

import os

import flask

import dynaflask
from tests.support import models

db = dynaflask.Dynamo()
Thread = models.declare_thread(db)

application = flask.Flask("application")
application.config.from_mapping(
    DYNAMODB_HOST=os.environ["RECORDER_URL"],
    DYNAMODB_REGION="us-east-1",
    DYNAMODB_AWS_ACCESS_KEY_ID="AKIA",
    DYNAMODB_AWS_SECRET_ACCESS_KEY="hush",
    DYNAMODB_TRANSPORT=os.environ.get("TRANSPORT", "botocore"),
)
db.init_app(application)


@application.get("/<subject>")
def read(subject: str) -> dict[str, object]:
    """The subject of the item, as a model and a client of before the fork read it, and the id of the process."""
    key = {"forum_name": {"S": "forum"}, "subject": {"S": f"kept-{subject}"}}
    kept = client.get_item(TableName="Thread", Key=key)["Item"]["subject"]["S"]
    return {"subject": Thread.get("forum", subject).subject, "kept": kept, "process": os.getpid()}


application.extensions["dynamo"].warm()
client = application.extensions["dynamo"].client
client.list_tables()
with application.app_context():
    for number in range(3):
        Thread.get("forum", f"before the fork {number}")
