"""The first calls of a process import no module."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import recorder as recorders
from tests.support.paths import PROJECT

FIRST_CALLS = """
import importlib.abc, sys
import flask, dynaflask
from tests.support import models

class Notes(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name not in sys.builtin_module_names:
            print(name)

app = flask.Flask("app")
app.config.from_mapping(
    DYNAMODB_HOST=sys.argv[1].replace("127.0.0.1", "localhost"),
    DYNAMODB_REGION="us-east-1",
    DYNAMODB_AWS_ACCESS_KEY_ID="AKIA",
    DYNAMODB_AWS_SECRET_ACCESS_KEY="hush",
    DYNAMODB_TRANSPORT=sys.argv[2],
)
db = dynaflask.Dynamo(app)
Thread = models.declare_thread(db)
sys.meta_path.insert(0, Notes())
with app.app_context():
    Thread("forum", "subject").save()
    Thread.get("forum", "subject").update([Thread.views.add(1)])
    [*Thread.query("forum"), *Thread.batch_get([("forum", "subject")])]
    with Thread.batch_write() as batch:
        batch.save(Thread("forum", "subject"))
"""


def run(program: str, *arguments: str) -> str:
    """The output of a program that ends without an error."""
    command = [sys.executable, "-W", "ignore", "-c", program, *arguments]
    done = subprocess.run(command, cwd=PROJECT, timeout=60, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


@pytest.mark.parametrize("transport", ["botocore", "direct", "stock"])
def test_the_first_calls_import_nothing(recorder: recorders.Recorder, transport: str) -> None:
    """A process forked while a thread imports leaves the child waiting for the import lock."""
    assert run(FIRST_CALLS, recorder.url, transport) == ""
