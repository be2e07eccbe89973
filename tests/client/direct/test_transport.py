"""Calls of the direct transport, compared with those of botocore."""

from __future__ import annotations

import concurrent.futures
import contextlib
import contextvars
import datetime as dt
import gzip
import inspect
import itertools
import pathlib
import socket
import ssl
import subprocess
import sys
import types
import typing as t
import uuid
from unittest import mock

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.httpsession
import botocore.session
import botocore.stub
import flask
import moto
import pytest
import trustme
from botocore import UNSIGNED
from botocore.config import Config
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import GetError
from pynamodb.exceptions import PutError
from pynamodb.transactions import TransactGet
from pynamodb.transactions import TransactWrite

import dynaflask
from dynaflask.client.direct import transport as transport_module
from dynaflask.client.pool import pool
from tests.support import hostile
from tests.support import recorder as recorders
from tests.support.accelerators import remove_msgspec
from tests.support.clients import lease
from tests.support.hostile import answer
from tests.support.hostile import cut
from tests.support.hostile import error
from tests.support.hostile import say
from tests.support.paths import SUPPORT
from tests.support.paths import environment
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

Call = t.Callable[[], t.Any]
TRANSPORTS = ("stock", "direct")
FOUND = {"Item": {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}, "views": {"N": "7"}}}
GOOD = answer(FOUND)
DIRECT = ("direct", None)


class Played(t.NamedTuple):
    """Outcome of a call, its attempts, and the number of pauses between them."""

    outcome: t.Any
    attempts: list[tuple[str, str]]
    sleeps: int


class Play:
    """Calls a misbehaving server with one of the transports: ``play("direct", acts=[...])``."""

    def __init__(self, make_app: MakeApp, model: t.Any, sleeps: list[float]) -> None:
        self._make_app = make_app
        self._model = model
        self._sleeps = sleeps
        # The expensive parts of a client are shared, and live while any client uses them.
        self._kept = [
            make_app(f"kept-{transport}", region="us-east-1", transport=transport, **KEYS) for transport in TRANSPORTS
        ]
        for app in self._kept:
            app.extensions["dynamo"].get_client()

    def __call__(
        self, transport: str, acts: list[hostile.Act], *, name: str = "read", is_warm: bool = True, **settings: t.Any
    ) -> Played:
        with self.server(transport, **settings) as server:
            call = getattr(self, name)
            if is_warm:
                call()
            return self.play(server, acts, call)

    @contextlib.contextmanager
    def server(self, transport: str, **settings: t.Any) -> t.Iterator[hostile.Hostile]:
        """A server that returns good responses at first, in the context of an app that calls it."""
        with hostile.Hostile() as server:
            server.acts = [say(GOOD)]
            options = {"host": server.url, "region": "us-east-1", "transport": transport, **KEYS, **settings}
            with self._make_app("app", **options).app_context():
                yield server

    def play(self, server: hostile.Hostile, acts: list[hostile.Act], call: Call) -> Played:
        """One call."""
        server.requests.clear()
        self._sleeps.clear()
        server.acts = acts
        return Played(outcome_of(call, server.url), server.operations, len(self._sleeps))

    def read(self) -> t.Any:
        """Read an item."""
        return self._model.get("forum", "subject").attribute_values

    def write(self) -> t.Any:
        """Write an item."""
        return self._model("forum", "subject").save()


@pytest.fixture
def play(make_app: MakeApp, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch) -> Play:
    """A ``Play`` without pauses between the attempts."""
    sleeps: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=sleeps.append))
    return Play(make_app, thread_model, sleeps)


def outcome_of(call: Call, url: str) -> t.Any:
    """The result of a call, or its errors in a form that is equal for two servers."""
    try:
        return call()
    except Exception as failure:  # noqa: BLE001 - any error is compared
        cause = getattr(failure, "cause", None) or failure.__cause__
        return [(type(fault), str(fault).replace(url, "URL")) for fault in (failure, cause)]


def transport_of(app: flask.Flask) -> tuple[str, str | None]:
    """The transport of the app's next call, and the reason if it is not the configured one."""
    with lease(app).call() as client:
        return client.meta.dynaflask_transport.mode, client.meta.dynaflask_transport.reason


@pytest.fixture
def make_direct(make_app: MakeApp, recorder: recorders.Recorder) -> MakeApp:
    """Makes an app that calls the recorder with the direct transport."""

    def make(name: str = "app", /, **settings: t.Any) -> flask.Flask:
        return make_app(
            name, **{"host": recorder.url, "region": "us-east-1", "transport": "direct", **KEYS, **settings}
        )

    return make


FAULTS: dict[str, list[hostile.Act]] = {
    "an error": [say(error("ConditionalCheckFailedException"))],
    "an error with more to it": [say(error("TransactionCanceledException"))],
    "500, then right": [say(answer(status=500)), say(GOOD)],
    "503 in HTML, for ever": [say(answer(b"<html>busy</html>", status=503))],
    "500, 502, throttled, then right": [
        say(answer(status=500)),
        say(answer(status=502)),
        say(error("ThrottlingException")),
        say(GOOD),
    ],
    "throttled for ever": [say(error("ProvisionedThroughputExceededException"))],
    "throttled without a body": [say(answer(b"", status=429)), say(GOOD)],
    "moved": [say(answer({}, status=307, headers={"Location": "http://127.0.0.1:1/"}))],
    "another success": [say(answer(FOUND, status=201))],
    "an expired token": [say(error("ExpiredTokenException"))],
    "a skewed clock": [say(error("InvalidSignatureException", headers={"Date": "Mon, 01 Jan 2018 00:00:00 GMT"}))],
    "wrong checksum, then right": [say(answer(FOUND, crc=1)), say(GOOD)],
    "no checksum": [say(answer(FOUND, crc=None))],
    "no request id": [say(GOOD.replace(b"x-amzn-RequestId", b"x-nothing"))],
    "an empty body": [say(answer(b""))],
    "nulls": [say(answer({"Item": None, "ConsumedCapacity": None}))],
    "a kind of value that is new": [say(answer({"Item": {"views": {"Z": "1"}}}))],
    "reset, then right": [hostile.reset(), say(GOOD)],
    "reset within the body, then right": [hostile.reset(GOOD, at=-5), say(GOOD)],
    "closed, for ever": [cut(b"")],
    "garbage, then right": [cut(b"\x16\x03\x01 garbage\r\n\r\n"), say(GOOD)],
    "chunks": [say(hostile.chunked(FOUND))],
    "one byte at a time": [hostile.drip(GOOD)],
    "to the end of the connection": [cut(answer(FOUND, length=-1))],
    "more than was asked for": [say(GOOD + b"more")],
    "two answers": [say(GOOD + GOOD), say(GOOD)],
    "closing": [say(answer(FOUND, headers={"Connection": "close"}))],
    "HTTP/1.0": [cut(GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"))],
    "repeated headers": [say(GOOD.replace(b"\r\n\r\n", b"\r\nx-a: 1\r\nX-A: 2\r\n\r\n"))],
    "a folded header": [say(GOOD.replace(b"\r\n\r\n", b"\r\nx-folded: a\r\n b\r\n\r\n"))],
    "a bad length": [cut(GOOD.replace(b"Content-Length: ", b"Content-Length: -"))],
    "a length that is too long": [cut(answer(FOUND, length=999))],
    "two lengths": [say(GOOD.replace(b"Content-Length:", b"Content-Length: 9\r\nContent-Length:")), say(GOOD)],
    "bare line feeds": [say(GOOD.replace(b"\r\n", b"\n"))],
    "a NUL in a header": [say(GOOD.replace(b": R1", b": R1\0"))],
    "an interim response": [say(hostile.interim(100) + GOOD)],
    "interim responses, then a failed condition": [
        say(hostile.interim(100, number=9) + error("ConditionalCheckFailedException"))
    ],
    "only an interim response, then right": [cut(hostile.interim(100)), say(GOOD)],
    "an interim response, then reset, then right": [hostile.reset(hostile.interim(100)), say(GOOD)],
    "a length and chunks": [
        say(hostile.chunked(FOUND).replace(b"Transfer-", b"Content-Length: 5\r\nTransfer-")),
        say(GOOD),
    ],
    "a chunk of a negative length": [say(hostile.chunked(FOUND).replace(b"\r\n7\r\n", b"\r\n-7\r\n", 1)), say(GOOD)],
    "chunks cut short, then right": [cut(hostile.chunked(FOUND), at=-40), say(GOOD)],
    "a success and an error": [say(GOOD + error("ConditionalCheckFailedException")), say(GOOD)],
    "the preface of HTTP/2, then right": [cut(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), say(GOOD)],
    "a frame of HTTP/2, then right": [cut(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])), say(GOOD)],
    "too many headers": [cut(answer(FOUND, headers={f"x-{number}": "1" for number in range(200)}))],
}
# botocore 1.35.0 refuses a response that is shorter than its length. Newer ones, and "direct", read it as it is.
if "enforce_content_length" not in inspect.getsource(botocore.httpsession.URLLib3Session.send):
    del FAULTS["a length that is too long"]


# Two of them run all lines that no other test runs.
MEASURED = {"two lengths", "reset within the body, then right"}


@pytest.mark.parametrize(
    "fault",
    [pytest.param(fault, marks=[] if fault in MEASURED else pytest.mark.unmeasured) for fault in FAULTS],
)
def test_a_fault_has_the_same_outcome(play: Play, fault: str) -> None:
    """Each fault gives botocore's result or error with the same attempts and pauses, from the first call on."""
    for name, is_warm in itertools.product(("read", "write"), (True, False)):
        stock, direct = (play(transport, list(FAULTS[fault]), name=name, is_warm=is_warm) for transport in TRANSPORTS)
        assert direct == stock


@pytest.mark.parametrize("retries", ["UNSET", {"mode": "legacy"}, {"mode": "adaptive"}, {"total_max_attempts": 1}])
def test_each_retry_mode_is_botocores(play: Play, retries: t.Any) -> None:
    """The configured retry mode decides about the attempts."""
    acts = [say(answer(status=500)), say(error("ThrottlingException")), say(answer(FOUND, crc=1)), say(GOOD)]
    stock, direct = (play(transport, list(acts), retry_configuration=retries) for transport in TRANSPORTS)
    assert direct == stock


def test_the_token_bucket_is_botocores(play: Play) -> None:
    """Retries stop when botocore's token bucket is empty, and successful calls refill it."""

    def attempts(transport: str) -> int:
        with play.server(transport) as server:
            for act in [say(GOOD), *[say(answer(status=500))] * 60, *[say(GOOD)] * 30, say(answer(status=500))]:
                server.acts = [act]
                outcome_of(play.read, server.url)
            return len(server.requests)

    assert attempts("direct") == attempts("stock") < 240


@pytest.mark.unmeasured
@pytest.mark.parametrize("crc", [-1, None])
def test_an_answer_cut_short_is_never_an_item(play: Play, crc: int | None) -> None:
    """A response that is cut at any byte is retried or an error."""
    whole, other = answer(FOUND, crc=crc), answer({"Item": {**FOUND["Item"], "views": {"N": "8"}}})
    with play.server("direct") as server:
        play.read()
        for at in range(len(whole)):
            outcome = play.play(server, [cut(whole, at=at), say(other)], play.read).outcome
            assert outcome[0][0] is GetError if isinstance(outcome, list) else outcome["views"] == 8


@pytest.mark.unmeasured
@pytest.mark.parametrize("whole", [answer({}), answer({}, crc=None), hostile.chunked({})])
def test_a_write_is_not_repeated_where_botocore_would_not(play: Play, whole: bytes) -> None:
    """After a response that is cut at any byte, a write has at most as many attempts as with botocore."""
    with play.server("direct") as direct_server:
        play.write()
        direct = [play.play(direct_server, [cut(whole, at=at), say(GOOD)], play.write) for at in range(len(whole))]
    with play.server("stock") as stock_server:
        play.write()
        stock = [play.play(stock_server, [cut(whole, at=at), say(GOOD)], play.write) for at in range(len(whole))]
    assert all(len(ours.attempts) <= len(theirs.attempts) for ours, theirs in zip(direct, stock, strict=True))
    assert {played.outcome[0][0] for played in direct if isinstance(played.outcome, list)} <= {PutError}


@pytest.mark.parametrize(
    "broken",
    [answer(FOUND, crc=1), answer(b'{"Item": ', crc=None), GOOD.replace(b"x-amzn-RequestId:", b"x-amzn-RequestId")],
    ids=["wrong checksum", "half of a JSON", "half of a header"],
)
def test_a_damaged_answer_is_an_error(play: Play, broken: bytes) -> None:
    """A damaged response is an error. botocore would return a part of it, or no item."""
    outcome = play("direct", [cut(broken)]).outcome
    assert isinstance(outcome, list)
    assert outcome[0][0] is GetError


NO_OBJECT = {
    "a checksum that is not a number": answer(FOUND, crc="x"),
    "two checksums": answer(FOUND, headers={"X-Amz-Crc32": "1"}),
    "a list": answer([]),
    "null": answer(b"null"),
    "a list in an error": answer([], status=400),
    "an item that is a number": answer({"Item": 5, "Attributes": 5}),
    "a page of HTML": answer(b"<html></html>", crc=None),
    "a part of an object": answer(b'{"Item": ', crc=None),
    "a compressed body": answer(gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("fault", NO_OBJECT)
def test_what_is_not_dynamodbs_object_is_a_documented_error(play: Play, fault: str) -> None:
    """A body or a checksum that DynamoDB does not send is a ``DamagedResponse``, and the write is not sent again."""
    for is_warm in (True, False):
        played = play("direct", [say(NO_OBJECT[fault])], name="write", is_warm=is_warm)
        assert [kind for kind, _ in played.outcome] == [PutError, dynaflask.DamagedResponse]
        assert len(played.attempts) == 1
        assert "unhandled exception" not in str(played.outcome)
        assert play("direct", [say(NO_OBJECT[fault])], is_warm=is_warm).outcome[1][0] is dynaflask.DamagedResponse


@pytest.mark.parametrize(
    "damaged",
    [cut(answer(FOUND, crc=None), at=-5), cut(GOOD, at=40), say(answer(b"<html></html>", crc=None))],
    ids=["half of a body", "half of a head", "a page of HTML"],
)
def test_a_read_without_a_checksum_is_tried_again(play: Play, damaged: hostile.Act) -> None:
    """A damaged response without a checksum is retried for a read. A write is an error, since it may be applied."""
    for is_warm in (True, False):
        played = play("direct", [damaged, say(GOOD)], is_warm=is_warm)
        assert (played.outcome["views"], len(played.attempts)) == (7, 2)
        played = play("direct", [damaged, say(GOOD)], name="write", is_warm=is_warm)
        assert [kind for kind, _ in played.outcome] == [PutError, dynaflask.DamagedResponse]
        assert len(played.attempts) == 1


def test_an_error_of_the_credentials_is_not_a_damaged_response(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that code raises between two attempts propagates unchanged."""
    with play.server("direct") as server:
        play.read()

        def fail(_: float) -> t.NoReturn:
            raise ValueError("from a signal handler")

        monkeypatch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=fail))
        outcome = play.play(server, [say(answer(status=500))], play.read).outcome
    assert outcome[0] == (ValueError, "from a signal handler")


@pytest.mark.parametrize("status", [100, 102, 103])
def test_an_interim_response_is_never_the_result(play: Play, status: int) -> None:
    """After an interim response, a failed condition is an error, an item is read, and each is one request."""
    interim, failed = hostile.interim(status), error("ConditionalCheckFailedException")
    outcomes = [
        (play("direct", [say(interim + data)], name=name), play("direct", [say(data)], name=name))
        for name, data in (("write", failed), ("write", answer({})), ("read", GOOD))
    ]
    assert all(with_interim == without for with_interim, without in outcomes)
    assert [len(played.attempts) for played, _ in outcomes] == [1, 1, 1]


@pytest.mark.parametrize("is_warm", [True, False])
def test_a_status_under_200_is_no_success(play: Play, is_warm: bool) -> None:
    """A switch of protocols and an endless run of interim responses are errors, and the write is not sent again."""
    for data in (b"HTTP/1.1 101 -\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", hostile.interim(number=200)):
        played = play("direct", [cut(data), say(answer({}))], name="write", is_warm=is_warm)
        assert [kind for kind, _ in played.outcome] == [PutError, dynaflask.DamagedResponse]
        assert len(played.attempts) == 1


@pytest.mark.parametrize("at", [0, 30, -5])
def test_a_silent_server_is_a_read_timeout(play: Play, at: int) -> None:
    """A server that stops sending is a read timeout, with as many attempts as with botocore."""
    options: dict[str, t.Any] = {"read_timeout_seconds": 0.2, "max_retry_attempts": 1, "is_warm": False}
    stock, direct = (play(transport, [hostile.stall(GOOD, at=at)], **options) for transport in TRANSPORTS)
    assert direct == stock
    assert "Read timeout" in direct.outcome[0][1]


def test_a_head_without_end_is_an_error(play: Play) -> None:
    """A response head that does not end is an error."""
    assert play("direct", [cut(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000)]).outcome[0][0] is GetError


@pytest.mark.parametrize("host", ["http://127.0.0.1:1", "http://nobody.invalid"])
def test_a_dead_endpoint_is_botocores_error(play: Play, host: str) -> None:
    """A refused connection or an unknown host is botocore's error."""
    stock, direct = (play(transport, [say(GOOD)], host=host, is_warm=False) for transport in TRANSPORTS)
    assert stock == direct
    assert "Could not connect" in direct.outcome[0][1]


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(), TimeoutError(), socket.gaierror(), UnicodeError(), OverflowError()], ids=repr
)
def test_a_connection_that_fails_is_tried_again(play: Play, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    """A failed connection attempt is retried as often as by botocore."""
    create, failures = socket.create_connection, [error, error]

    def connect(*args: t.Any, **options: t.Any) -> socket.socket:
        if failures:
            raise failures.pop()
        return create(*args, **options)

    with play.server("direct", max_retry_attempts=2) as server:
        server.acts = [cut(GOOD)]
        play.read()
        server.wait_for_closings(1)
        monkeypatch.setattr(socket, "create_connection", connect)
        played = play.play(server, [say(GOOD)], play.read)
    assert played.outcome["subject"] == "subject"
    assert (failures, played.sleeps) == ([], 2)


def run_program(name: str, *arguments: str) -> None:
    """Run a program of ``tests/support``, which must succeed."""
    command = [sys.executable, str(SUPPORT / name), *arguments]
    process = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert process.returncode == 0, process.stdout + process.stderr


def server_context(bundle: pathlib.Path) -> ssl.SSLContext:
    """A TLS context for a server on localhost. Its authority is written to the bundle."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(bundle))
    return context


class TestSockets:
    """Connections are reused, and no call reads the response to another."""

    def test_one_connection_serves_one_call_after_another(self, make_direct: MakeApp, thread_model: t.Any) -> None:
        """All calls, including the first one, use the same connection."""
        with hostile.Hostile() as server, make_direct(host=server.url).app_context():
            server.acts = [say(GOOD)]
            for _ in range(5):
                thread_model.get("forum", "subject")
            assert server.connections == 1

    def test_a_connection_dropped_while_idle_costs_no_attempt(self, make_direct: MakeApp, thread_model: t.Any) -> None:
        """A connection that was closed while idle is replaced before a byte is sent."""
        with hostile.Hostile() as server, make_direct(host=server.url, max_retry_attempts=0).app_context():
            server.acts = [say(GOOD), cut(GOOD), say(GOOD)]
            for _ in range(2):
                thread_model.get("forum", "subject")
            server.wait_for_closings(1)
            thread_model.get("forum", "subject")
            assert (len(server.requests), server.connections) == (3, 2)

    def test_threads_get_their_own_responses(self, make_direct: MakeApp, thread_model: t.Any) -> None:
        """Each thread gets the response to its own request, and at most ``max_pool_connections`` are kept."""
        app = make_direct(max_pool_connections=2)

        def read(number: int) -> str:
            with app.app_context():
                return str(thread_model.get("forum", str(number)).subject)

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            assert list(threads.map(read, range(300))) == [str(number) for number in range(300)]
        assert len(direct_transport_of(app)) <= 2

    def test_the_pool_counts_and_closes_them(self, make_direct: MakeApp, thread_model: t.Any) -> None:
        """The client pool counts and closes the transport's connections, too."""
        pool.close()
        app = make_direct()
        with app.app_context():
            thread_model.get("forum", "subject")
            transport = direct_transport_of(app)
            assert (pool.stats().open_sockets, len(transport)) == (1, 1)
            pool.close()
            assert len(transport) == 0
            assert thread_model.get("forum", "subject").subject == "subject"

    def test_a_call_that_outlasts_its_client_closes_its_socket(self, make_direct: MakeApp) -> None:
        """A call of a closed transport succeeds, and its connection is closed after it."""
        transport = direct_transport_of(make_direct())
        transport.close()
        transport._make_api_call("GetItem", {"TableName": "Thread", "Key": {"id": {"S": "a"}}})
        assert len(transport) == 0

    def test_a_child_forked_in_c_opens_its_own_connections(self) -> None:
        """The child uses neither the connections nor the invocation ids of its parent, which keep working there."""
        with hostile.Hostile() as server:
            server.acts = [say(GOOD)]
            run_program("direct_fork_program.py", server.url)
            ids = [request.headers["amz-sdk-invocation-id"] for request in server.requests]
            assert (server.connections, len(ids)) == (2, 5)
        assert len({*ids}) == 5
        assert len({invocation_id[:-12] for invocation_id in ids}) == 2

    def test_a_child_forked_in_c_leaves_tls_connections_open(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The parent's TLS connection survives ``close`` in the child and the end of the child."""
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
        with recorders.Recorder(tls=server_context(tmp_path / "bundle.pem")) as server:
            run_program("direct_fork_program.py", f"https://localhost:{server.port}")
            assert len(server.requests) == 5

    def test_a_fork_and_greenlets(self, recorder: recorders.Recorder) -> None:
        """A forked child uses none of its parent's connections; greenlets do not block each other."""
        for program in ("fork_program.py", "gevent_program.py"):
            run_program(program, recorder.url, "direct")


class TestConnectionErrors:
    """A failed connection raises botocore's exception."""

    @pytest.fixture
    def bundle(self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
        """The TLS context of a server that ``AWS_CA_BUNDLE`` trusts."""
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
        return server_context(tmp_path / "bundle.pem")

    def test_tls_is_verified(self, play: Play, bundle: ssl.SSLContext) -> None:
        """The certificate and the host name are verified with the CA bundle that botocore uses."""
        with recorders.Recorder(tls=bundle) as server:
            options = {"is_warm": False, "max_retry_attempts": 0}
            good = play("direct", [say(GOOD)], host=f"https://localhost:{server.port}", **options)
            stock, direct = (
                play(transport, [], host=f"https://127.0.0.1:{server.port}", **options) for transport in TRANSPORTS
            )
        assert good.outcome["subject"] == "subject"
        assert direct.outcome[0][0] is stock.outcome[0][0] is GetError
        assert "SSL validation failed" in stock.outcome[0][1]
        assert "SSL validation failed" in direct.outcome[0][1]

    @pytest.mark.usefixtures("bundle")
    def test_a_handshake_that_stalls(self, play: Play) -> None:
        """A server that accepts the connection and sends nothing is a read timeout."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            host = f"https://localhost:{server.getsockname()[1]}"
            options = {"host": host, "connect_timeout_seconds": 0.2, "max_retry_attempts": 0, "is_warm": False}
            stock, direct = (play(transport, [], **options) for transport in TRANSPORTS)
        assert direct == stock
        assert "Read timeout" in direct.outcome[0][1]

    def test_a_connection_that_is_not_made_in_time(self, play: Play) -> None:
        """A connection that the server does not accept in time is a connect timeout."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as stack:
            address = server.getsockname()
            for _ in range(2):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(address)
            options = {"connect_timeout_seconds": 0.2, "max_retry_attempts": 0, "is_warm": False}
            stock, direct = (
                play(transport, [], host=f"http://127.0.0.1:{address[1]}", **options) for transport in TRANSPORTS
            )
        assert direct == stock
        assert "Connect timeout" in direct.outcome[0][1]

    @pytest.mark.parametrize("error", [BrokenPipeError(), TimeoutError(), OSError(), ssl.SSLError()])
    @pytest.mark.parametrize("method", ["sendall", "recv"])
    def test_a_socket_that_fails(
        self, play: Play, monkeypatch: pytest.MonkeyPatch, method: str, error: OSError
    ) -> None:
        """An error while a request is sent or a response is read is botocore's exception, and the socket is closed."""
        sockets: list[t.Any] = []

        def connect(_: t.Any) -> t.Any:
            sockets.append(
                mock.Mock(**{"fileno.return_value": 0, "recv.return_value": b"", f"{method}.side_effect": error})
            )
            return sockets[-1]

        monkeypatch.setattr("dynaflask.client.direct.http_pool._connect", connect)
        outcome = play("direct", [], is_warm=False, max_retry_attempts=0).outcome
        assert outcome[0][0] is GetError
        sockets[0].close.assert_called_once_with()

    @pytest.mark.usefixtures("bundle")
    def test_a_handshake_that_is_interrupted(self, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        """An interrupted TLS handshake closes the socket."""
        connection = mock.Mock()
        monkeypatch.setattr("dynaflask.client.direct.http_pool._connect", lambda _: connection)
        monkeypatch.setattr(ssl.SSLContext, "wrap_socket", mock.Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            play("direct", [], host="https://localhost:1", is_warm=False)
        connection.close.assert_called_once_with()


def direct_transport_of(app: flask.Flask) -> t.Any:
    with lease(app).call() as client:
        return client.meta.dynaflask_transport


class TestRequests:
    """The requests equal those of botocore."""

    def test_the_first_and_the_second_call_send_the_same(
        self, make_direct: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """The first two calls differ only in time, signature, length and invocation id."""
        new = {"x-amz-date", "authorization", "content-length", "amz-sdk-invocation-id"}
        with make_direct(aws_session_token="token", extra_headers={"X-Extra": "1"}).app_context():
            for _ in range(2):
                thread_model.get("forum", "subject")
        first, second = (
            {name: value for name, value in request.headers.items() if name not in new} for request in recorder.requests
        )
        assert first == second
        assert {"x-extra", "x-amz-security-token", "user-agent", "amz-sdk-request"} <= second.keys()
        assert recorder.requests[0].body == recorder.requests[1].body

    @pytest.mark.parametrize("token", [None, "token"])
    def test_the_signature_is_right(
        self, make_direct: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, token: str | None
    ) -> None:
        """The signature equals that of botocore's signer."""
        with make_direct(aws_session_token=token).app_context():
            for subject in ("first", "second \N{SNOWMAN}"):
                thread_model.get("forum", subject)
        assert recorder.requests[1].headers["authorization"] == signature(recorder.requests[1], token)

    def test_attempts_of_one_call_share_an_invocation(self, play: Play) -> None:
        """Attempt 1 and botocore's further attempts have the same invocation id."""
        with play.server("direct") as server:
            play.read()
            server.acts = [say(answer(status=500)), say(GOOD)]
            play.read()
            first, second, third = (request.headers["amz-sdk-invocation-id"] for request in server.requests)
        assert first != second == third

    def test_no_two_calls_share_an_invocation(
        self, make_direct: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """Each call has its own invocation id, a UUID like botocore's."""
        with make_direct().app_context():
            for _ in range(5):
                thread_model.get("forum", "subject")
        ids = [request.headers["amz-sdk-invocation-id"] for request in recorder.requests]
        assert len({*ids}) == len(ids)
        assert [str(uuid.UUID(invocation_id, version=4)) for invocation_id in ids] == ids

    def test_credentials_are_renewed(
        self, make_direct: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """Each call signs with the credentials that are valid at that time."""
        start = dt.datetime.now(dt.timezone.utc)
        hours = [0]
        session = botocore.session.Session()
        session._credentials = botocore.credentials.RefreshableCredentials(
            **keys("0", start),
            method="test",
            refresh_using=lambda: keys(str(hours[0]), str(start + dt.timedelta(hours=hours[0] + 1))),
            time_fetcher=lambda: start + dt.timedelta(hours=hours[0]),
        )
        options = {"session": session, "aws_access_key_id": None, "aws_secret_access_key": None}
        with make_direct(**options).app_context():
            for hours[0] in (1, 1, 3, 3):
                thread_model.get("forum", "subject")
        assert [request.access_key_id for request in recorder.requests] == ["KEY1", "KEY1", "KEY3", "KEY3"]

    @pytest.mark.parametrize("end", ["\r\nX-Evil: 1", "\n", "\0", "\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\n\r\n"])
    def test_a_refreshed_token_stays_in_its_header(self, play: Play, end: str) -> None:
        """A refreshed token with control characters is left to botocore: it starts no header and no request."""

        def read_twice(transport: str) -> tuple[Played, list[t.Any]]:
            session = botocore.session.Session()
            credentials = session._credentials = botocore.credentials.Credentials("AKIA", "hush", "token")
            options = {"session": session, "aws_access_key_id": None, "aws_secret_access_key": None}
            with play.server(transport, **options) as server:
                play.read()
                credentials.token = f"token{end}"
                played = play.play(server, [say(GOOD)], play.read)
                return played, ["x-evil" in request.headers for request in server.requests]

        stock, direct = map(read_twice, TRANSPORTS)
        assert direct == stock
        assert not any(direct[1])

    def test_no_credentials_is_botocores_error(self, play: Play) -> None:
        """A call without credentials raises botocore's error."""
        options = {"aws_access_key_id": None, "aws_secret_access_key": None, "is_warm": False}
        stock, direct = (play(transport, [say(GOOD)], **options) for transport in TRANSPORTS)
        assert stock == direct
        assert "Unable to locate credentials" in str(direct.outcome)

    def test_a_lambda_functions_trace_is_passed_on(
        self, make_direct: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In a Lambda function, each request has the trace id of the current invocation."""
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
        with make_direct().app_context():
            for trace in ("Root=1", "Root=2", ""):
                monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
                thread_model.get("forum", "subject")
        traces = [request.headers.get("x-amzn-trace-id") for request in recorder.requests]
        assert traces == ["Root=1", "Root=2", None]

    @pytest.mark.parametrize("headers", [{"X-Amzn-Trace-Id": "mine"}, {"X-Name": "J\xf6rg"}])
    def test_headers_that_are_not_ascii_are_sent_by_botocore(
        self, make_direct: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, headers: dict[str, str]
    ) -> None:
        """Headers that are not ASCII, and the program's own trace id, are sent by botocore."""
        with make_direct(extra_headers=headers).app_context():
            for _ in range(2):
                thread_model.get("forum", "subject")
        ((name, text),) = headers.items()
        assert [request.headers[name.lower()] for request in recorder.requests] == [text, text]

    @pytest.mark.parametrize("name", ["Accept-Encoding", "Amz-Sdk-Invocation-Id", "X-Amz-Security-Token"])
    def test_the_programs_own_value_of_a_usual_header(
        self, make_direct: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, name: str
    ) -> None:
        """The program's own value of a usual header is sent once in each request."""
        with make_direct(extra_headers={name: "mine"}).app_context():
            for _ in range(3):
                thread_model.get("forum", "subject")
        assert [request.headers[name.lower()] for request in recorder.requests] == ["mine"] * 3

    @pytest.mark.parametrize("name", ["", "a:b"])
    def test_a_header_without_a_name_is_botocores_error(
        self, play: Play, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If the settings let a malformed header name pass, it is botocore's error, and never another header."""
        monkeypatch.setattr("dynaflask.config.client_validators.HEADER_NAME", ".*")
        stock, direct = (
            play(transport, [say(GOOD)], is_warm=False, extra_headers={name: "x"}) for transport in TRANSPORTS
        )
        assert stock == direct
        assert "Invalid header name" in direct.outcome[0][1]

    def test_credentials_that_come_from_dynamodb(
        self, make_direct: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Calls that fetch credentials within another call go to their own destination."""

        class Fetched(botocore.credentials.Credentials):
            def get_frozen_credentials(self) -> t.Any:
                vault.describe_table("Keys")
                return botocore.credentials.ReadOnlyCredentials("FETCHED", "hush", None)

        session = botocore.session.Session()
        session._credentials = Fetched("AKIA", "hush")  # type: ignore[attr-defined]
        with recorders.Recorder() as other, make_direct("vault", host=other.url, region="eu-west-1").app_context():
            vault = db.connection
            app = make_direct(session=session, aws_access_key_id=None, aws_secret_access_key=None)
            for _ in range(3):
                vault.describe_table("Keys")
                with app.app_context():
                    thread_model.get("forum", "subject")
            vault_calls = {(request.operation, request.access_key_id, request.region) for request in other.requests}
        assert vault_calls == {("DescribeTable", "AKIA", "eu-west-1")}
        calls = [(request.operation, request.access_key_id, request.region) for request in recorder.requests]
        assert calls == [("GetItem", "FETCHED", "us-east-1")] * 3

    @pytest.mark.parametrize("version", [UNSIGNED, "v3"])
    def test_requests_without_signature_v4_are_sent_by_botocore(
        self, make_direct: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, version: t.Any
    ) -> None:
        """Unsigned requests, and those with another signature version, are sent by botocore."""
        with make_direct(client_config=Config(signature_version=version)).app_context():
            for subject in ("1", "2"):
                assert thread_model.get("forum", subject).subject == subject
        assert not any("authorization" in request.headers for request in recorder.requests)

    def test_an_endpoint_with_a_path_is_botocores(
        self, make_direct: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """Requests to an endpoint with a path are sent by botocore."""
        with make_direct(host=f"{recorder.url}/path").app_context():
            for subject in ("1", "2"):
                assert thread_model.get("forum", subject).subject == subject

    @pytest.mark.parametrize("table", ["Thread", "arn:aws:dynamodb:us-east-1:123456789012:table/Thread"])
    def test_a_table_is_named_or_given_by_arn(
        self, make_direct: MakeApp, recorder: recorders.Recorder, table: str
    ) -> None:
        """A table can be named by its name or its ARN, in each operation."""
        transport = direct_transport_of(make_direct())
        key = {"id": {"S": "arn:aws:s3:::bucket"}}
        for _ in range(2):
            transport._make_api_call("GetItem", {"TableName": table, "Key": key})
            transport._make_api_call("BatchGetItem", {"RequestItems": {table: {"Keys": [key]}}})
            transport._make_api_call("TransactGetItems", {"TransactItems": [{"Get": {"TableName": table, "Key": key}}]})
        assert [request.body for request in recorder.requests[:3]] == [
            request.body for request in recorder.requests[3:]
        ]

    @pytest.mark.parametrize("value", [{"S": "\ud800"}, {"B": b"\x00"}, {"BS": [b"\x01"]}, {"M": {"x": {"B": "text"}}}])
    def test_a_value_is_written_as_botocore_does(
        self, make_direct: MakeApp, recorder: recorders.Recorder, value: t.Any
    ) -> None:
        """Binary values and lone surrogates are written as botocore writes them."""
        transport = direct_transport_of(make_direct())
        for _ in range(2):
            transport._make_api_call("PutItem", {"TableName": "Thread", "Item": {"id": value}})
        assert recorder.requests[0].body == recorder.requests[1].body

    @pytest.mark.parametrize("params", [{"Table": "Thread"}, {"TableName": "Thread", "Key": {"id": {"S": object()}}}])
    def test_a_value_that_cannot_be_written_is_botocores_error(self, make_direct: MakeApp, params: t.Any) -> None:
        """An unknown parameter or a value that cannot be written raises botocore's error."""
        app = make_direct()
        transport = direct_transport_of(app)
        transport._make_api_call("GetItem", {"TableName": "Thread", "Key": {}})
        ours, theirs = (
            outcome_of(lambda: transport._make_api_call("GetItem", params), "-"),
            outcome_of(lambda: transport._client._make_api_call("GetItem", params), "-"),
        )
        assert ours == theirs

    def test_without_msgspec_the_standard_json_writes(
        self, make_direct: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without msgspec, the standard library writes the same body."""
        remove_msgspec(monkeypatch)
        pool.close()
        transport = direct_transport_of(make_direct())
        for _ in range(2):
            transport._make_api_call("GetItem", {"TableName": "Thread", "Key": {"id": {"S": "\N{SNOWMAN}"}}})
        assert recorder.requests[0].body == recorder.requests[1].body

    def test_a_transaction_has_a_token(self, make_direct: MakeApp, recorder: recorders.Recorder) -> None:
        """Each transaction has a new token, which all its attempts share."""
        transport = direct_transport_of(make_direct())
        for _ in range(3):
            transport._make_api_call("TransactWriteItems", {"TransactItems": []})
        assert len({request.body["ClientRequestToken"] for request in recorder.requests}) == 3


def signature(request: recorders.Request, token: str | None) -> str:
    """The ``Authorization`` header that botocore would add to a request."""
    credentials = botocore.credentials.Credentials("AKIA", "hush", token)
    auth = botocore.auth.SigV4Auth(credentials, "dynamodb", "us-east-1")
    headers = {name: value for name, value in request.headers.items() if name.startswith(("x-amz-", "content-type"))}
    url = f"http://{request.host}/"
    same = botocore.awsrequest.AWSRequest(method="POST", url=url, headers=headers, data=request.raw_body)
    same.context["timestamp"] = request.headers["x-amz-date"]
    text = auth.string_to_sign(same, auth.canonical_request(same))
    auth._inject_signature_to_request(same, auth.signature(text, same))
    return str(same.headers["Authorization"])


def keys(hour: str, until: t.Any) -> dict[str, t.Any]:
    """The credentials of one hour."""
    return {"access_key": f"KEY{hour}", "secret_key": "hush", "token": f"token{hour}", "expiry_time": until}


class TestOperations:
    """All ten data-plane operations against a real engine."""

    def test_both_transports_return_the_same(
        self, make_app: MakeApp, db: dynaflask.Dynamo, ministack: t.Any, account: t.Any
    ) -> None:
        """Both transports return the same values, in the first call and in later ones."""

        class Note(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Note"
                billing_mode = "PAY_PER_REQUEST"

            key = UnicodeAttribute(hash_key=True)
            text = UnicodeAttribute(null=True)
            data = BinaryAttribute(null=True, legacy_encoding=False)

        def make_engine_app(transport: str) -> flask.Flask:
            settings = ministack.settings(account)
            return make_app(
                transport, transport=transport, **{name[9:].lower(): value for name, value in settings.items()}
            )

        results = []
        for transport in TRANSPORTS:
            app = make_engine_app(transport)
            with app.app_context():
                db.create_all()
                results.append([use(Note, db) for _ in range(3)])
        assert transport_of(app) == DIRECT
        assert results[0] == results[1]
        assert results[1][0] == results[1][2]

    def test_two_apps_keep_to_their_own_servers(self, make_direct: MakeApp, thread_model: t.Any) -> None:
        """Two apps call their own servers, also in nested contexts."""
        with recorders.Recorder() as other:
            first, second = make_direct("first"), make_direct("second", host=other.url)
            for _ in range(2):
                with first.app_context():
                    thread_model.get("a", "1")
                    with second.app_context():
                        thread_model.get("b", "1")
            assert {request.body["Key"]["forum_name"]["S"] for request in other.requests} == {"b"}

    def test_other_operations_are_left_to_botocore(self, make_direct: MakeApp) -> None:
        """botocore makes the calls of all other operations."""
        assert direct_transport_of(make_direct())._make_api_call("ListTables", {})["TableNames"] == []


def use(model: t.Any, db: dynaflask.Dynamo) -> list[t.Any]:
    """The results of all operations."""
    note = model("a", text="\N{SNOWMAN} \u2028", data=b"\x00\xff")
    note.save()
    seen: list[t.Any] = [model.get("a").attribute_values]
    note.update(actions=[model.text.set("new")])
    seen += [note.attribute_values, *(item.attribute_values for item in model.query("a"))]
    seen += [use_batches(model), use_transactions(model, db)]
    note.delete()
    with pytest.raises(PutError, match="The conditional request failed"):
        note.save(condition=model.key.exists())
    return [*seen, *(item.key for item in model.query("a"))]


def use_batches(model: t.Any) -> list[str]:
    """Write, read and delete thirty items in batches."""
    with model.batch_write() as batch:
        for number in range(30):
            batch.save(model(str(number), data=bytes([number])))
    keys = sorted(note.key for note in model.batch_get([str(number) for number in range(30)]))
    with model.batch_write() as batch:
        for note in model.scan(model.key != "a", page_size=7):
            batch.delete(note)
    return keys


def use_transactions(model: t.Any, db: dynaflask.Dynamo) -> t.Any:
    """Write one item and delete another in a transaction, and read in one."""
    with TransactWrite(connection=db.connection) as writes:
        writes.save(model("b", text="in one"))
        writes.delete(model("1"))
    with TransactGet(connection=db.connection) as reads:
        future = reads.get(model, "b")
    return future.get().attribute_values


def ignore(**_: t.Any) -> None:
    """An event handler that does nothing."""


class TestFallback:
    """If the transport cannot make a call, botocore makes it."""

    def test_it_names_the_transport_and_the_reason(self, make_direct: MakeApp, make_app: MakeApp) -> None:
        """``dynaflask_transport`` has the next call's transport, and the reason if it is not the configured one."""
        assert transport_of(make_direct()) == DIRECT
        assert transport_of(make_direct("botocore", transport="botocore")) == ("botocore", None)
        assert transport_of(make_direct("stock", transport="stock")) == ("stock", None)
        assert repr(direct_transport_of(make_direct())) == "<DirectTransport mode='direct' reason=None>"

    @pytest.mark.parametrize("event", ["before-send", "request-created", "needs-retry.dynamodb", "*.*.GetItem"])
    def test_a_handler(self, make_direct: MakeApp, thread_model: t.Any, event: str) -> None:
        """While an event handler is registered, botocore makes the calls and the handler sees them."""
        app, heard = make_direct(), []

        def hear(**_: t.Any) -> None:
            heard.append(1)

        client = app.extensions["dynamo"].get_client()
        with app.app_context():
            for act in (lambda: None, lambda: client.meta.events.register(event, hear)):
                act()
                thread_model.get("forum", "subject")
                thread_model.get("forum", "subject")
            transport, reason = transport_of(app)
            assert (transport, "hear listens to the client's events" in str(reason), len(heard) >= 2) == (
                "botocore",
                True,
                True,
            )
            client.meta.events.unregister(event, hear)
            assert transport_of(app) == DIRECT

    def test_a_handler_of_another_service_is_none_of_ours(self, make_direct: MakeApp) -> None:
        """Handlers of other services and of other operations do not matter."""
        app = make_direct()
        client = app.extensions["dynamo"].get_client()
        client.meta.events.register("before-send.s3", ignore)
        client.meta.events.register("before-send.dynamodb.ListTables", ignore)
        assert transport_of(app) == DIRECT

    def test_a_stubber(self, make_direct: MakeApp, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """A Stubber works, also on an existing client, and nothing is sent while it is active."""
        app = make_direct()
        with app.app_context():
            thread_model.get("forum", "subject")
            with botocore.stub.Stubber(app.extensions["dynamo"].get_client()) as stubber:
                stubber.add_response("get_item", FOUND)
                assert thread_model.get("forum", "subject").views == 7
            thread_model.get("forum", "subject")
        assert transport_of(app) == DIRECT
        assert len(recorder.requests) == 2

    def test_moto(self, make_app: MakeApp, thread_model: t.Any, db: dynaflask.Dynamo) -> None:
        """moto works on a client that is made while the mock is active."""
        app = make_app(region="us-east-1", transport="direct", **KEYS)
        with moto.mock_aws(), app.app_context():
            db.create_all()
            for _ in range(2):
                thread_model("forum", "subject", views=7).save()
            assert thread_model.get("forum", "subject").views == 7
            assert transport_of(app) == ("botocore", "moto's mock is active")

    def test_moto_on_a_client_that_is_there(self, make_direct: MakeApp) -> None:
        """moto works on an existing client, until the mock ends."""
        app = make_direct()
        app.extensions["dynamo"].ping()
        with moto.mock_aws():
            assert transport_of(app) == ("botocore", "moto's mock is active")
        assert transport_of(app) == DIRECT

    @pytest.mark.parametrize(
        "target",
        [
            "botocore.client.BaseClient._make_api_call",
            "botocore.endpoint.Endpoint.make_request",
            "botocore.endpoint.Endpoint.prepare_request",
            "botocore.httpsession.URLLib3Session.send",
        ],
    )
    def test_a_patch(self, make_direct: MakeApp, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
        """While a method of botocore is patched, botocore makes the calls."""
        app = make_direct()
        assert transport_of(app) == DIRECT
        with monkeypatch.context() as patch:
            patch.setattr(target, lambda *_, **__: None)
            assert "is patched" in str(transport_of(app)[1])
        assert transport_of(app) == DIRECT

    def test_a_patch_with_the_methods_signature(self, make_direct: MakeApp, thread_model: t.Any) -> None:
        """The function that ``mock.patch(autospec=True)`` puts in place gets the call."""
        app = make_direct()
        with mock.patch("botocore.client.BaseClient._make_api_call", autospec=True, return_value=FOUND) as patched:
            with app.app_context():
                assert thread_model.get("forum", "subject").views == 7
        assert patched.call_args.args[1] == "GetItem"

    def test_a_patch_of_the_client_itself(
        self, make_direct: MakeApp, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A patched ``_make_api_call`` of the client gets the call."""
        app = make_direct()
        monkeypatch.setattr(app.extensions["dynamo"].get_client(), "_make_api_call", lambda *_: FOUND)
        with app.app_context():
            assert thread_model.get("forum", "subject").views == 7

    def test_a_proxy(self, make_direct: MakeApp) -> None:
        """With a proxy, botocore makes the calls."""
        app = make_direct(client_config=Config(proxies={"http": "http://127.0.0.1:1"}))
        assert transport_of(app) == ("botocore", "the client uses a proxy")

    def test_a_client_certificate(self, make_direct: MakeApp) -> None:
        """With a client certificate, botocore makes the calls."""
        app = make_direct(host="https://localhost:1", client_config=Config(client_cert="/no/such/file"))
        assert transport_of(app) == ("botocore", "the client has TLS settings of its own")

    def test_adaptive_retries(self, make_direct: MakeApp) -> None:
        """In the adaptive retry mode, botocore makes the calls: its rate limiter must see each of them."""
        assert "adaptive" in str(transport_of(make_direct(retry_configuration={"mode": "adaptive"}))[1])

    def test_a_client_factory(self, make_direct: MakeApp) -> None:
        """A client from ``DYNAMODB_CLIENT_FACTORY`` stays as the factory made it."""
        session = botocore.session.Session()
        client = session.create_client("dynamodb", region_name="us-east-1", endpoint_url="http://127.0.0.1:1")
        assert transport_of(make_direct(client_factory=lambda _: client)) == (
            "stock",
            "DYNAMODB_CLIENT_FACTORY made it",
        )

    def test_a_factorys_client_may_be_anything(self, make_direct: MakeApp, thread_model: t.Any) -> None:
        """The factory may return a fake with nothing but ``_make_api_call``."""
        fake = types.SimpleNamespace(_make_api_call=lambda *_: FOUND)
        with make_direct(client_factory=lambda _: fake).app_context():
            assert thread_model.get("forum", "subject").views == 7

    def test_a_signature_of_another_kind(self, make_direct: MakeApp, recorder: recorders.Recorder) -> None:
        """Without a template, botocore signs and sends each request."""
        transport = direct_transport_of(make_direct(client_config=Config(signature_version=botocore.UNSIGNED)))
        for _ in range(2):
            transport._make_api_call("GetItem", {"TableName": "Thread", "Key": {"id": {"S": "a"}}})
        assert ["authorization" in request.headers for request in recorder.requests] == [False, False]

    def test_a_botocore_without_the_private_name_of_its_handlers(
        self, make_direct: MakeApp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If the private name of the event handlers is gone, botocore makes the calls."""
        app = make_direct()
        monkeypatch.setattr("dynaflask.client.botocore_internals._emitter", lambda client: None)
        assert transport_of(app) == ("botocore", "this botocore version does not expose its event handlers")


def test_only_the_thread_of_a_call_is_part_of_it(
    make_direct: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a task or a thread calls that was started in the middle is a call of its own, then and later."""
    transport = direct_transport_of(make_direct())
    make_call, contexts, seen = transport_module.make_silenced_call, [], []

    def pending() -> t.Any:
        return transport._pending_call_for("before-send.dynamodb.GetItem")

    def call(*args: t.Any) -> t.Any:
        contexts.append(contextvars.copy_context())
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            seen.extend([pending() is not None, threads.submit(contexts[0].run, pending).result()])
        return make_call(*args)

    monkeypatch.setattr(transport_module, "make_silenced_call", call)
    recorder.answer = lambda request: (400, {"__type": "x#ResourceNotFoundException"})
    with pytest.raises(botocore.exceptions.ClientError):
        transport._make_api_call("GetItem", {"TableName": "Thread", "Key": {"id": {"S": "a"}}})
    assert (seen, contexts[0].run(pending)) == ([True, None], None)


@pytest.mark.parametrize("is_warm", [True, False])
def test_a_call_that_begins_in_the_middle_of_another(
    make_direct: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch, is_warm: bool
) -> None:
    """The handler of a signal may use the client in the middle of a call for another tenant. Each is sent once."""
    transport = direct_transport_of(make_direct())
    make_call, responses = transport_module.make_silenced_call, []

    def call(client: t.Any, *args: t.Any) -> t.Any:
        if is_warm <= len(recorder.requests) and not responses:
            responses.append(client.put_item(TableName="Note", Item={"owner": {"S": "globex#1"}}))
        return make_call(client, *args)

    def answer(request: recorders.Request) -> recorders.Answer:
        if "ConditionExpression" in request.body:
            return recorders.refusal("ConditionalCheckFailedException", Item={"owner": {"S": "acme#1"}})
        return {"Attributes": request.body["Item"]}

    recorder.answer = answer
    monkeypatch.setattr(transport_module, "make_silenced_call", call)
    put: dict[str, t.Any] = {"TableName": "Note", "Item": {"owner": {"S": "acme#1"}}}
    for _ in range(is_warm):
        transport._make_api_call("PutItem", put.copy())
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        transport._make_api_call("PutItem", {**put, "ConditionExpression": "attribute_not_exists(#0)"})
    assert refused.value.response["Item"] == {"owner": {"S": "acme#1"}}  # type: ignore[typeddict-item]
    assert [response["Attributes"] for response in responses] == [{"owner": {"S": "globex#1"}}]
    owners = [request.body["Item"]["owner"]["S"] for request in recorder.requests]
    assert sorted(owners) == [*["acme#1"] * (1 + is_warm), "globex#1"]
    assert len({request.headers["amz-sdk-invocation-id"] for request in recorder.requests}) == len(owners)


class TestLog:
    """The logger ``dynaflask.direct`` tells at DEBUG what happens to a call."""

    @pytest.fixture(autouse=True)
    def at_debug(self, caplog: pytest.LogCaptureFixture) -> t.Iterator[None]:
        """The logger's level is DEBUG."""
        with caplog.at_level("DEBUG", logger="dynaflask.direct"):
            yield

    def test_a_client_that_is_made_first_makes_the_first_call(
        self, play: Play, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Its first request is the template of the second, which reuses the connection. Each other step is one line."""
        with play.server("direct", client_config=Config(tcp_keepalive=True)) as server:
            play.read()
            play.read()
        assert caplog.messages == [
            "GetItem falls back to botocore: it has no request template.",
            f"Captured the request template of GetItem to {server.url}/.",
            f"Opening a connection to {server.url}/.",
        ]

    @pytest.mark.parametrize(
        ("act", "lines"),
        [
            (
                say(answer(status=500)),
                ["GetItem: botocore's retry policy takes over after attempt 1: status 500."],
            ),
            (
                cut(b""),
                [
                    "Dropping a connection to URL: the call failed.",
                    "GetItem: botocore's retry policy takes over after attempt 1: ConnectionClosedError.",
                    "Opening",
                ],
            ),
            (
                cut(GOOD, at=-1),
                [
                    "Dropping a connection to URL: the server ends it, or its response is malformed.",
                    "GetItem: botocore's retry policy takes over after attempt 1: an incomplete or damaged response.",
                    "Opening",
                ],
            ),
        ],
        ids=["500", "closed", "cut short"],
    )
    def test_a_failed_attempt_says_why_and_who_decides(
        self, play: Play, caplog: pytest.LogCaptureFixture, act: hostile.Act, lines: list[str]
    ) -> None:
        """The status or the class of the error is named, and the connection that was dropped."""
        with play.server("direct") as server:
            play.read()
            caplog.clear()
            play.play(server, [act, say(GOOD)], play.read)
        messages = [message.replace(f"{server.url}/", "URL") for message in caplog.messages]
        assert len(messages) == len(lines)
        assert all(message.startswith(line) for message, line in zip(messages, lines, strict=True))

    def test_a_fallback_says_which_handler_listens(
        self, make_direct: MakeApp, thread_model: t.Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The line has the reason that ``dynaflask_transport.reason`` has."""
        app = make_direct()
        app.extensions["dynamo"].get_client().meta.events.register("before-send.dynamodb.GetItem", ignore)
        with app.app_context():
            thread_model.get("forum", "subject")
        name = f"{ignore.__module__}.ignore"
        assert f"GetItem falls back to botocore: {name} listens to the client's events." in caplog.messages

    def test_no_line_has_an_item_or_a_secret(self, play: Play, caplog: pytest.LogCaptureFixture) -> None:
        """Neither items nor credentials are logged."""
        with play.server("direct", aws_session_token="token-of-the-test") as server:
            for act in (say(GOOD), say(answer(FOUND, crc=1)), say(error("ThrottlingException")), cut(b"")):
                play.play(server, [act, say(GOOD)], play.read)
        assert caplog.messages
        assert not any(word in caplog.text for word in ("hush", "AKIA", "token-of-the-test", "forum_name", "views"))
