"""Redirect every request of both HTTP clients to one recording server on loopback.

The seam is the connection: the direct transport and botocore choose, render and sign their requests as in production,
and the recorded endpoint is the one that the connection would have been opened to.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import dataclasses
import datetime as dt
import hashlib
import typing as t
import unittest.mock
import urllib.parse

from botocore.awsrequest import AWSHTTPConnectionPool
from botocore.awsrequest import AWSHTTPSConnectionPool
from urllib3.connectionpool import HTTPConnectionPool

from dynaflask.client.direct import http_pool
from dynaflask.client.direct.response import Response
from dynaflask.testing.recorder import Answer
from dynaflask.testing.recorder import Recorder
from dynaflask.testing.recorder import Request
from dynaflask.testing.recorder import plain_answer

ENDPOINT = "x-recorded-endpoint"
ACTOR = "x-recorded-actor"
LOOPBACK = "127.0.0.1"
DEFAULT_PORTS = {"http": 80, "https": 443}
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

    with (
        Recorder() as recorder,
        _redirected_urllib3(recorder.port, connections=connections),
        _redirected_direct(recorder.port),
    ):
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
def _redirected_urllib3(port: int, *, connections: int) -> cabc.Iterator[None]:
    """Redirect the connections of botocore, below the methods whose patches the direct transport steps aside for."""
    server = AWSHTTPConnectionPool(LOOPBACK, port, maxsize=connections)

    def urlopen(pool: HTTPConnectionPool, *, url: str, headers: t.Any, **options: t.Any) -> t.Any:
        parts = urllib.parse.urlsplit(url)
        # Only a request to a proxy names the whole URL. Any other goes where its pool connects to.
        endpoint = f"{parts.scheme}://{parts.netloc}" if parts.scheme else _endpoint(pool.scheme, pool.host, pool.port)
        path = urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
        return HTTPConnectionPool.urlopen(server, url=path, headers={**headers, **_labels(endpoint)}, **options)

    with (
        contextlib.closing(server),
        unittest.mock.patch.object(AWSHTTPConnectionPool, "urlopen", urlopen),
        unittest.mock.patch.object(AWSHTTPSConnectionPool, "urlopen", urlopen),
    ):
        yield


@contextlib.contextmanager
def _redirected_direct(port: int) -> cabc.Iterator[None]:
    """Redirect the connections of the direct transport."""
    pools: dict[http_pool.Origin, http_pool.ConnectionPool] = {}
    send_to_server = http_pool.ConnectionPool.send

    def send(pool: http_pool.ConnectionPool, request: bytes) -> Response:
        origin = pool.origin
        scheme = "http" if origin.context is None else "https"
        endpoint = _endpoint(scheme, origin.host, origin.port)
        labels = "".join(f"{name}: {value}\r\n" for name, value in _labels(endpoint).items())
        request_line, line_end, rest = request.partition(b"\r\n")
        redirected = origin._replace(host=LOOPBACK, port=port, context=None)
        server = pools.setdefault(redirected, http_pool.ConnectionPool(redirected))
        return send_to_server(server, request_line + line_end + labels.encode() + rest)

    # The pools of the app are not used: another app may share them, and their connections lead to the real endpoint.
    try:
        with unittest.mock.patch.object(http_pool.ConnectionPool, "send", send):
            yield
    finally:
        for server in pools.values():
            server.close()


def _endpoint(scheme: str, host: str, port: int | None) -> str:
    return f"{scheme}://{host}" if port in {None, DEFAULT_PORTS[scheme]} else f"{scheme}://{host}:{port}"


def _labels(endpoint: str) -> dict[str, str]:
    return {ENDPOINT: endpoint, ACTOR: urllib.parse.quote(_actor.get())}
