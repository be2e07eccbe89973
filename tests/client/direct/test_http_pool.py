"""The pool of kept-alive connections to one origin."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import socket
import ssl
import threading
import typing as t

import pytest
import trustme
from botocore.exceptions import ConnectionClosedError
from botocore.exceptions import ConnectTimeoutError
from botocore.exceptions import EndpointConnectionError
from botocore.exceptions import HTTPClientError
from botocore.exceptions import ReadTimeoutError

from dynaflask.client.direct import http_pool
from dynaflask.client.direct.http_pool import READ_SIZE
from dynaflask.client.direct.http_pool import ConnectionPool
from dynaflask.client.direct.http_pool import Origin
from tests.support import hostile
from tests.support.hostile import answer
from tests.support.hostile import cut
from tests.support.hostile import say
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\nContent-Length: 2\r\n\r\n{}"
GOOD = answer({"a": 1})
USUAL = answer({"a": 1}, headers={"Connection": "keep-alive"})
MAX_IDLE = 2


def origin_of(url: str, **options: t.Any) -> Origin:
    """The origin of a server, with the defaults of these tests."""
    host, _, port = url.removeprefix("http://").partition(":")
    timeouts = {"connect_timeout": 60.0, "read_timeout": 60.0}
    return Origin(
        **{"url": url, "host": host, "port": int(port), "context": None, "options": (), **timeouts, **options},
        max_idle=MAX_IDLE,
    )


@pytest.fixture
def server() -> cabc.Iterator[hostile.Hostile]:
    """A server that returns a good response unless a test changes ``acts``."""
    with hostile.Hostile() as server:
        server.acts = [say(GOOD)]
        yield server


@pytest.fixture
def pool(server: hostile.Hostile) -> cabc.Iterator[ConnectionPool]:
    """A pool of connections to the server."""
    pool = ConnectionPool(origin_of(server.url))
    yield pool
    pool.close()


class TestSend:
    """``send`` sends a request once and reads the response."""

    def test_one_connection_serves_one_request_after_another(
        self, server: hostile.Hostile, pool: ConnectionPool
    ) -> None:
        """One connection serves sequential requests while the server keeps it open."""
        assert [pool.send(REQUEST).body for _ in range(5)] == [b'{"a": 1}'] * 5
        assert (server.connections, len(pool)) == (1, 1)

    def test_one_that_the_server_closed_is_not_used(self, server: hostile.Hostile, pool: ConnectionPool) -> None:
        """A connection that the server closed while idle is replaced before a byte is sent."""
        server.acts = [cut(GOOD), say(GOOD)]
        pool.send(REQUEST)
        server.wait_for_closings(1)
        pool.send(REQUEST)
        assert (len(server.requests), server.connections) == (2, 2)

    def test_one_with_unexpected_bytes_is_not_used(self, server: hostile.Hostile, pool: ConnectionPool) -> None:
        """A connection with unexpected bytes is replaced: they would be read as the next response."""
        has_spoken = threading.Event()

        def speak(_: hostile.Hostile, connection: socket.socket) -> bool:
            connection.sendall(GOOD)
            threading.Timer(0.05, lambda: (connection.sendall(answer({"a": 2})), has_spoken.set())).start()
            return True

        server.acts = [speak, say(GOOD)]
        pool.send(REQUEST)
        assert has_spoken.wait(timeout=20)
        assert pool.send(REQUEST).body == b'{"a": 1}'
        assert server.connections == 2

    def test_a_late_response_after_a_learnt_head(self, server: hostile.Hostile, pool: ConnectionPool) -> None:
        """A second response that comes late is never read, also where the reader has learnt the head."""
        has_spoken = threading.Event()

        def speak(_: hostile.Hostile, connection: socket.socket) -> bool:
            connection.sendall(USUAL)
            threading.Timer(0.05, lambda: (connection.sendall(answer({"a": 2})), has_spoken.set())).start()
            return True

        server.acts = [say(USUAL), speak, say(USUAL)]
        assert [pool.send(REQUEST).body for _ in range(2)] == [b'{"a": 1}'] * 2
        assert has_spoken.wait(timeout=20)
        assert pool.send(REQUEST).body == b'{"a": 1}'
        assert (server.connections, len(pool)) == (2, 1)

    @pytest.mark.parametrize("is_learnt", [False, True])
    def test_two_responses_in_one_tls_record(self, is_learnt: bool) -> None:
        """TLS keeps decrypted bytes where no poll of the socket sees them. They are read, and the connection closed."""
        first, second = answer(b"x" * 100_000, headers={"Connection": "keep-alive"}), answer({"a": 2})
        pieces = [first[:-10], first[-10:] + second]
        with tls_server([[USUAL], pieces] if is_learnt else [pieces]) as origin:
            pool = ConnectionPool(origin)
            responses = [pool.send(REQUEST) for _ in range(1 + is_learnt)]
            assert (responses[-1].body, responses[-1].keeps_alive, len(pool)) == (b"x" * 100_000, False, 0)

    def test_one_with_unread_bytes_is_not_used(
        self, server: hostile.Hostile, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connection with a second response that is still unread is replaced: the next call does not read it."""
        monkeypatch.setattr(http_pool, "READ_SIZE", len(GOOD))
        server.acts = [say(GOOD + answer({"a": 2})), say(GOOD)]
        for connections in (1, 2, 2):
            assert (pool.send(REQUEST).body, server.connections) == (b'{"a": 1}', connections)

    def test_the_last_used_goes_first(self, server: hostile.Hostile, pool: ConnectionPool) -> None:
        """The last used connection is reused first, so that the others can idle until the server closes them."""
        use_at_once(pool, server, 2)
        assert len(pool) == 2
        for _ in range(5):
            pool.send(REQUEST)
        assert server.connections == 2

    def test_the_next_idle_one_takes_the_place_of_a_closed_one(
        self, server: hostile.Hostile, pool: ConnectionPool
    ) -> None:
        """If the server closed the last used connection, the one before it is used."""
        use_at_once(pool, server, 2)
        pool._idle[-1]._socket.shutdown(socket.SHUT_RDWR)
        pool.send(REQUEST)
        assert (server.connections, len(pool)) == (2, 1)

    @pytest.mark.parametrize(
        ("act", "error"),
        [
            (cut(b""), ConnectionClosedError),
            (hostile.reset(), ConnectionClosedError),
            (hostile.stall(GOOD, at=5), ReadTimeoutError),
        ],
        ids=["closed", "reset", "silent"],
    )
    def test_a_failed_request_raises_botocores_exception(
        self, server: hostile.Hostile, act: hostile.Act, error: type[HTTPClientError]
    ) -> None:
        """A failed request raises botocore's exception, and its connection is closed and replaced."""
        pool = ConnectionPool(origin_of(server.url, read_timeout=0.2 if error is ReadTimeoutError else 60))
        server.acts = [act, say(GOOD)]
        with pytest.raises(error):
            pool.send(REQUEST)
        assert (len(pool), len(server.requests)) == (0, 1)
        pool._origin = origin_of(server.url)  # without the short timeout
        assert pool.send(REQUEST).is_complete
        pool.close()

    def test_an_incomplete_response_is_returned(self, server: hostile.Hostile, pool: ConnectionPool) -> None:
        """An incomplete response is returned to the caller, and its connection is not reused."""
        server.acts = [cut(GOOD, at=-2)]
        assert not pool.send(REQUEST).is_complete
        assert len(pool) == 0

    def test_a_refused_connection(self) -> None:
        """A refused connection raises ``EndpointConnectionError`` with the URL, after the socket's error alone."""
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(EndpointConnectionError, match=url) as refused:
            ConnectionPool(origin_of(url)).send(REQUEST)
        assert isinstance(refused.value.__cause__, ConnectionRefusedError)
        assert refused.value.__cause__.__context__ is None

    @pytest.mark.parametrize(
        ("options", "error"),
        [({"options": ((-1, -1, -1),)}, ConnectionClosedError), ({"read_timeout": 1e300}, HTTPClientError)],
        ids=["socket option", "seconds"],
    )
    def test_a_setting_that_the_system_refuses(
        self, server: hostile.Hostile, options: dict[str, t.Any], error: type[HTTPClientError]
    ) -> None:
        """A socket option or timeout that the system refuses raises an error and closes the connection."""
        with pytest.raises(error):
            ConnectionPool(origin_of(server.url, **options)).send(REQUEST)
        server.wait_for_closings(1)

    def test_a_connection_is_not_made_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A connection attempt that takes longer than ``connect_timeout`` raises ``ConnectTimeoutError``."""
        waited: list[float | None] = []

        def create_connection(_: t.Any, timeout: float | None) -> t.NoReturn:
            waited.append(timeout)
            raise TimeoutError

        monkeypatch.setattr(socket, "create_connection", create_connection)
        with pytest.raises(ConnectTimeoutError):
            ConnectionPool(origin_of("http://127.0.0.1:1", connect_timeout=0.5)).send(REQUEST)
        assert waited == [0.5]


class TestSharing:
    """Threads share the pool without a lock."""

    def test_no_more_are_kept_than_the_setting_says(self, server: hostile.Hostile, pool: ConnectionPool) -> None:
        """The pool keeps at most ``max_idle`` connections, and closes the others after their response."""
        use_at_once(pool, server, 5)
        assert len(pool) == MAX_IDLE

    def test_two_apps_learn_from_their_own_servers(
        self, server: hostile.Hostile, make_app: MakeApp, thread_model: t.Any
    ) -> None:
        """Servers with different heads serve two apps in one process. Each app gets its own items and headers."""
        with hostile.Hostile() as other:
            servers = {"first": server, "second": other}
            apps = {
                name: make_app(name, host=own.url, region="us-east-1", transport="direct", **KEYS)
                for name, own in servers.items()
            }
            for number, name in enumerate(("first", "second", "first", "second", "second", "first") * 2):
                item = {"Item": {"forum_name": {"S": name}, "subject": {"S": str(number)}}}
                # The same headers in another order.
                order = {"x-own": name, "Connection": "keep-alive"}
                headers = order if name == "first" else dict(reversed(order.items()))
                servers[name].acts = [say(answer(item, headers=headers))]
                with apps[name].app_context():
                    thread = thread_model.get("any", "any")
                    client = apps[name].extensions["dynamo"].get_client()
                    result = client.meta.dynaflask_transport._make_api_call("GetItem", {"TableName": "t", "Key": {}})
                assert (thread.forum_name, thread.subject) == (name, str(number))
                assert result["ResponseMetadata"]["HTTPHeaders"]["x-own"] == name
                assert type(result["ResponseMetadata"]["HTTPHeaders"]) is dict

    def test_two_origins_have_connections_of_their_own(self, server: hostile.Hostile, pool: ConnectionPool) -> None:
        """Pools of two origins share no connection."""
        with hostile.Hostile() as other:
            other.acts = [say(answer({"a": 2}))]
            others = ConnectionPool(origin_of(other.url))
            assert [c.send(REQUEST).body for c in (pool, others, pool)] == [
                b'{"a": 1}',
                b'{"a": 2}',
                b'{"a": 1}',
            ]
            assert (len(server.requests), len(other.requests)) == (2, 1)
            others.close()


class TestClose:
    """After ``close``, the pool keeps no connection."""

    def test_what_is_idle_is_closed(self, server: hostile.Hostile, pool: ConnectionPool) -> None:
        """``close`` closes an idle connection at once."""
        pool.send(REQUEST)
        pool.close()
        assert len(pool) == 0
        server.wait_for_closings(1)

    def test_what_is_in_use_is_closed_after_its_answer(self, server: hostile.Hostile, pool: ConnectionPool) -> None:
        """A request of a closed pool succeeds, and its connection is closed after the response."""
        pool.close()
        assert pool.send(REQUEST).is_complete
        assert len(pool) == 0
        server.wait_for_closings(1)


@contextlib.contextmanager
def tls_server(responses: list[list[bytes]]) -> cabc.Iterator[Origin]:
    """A server with TLS that answers the requests of one connection. Each piece is sent in records of its own."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection = context.wrap_socket(listener.accept()[0], server_side=True)
            with connection, contextlib.suppress(ConnectionError):
                for pieces in responses:
                    connection.recv(READ_SIZE)
                    for piece in pieces:
                        connection.sendall(piece)
                # Until the client closes.
                connection.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        yield origin_of(f"http://127.0.0.1:{port}", host="localhost", context=trusting)
        thread.join(timeout=20)


def use_at_once(pool: ConnectionPool, server: hostile.Hostile, number: int) -> None:
    """Make a number of calls at the same time, each on a connection of its own."""
    barrier = threading.Barrier(number)

    def respond_together(_: hostile.Hostile, connection: socket.socket) -> bool:
        barrier.wait(timeout=20)
        return connection.sendall(GOOD) is None

    server.acts = [*[respond_together] * number, say(GOOD)]
    threads = [threading.Thread(target=pool.send, args=(REQUEST,)) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
