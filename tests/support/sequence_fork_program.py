"""Forks between and during the first calls of two apps and two tenants, and goes on in both processes.

python sequence_fork_program.py URL_ONE URL_TWO

Each process names itself in the subject of what it saves.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import typing as t

import flask

import dynaflask
from dynaflask.client import lazy_client
from tests.support import models

SECONDS = 60

db = dynaflask.Dynamo()
Thread = models.declare_thread(db)
apps: dict[str, flask.Flask] = {}
for name, url, region in (("one", sys.argv[1], "eu-west-1"), ("two", sys.argv[2], "us-west-2")):
    apps[name] = flask.Flask(name)
    apps[name].config.update(
        DYNAMODB_HOST=url,
        DYNAMODB_REGION=region,
        DYNAMODB_AWS_ACCESS_KEY_ID=name,
        DYNAMODB_AWS_SECRET_ACCESS_KEY="hush",
        DYNAMODB_TENANTS={tenant: {"table_prefix": f"{tenant}-"} for tenant in ("acme", "globex")},
    )
    db.init_app(apps[name])


def in_both(step: str, work: t.Callable[[str], object]) -> None:
    """Fork, and work in the child and then in the parent. A child that hangs or fails ends the program."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(SECONDS)
        try:
            work(f"{step}-child")
        except BaseException as error:  # noqa: BLE001 - the child must not return into the parent's program
            sys.stderr.write(f"{step}: {error!r}\n")
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        sys.exit(f"The child of {step!r} failed.")
    work(f"{step}-parent")


def save_everywhere(subject: str) -> None:
    """Save an item for each app and tenant."""
    for app in apps.values():
        for tenant in ("acme", "globex"):
            with app.app_context(), db.tenant(tenant):
                Thread(f"{app.name} {tenant}", subject).save()


def use_client(subject: str) -> None:
    """Make the client of botocore, and use it beside a model."""
    for app in apps.values():
        with app.app_context(), db.tenant("acme"):
            key = {"forum_name": {"S": f"{app.name} acme"}, "subject": {"S": subject}}
            db.client.put_item(TableName="acme-Thread", Item=key)
            Thread(f"{app.name} acme", subject).save()


def saves(tenant: str) -> t.Generator[None, str]:
    """Save an item in a tenant's block, with the subject that it is sent."""
    with db.tenant(tenant):
        subject = yield
        while True:
            Thread(f"one {tenant}", subject).save()
            subject = yield


def go_on(subject: str) -> None:
    """Go on with generators that were begun before the fork, in turns."""
    for generator in (*generators, *generators):
        generator.send(subject)


def use_while_made() -> None:
    """Fork while another thread makes a client."""
    made, waiting, go = lazy_client.make_client, threading.Event(), threading.Event()

    def make_slowly(*args: t.Any, **options: t.Any) -> t.Any:
        if threading.current_thread() is thread and os.getpid() == parent:
            waiting.set()
            go.wait(SECONDS)
        return made(*args, **options)

    lazy_client.make_client, parent = make_slowly, os.getpid()
    dynaflask.Registry.pool.close()
    thread = threading.Thread(target=use_client, args=["thread"])
    thread.start()
    waiting.wait(SECONDS)

    def work(subject: str) -> None:
        go.set()
        use_client(subject)

    in_both("made", work)
    thread.join()
    lazy_client.make_client = made


# Before any client is made, and after the first calls.
in_both("first", save_everywhere)
in_both("second", save_everywhere)
in_both("client", use_client)
with apps["one"].app_context():
    generators = [saves("acme"), saves("globex")]
    for generator in generators:
        next(generator)
    in_both("generators", go_on)
    for generator in generators:
        generator.close()
use_while_made()
