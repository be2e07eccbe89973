"""botocore clients, one per distinct destination."""

from __future__ import annotations

import pathlib
import typing as t

import boto3
import botocore.session
import engines
import flask
import hypothesis
import pytest
import recorder as recorders
from botocore.config import Config
from hypothesis import strategies as st

from dynaflask.settings import Bind
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
    "client_factory": st.sampled_from([min, max]),
    "client_config": st.sampled_from(
        [Config(proxies={"http": "http://p"}), Config(proxies={"http": "http://q"}), Config(tcp_keepalive=True)]
    ),
    "local_path": st.sampled_from(["/a", "/b"]),
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
    assert FIELDS.keys() | left_out == set(Bind.__dataclass_fields__)


def test_equal_configs_make_equal_keys() -> None:
    """Two Config objects of the same options are one."""
    configs = [Config(proxies={"http": "http://p"}, retries={"mode": "standard"}) for _ in range(2)]
    assert len({client_key(Bind(client_config=config)) for config in configs}) == 1


def test_a_key_shows_no_secret() -> None:
    """Its repr may be logged."""
    shown = repr(client_key(Bind(aws_access_key_id="AKIA", aws_secret_access_key="hush", aws_session_token="hush")))
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

    def test_the_environment(
        self, wire: t.Callable[..., recorders.Request], monkeypatch: pytest.MonkeyPatch
    ) -> None:
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

    def test_a_boto3_session_does_too(
        self, make_app: Make, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its region counts."""
        monkeypatch.setattr("dynaflask.local.endpoint", lambda path: recorder.url)
        session = boto3.session.Session("AKIA", "hush", region_name="eu-north-1")
        make_app(host="local", session=session).extensions["dynamo"].client.list_tables()
        assert (recorder.requests[0].access_key_id, recorder.requests[0].region) == ("AKIA", "eu-north-1")


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
