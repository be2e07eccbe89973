"""Two apps that call DynamoDB at once, from contexts of all kinds. Each request carries its intended destination.

with isolation.world() as world:
    workers = world.workers()
    isolation.run_at_once([functools.partial(worker.in_many_contexts, 100) for worker in workers])
    world.check(workers, at_least=1_000)
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import concurrent.futures
import contextlib
import contextvars
import dataclasses
import itertools
import json
import random
import threading
import typing as t
import unittest.mock

import flask
from urllib3.connectionpool import HTTPConnectionPool

from dynaflask.client import key
from dynaflask.client.direct.http_pool import ConnectionPool
from tests.support import default_transport
from tests.support.isolation_calls import CONNECTION_CALLS
from tests.support.isolation_calls import MODEL_CALLS
from tests.support.isolation_calls import Call
from tests.support.isolation_calls import Draft
from tests.support.isolation_calls import Thread
from tests.support.isolation_calls import answer
from tests.support.isolation_calls import db
from tests.support.recorder import Answer
from tests.support.recorder import Json
from tests.support.recorder import Recorder
from tests.support.recorder import Request

default_transport.apply()

WORKERS_PER_APP = 8
WAIT_SECONDS = 120


class Destination(t.NamedTuple):
    """Host, region, credentials and table prefix of a request; no prefix if the request names no table."""

    host: str
    region: str
    access_key_id: str
    session_token: str
    sender: str
    table_prefix: str | None

    def settings(self) -> dict[str, t.Any]:
        """The settings that select this destination."""
        return {
            "host": f"http://{self.host}",
            "region": self.region,
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": "secret",
            "aws_session_token": self.session_token,
            "extra_headers": {"x-sender": self.sender},
            "table_prefix": self.table_prefix,
        }


class Side(t.NamedTuple):
    """One of the two apps, with the destinations of its default bind and of its bind ``away``."""

    app: flask.Flask
    home: Destination
    away: Destination


@dataclasses.dataclass
class World:
    """Two servers and two apps. The ``home`` of one app is the host of the other's ``away``.

    ``senders`` has the transport of each request: ``"direct"``, or ``"urllib3"`` for those of botocore.
    """

    servers: tuple[Recorder, Recorder]
    sides: tuple[Side, Side]
    senders: collections.Counter[str]

    def workers(self, *, per_app: int = WORKERS_PER_APP) -> list[Worker]:
        """Workers for both apps, alternating."""
        both = (self.sides, self.sides[::-1])
        return [
            Worker(f"{side.app.name}-{number}", side=side, other=other)
            for number in range(per_app)
            for side, other in both
        ]

    def check(self, workers: cabc.Iterable[Worker], *, at_least: int) -> None:
        """Each request went to its intended destination, none is missing or extra, and the apps took turns."""
        seen = [(server, request) for server in self.servers for request in server.requests]
        wrong = [(request.operation, *pair) for server, request in seen if len(set(pair := _ends(server, request))) > 1]
        assert not wrong, f"{len(wrong)} of {len(seen)} requests went to a wrong destination: {wrong[:3]}"
        sent = sum((worker.operations for worker in workers), start=collections.Counter[str]())
        assert collections.Counter(request.operation for _, request in seen) == sent
        assert len(seen) >= at_least, f"{len(seen)} requests are too few."
        is_direct = self.senders["direct"] > self.senders["urllib3"]
        assert is_direct == (key.DEFAULT_TRANSPORT == key.DIRECT), self.senders
        assert self._turns() >= at_least / 10, f"One app was heard {self._turns()} times after the other only."

    def _turns(self) -> int:
        senders = ([request.headers["x-maker"][:2] for request in server.requests] for server in self.servers)
        return sum(one != other for heard in senders for one, other in itertools.pairwise(heard))


@contextlib.contextmanager
def world(*, at_once: int = 2 * WORKERS_PER_APP) -> cabc.Iterator[World]:
    """Two apps on two servers, which delay the first requests until ``at_once`` workers have sent one."""
    with Recorder() as first, Recorder() as second, _labelled_wire() as senders:
        first.answer = second.answer = _held_until(at_once)
        hosts = [f"127.0.0.1:{server.port}" for server in (first, second)]
        us = _side("us", home=(hosts[0], "us-west-2"), away=(hosts[1], "eu-west-1"))
        eu = _side("eu", home=(hosts[1], "eu-west-1"), away=(hosts[0], "us-west-2"))
        yield World((first, second), (us, eu), senders)


def _side(name: str, *, home: tuple[str, str], away: tuple[str, str]) -> Side:
    app = flask.Flask(name)
    at_home, on_tour = (
        Destination(*place, f"{name}-{which}-key", f"{name}-{which}-token", f"{name}-{which}", f"{name}-{which}-")
        for which, place in (("home", home), ("away", away))
    )
    app.config.from_mapping({f"DYNAMODB_{key.upper()}": value for key, value in at_home.settings().items()})
    app.config["DYNAMODB_BINDS"] = {"away": on_tour.settings()}
    db.init_app(app)
    return Side(app, at_home, on_tour)


def run_at_once(jobs: cabc.Sequence[t.Callable[[], None]]) -> None:
    """Run each job in a thread of its own. An error of a job is raised here."""
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as executor:
        for future in [executor.submit(job) for job in jobs]:
            future.result()


class Worker:
    """Makes calls for one app, and counts their operations.

    Args:
        name: A unique name.
        side: The app to make calls for.
        other: The app whose contexts surround those of the worker.
    """

    def __init__(self, name: str, *, side: Side, other: Side) -> None:
        self.name = name
        self.side = side
        self.other = other
        self.operations: collections.Counter[str] = collections.Counter()
        self._random = random.Random(name)  # noqa: S311 - the same order each time

    def make(self, call: Call, intended: Destination) -> None:
        """Make a call with this intended destination."""
        operations, function = call
        token = _label.set({"x-maker": self.name, "x-intended-for": json.dumps(intended)})
        function()
        _label.reset(token)
        self.operations.update(operations)

    def get(self, intended: Destination) -> None:
        """Make the simplest call."""
        self.make(MODEL_CALLS[0], intended)

    def tasks(self, count: int) -> list[tuple[Situation, Call]]:
        """A sample of all calls in all situations, by this worker's random numbers."""
        return self._random.sample(TASKS, k=count)

    def in_this_context(self, count: int) -> None:
        """Make this many calls in the current context."""
        for situation, call in self.tasks(count):
            with situation(self) as intended:
                self.make(call, intended)

    def in_one_context(self, count: int) -> None:
        """Make this many calls in a context of its own."""
        with self.side.app.app_context():
            self.in_this_context(count)

    def in_many_contexts(self, count: int) -> None:
        """Make this many calls, each in another context."""
        for situation, call in self.tasks(count):
            with self._random.choice(CONTEXTS)(self), situation(self) as intended:
                self.make(call, intended)

    def in_changed_contexts(self) -> None:
        """Make each call of a model with a changed Meta, and again after the change is taken back."""
        for call in MODEL_CALLS:
            with self.side.app.app_context():
                Thread.Meta.region = Draft.Meta.region = "ap-south-1"
                self.make(call, self.side.home._replace(region="ap-south-1"))
                del Thread.Meta.region, Draft.Meta.region
                self.make(call, self.side.home)


# The contexts of the worker's app.

Context = t.Callable[[Worker], contextlib.AbstractContextManager[object]]


@contextlib.contextmanager
def inside_the_others(worker: Worker) -> cabc.Iterator[None]:
    """A context inside one of the other app, which is unchanged afterwards."""
    with worker.other.app.app_context():
        with worker.side.app.app_context():
            yield
        worker.get(worker.other.home)


@contextlib.contextmanager
def inside_the_others_block(worker: Worker) -> cabc.Iterator[None]:
    """A context inside a block of the other app, which is unchanged afterwards."""
    with worker.other.app.app_context(), db.using("away"):
        Thread.Meta.region = "af-south-1"
        with worker.side.app.app_context():
            yield
        worker.get(worker.other.away._replace(region="af-south-1"))


@contextlib.contextmanager
def inside_its_own(worker: Worker) -> cabc.Iterator[None]:
    """A context inside another one of the same app, whose changes have no effect in it."""
    with worker.side.app.app_context():
        Thread.Meta.region = Draft.Meta.region = "af-south-1"
        with db.using("away"), worker.side.app.app_context():
            yield


CONTEXTS: tuple[Context, ...] = (
    lambda worker: worker.side.app.app_context(),
    lambda worker: worker.side.app.test_request_context(),
    inside_the_others,
    inside_the_others_block,
    inside_its_own,
)


# What happens in a context before a call. Each yields the intended destination, and leaves the context unchanged.

Situation = t.Callable[[Worker], contextlib.AbstractContextManager[Destination]]


@contextlib.contextmanager
def plain(worker: Worker) -> cabc.Iterator[Destination]:
    """Nothing."""
    yield worker.side.home


@contextlib.contextmanager
def on_a_bind(worker: Worker) -> cabc.Iterator[Destination]:
    """A block on another bind."""
    with db.using("away"):
        yield worker.side.away


@contextlib.contextmanager
def in_two_blocks(worker: Worker) -> cabc.Iterator[Destination]:
    """A block with settings of its own, in one on another bind."""
    with db.using("away"), db.using(region="ap-south-1", table_prefix="more-"):
        yield worker.side.away._replace(region="ap-south-1", table_prefix="more-")


@contextlib.contextmanager
def after_a_block(worker: Worker) -> cabc.Iterator[Destination]:
    """A block that has ended."""
    with db.using("away"):
        worker.get(worker.side.away)
    yield worker.side.home


@contextlib.contextmanager
def after_the_others(worker: Worker) -> cabc.Iterator[Destination]:
    """A context of the other app that has ended."""
    with worker.other.app.app_context():
        worker.get(worker.other.home)
    yield worker.side.home


@contextlib.contextmanager
def changed_region(worker: Worker) -> cabc.Iterator[Destination]:
    """Meta names another region after its first use."""
    worker.get(worker.side.home)
    with _changed(region="ap-south-1"):
        yield worker.side.home._replace(region="ap-south-1")


@contextlib.contextmanager
def changed_all(worker: Worker) -> cabc.Iterator[Destination]:
    """Meta names another host, region, identity, header and prefix."""
    host, name = worker.side.away.host, worker.side.app.name
    target = Destination(host, "ap-south-1", f"{name}-key", f"{name}-token", f"{name}-changed", f"{name}-changed-")
    with _changed(**target.settings()):
        yield target


@contextlib.contextmanager
def changed_bind(worker: Worker) -> cabc.Iterator[Destination]:
    """Meta names another bind."""
    with _changed(bind_key="away"):
        yield worker.side.away


@contextlib.contextmanager
def changed_table(worker: Worker) -> cabc.Iterator[Destination]:
    """Meta names another table."""
    with db.using():
        Thread.Meta.table_name, Draft.Meta.table_name = "other-Thread", "other-Draft"
        yield worker.side.home._replace(table_prefix="other-")


@contextlib.contextmanager
def _changed(**changes: t.Any) -> cabc.Iterator[None]:
    # In a block, so that other threads of the context do not see the change.
    with db.using():
        for model, (name, value) in itertools.product((Thread, Draft), changes.items()):
            setattr(model.Meta, name, value)
        yield


SITUATIONS: tuple[Situation, ...] = (plain, on_a_bind, in_two_blocks, after_a_block, after_the_others)
# Calls without a model do not read a Meta.
MODEL_SITUATIONS: tuple[Situation, ...] = (changed_region, changed_all, changed_bind, changed_table)
TASKS: tuple[tuple[Situation, Call], ...] = (
    *itertools.product(SITUATIONS, MODEL_CALLS + CONNECTION_CALLS),
    *itertools.product(MODEL_SITUATIONS, MODEL_CALLS),
)


# The two ends of the wire.

_label: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("label")


@contextlib.contextmanager
def _labelled_wire() -> cabc.Iterator[collections.Counter[str]]:
    """Each request of any client carries its maker and its intended destination. Counts the requests by transport."""
    # Below botocore, because a patch of botocore would turn the direct transport off.
    stock_send, direct_send = HTTPConnectionPool.urlopen, ConnectionPool.send
    senders: collections.Counter[str] = collections.Counter()

    def send_by_urllib3(pool: HTTPConnectionPool, *args: t.Any, headers: t.Any, **options: t.Any) -> t.Any:
        senders["urllib3"] += 1
        return stock_send(pool, *args, headers={**headers, **_label.get()}, **options)

    def send_directly(pool: ConnectionPool, request: bytes) -> t.Any:
        senders["direct"] += 1
        request_line, line_end, rest = request.partition(b"\r\n")
        label = "".join(f"{name}: {value}\r\n" for name, value in _label.get().items()).encode()
        return direct_send(pool, request_line + line_end + label + rest)

    with (
        unittest.mock.patch.object(HTTPConnectionPool, "urlopen", send_by_urllib3),
        unittest.mock.patch.object(ConnectionPool, "send", send_directly),
    ):
        yield senders


def _held_until(count: int) -> cabc.Callable[[Request], Answer]:
    """Answers, but delays the first request of each worker until this many workers have sent one."""
    barrier = threading.Barrier(count)
    makers: set[str] = set()

    def answer_at_once(request: Request) -> Answer:
        maker = request.headers["x-maker"]
        if maker not in makers:
            makers.add(maker)
            barrier.wait(WAIT_SECONDS)
        return answer(request)

    return answer_at_once


def _ends(server: Recorder, request: Request) -> tuple[Destination, Destination]:
    """The intended and the actual destination of a request."""
    intended = Destination(*json.loads(request.headers["x-intended-for"]))
    prefixes = {name.removesuffix("Thread").removesuffix("Draft") for name in _table_names(request.body)}
    actual = Destination(
        host=f"127.0.0.1:{server.port}" if request.host.endswith(f":{server.port}") else request.host,
        region=request.region,
        access_key_id=request.access_key_id,
        session_token=str(request.session_token),
        sender=request.headers.get("x-sender", ""),
        table_prefix=prefixes.pop() if len(prefixes) == 1 else None,
    )
    return (intended._replace(table_prefix=None) if request.operation == "ListTables" else intended), actual


def _table_names(body: Json) -> set[str]:
    actions = [body, *(action for item in body.get("TransactItems", ()) for action in item.values())]
    return {*body.get("RequestItems", ()), *(action["TableName"] for action in actions if "TableName" in action)}
