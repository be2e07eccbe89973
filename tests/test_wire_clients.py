"""botocore clients, one per distinct destination."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime as dt
import gc
import pathlib
import time
import types
import typing as t

import boto3
import botocore.session
import flask
import hypothesis
import moto
import pytest
from botocore.config import Config
from botocore.handlers import BUILTIN_HANDLERS
from hypothesis import strategies as st
from werkzeug.datastructures import ImmutableDict

import dynaflask
import engines
import recorder as recorders
from dynaflask import ConfigurationError
from dynaflask.settings import BIND_FIELDS
from dynaflask.settings import Bind
from dynaflask.wire.clients import Lease
from dynaflask.wire.clients import pool
from dynaflask.wire.keys import client_config
from dynaflask.wire.keys import client_key

Make = t.Callable[..., flask.Flask]
KEYS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
ROLE = "arn:aws:iam::123456789012:role/forum"


@pytest.fixture
def wire(recorder: recorders.Recorder, make_app: Make) -> t.Callable[..., recorders.Request]:
    """Makes one call with the given settings, and gives back the request that arrived."""

    def call(**settings: t.Any) -> recorders.Request:
        app = make_app(**{"host": recorder.url, "region": "us-east-1", **settings})
        app.extensions["dynamo"].get_client().list_tables()
        return recorder.requests[-1]

    return call


def ping(app: flask.Flask) -> float:
    seconds: float = app.extensions["dynamo"].ping()
    return seconds


def save(app: flask.Flask, model: t.Any) -> None:
    with app.app_context():
        model("forum", "subject").save()


def lease(app: flask.Flask) -> Lease:
    registry: dynaflask.Registry = app.extensions["dynamo"]
    return registry.lease(registry.binds["default"])


def mark(client: t.Any) -> None:
    """Have every request of the client carry a mark."""
    client.meta.events.register("before-send", lambda request, **_: request.headers.update({"X-Mark": "1"}))


def bounded(make_app: Make, url: str, max_clients: int) -> list[flask.Flask]:
    """Three apps of three destinations, with a bound on the clients of the process."""
    pool.close()
    regions = ("us-east-1", "us-east-2", "us-west-1")
    return [make_app(region, host=url, region=region, max_clients=max_clients, **KEYS) for region in regions]


@contextlib.contextmanager
def sts(*, expires_in: int) -> t.Iterator[recorders.Recorder]:
    """An STS that numbers the access keys that it gives out."""

    def answer(request: recorders.Request) -> str:
        until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=expires_in)
        return ASSUMED.format(number=len(server.requests), until=until.isoformat())

    with recorders.Recorder() as server:
        server.answer = answer
        yield server


ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>hush</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>{until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""

FIELDS: dict[str, st.SearchStrategy[t.Any]] = {
    "region": st.sampled_from(["us-east-1", "eu-west-1"]),
    "host": st.sampled_from(["http://localhost:1", "http://localhost:2"]),
    "connect_timeout_seconds": st.sampled_from([1, 2.5]),
    "read_timeout_seconds": st.sampled_from([1, 2.5]),
    "max_retry_attempts": st.sampled_from([0, 7]),
    "retry_configuration": st.sampled_from(["UNSET", {"mode": "adaptive"}, {"mode": "standard"}]),
    "max_pool_connections": st.sampled_from([1, 2]),
    "extra_headers": st.sampled_from([{"X": "a"}, {"X": "b"}, {"Y": "a"}]),
    "aws_access_key_id": st.sampled_from(["A", "B"]),
    "aws_secret_access_key": st.sampled_from(["a", "b"]),
    "aws_session_token": st.sampled_from(["s", "t"]),
    "profile": st.sampled_from(["dev", "prod"]),
    "session": st.builds(botocore.session.Session),
    "role_arn": st.sampled_from([ROLE, ROLE + "2"]),
    "role_session_name": st.sampled_from(["x", "y"]),
    "external_id": st.sampled_from(["1", "2"]),
    "role_duration_seconds": st.sampled_from([900, 1800]),
    "session_tags": st.sampled_from([ImmutableDict(t="a"), ImmutableDict(t="b"), ImmutableDict(u="a")]),
    "session_policy": st.sampled_from(["{}", '{"Statement":[]}']),
    "client_factory": st.sampled_from([min, max]),
    "client_config": st.sampled_from(
        [Config(proxies={"http": "http://p"}), Config(proxies={"http": "http://q"}), Config(tcp_keepalive=True)]
    ),
    "local_path": st.sampled_from(["/a", "/b"]),
    "transport": st.sampled_from(["direct", "stock"]),
}


@hypothesis.given(st.sampled_from(sorted(FIELDS)), st.data())
@hypothesis.settings(max_examples=200, deadline=None)
def test_any_difference_makes_another_key(name: str, data: st.DataObject) -> None:
    """Two binds with a difference that a client would feel never share one."""
    one, other = data.draw(FIELDS[name]), data.draw(st.one_of(st.none(), FIELDS[name]))
    keys = [client_key(Bind(**{name: value})) for value in (one, other)]
    assert (keys[0] == keys[1]) == (one is other or one == other)


def test_every_field_of_a_bind_is_tried() -> None:
    """Those left out concern tables and names, which no client knows, and whose the client is."""
    left_out = {"key", "table_prefix", "read_capacity_units", "write_capacity_units", "billing_mode", "share_client"}
    assert FIELDS.keys() | left_out == {"key", *BIND_FIELDS}


def test_equal_configs_make_equal_keys() -> None:
    """Two Config objects of the same options are one."""
    options = {"proxies": {"http": "http://p"}, "client_cert": ["certificate", "key"]}
    configs = [Config(**options) for _ in range(2)]
    assert len({client_key(Bind(client_config=config)) for config in configs}) == 1


def test_many_kinds_of_clients_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when there are more than are kept in mind."""
    monkeypatch.setattr("dynaflask.wire.keys.MAX_OPTIONS", 1)
    binds = [Bind(max_pool_connections=number) for number in (1, 2, 3, 1, 2, 3)]
    keys = [client_key(bind) for bind in binds]
    assert keys[:3] == keys[3:]
    assert len(set(keys)) == 3


def test_a_key_shows_no_secret() -> None:
    """Its repr may be logged."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush", "aws_session_token": "hush"}
    config = Config(proxies={"http": "http://user:hush@p"})
    headers = ImmutableDict({"Authorization": "hush"})
    shown = repr(client_key(Bind(client_config=config, extra_headers=headers, client_factory=min, **keys)))
    assert "AKIA" in shown
    assert "hush" not in shown


class TestOptions:
    """What botocore's Config comes to."""

    def test_the_defaults_are_pynamodbs(self) -> None:
        """Timeouts, retries and pool size are as PynamoDB has them."""
        config = client_config(Bind())
        assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (15, 30, 10)
        assert config.retries == {"total_max_attempts": 4, "mode": "standard"}

    def test_a_client_config_goes_over_the_defaults_and_under_the_settings(self) -> None:
        """DYNAMODB_CLIENT_CONFIG says what no setting says."""
        mine = Config(read_timeout=1, connect_timeout=2, retries={"mode": "adaptive"}, proxies={"http": "http://p"})
        config = client_config(Bind(client_config=mine, read_timeout_seconds=9))
        assert (config.read_timeout, config.connect_timeout, config.proxies) == (9, 2, {"http": "http://p"})
        assert config.retries == {"mode": "adaptive"}

    @pytest.mark.parametrize(
        ("settings", "retries"),
        [
            ({"max_retry_attempts": 7}, {"total_max_attempts": 8, "mode": "standard"}),
            ({"retry_configuration": "LEGACY"}, {"total_max_attempts": 4, "mode": "standard"}),
            ({"retry_configuration": {"mode": "adaptive"}, "max_retry_attempts": 7}, {"mode": "adaptive"}),
        ],
    )
    def test_retries_follow_pynamodbs_rules(self, settings: t.Any, retries: t.Any) -> None:
        """A retry_configuration that is no LEGACY leaves max_retry_attempts aside."""
        assert client_config(Bind(**settings)).retries == retries

    def test_unset_retries_are_botocores(self) -> None:
        """UNSET leaves them to the environment and the configuration file."""
        assert client_config(Bind(retry_configuration="UNSET")).retries is None

    def test_extra_headers_are_sent_unsigned(self, wire: t.Callable[..., recorders.Request]) -> None:
        """As PynamoDB sends them."""
        headers = wire(extra_headers={"X-Team": "forum"}, **KEYS).headers
        assert headers["x-team"] == "forum"
        assert "x-team" not in headers["authorization"]


class TestIdentity:
    """Who signs."""

    def test_static_keys(self, wire: t.Callable[..., recorders.Request]) -> None:
        """The keys and the token of the settings."""
        request = wire(**KEYS, aws_session_token="token")
        assert (request.access_key_id, request.session_token) == ("AKIA", "token")

    def test_the_environment(self, wire: t.Callable[..., recorders.Request], monkeypatch: pytest.MonkeyPatch) -> None:
        """botocore's own chain, where the settings name nobody."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FROMENV")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
        assert wire(profile=None).access_key_id == "FROMENV"

    def test_a_profile(
        self, wire: t.Callable[..., recorders.Request], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
    ) -> None:
        """Of the AWS configuration files."""
        (tmp_path / "credentials").write_text("[dev]\naws_access_key_id = DEV\naws_secret_access_key = hush\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        assert wire(profile="dev").access_key_id == "DEV"

    @pytest.mark.parametrize("make", [botocore.session.Session, boto3.session.Session], ids=["botocore", "boto3"])
    def test_a_session(self, wire: t.Callable[..., recorders.Request], make: t.Callable[[], t.Any]) -> None:
        """botocore's or boto3's, with whatever credentials it has."""
        session = make()
        getattr(session, "_session", session).set_credentials("SESSION", "hush")
        assert wire(session=session).access_key_id == "SESSION"

    @pytest.mark.parametrize("source", ["keys", "session"])
    def test_a_role(
        self,
        source: str,
        wire: t.Callable[..., recorders.Request],
        ministack: engines.Engine,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The role's temporary credentials, from STS."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", ministack.url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        session = botocore.session.Session()
        session.set_credentials("AKIA", "hush")
        identity = {"session": session} if source == "session" else KEYS
        request = wire(role_arn=ROLE, role_session_name="forum", external_id="42", **identity)
        assert request.access_key_id != "AKIA"
        assert request.session_token

    @pytest.mark.parametrize("source", ["profile", "session"])
    def test_a_role_is_used_in_the_region_of_its_source(
        self, source: str, make_app: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
    ) -> None:
        """The region of a profile or a session is not lost with the role."""
        (tmp_path / "config").write_text(
            "[profile dev]\nregion = eu-north-1\naws_access_key_id = DEV\naws_secret_access_key = hush\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        session = boto3.session.Session("AKIA", "hush", region_name="eu-north-1")
        identity = {"profile": "dev"} if source == "profile" else {"session": session}
        registry = make_app(role_arn=ROLE, **identity).extensions["dynamo"]
        assert registry.client.meta.region_name == "eu-north-1"

    def test_an_environment_that_changed_makes_another_client(
        self, wire: t.Callable[..., recorders.Request], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A new app takes what the environment says now, as PynamoDB would."""
        seen = []
        for name in ("FIRST", "SECOND"):
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", name)
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
            seen.append(wire().access_key_id)
        assert seen == ["FIRST", "SECOND"]

    def test_a_connections_session_has_its_identity(self, make_app: Make, db: dynaflask.Dynamo) -> None:
        """What the program calls with it is signed by the bind, and what it sets stays with it."""
        binds = {"default": KEYS, "other": {"profile": None}}
        with make_app(region="us-east-1", binds=binds).app_context():
            session = db.connection.session
            assert session.get_credentials().access_key == "AKIA"
            assert db.connection.session is session
            session.set_credentials("MINE", "hush")
            assert db.get_connection("other").session.get_credentials() is None

    def test_a_factory_that_makes_nothing_says_so(self, make_app: Make) -> None:
        """It does not hang."""
        app = make_app(client_factory=lambda bind: None)
        with pytest.raises(ConfigurationError, match="DYNAMODB_CLIENT_FACTORY returned no client"):
            ping(app)

    def test_a_factory_that_asks_for_its_own_client_says_so(self, make_app: Make) -> None:
        """It does not hang either."""
        app = make_app(client_factory=lambda bind: app.extensions["dynamo"].get_client(bind.key))
        with pytest.raises(ConfigurationError, match="which it is to make"):
            ping(app)

    def test_a_factorys_stub_takes_no_handlers(self, make_app: Make) -> None:
        """A client that is not botocore's is left alone when a library adds handlers."""
        client = types.SimpleNamespace(list_tables=lambda **_: None)
        app = make_app(client_factory=lambda bind: client)
        ping(app)
        BUILTIN_HANDLERS.append(("before-send", print))
        try:
            ping(app)
        finally:
            BUILTIN_HANDLERS.pop()

    def test_a_factory(self, make_app: Make) -> None:
        """A callable that gets the bind makes the client itself."""
        seen: list[Bind] = []
        client = object.__new__(type("Client", (), {"__slots__": ("__weakref__",)}))

        def factory(bind: Bind) -> t.Any:
            seen.append(bind)
            return client

        registry = make_app(client_factory=factory, binds={"eu": {"region": "eu-west-1"}}).extensions["dynamo"]
        assert registry.get_client("eu") is registry.get_client("eu") is client
        assert [bind.key for bind in seen] == ["eu"]

    def test_two_apps_keep_apart(self, wire: t.Callable[..., recorders.Request]) -> None:
        """Each signs with its own keys and region."""
        seen = [wire(**{**KEYS, "aws_access_key_id": name}, region=name).region for name in ("us-east-1", "eu-west-1")]
        assert seen == ["us-east-1", "eu-west-1"]


class TestLocal:
    """The embedded engine needs neither keys nor a region."""

    def test_it_takes_none_of_the_developers_keys(
        self, make_app: Make, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Real keys in the environment stay at home."""
        monkeypatch.setattr("dynaflask.local.endpoint", lambda path: recorder.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
        make_app(host="local").extensions["dynamo"].client.list_tables()
        assert (recorder.requests[0].access_key_id, recorder.requests[0].region) == ("local", "us-east-1")

    def test_it_takes_those_of_the_settings(
        self, make_app: Make, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A 12-digit key is an account of the engine's, and the region of the environment counts."""
        monkeypatch.setattr("dynaflask.local.endpoint", lambda path: recorder.url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        settings = {**KEYS, "aws_access_key_id": 123456789012}
        make_app(host="local", **settings).extensions["dynamo"].client.list_tables()
        assert (recorder.requests[0].access_key_id, recorder.requests[0].region) == ("123456789012", "eu-west-1")

    def test_its_sts_lends_roles(
        self, make_app: Make, ministack: engines.Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A role is assumed at the engine, not at AWS."""
        monkeypatch.setattr("dynaflask.local.endpoint", lambda path: ministack.url)
        ping(make_app(host="local", role_arn=ROLE, **KEYS))

    def test_a_boto3_session_does_too(
        self, make_app: Make, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its region counts."""
        monkeypatch.setattr("dynaflask.local.endpoint", lambda path: recorder.url)
        session = boto3.session.Session("AKIA", "hush", region_name="eu-north-1")
        make_app(host="local", session=session).extensions["dynamo"].client.list_tables()
        assert (recorder.requests[0].access_key_id, recorder.requests[0].region) == ("AKIA", "eu-north-1")


class TestSharing:
    """Equal keys share a client, until an app asks for one of its own."""

    def test_two_apps_of_one_destination_share(self, make_app: Make, recorder: recorders.Recorder) -> None:
        """One client, one socket."""
        before = pool.stats()
        for name in ("a", "b"):
            ping(make_app(name, host=recorder.url, region="us-east-1", **KEYS))
        after = pool.stats()
        assert (after.creations - before.creations, after.hits - before.hits) == (1, 1)
        assert after.open_sockets - before.open_sockets == 1

    def test_a_handler_of_one_app_is_not_felt_by_another(
        self, make_app: Make, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """The client that is given to the user is the app's own from then on, and serves its models."""
        mine, other = (make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("mine", "other"))
        for app in (mine, other):
            save(app, thread_model)
        with mine.app_context():
            thread_model("forum", "before").save()
            mark(mine.extensions["dynamo"].client)
            thread_model("forum", "after").save()
        save(other, thread_model)
        save(mine, thread_model)
        assert ["x-mark" in request.headers for request in recorder.requests] == [
            False,
            False,
            False,
            True,
            False,
            True,
        ]

    def test_a_cold_call_does_not_take_the_apps_own_client_away(
        self, make_app: Make, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A thread that was waiting for the shared client, while another asked for one of the app's own."""
        app, other = (make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("app", "other"))
        get, asked = pool.get, iter([True])

        def get_while_another_asks(*args: t.Any) -> t.Any:
            pooled = get(*args)
            if next(asked, False):
                mark(app.extensions["dynamo"].client)
            return pooled

        monkeypatch.setattr(pool, "get", get_while_another_asks)
        ping(app)
        ping(app)
        ping(other)
        assert ["x-mark" in request.headers for request in recorder.requests] == [False, True, False]

    def test_a_connections_client_is_the_apps_own_as_well(
        self, make_app: Make, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
    ) -> None:
        """connection.client is registry.client."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        with app.app_context():
            mark(db.connection.client)
            assert db.connection.client is db.client
        save(app, thread_model)
        assert "x-mark" in recorder.requests[0].headers

    def test_an_app_may_have_its_own_from_the_start(self, make_app: Make, recorder: recorders.Recorder) -> None:
        """DYNAMODB_SHARE_CLIENT = False."""
        before = pool.stats().creations
        for name in ("a", "b"):
            ping(make_app(name, host=recorder.url, region="us-east-1", share_client=False, **KEYS))
        assert pool.stats().creations - before == 2

    def test_extra_headers_never_leak(self, make_app: Make, recorder: recorders.Recorder, thread_model: t.Any) -> None:
        """Apps that differ in a header have clients of their own."""
        apps = [
            make_app(name, host=recorder.url, region="us-east-1", extra_headers={"X-Team": name}, **KEYS)
            for name in ("a", "b")
        ]
        for app in [*apps, *apps]:
            save(app, thread_model)
        assert [request.headers["x-team"] for request in recorder.requests] == ["a", "b", "a", "b"]

    def test_a_dropped_app_releases_its_client(self, make_app: Make, recorder: recorders.Recorder) -> None:
        """The sockets are closed when the last app of the destination goes."""
        gc.collect()
        before = pool.stats()
        app, twin = (make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("app", "twin"))
        ping(app)
        ping(twin)
        del app
        gc.collect()
        assert pool.stats().clients == before.clients + 1
        del twin
        gc.collect()
        assert (pool.stats().clients, pool.stats().open_sockets) == (before.clients, before.open_sockets)

    def test_a_closed_registry_releases_its_client(self, make_app: Make, recorder: recorders.Recorder) -> None:
        """And gets another when it is used again."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        gc.collect()
        ping(app)
        before = pool.stats()
        app.extensions["dynamo"].close()
        gc.collect()
        assert pool.stats().clients == before.clients - 1
        ping(app)


class TestBounds:
    """``DYNAMODB_MAX_CLIENTS`` and ``DYNAMODB_CLIENT_IDLE_SECONDS``."""

    def test_the_least_recently_used_goes_first(self, make_app: Make, recorder: recorders.Recorder) -> None:
        """Its sockets are closed, and the app goes on with a new one."""
        first, second, third = bounded(make_app, recorder.url, 2)
        for app in (first, second, first, third):
            ping(app)
        stats = pool.stats()
        ping(first)
        assert pool.stats().creations == stats.creations
        ping(second)
        assert pool.stats().creations == stats.creations + 1

    def test_one_in_use_is_never_closed(self, make_app: Make, recorder: recorders.Recorder) -> None:
        """A call that is under way keeps its client."""
        first, second, third = bounded(make_app, recorder.url, 1)
        with lease(first).call() as client:
            ping(second)
            ping(third)
            assert client.list_tables()
            evictions, creations = pool.stats().evictions, pool.stats().creations
        ping(first)
        assert (pool.stats().evictions, pool.stats().creations) == (evictions, creations)

    def test_one_that_the_user_has_is_never_closed(self, make_app: Make, recorder: recorders.Recorder) -> None:
        """Its handlers would be lost."""
        first, second, third = bounded(make_app, recorder.url, 1)
        mine = first.extensions["dynamo"].client
        ping(second)
        ping(third)
        assert first.extensions["dynamo"].client is mine

    def test_the_bound_goes_with_the_app_that_asked_for_it(self, make_app: Make, recorder: recorders.Recorder) -> None:
        """Another app's strictness is not for ever."""
        bounded(make_app, recorder.url, 1)
        gc.collect()
        evictions = pool.stats().evictions
        for region in ("us-east-1", "us-east-2"):
            ping(make_app(host=recorder.url, region=region, **KEYS))
        assert pool.stats().evictions == evictions

    def test_an_idle_one_is_closed(
        self, make_app: Make, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At the end of some later context, once its time has passed."""
        start = time.monotonic()
        clock = [start]
        monkeypatch.setattr("dynaflask.wire.clients.time.monotonic", lambda: clock[0])
        app = make_app(host=recorder.url, region="us-east-1", client_idle_seconds=60, **KEYS)
        ping(app)
        evictions = pool.stats().evictions
        for seconds in (31, 32, 59, 63, 94):
            clock[0] = start + seconds
            with app.app_context():
                pass
            closed = pool.stats().evictions > evictions
            assert closed == (seconds > 60)

    def test_one_that_is_closed_before_its_call_is_made_anew(
        self, make_app: Make, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another thread may close it just before it sees the call."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        current, closings = Lease._current, iter([True])

        def current_and_closed(lease: Lease) -> t.Any:
            pooled = current(lease)
            if next(closings, False):
                pooled.close()
            return pooled

        monkeypatch.setattr(Lease, "_current", current_and_closed)
        ping(app)
        assert len(recorder.requests) == 1

    def test_one_that_cannot_be_closed_is_let_go(
        self, make_app: Make, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The failure is logged, and the rest goes on."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        ping(app)
        with lease(app).call() as client:
            client._endpoint.close, close = None, client._endpoint.close
        pool.close()
        close()
        assert "A client could not be closed." in caplog.text

    def test_binds_made_by_blocks_are_not_remembered_for_ever(
        self,
        make_app: Make,
        recorder: recorders.Recorder,
        db: dynaflask.Dynamo,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A block per request with a token of its own leaves no trace, and the client in use stays."""
        monkeypatch.setattr("dynaflask.registry.MAX_BINDS", 3)
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        mine = app.extensions["dynamo"].client
        before = pool.stats().clients
        with app.app_context():
            for number in range(10):
                with db.using(**KEYS, aws_session_token=str(number)):
                    db.registry.lease(db.get_connection().bind)
        assert app.extensions["dynamo"].client is mine
        assert pool.stats().clients == before

    def test_clients_of_blocks_are_bounded_as_well(
        self, make_app: Make, recorder: recorders.Recorder, db: dynaflask.Dynamo
    ) -> None:
        """Those that the user asked for in a block may be evicted, or each request would leave one."""
        app = bounded(make_app, recorder.url, 3)[0]
        with app.app_context():
            for number in range(10):
                with db.using(**KEYS, aws_session_token=str(number)):
                    assert db.client.list_tables()
        assert pool.stats().clients <= 3


class TestMoto:
    """``moto.mock_aws`` takes effect, and leaves nothing behind."""

    def test_it_takes_effect_on_clients_that_exist(
        self, make_app: Make, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
    ) -> None:
        """Also in a context that was pushed before."""
        app = make_app(region="us-east-1", host=recorder.url, **KEYS)
        ping(app)
        with app.app_context(), db.using(host="https://dynamodb.us-east-1.amazonaws.com"), moto.mock_aws():
            db.create_all()
            thread_model("forum", "mocked").save()
            assert thread_model.get("forum", "mocked").views == 0
        assert len(recorder.requests) == 1

    def test_its_credentials_do_not_survive_it(
        self, make_app: Make, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A client that was made under the mock is not used after it."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
        app = make_app(region="us-east-1", host=recorder.url)
        with moto.mock_aws():
            assert lease(app)._current() is not None
        ping(app)
        assert [request.access_key_id for request in recorder.requests] == ["REAL"]

    def test_a_handler_that_comes_later_reaches_clients_that_exist(
        self, make_app: Make, recorder: recorders.Recorder
    ) -> None:
        """As moto's does, where it is imported after the first call."""
        app = make_app(region="us-east-1", host=recorder.url, **KEYS)
        ping(app)
        seen: list[str] = []
        handler = ("before-send", lambda event_name, **_: seen.append(event_name))
        BUILTIN_HANDLERS.append(handler)
        try:
            ping(app)
        finally:
            BUILTIN_HANDLERS.remove(handler)
        assert seen == ["before-send.dynamodb.ListTables"]


class TestRefresh:
    """Credentials that expire, and a session that serves all clients of an identity."""

    def test_a_roles_credentials_are_fetched_once_for_many_threads(
        self, make_app: Make, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One thread asks STS, the others wait for its answer or go on with what they have."""
        with sts(expires_in=3600) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
            app = make_app(host=recorder.url, region="us-east-1", role_arn=ROLE, role_duration_seconds=900, **KEYS)
            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                list(threads.map(lambda _: ping(app), range(32)))
            assert len(server.requests) == 1
            assert b"DurationSeconds=900" in server.requests[0].raw_body
        assert {request.access_key_id for request in recorder.requests} == {"ASIA1"}

    def test_they_are_refreshed_before_they_expire(
        self, make_app: Make, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """botocore renews them in their last minutes, while they still hold."""
        with sts(expires_in=300) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
            app = make_app(host=recorder.url, region="us-east-1", role_arn=ROLE, **KEYS)
            ping(app)
            ping(app)
        first, second = (request.access_key_id for request in recorder.requests)
        assert first != second

    def test_two_roles_never_share(
        self, make_app: Make, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each has credentials of its own."""
        with sts(expires_in=3600) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
            for role in ("one", "other"):
                ping(make_app(role, host=recorder.url, region="us-east-1", role_arn=f"{ROLE}-{role}", **KEYS))
        assert [request.access_key_id for request in recorder.requests] == ["ASIA1", "ASIA2"]

    def test_a_role_without_anybody_to_assume_it_says_so(self, make_app: Make, recorder: recorders.Recorder) -> None:
        """At the call, and not at init_app."""
        app = make_app(host=recorder.url, region="us-east-1", role_arn=ROLE)
        with pytest.raises(ConfigurationError, match="DYNAMODB_ROLE_ARN is set, and there are no credentials"):
            ping(app)


def test_a_client_without_credentials_is_not_kept(
    make_app: Make, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A metadata service that failed once does not leave the app without credentials for good."""
    registry = make_app(host=recorder.url, region="us-east-1").extensions["dynamo"]
    poisoned = registry.client
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "RECOVERED")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    assert registry.client is not poisoned
    registry.client.list_tables()
    assert recorder.requests[0].access_key_id == "RECOVERED"
