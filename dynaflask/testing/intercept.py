"""Redirect every request of botocore to one recording server on loopback."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import dataclasses
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
# The option that botocore sets on its clients' sockets.
SOCKET_OPTIONS: t.Final[t.Any] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
# botocore chooses new values of these for each request.
VARYING_PARAMETERS = frozenset({"DurationSeconds", "RoleSessionName"})

ASSUME_ROLE_RESPONSE = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>{key}</SessionToken>
<Expiration>{expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""

_actor: contextvars.ContextVar[str] = contextvars.ContextVar("dynaflask_actor", default="")


@contextlib.contextmanager
def acting(name: str) -> cabc.Iterator[None]:
    """Mark the requests of a block as made for one tenant.

    Args:
        name: The tenant's name.
    """
    token = _actor.set(name)
    try:
        yield
    finally:
        _actor.reset(token)


@contextlib.contextmanager
def recorded(answer: t.Callable[[Request], Answer] | None, *, connections: int) -> cabc.Iterator[Recorder]:
    """A recording server that receives every request of the block.

    Args:
        answer: Called with each request. Without it, or where it returns ``None``, the default answer is sent.
        connections: The most concurrent requests.
    """

    def respond(request: Request) -> Answer:
        response = answer(request) if answer else None
        return default_answer(request) if response is None else response

    with Recorder() as recorder, _redirected(recorder.url, connections=connections):
        recorder.answer = respond
        yield recorder


def actor_of(request: Request) -> str:
    """The tenant that a recorded request was made for; empty if unknown."""
    return urllib.parse.unquote(request.headers.get(ACTOR, ""))


def default_answer(request: Request) -> Answer:
    """Temporary credentials for a request to STS, the plain answer for one to DynamoDB."""
    if request.service == "sts":
        return assumed_role(request)
    # Without consumed capacity, no rate limit of the app refuses the calls of the exercise.
    return plain_answer(dataclasses.replace(request, body=request.body | {"ReturnConsumedCapacity": "NONE"}))


def assumed_role(request: Request, *, seconds: float = 3600) -> str:
    """The answer of STS to an ``AssumeRole``: credentials whose access key identifies the caller and the parameters.

    Args:
        request: An ``AssumeRole`` request.
        seconds: How long the credentials are valid.
    """
    expiration = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=seconds)
    return ASSUME_ROLE_RESPONSE.format(key=assumed_key(request), expiration=expiration.isoformat())


def assumed_key(request: Request) -> str:
    """The access key id in the answer to an ``AssumeRole`` request."""
    parameters = urllib.parse.parse_qsl(request.raw_body.decode())
    identifying = sorted((name, value) for name, value in parameters if name not in VARYING_PARAMETERS)
    return "ASIA" + hashlib.sha256(repr((request.access_key_id, identifying)).encode()).hexdigest()[:16].upper()


@contextlib.contextmanager
def _redirected(url: str, *, connections: int) -> cabc.Iterator[None]:
    send = URLLib3Session.send
    # A session of its own, because the client's may use a proxy.
    session = URLLib3Session(max_pool_connections=connections, socket_options=SOCKET_OPTIONS)

    def redirect(_: URLLib3Session, request: t.Any) -> t.Any:
        return send(session, _readdressed(request, url))

    with unittest.mock.patch.object(URLLib3Session, "send", redirect):
        yield
    session.close()


def _readdressed(request: t.Any, url: str) -> AWSPreparedRequest:
    parts = urllib.parse.urlsplit(request.url)
    headers = request.headers.copy()
    headers[ENDPOINT] = f"{parts.scheme}://{parts.netloc}"
    headers[ACTOR] = urllib.parse.quote(_actor.get())
    target = url + urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
    return AWSPreparedRequest(request.method, target, headers, request.body, request.stream_output)
