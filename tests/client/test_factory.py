"""How a client is made: its credentials, its headers, and the session that it shares."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime as dt
import pathlib
import time
import types
import typing as t

import boto3
import botocore.session
import pytest
from botocore.handlers import BUILTIN_HANDLERS

import dynaflask
from dynaflask import ConfigurationError
from dynaflask.client import factory
from dynaflask.config.bind import Bind
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.clients import ping
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

ROLE = "arn:aws:iam::123456789012:role/forum"


@pytest.fixture
def wire(recorder: recorders.Recorder, make_app: MakeApp) -> t.Callable[..., recorders.Request]:
    """Makes one call with the given settings, and returns the request that the server received."""

    def call(**settings: t.Any) -> recorders.Request:
        app = make_app(**{"host": recorder.url, "region": "us-east-1", **settings})
        app.extensions["dynamo"].get_client().list_tables()
        return recorder.requests[-1]

    return call


@contextlib.contextmanager
def sts(*, expires_in: int) -> t.Iterator[recorders.Recorder]:
    """An STS whose access keys end with the number of the request."""

    def answer(request: recorders.Request) -> str:
        until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=expires_in)
        return ASSUMED.format(number=len(server.requests), until=until.isoformat())

    with recorders.Recorder() as server:
        server.answer = answer
        yield server


ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>hush</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>{until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


def test_extra_headers_are_sent_unsigned(wire: t.Callable[..., recorders.Request]) -> None:
    """``DYNAMODB_EXTRA_HEADERS`` are sent and not signed, as with PynamoDB."""
    headers = wire(extra_headers={"X-Team": "forum"}, **KEYS).headers
    assert headers["x-team"] == "forum"
    assert "x-team" not in headers["authorization"]


class TestIdentity:
    """The credentials of a client."""

    def test_static_keys(self, wire: t.Callable[..., recorders.Request]) -> None:
        """``DYNAMODB_AWS_*`` sign the request."""
        request = wire(**KEYS, aws_session_token="token")
        assert (request.access_key_id, request.session_token) == ("AKIA", "token")

    def test_the_environment(self, wire: t.Callable[..., recorders.Request], monkeypatch: pytest.MonkeyPatch) -> None:
        """Without credentials in the settings, botocore looks for them as usual."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FROMENV")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
        assert wire(profile=None).access_key_id == "FROMENV"

    def test_a_profile(
        self, wire: t.Callable[..., recorders.Request], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
    ) -> None:
        """``DYNAMODB_PROFILE`` names a profile of the AWS configuration files."""
        (tmp_path / "credentials").write_text("[dev]\naws_access_key_id = DEV\naws_secret_access_key = hush\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        assert wire(profile="dev").access_key_id == "DEV"

    @pytest.mark.parametrize("transport", ["direct", "botocore", "stock"])
    def test_keys_need_no_profile(
        self, wire: t.Callable[..., recorders.Request], monkeypatch: pytest.MonkeyPatch, transport: str
    ) -> None:
        """With keys in the settings, an AWS_PROFILE that does not exist does not matter."""
        monkeypatch.setenv("AWS_PROFILE", "missing")
        assert wire(transport=transport, **KEYS).access_key_id == "AKIA"

    def test_keys_that_assume_a_role_need_no_profile(
        self, wire: t.Callable[..., recorders.Request], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither the call of STS nor the call of DynamoDB reads the missing profile."""
        monkeypatch.setenv("AWS_PROFILE", "missing")
        with sts(expires_in=3600) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
            assert wire(role_arn=ROLE, **KEYS).access_key_id == "ASIA1"

    def test_keys_have_the_region_of_the_profile(
        self, wire: t.Callable[..., recorders.Request], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
    ) -> None:
        """A profile that exists still gives its region to a client with keys in the settings."""
        (tmp_path / "config").write_text("[profile dev]\nregion = eu-north-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_PROFILE", "dev")
        assert wire(region=None, **KEYS).region == "eu-north-1"

    @pytest.mark.parametrize("make", [botocore.session.Session, boto3.session.Session], ids=["botocore", "boto3"])
    def test_a_session(self, wire: t.Callable[..., recorders.Request], make: t.Callable[[], t.Any]) -> None:
        """``DYNAMODB_SESSION`` is a session of botocore or boto3, whose credentials sign."""
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
        """``DYNAMODB_ROLE_ARN`` signs with the role's temporary credentials, which STS issues."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", ministack.url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        session = botocore.session.Session()
        session.set_credentials("AKIA", "hush")
        identity = {"session": session} if source == "session" else KEYS
        request = wire(role_arn=ROLE, role_session_name="forum", external_id="42", **identity)
        assert request.access_key_id != "AKIA"
        assert request.session_token

    @pytest.mark.parametrize("source", ["profile", "session"])
    def test_a_role_keeps_the_region_of_its_profile_or_session(
        self, source: str, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
    ) -> None:
        """A client with a role has the region of the profile or session that assumes it."""
        (tmp_path / "config").write_text(
            "[profile dev]\nregion = eu-north-1\naws_access_key_id = DEV\naws_secret_access_key = hush\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        session = boto3.session.Session("AKIA", "hush", region_name="eu-north-1")
        identity = {"profile": "dev"} if source == "profile" else {"session": session}
        registry = make_app(role_arn=ROLE, **identity).extensions["dynamo"]
        assert registry.client.meta.region_name == "eu-north-1"

    def test_changed_variables_make_another_client(
        self, wire: t.Callable[..., recorders.Request], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A new app uses the current variables, as with PynamoDB."""
        key_ids = []
        for name in ("FIRST", "SECOND"):
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", name)
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
            key_ids.append(wire().access_key_id)
        assert key_ids == ["FIRST", "SECOND"]

    @pytest.mark.parametrize("changed", ["the file", "HOME", "the variable"])
    def test_a_changed_file_makes_another_client(
        self,
        make_app: MakeApp,
        recorder: recorders.Recorder,
        monkeypatch: pytest.MonkeyPatch,
        changed: str,
        tmp_path: pathlib.Path,
    ) -> None:
        """A new app reads the current credentials file. An app that has a client reads it after ``close``."""
        for variable in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(variable, raising=False)
        apps = []
        for name in ("FIRST", "SECOND"):
            home = tmp_path / ("home" if changed == "the file" else name)
            (home / ".aws").mkdir(parents=True, exist_ok=True)
            file = home / ".aws" / "credentials"
            file.write_text(f"[default]\naws_access_key_id = {name}\naws_secret_access_key = hush\n")
            if changed == "the variable":
                monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
            else:
                monkeypatch.setenv("HOME", str(home))
            apps.append(make_app(name, host=recorder.url, region="us-east-1"))
            for app in apps:
                ping(app)
        apps[0].extensions["dynamo"].close()
        ping(apps[0])
        assert [request.access_key_id for request in recorder.requests] == ["FIRST", "FIRST", "SECOND", "SECOND"]

    @pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
    def test_a_changed_proxy_makes_another_client(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        """A new app uses the current proxy; an app that has a client keeps it."""
        with recorders.Recorder() as proxy:
            one, two = (make_app(name, host="http://dynamodb.test", region="us-east-1", **KEYS) for name in "ab")
            monkeypatch.setenv(variable, recorder.url)
            ping(one)
            monkeypatch.setenv(variable, proxy.url)
            ping(two)
            ping(one)
            assert (len(recorder.requests), len(proxy.requests)) == (2, 1)

    @pytest.mark.parametrize("make_session", [boto3.Session, botocore.session.Session], ids=["boto3", "botocore"])
    def test_new_credentials_of_a_session_make_another_client(
        self, make_app: MakeApp, recorder: recorders.Recorder, make_session: t.Callable[[], t.Any]
    ) -> None:
        """A new app signs with them, an app that has a client after ``close``. The pool closes both clients."""
        session = make_session()
        inner = getattr(session, "_session", session)
        apps = [make_app(name, host=recorder.url, region="us-east-1", session=session) for name in ("one", "two")]
        pool = dynaflask.Registry.pool
        before = pool.stats().clients
        for app, name in zip(apps, ("FIRST", "SECOND"), strict=True):
            inner.set_credentials(name, "hush")
            ping(app)
        ping(apps[0])
        assert pool.stats().clients == before + 2
        apps[0].extensions["dynamo"].close()
        assert pool.stats().clients == before + 1
        ping(apps[0])
        assert pool.stats().clients == before + 1
        assert [request.access_key_id for request in recorder.requests] == ["FIRST", "SECOND", "FIRST", "SECOND"]

    def test_changed_variables_apply_when_a_client_is_replaced(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An app that starts with the former variables gets another client."""
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
        apps = [make_app(name, host=recorder.url, region="us-east-1") for name in ("one", "two")]
        for app, name in ((apps[0], "FIRST"), (apps[0], "SECOND"), (apps[1], "FIRST")):
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", name)
            ping(app)
            assert recorder.requests[-1].access_key_id == name
            if name == "FIRST":
                dynaflask.Registry.pool.close()

    def test_a_connections_session_has_its_identity(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """``connection.session`` has the bind's credentials. Changes to it affect no other session."""
        binds = {"default": KEYS, "other": {"profile": None}}
        with make_app(region="us-east-1", binds=binds).app_context():
            session = db.connection.session
            assert session.get_credentials().access_key == "AKIA"
            assert db.connection.session is session
            session.set_credentials("MINE", "hush")
            assert db.get_connection("other").session.get_credentials() is None

    def test_a_factory_that_returns_none_is_an_error(self, make_app: MakeApp) -> None:
        """The message names the setting."""
        app = make_app(client_factory=lambda bind: None)
        with pytest.raises(ConfigurationError, match="DYNAMODB_CLIENT_FACTORY returned no client"):
            ping(app)

    def test_a_factory_that_asks_for_its_own_client_is_an_error(self, make_app: MakeApp) -> None:
        """It raises instead of waiting for itself."""
        app = make_app(client_factory=lambda bind: app.extensions["dynamo"].get_client(bind.key))
        with pytest.raises(ConfigurationError, match="which it must make itself"):
            ping(app)

    def test_a_factorys_stub_gets_no_handlers(self, make_app: MakeApp) -> None:
        """A client without events is not changed when a library adds handlers to botocore."""
        client = types.SimpleNamespace(list_tables=lambda **_: {"TableNames": []})
        app = make_app(client_factory=lambda bind: client)
        ping(app)
        BUILTIN_HANDLERS.append(("before-send", print))
        try:
            ping(app)
        finally:
            BUILTIN_HANDLERS.pop()
        assert list(vars(client)) == ["list_tables"]

    def test_a_factory_makes_the_client_of_each_bind(self, make_app: MakeApp) -> None:
        """``DYNAMODB_CLIENT_FACTORY`` is called with the bind, once."""
        binds: list[Bind] = []
        client = object.__new__(type("Client", (), {"__slots__": ("__weakref__",)}))

        def factory(bind: Bind) -> t.Any:
            binds.append(bind)
            return client

        registry = make_app(client_factory=factory, binds={"eu": {"region": "eu-west-1"}}).extensions["dynamo"]
        assert registry.get_client("eu") is registry.get_client("eu") is client
        assert [bind.key for bind in binds] == ["eu"]

    def test_two_apps_have_their_own_credentials(self, wire: t.Callable[..., recorders.Request]) -> None:
        """Each app signs with its own keys and region."""
        requests = [wire(**{**KEYS, "aws_access_key_id": name}, region=name) for name in ("us-east-1", "eu-west-1")]
        assert [(request.region, request.access_key_id) for request in requests] == [
            ("us-east-1", "us-east-1"),
            ("eu-west-1", "eu-west-1"),
        ]


class TestLocal:
    """The local server needs neither keys nor a region."""

    def test_it_does_not_get_the_developers_keys(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Keys of the environment are not used for the local server."""
        monkeypatch.setattr("dynaflask.local.endpoint", lambda path: recorder.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
        make_app(host="local").extensions["dynamo"].client.list_tables()
        assert (recorder.requests[0].access_key_id, recorder.requests[0].region) == ("local", "us-east-1")

    def test_it_needs_no_profile(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An AWS_PROFILE that does not exist does not matter to the local server."""
        monkeypatch.setattr("dynaflask.local.endpoint", lambda path: recorder.url)
        monkeypatch.setenv("AWS_PROFILE", "missing")
        make_app(host="local").extensions["dynamo"].client.list_tables()
        assert (recorder.requests[0].access_key_id, recorder.requests[0].region) == ("local", "us-east-1")

    def test_it_gets_the_keys_of_the_settings(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A 12-digit key is an account of the local server, and the region of the environment is used."""
        monkeypatch.setattr("dynaflask.local.endpoint", lambda path: recorder.url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        settings = {**KEYS, "aws_access_key_id": 123456789012}
        make_app(host="local", **settings).extensions["dynamo"].client.list_tables()
        assert (recorder.requests[0].access_key_id, recorder.requests[0].region) == ("123456789012", "eu-west-1")

    def test_its_sts_issues_the_credentials_of_a_role(
        self, make_app: MakeApp, ministack: engines.Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A role is assumed at the local server, not at AWS."""
        monkeypatch.setattr("dynaflask.local.endpoint", lambda path: ministack.url)
        ping(make_app(host="local", role_arn=ROLE, **KEYS))

    def test_it_gets_the_keys_and_the_region_of_a_boto3_session(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``DYNAMODB_SESSION`` applies to the local server, too."""
        monkeypatch.setattr("dynaflask.local.endpoint", lambda path: recorder.url)
        session = boto3.session.Session("AKIA", "hush", region_name="eu-north-1")
        make_app(host="local", session=session).extensions["dynamo"].client.list_tables()
        assert (recorder.requests[0].access_key_id, recorder.requests[0].region) == ("AKIA", "eu-north-1")


class TestRefresh:
    """Credentials that expire, and the session that all clients of an identity share."""

    def test_a_roles_credentials_are_fetched_once_for_many_threads(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One thread calls STS. The other threads use its result."""
        with sts(expires_in=3600) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
            app = make_app(host=recorder.url, region="us-east-1", role_arn=ROLE, role_duration_seconds=900, **KEYS)
            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                list(threads.map(lambda _: ping(app), range(32)))
            assert len(server.requests) == 1
            assert b"DurationSeconds=900" in server.requests[0].raw_body
        assert {request.access_key_id for request in recorder.requests} == {"ASIA1"}

    def test_they_are_refreshed_before_they_expire(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """botocore refreshes them in their last minutes, while they are still valid."""
        with sts(expires_in=300) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
            app = make_app(host=recorder.url, region="us-east-1", role_arn=ROLE, **KEYS)
            ping(app)
            ping(app)
        first, second = (request.access_key_id for request in recorder.requests)
        assert first != second

    def test_clients_of_one_session_are_made_one_after_another(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """botocore's sessions are not thread-safe. The roles that a profile assumes share its session."""
        sessions: list[t.Any] = []
        busy, together = [0], [0]

        class Session(botocore.session.Session):
            def __init__(self, *args: t.Any, **options: t.Any) -> None:
                sessions.append(self)
                super().__init__(*args, **options)

            def create_client(self, service: str, *args: t.Any, **options: t.Any) -> t.Any:
                if service != "sts":
                    return super().create_client(service, *args, **options)
                busy[0] += 1
                together[0] = max(together[0], busy[0])
                time.sleep(0.01)
                try:
                    return super().create_client(service, *args, **options)
                finally:
                    busy[0] -= 1

        monkeypatch.setattr(botocore.session, "Session", Session)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
        roles = [f"{ROLE}-{number}" for number in range(8)]
        apps = [make_app(role, host=recorder.url, region="us-east-1", role_arn=role) for role in roles]
        with sts(expires_in=3600) as server, concurrent.futures.ThreadPoolExecutor(8) as threads:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
            assert all(threads.map(ping, apps))
        assert (together, len(sessions)) == ([1], len(roles) + 1)

    def test_two_roles_never_share(
        self, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two roles have different credentials."""
        with sts(expires_in=3600) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
            for role in ("one", "other"):
                ping(make_app(role, host=recorder.url, region="us-east-1", role_arn=f"{ROLE}-{role}", **KEYS))
        assert [request.access_key_id for request in recorder.requests] == ["ASIA1", "ASIA2"]

    def test_a_role_without_base_credentials_is_an_error(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """The error is raised at the first call, not at ``init_app``."""
        app = make_app(host=recorder.url, region="us-east-1", role_arn=ROLE)
        with pytest.raises(ConfigurationError, match="DYNAMODB_ROLE_ARN is set, but no credentials were found"):
            ping(app)


@pytest.mark.parametrize("transport", ["botocore", "direct", "stock"])
class TestForks:
    """A client that user code kept over a fork; ``test_forks.py`` forks for real."""

    @pytest.fixture
    def client(self, make_app: MakeApp, recorder: recorders.Recorder, transport: str) -> t.Iterator[t.Any]:
        """A client with an open connection. It is closed when its app is garbage collected, which lives as long."""
        app = make_app(host=recorder.url, region="us-east-1", transport=transport, **KEYS)
        client = app.extensions["dynamo"].get_client()
        client.list_tables()
        yield client
        del app

    def test_it_gets_new_sockets_in_the_child(self, client: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Once. The parent's connection stays open."""
        monkeypatch.setattr(factory, "getpid", lambda: -1)
        (parents,) = client._endpoint.http_session._manager.pools._container.values()
        opened = []
        for _ in range(2):
            client.list_tables()
            (childs,) = client._endpoint.http_session._manager.pools._container.values()
            opened.append(childs)
        assert opened[0] is opened[1] is not parents
        assert parents.num_connections == childs.num_connections == 1
        assert parents.pool.queue[-1].sock.fileno() >= 0

    def test_it_is_refused_if_botocore_gives_it_none(self, client: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """The child must not use its parent's sockets."""
        monkeypatch.setattr(factory, "getpid", lambda: -1)
        del client._endpoint.http_session._proxy_managers
        with pytest.raises(RuntimeError, match="made before the process was forked.*registry.get_client()"):
            client.list_tables()
