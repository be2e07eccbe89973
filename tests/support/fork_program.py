"""Forks while eight threads make calls, and checks in each child that each response belongs to its request.

python fork_program.py URL [TRANSPORT]
"""

from __future__ import annotations

import os
import sys
import threading

import flask

import dynaflask
from dynaflask.client import tls
from tests.support import forks
from tests.support import models

CHILDREN = 6
CALLS = 25
WRONG, STUCK = 1, 2

db = dynaflask.Dynamo()
Thread = models.declare_thread(db)
app = flask.Flask("app")
app.config.from_mapping(
    DYNAMODB_HOST=sys.argv[1],
    DYNAMODB_REGION="us-east-1",
    DYNAMODB_AWS_ACCESS_KEY_ID="AKIA",
    DYNAMODB_AWS_SECRET_ACCESS_KEY="hush",
    DYNAMODB_TRANSPORT=(sys.argv[2:] or ["botocore"])[0],
)
db.init_app(app)
stop = threading.Event()
wrong: list[str] = []


def read(name: str) -> None:
    with app.app_context():
        answer = Thread.get("forum", name).subject
    if answer != name:
        wrong.append(f"{name} got {answer}")


def keep_reading(name: str) -> None:
    number = 0
    while not stop.is_set():
        read(f"{name}-{number}")
        number += 1


def child(number: int) -> int:
    wrong.clear()
    threads = [
        threading.Thread(
            target=lambda name: [read(f"{name}-{call}") for call in range(CALLS)], args=(f"child-{number}-{n}",)
        )
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=40)
    if any(thread.is_alive() for thread in threads):
        return STUCK
    return WRONG if wrong else 0


threads = [threading.Thread(target=keep_reading, args=(f"parent-{number}",)) for number in range(8)]
for thread in threads:
    thread.start()
children = []
for number in range(CHILDREN):
    with tls._lock.get():  # as a thread that reads a CA bundle
        pid = os.fork()
    if pid == 0:
        os._exit(child(number))
    children.append(pid)
codes = [forks.exit_code(pid) for pid in children]
stop.set()
for thread in threads:
    thread.join()
sys.exit(f"children ended with {codes}; wrong in the parent: {wrong}" if any(codes) or wrong else 0)
