"""Every request of botocore's, wherever it is meant to go, to one recording engine on loopback."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import datetime as dt
import hashlib
import socket
import typing as t
import unittest.mock
import urllib.parse

from botocore.awsrequest import AWSPreparedRequest
from botocore.httpsession import URLLib3Session

from dynaflask.testing.recorder import Answer
from dynaflask.testing.recorder import Recorder
from dynaflask.testing.recorder import Request
from dynaflask.testing.recorder import plain_answer

ENDPOINT = "x-recorded-endpoint"
ACTOR = "x-recorded-actor"
# As botocore's clients have it.
AT_ONCE: t.Final[t.Any] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
CREDENTIALS_SECONDS = 3600
# botocore makes these up anew for each request.
PASSING = frozenset({"DurationSeconds", "RoleSessionName"})

ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>{key}</SessionToken>
<Expiration>{until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""

_actor: contextvars.ContextVar[str] = contextvars.ContextVar("dynaflask_actor", default="")


@contextlib.contextmanager
def acting(name: str) -> cabc.Iterator[None]:
    """Say for whom the requests of a block are.

    Args:
        name: The tenant.
    """
    token = _actor.set(name)
    try:
        yield
    finally:
        _actor.reset(token)


@contextlib.contextmanager
def recorded(answer: t.Callable[[Request], Answer] | None, *, connections: int) -> cabc.Iterator[Recorder]:
    """An engine that gets every request of the block.

    Args:
        answer: Answers them; ``None`` where it is not asked or does not care, so that the plain answers do.
        connections: How many requests there may be at once.
    """

    def respond(request: Request) -> Answer:
        given = answer(request) if answer else None
        return default_answer(request) if given is None else given

    with Recorder() as recorder, _diverted(recorder.url, connections=connections):
        recorder.answer = respond
        yield recorder


def actor_of(request: Request) -> str:
    """For whom a recorded request was made; empty if it was for nobody that is known."""
    return urllib.parse.unquote(request.headers.get(ACTOR, ""))


def default_answer(request: Request) -> Answer:
    """Temporary credentials from STS, and plain answers from DynamoDB."""
    return assumed_role(request) if request.service == "sts" else plain_answer(request)


def assumed_role(request: Request, *, seconds: float = CREDENTIALS_SECONDS) -> str:
    """What STS answers: credentials whose access key stands for all that was asked for, and by whom.

    Args:
        request: An AssumeRole.
        seconds: How long they hold.
    """
    until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=seconds)
    return ASSUMED.format(key=assumed_key(request), until=until.isoformat())


def assumed_key(request: Request) -> str:
    """The access key of the credentials that are the answer to an AssumeRole."""
    asked = urllib.parse.parse_qsl(request.raw_body.decode())
    lasting = sorted((name, value) for name, value in asked if name not in PASSING)
    return "ASIA" + hashlib.sha256(repr((request.access_key_id, lasting)).encode()).hexdigest()[:16].upper()


@contextlib.contextmanager
def _diverted(url: str, *, connections: int) -> cabc.Iterator[None]:
    send = URLLib3Session.send
    own = URLLib3Session(max_pool_connections=connections, socket_options=AT_ONCE)

    # Of its own session, which knows of no proxy.
    def divert(_: URLLib3Session, request: t.Any) -> t.Any:
        return send(own, _addressed(request, url))

    with unittest.mock.patch.object(URLLib3Session, "send", divert):
        yield
    own.close()


def _addressed(request: t.Any, url: str) -> AWSPreparedRequest:
    parts = urllib.parse.urlsplit(request.url)
    headers = request.headers.copy()
    headers[ENDPOINT] = f"{parts.scheme}://{parts.netloc}"
    headers[ACTOR] = urllib.parse.quote(_actor.get())
    target = url + urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
    return AWSPreparedRequest(request.method, target, headers, request.body, request.stream_output)
