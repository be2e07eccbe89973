"""Forks in C, so that no hook of Python runs, as uWSGI may do, while threads of the parent hold locks and sockets.

python uwsgi_fork_program.py URL TRANSPORT

The server answers a read of "held" only after the children have ended. The program forks when eight such reads are in
flight and a ninth thread makes a client under the lock of its key.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
import typing as t

import flask

import dynaflask
from dynaflask.client import tls
from dynaflask.client.pool import pool
from tests.support import forks
from tests.support import models

THREADS = 8
CALLS = 25
WRONG, STUCK = 1, 2
KEYS = {"DYNAMODB_AWS_ACCESS_KEY_ID": "AKIA", "DYNAMODB_AWS_SECRET_ACCESS_KEY": "hush"}

# No thread asks for the interpreter lock in the moment of the fork: the child would wait for that thread for ever.
sys.setswitchinterval(120)

db = dynaflask.Dynamo()
Thread = models.declare_thread(db)
app, other = flask.Flask("app"), flask.Flask("other")
settings = {"DYNAMODB_HOST": sys.argv[1], "DYNAMODB_REGION": "us-east-1", "DYNAMODB_TRANSPORT": sys.argv[2], **KEYS}
finish = threading.Event()
is_making = threading.Event()


def make_client_slowly(_: t.Any) -> t.Any:
    is_making.set()
    finish.wait(60)
    return app.extensions["dynamo"].get_client()


app.config.from_mapping(settings, DYNAMODB_MAX_POOL_CONNECTIONS=THREADS)
other.config.from_mapping(settings, DYNAMODB_CLIENT_FACTORY=make_client_slowly)
db.init_app(app)
db.init_app(other)


def read(name: str) -> bool:
    with app.app_context():
        return str(Thread.get("forum", name).subject) == name


def fork_in_c() -> int:
    # PyDLL keeps the interpreter lock, as an extension module does that calls fork.
    return int(ctypes.PyDLL(None).fork())


def check_child(number: int) -> int:
    """Exit code of a child: it reads with two threads of its own, with new clients."""
    answers: list[bool] = []

    def read_often(name: str) -> None:
        answers.extend(read(f"{name}-{call}") for call in range(CALLS))

    threads = [threading.Thread(target=read_often, args=(f"child-{number}-{n}",), daemon=True) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    if any(thread.is_alive() for thread in threads):
        return STUCK
    # The child has one client of its own, and no socket of the parent's.
    stats = pool.stats()
    is_right = answers == [True] * 2 * CALLS and (stats.clients, stats.creations) == (1, 1)
    return 0 if is_right and stats.open_sockets <= len(threads) else WRONG


results: list[bool] = []
read("before the fork")
threads = [threading.Thread(target=lambda: results.append(read("held"))) for _ in range(THREADS)]
threads.append(threading.Thread(target=other.extensions["dynamo"].get_client))
for thread in threads:
    thread.start()
is_making.wait(30)
while pool.stats().open_sockets < THREADS:
    time.sleep(0.01)
time.sleep(0.3)  # all of them wait for the server or the event: none waits for the interpreter lock
with tls._lock.get(), pool._clients.get().lock:  # as threads may hold them
    children = []
    for number in range(2):
        pid = fork_in_c()
        if pid == 0:
            os._exit(check_child(number))
        children.append(pid)
codes = [forks.exit_code(pid) for pid in children]
finish.set()
is_alive = read("release")  # the server answers the held reads, on the sockets of before the fork
for thread in threads:
    thread.join(30)
is_right = is_alive and codes == [0, 0] and results == [True] * THREADS
sys.exit(0 if is_right else f"children ended with {codes}; in the parent: {results}")
