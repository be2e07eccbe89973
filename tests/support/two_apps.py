"""Two apps on two servers, with tenants of the same names, and a log of where each request went.

with two_apps() as world:
    with world.one.app_context(), world.db.tenant("acme"):
        world.Thread.get("forum", "subject")
    world.sent()                              # ["one acme-Thread"]
"""

from __future__ import annotations

import contextlib
import threading
import typing as t
import uuid

import flask
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.model.tenant_key import TenantKey
from dynaflask.operations.requests import requests_by_table
from tests.support import models
from tests.support.recorder import Answer
from tests.support.recorder import Recorder
from tests.support.recorder import Request
from tests.support.recorder import plain_answer

#: Tenants of both apps: two with tables of their own, and two that share the app's.
TENANTS: dict[str, dict[str, str]] = {
    "acme": {"table_prefix": "acme-"},
    "globex": {"table_prefix": "globex-"},
    "north": {},
    "south": {},
}
REGIONS = {"one": "eu-west-1", "two": "us-west-2"}
#: Ends the access keys of this process. The kernel may give a server a port that another process has just tried: one
#: that starts a local server asks for its health until it answers; a client may repeat a call to a server that ended.
RUN = uuid.uuid4().hex[:8]
ITEM = {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}}


class World:
    """The apps, their models and the log of requests.

    Attributes:
        db: The extension object of both apps.
        one: An app.
        two: The other app.
        Thread: A model. Of each tenant with a prefix, it has a table.
        Note: A model with a ``TenantKey``.
    """

    def __init__(self, servers: dict[str, Recorder], **settings: t.Any) -> None:
        self.db = dynaflask.Dynamo()
        self.Thread = models.declare_thread(self.db)
        self.Note = declare_note(self.db)
        self.answer: t.Callable[[Request], Answer] = answer
        self._log: list[tuple[str, Request]] = []
        for name, server in servers.items():
            server.answer = self._answer_of(name)
        self.one, self.two = (self._make_app(name, server, settings) for name, server in servers.items())

    def sent(self) -> list[str]:
        """Where the requests went since the last call: the app, the table, and the tenant of the key, if it has one."""
        log, self._log[:] = list(self._log), []
        return [label(name, request) for name, request in log]

    def _make_app(self, name: str, server: Recorder, settings: dict[str, t.Any]) -> flask.Flask:
        app = flask.Flask(name)
        app.config.update(
            SECRET_KEY="hush",
            DYNAMODB_HOST=server.url,
            DYNAMODB_REGION=REGIONS[name],
            DYNAMODB_AWS_ACCESS_KEY_ID=f"{name}-{RUN}",
            DYNAMODB_AWS_SECRET_ACCESS_KEY="hush",
            DYNAMODB_TENANTS=TENANTS,
            **{f"DYNAMODB_{key.upper()}": value for key, value in settings.items()},
        )
        self.db.init_app(app)
        return app

    def _answer_of(self, name: str) -> t.Callable[[Request], Answer]:
        lock = threading.Lock()

        def record(request: Request) -> Answer:
            if not request.access_key_id.endswith(RUN):
                return 400, {"__type": "UnrecognizedClientException", "message": "signed by no app of this test"}
            with lock:
                self._log.append((name, request))
            return self.answer(request)

        return record


@contextlib.contextmanager
def two_apps(**settings: t.Any) -> t.Iterator[World]:
    """The two apps, with these settings besides."""
    with Recorder() as first, Recorder() as second:
        yield World({"one": first, "two": second}, **settings)


def declare_note(db: dynaflask.Dynamo) -> t.Any:
    """A model with a ``TenantKey``."""

    class Note(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Note"

        owner = TenantKey(hash_key=True)
        text = UnicodeAttribute(null=True)

    return Note


def answer(request: Request) -> Answer:
    """An item for a query or a scan of threads."""
    if request.operation in {"Query", "Scan"} and request.body["TableName"].endswith("Thread"):
        return {"Items": [ITEM], "Count": 1, "ScannedCount": 1}
    return plain_answer(request)


def label(server: str, request: Request) -> str:
    """Where a request went. The server, the region and the credentials must be those of one app."""
    assert (request.access_key_id, request.region) == (f"{server}-{RUN}", REGIONS[server]), (server, request)
    (table,) = requests_by_table(request.body)
    keys = {part.partition("#")[0] for part in _strings(request.body) if "#" in part and not part.startswith("#")}
    return " ".join([server, table, *sorted(keys)])


def _strings(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "S":
                yield str(inner)
            else:
                yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
