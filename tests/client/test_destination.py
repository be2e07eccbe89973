"""Destinations: the requests of a client that is not made are those of the client that would be made."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import os
import pathlib
import typing as t
from unittest import mock

import botocore.auth
import botocore.client
import botocore.endpoint
import botocore.session
import flask
import moto
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import EndpointProviderError
from botocore.handlers import BUILTIN_HANDLERS
from pynamodb.exceptions import VerboseClientError

import dynaflask
from dynaflask.client import factory
from dynaflask.client.botocore_internals import frozen_credentials
from dynaflask.client.botocore_internals import http_session
from dynaflask.client.botocore_internals import verify_option
from dynaflask.client.destination import Destination
from dynaflask.client.destination import find_destination
from dynaflask.client.direct.operation_codec import OperationCodec
from dynaflask.client.direct.request_template import RequestTemplate
from dynaflask.client.key import client_key
from dynaflask.client.service_data import service_model
from dynaflask.config.bind import Bind
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

Settings = dict[str, t.Any]
HOST = "http://localhost:8000"
BASE: Settings = {"region": "eu-west-1", "transport": "direct", **KEYS}
ENVIRONMENT_KEYS = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env"}
NO_KEYS: Settings = dict.fromkeys(KEYS)
# Parameters that botocore reads the tables of a call from.
EMPTY: dict[str, dict[str, t.Any]] = {
    "BatchGetItem": {"RequestItems": {}},
    "BatchWriteItem": {"RequestItems": {}},
    "TransactGetItems": {"TransactItems": []},
    "TransactWriteItems": {"TransactItems": []},
}

# Settings and variables of destinations that need no client.
KNOWN: dict[str, tuple[Settings, dict[str, str]]] = {
    "region": ({}, {}),
    "another region": ({"region": "us-west-2"}, {}),
    "region of tomorrow": ({"region": "xx-nowhere-7"}, {}),
    "China": ({"region": "cn-north-1"}, {}),
    "host": ({"host": HOST}, {}),
    "host with a slash": ({"host": f"{HOST}/"}, {}),
    "host of AWS in another region": ({"host": "https://dynamodb.us-east-1.amazonaws.com"}, {}),
    "region that nobody knows": ({"host": HOST, "region": "xx-nowhere-7"}, {}),
    "session token": ({"aws_session_token": "token/+="}, {}),
    "keys of the environment": (NO_KEYS, ENVIRONMENT_KEYS),
    "session token of the environment": (NO_KEYS, {**ENVIRONMENT_KEYS, "AWS_SESSION_TOKEN": "token"}),
    "empty token of the environment": (NO_KEYS, {**ENVIRONMENT_KEYS, "AWS_SESSION_TOKEN": ""}),
    "keys of both": ({}, ENVIRONMENT_KEYS),
    "region of the environment": ({"region": None}, {"AWS_DEFAULT_REGION": "eu-central-1"}),
    "two regions of the environment": (
        {"region": None},
        {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_REGION": "eu-central-1"},
    ),
    "retries": ({"max_retry_attempts": 7}, {}),
    "legacy retries": ({"retry_configuration": {"total_max_attempts": 2, "mode": "legacy"}}, {}),
    "timeouts": ({"connect_timeout_seconds": 3, "read_timeout_seconds": 4.5, "max_pool_connections": 2}, {}),
    "user agent": ({"client_config": Config(user_agent_extra="mine/1", user_agent_appid="app")}, {}),
    "extra headers": ({"extra_headers": {"X-Extra": "1", "x-b": "b c"}}, {}),
    "Lambda": (
        NO_KEYS,
        {
            **ENVIRONMENT_KEYS,
            "AWS_SESSION_TOKEN": "token",
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
            "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
            "AWS_REGION": "eu-west-1",
        },
    ),
    "Fargate": ({}, {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials", "AWS_EXECUTION_ENV": "AWS_ECS"}),
    "Kubernetes": (
        NO_KEYS,
        {
            **ENVIRONMENT_KEYS,
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/a",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere",
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        },
    ),
    "a proxy for other hosts": ({"host": HOST}, {"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "localhost"}),
}
# Settings and variables that make the client at once.
UNKNOWN: dict[str, tuple[Settings, dict[str, str]]] = {
    "another transport": ({"transport": "botocore"}, {}),
    "no keys": (NO_KEYS, {}),
    "half of the keys": (NO_KEYS, {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": ""}),
    "expiring keys": (NO_KEYS, {**ENVIRONMENT_KEYS, "AWS_CREDENTIAL_EXPIRATION": "2040-01-01T00:00:00Z"}),
    "legacy token": (NO_KEYS, {**ENVIRONMENT_KEYS, "AWS_SECURITY_TOKEN": "token"}),
    "account": (NO_KEYS, {**ENVIRONMENT_KEYS, "AWS_ACCOUNT_ID": "123456789012"}),
    "role": ({"role_arn": "arn:aws:iam::123456789012:role/a", "role_session_name": "a"}, {}),
    "profile of the environment": ({}, {"AWS_PROFILE": "a"}),
    "no region": ({"region": None}, {}),
    "two regions": ({"region": None}, {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "us-east-1"}),
    "FIPS region": ({"region": "fips-us-east-1"}, {}),
    "local region": ({"region": "local"}, {}),
    "host with a path": ({"host": f"{HOST}/path"}, {}),
    "host with a password": ({"host": "http://user:password@localhost:8000"}, {}),
    "host in capitals": ({"host": "HTTP://LOCALHOST"}, {}),
    "adaptive retries": ({"retry_configuration": {"total_max_attempts": 2, "mode": "adaptive"}}, {}),
    "retries of botocore": ({"retry_configuration": "UNSET"}, {}),
    "retries by another name": ({"retry_configuration": {"max_attempts": 2, "mode": "standard"}}, {}),
    "validation": ({"client_config": Config(parameter_validation=True)}, {}),
    "dual stack": ({"client_config": Config(use_dualstack_endpoint=True)}, {}),
    "FIPS": ({"client_config": Config(use_fips_endpoint=True)}, {}),
    "keepalive": ({"client_config": Config(tcp_keepalive=True)}, {}),
    "user agent of the program": ({"client_config": Config(user_agent="mine")}, {}),
    "dual stack of the environment": ({}, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}),
    "FIPS of the environment": ({}, {"AWS_USE_FIPS_ENDPOINT": "true"}),
    "endpoint of the environment": ({}, {"AWS_ENDPOINT_URL_DYNAMODB": HOST}),
    "endpoint of all services": ({}, {"AWS_ENDPOINT_URL": HOST}),
    "account mode of the environment": ({}, {"AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled"}),
    "app id of the environment": ({}, {"AWS_SDK_UA_APP_ID": "app"}),
    "retry mode of the environment": ({}, {"AWS_RETRY_MODE": "adaptive"}),
    "keepalive of the environment": ({}, {"BOTOCORE_TCP_KEEPALIVE": "true"}),
    "plugins": ({}, {"BOTOCORE_EXPERIMENTAL__PLUGINS": "a=b"}),
    "a variable of tomorrow": ({}, {"AWS_NEW": "1"}),
    "proxy": ({"host": HOST}, {"HTTP_PROXY": "http://proxy:1"}),
    "bundle that is gone": ({}, {"AWS_CA_BUNDLE": "/nowhere"}),
    "no verification": ({}, {"AWS_CA_BUNDLE": ""}),
    "header of botocore": ({"extra_headers": {"User-Agent": "mine"}}, {}),
    "signed header": ({"extra_headers": {"x-amz-date": "today"}}, {}),
    "header twice": ({"extra_headers": {"X-Extra": "1", "x-extra": "2"}}, {}),
    "header that urllib3 encodes": ({"extra_headers": {"X-Extra": "ä"}}, {}),
}
if "account_id_endpoint_mode" in Config.OPTION_DEFAULTS:  # botocore 1.35.0 has none
    UNKNOWN["account id endpoints"] = ({"client_config": Config(account_id_endpoint_mode="required")}, {})


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """No variable of the machine has an effect."""
    for name in [*os.environ]:
        if name.upper().startswith(("AWS_", "BOTO")) or name.upper().endswith(("_PROXY", "_CA_BUNDLE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def bind_of(settings: Settings) -> Bind:
    return Bind(**{name: value for name, value in {**BASE, **settings}.items() if value is not None})


def find(settings: Settings) -> Destination | None:
    bind = bind_of(settings)
    return find_destination(client_key(bind), bind)


def set_variables(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def captured(client: t.Any, name: str) -> t.Any:
    """The first request of an operation, as botocore is about to send it."""
    requests = []

    def respond(request: t.Any, **_: t.Any) -> AWSResponse:
        requests.append(request)
        body = mock.Mock(stream=lambda **_: [b"{}"])
        return AWSResponse(request.url, 200, t.cast("t.Any", {}), body)

    client.meta.events.register("before-send", respond)
    client._make_api_call(name, dict(EMPTY.get(name, {})))
    return requests[0]


def text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def comparable(headers: cabc.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Headers by lower-case name. A set of features in the user agent has no order."""
    found: dict[str, t.Any] = {name.lower(): text(value) for name, value in headers.items()}
    agent = found["user-agent"].split()
    found["user-agent"] = [sorted(part[2:].split(",")) if part.startswith("m/") else part for part in agent]
    return {name: value for name, value in found.items() if name not in {"amz-sdk-invocation-id"}}


def rendered(template: RequestTemplate, destination: Destination, request: t.Any) -> dict[str, str]:
    """The headers of a template's request with the body and the time of another request."""
    now = text(request.headers["x-amz-date"])
    with mock.patch("dynaflask.client.direct.request_template.timestamp", return_value=now):
        sent = template.render(request.body, credentials=destination.credentials, invocation_id="1")
    assert sent is not None
    head, _, body = sent.partition(b"\r\n\r\n")
    assert body == request.body
    line, *lines = head.decode().split("\r\n")
    assert line == "POST / HTTP/1.1"
    # http.client adds these two.
    added = {"Host", "Accept-Encoding"}
    return {name: value for name, _, value in (line.partition(": ") for line in lines) if name not in added}


@pytest.mark.parametrize("case", KNOWN)
def test_the_requests_are_those_of_the_client(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """URL, region, keys, signature and all headers of each operation are equal, and so are the options of sockets."""
    settings, variables = KNOWN[case]
    set_variables(monkeypatch, variables)
    bind, destination = bind_of(settings), find(settings)
    assert destination is not None
    client, _ = factory.make_client(client_key(bind), bind)
    destination.check(client)
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (destination.connect_timeout, destination.read_timeout)
    assert config.max_pool_connections == destination.max_pool_connections
    assert tuple(http_session(client)._socket_options) == destination.socket_options
    assert verify_option(client) == destination.verify
    assert tuple(frozen_credentials(client))[:3] == tuple(destination.credentials)[:3]
    client.meta.events.unregister("before-send", client.meta.dynaflask_transport._send)
    for name in sorted(DATA_PLANE_OPERATIONS):
        request = captured(client, name)
        template = destination.template(OperationCodec(service_model, name))
        assert template.url == request.url
        destination.check_template(template)
        assert comparable(rendered(template, destination, request)) == comparable(request.headers)


@pytest.mark.parametrize("case", UNKNOWN)
def test_other_settings_make_the_client_at_once(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Only known settings, in a known environment, have a destination."""
    settings, variables = UNKNOWN[case]
    set_variables(monkeypatch, variables)
    assert find(settings) is None


def test_its_repr_shows_no_secret() -> None:
    """The repr may stand in a traceback."""
    assert repr(find({"host": HOST, "aws_session_token": "token"})) == f"<Destination '{HOST}/' region='eu-west-1'>"


def test_a_session_a_profile_and_a_factory_make_the_client_at_once() -> None:
    """Their region and credentials are not known before there is a client."""
    assert find({"session": botocore.session.Session(), **NO_KEYS}) is None
    assert find({"profile": "a", **NO_KEYS}) is None
    assert find({"client_factory": lambda _: None}) is None


def test_a_region_without_an_endpoint_makes_the_client_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore raises the error, as it does without a destination."""
    error = EndpointProviderError(msg="no endpoint")
    monkeypatch.setattr("dynaflask.client.destination.regional_url", mock.Mock(side_effect=error))
    assert find({}) is None


@pytest.mark.parametrize("name", [".aws/config", ".aws/credentials", ".boto"])
def test_a_configuration_file_makes_the_client_at_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An empty one decides nothing; a directory in its place cannot be read."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    assert find({}) is not None
    path.write_text("[default]\n")
    assert find({}) is None
    path.unlink()
    path.mkdir()
    assert find({}) is None


def test_descriptions_of_the_program_make_the_client_at_once(tmp_path: pathlib.Path) -> None:
    """botocore loads service descriptions from ``~/.aws/models``, too."""
    (tmp_path / ".aws" / "models").mkdir(parents=True)
    assert find({}) is None


def test_a_file_that_cannot_be_looked_at_makes_the_client_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its path is not valid, so that it is not known to be empty."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null/config")
    assert find({}) is None


def test_a_mock_makes_the_client_at_once() -> None:
    """Under moto, the client has moto's keys and handlers."""
    with moto.mock_aws():
        assert find({}) is None


class Sink:
    """An app whose calls go to a recorder, and the clients that botocore has made for it."""

    def __init__(self, app: flask.Flask, recorder: recorders.Recorder) -> None:
        self.app = app
        self.recorder = recorder
        self.registry: dynaflask.Registry = app.extensions["dynamo"]

    @property
    def made(self) -> t.Any:
        """botocore's client, or None."""
        lease = self.registry.leases.get(self.registry.binds["default"])
        pooled = lease.pooled_client()
        return pooled.made_client

    def get(self) -> t.Any:
        """Make a call."""
        with self.app.app_context():
            return self.registry.connection._make_api_call(
                "GetItem", {"TableName": "Thread", "Key": {"id": {"S": "1"}}}
            )


@pytest.fixture
def sink(make_app: MakeApp, recorder: recorders.Recorder) -> Sink:
    """An app with known settings."""
    return Sink(make_app(host=recorder.url, **{**BASE, "region": "us-east-1"}), recorder)


def test_successful_calls_make_no_client(sink: Sink, make_app: MakeApp) -> None:
    """Two apps call with their own keys, and neither has a client."""
    other = Sink(make_app("other", host=sink.recorder.url, **{**BASE, "aws_access_key_id": "OTHER"}), sink.recorder)
    for each in (sink, other, sink, other):
        each.get()
        assert each.made is None
    keys = [(request.access_key_id, request.region) for request in sink.recorder.requests]
    assert keys == [("AKIA", "us-east-1"), ("OTHER", "eu-west-1")] * 2


@pytest.mark.parametrize("step", ["client", "get_client", "connection", "table", "fault"])
def test_a_client_is_made_when_something_needs_it(sink: Sink, step: str) -> None:
    """Once: the program asks for it, calls another operation, or a call fails."""
    sink.get()
    with sink.app.app_context():
        steps: dict[str, t.Callable[[], t.Any]] = {
            "client": lambda: sink.registry.client,
            "get_client": lambda: sink.registry.get_client("default"),
            "connection": lambda: sink.registry.connection.client,
            "table": sink.registry.connection.list_tables,
            "fault": sink.get,
        }
        if step == "fault":
            answers = iter([(500, {}), (200, {})])
            sink.recorder.answer = lambda _: next(answers)
        steps[step]()
    client = sink.made
    assert client.meta.endpoint_url == sink.recorder.url
    sink.recorder.answer = lambda _: {}
    sink.get()
    assert sink.made is client
    assert client.meta.dynaflask_transport.mode == "direct"
    assert {request.access_key_id for request in sink.recorder.requests} == {"AKIA"}


PATCHES: dict[str, t.Callable[[], contextlib.AbstractContextManager[t.Any]]] = {
    "call": lambda: mock.patch.object(
        botocore.client.BaseClient, "_make_api_call", autospec=True, return_value={"Patched": 1}
    ),
    "request": lambda: mock.patch.object(
        botocore.endpoint.Endpoint, "make_request", return_value=(mock.Mock(status_code=200), {"Patched": 1})
    ),
}


@pytest.mark.parametrize("patch", PATCHES)
def test_a_patched_call_is_seen_at_each_call(sink: Sink, patch: str) -> None:
    """A tracer patches botocore's classes before or after the first call."""
    sink.get()
    with PATCHES[patch]():
        assert sink.get()["Patched"] == 1
    assert "Patched" not in sink.get()


@pytest.mark.parametrize("is_early", [True, False], ids=["before the first call", "after it"])
def test_a_patched_constructor_sees_the_client(sink: Sink, monkeypatch: pytest.MonkeyPatch, is_early: bool) -> None:
    """Sentry registers handlers on each new client, in ``BaseClient.__init__``."""
    if not is_early:
        sink.get()
    calls, stock = [], botocore.client.BaseClient.__init__

    def patched(client: t.Any, *args: t.Any, **options: t.Any) -> None:
        stock(client, *args, **options)
        client.meta.events.register("request-created", lambda **_: calls.append(1))

    monkeypatch.setattr(botocore.client.BaseClient, "__init__", patched)
    sink.get()
    assert calls == [1]


def test_a_built_in_handler_of_another_library_makes_the_client(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is called for each call, also if it is added after the first one."""
    sink.get()
    calls: list[int] = []
    BUILTIN_HANDLERS.append(("request-created", lambda **_: calls.append(1)))
    try:
        sink.get()
    finally:
        BUILTIN_HANDLERS.pop()
    assert calls == [1]


@pytest.mark.parametrize("name", ["Session", "signer", "method that is gone"])
def test_a_replaced_part_makes_the_client(sink: Sink, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A library may replace the session class, the signer, or a method."""
    sink.get()
    if name == "Session":
        monkeypatch.setattr(botocore.session, "Session", type("Mine", (botocore.session.Session,), {}))
    elif name == "signer":
        monkeypatch.setitem(botocore.auth.AUTH_TYPE_MAPS, "v4", type("Mine", (botocore.auth.SigV4Auth,), {}))
        # The signer is looked at when a method changes or a destination is found.
        monkeypatch.setattr(botocore.auth.SigV4Auth, "add_auth", lambda *_: None)
    else:
        monkeypatch.delattr(botocore.client.ClientCreator, "_create_api_method")
        with pytest.raises(AttributeError):
            sink.get()
        return
    with contextlib.suppress(Exception):
        sink.get()
    assert sink.made is not None


def test_a_mock_of_a_later_time_is_used(make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """moto answers the calls of an app whose client could be made later. The client keeps its own keys after it."""
    later = Sink(make_app(**BASE), recorder)
    assert later.made is None
    with moto.mock_aws(), pytest.raises(VerboseClientError, match="not found"):
        later.get()
    assert frozen_credentials(later.made).access_key == "AKIA"


VARIABLES_OF_LATER = {
    "AWS_ACCESS_KEY_ID": "LATER",
    "AWS_SECRET_ACCESS_KEY": "later",
    "AWS_SESSION_TOKEN": "later",
    "AWS_DEFAULT_REGION": "us-west-1",
    "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9",
    "AWS_PROFILE": "nowhere",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_CA_BUNDLE": "/nowhere",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
}


@pytest.mark.parametrize("case", ["host", "region", "keys of the environment", "session token of the environment"])
def test_a_client_is_made_as_the_environment_was_at_the_first_call(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Variables that change between the first call and the first fault lead to no other place or identity."""
    settings, variables = KNOWN[case]
    set_variables(monkeypatch, variables)
    bind, destination = bind_of(settings), find(settings)
    assert destination is not None
    key = client_key(bind)
    expected, _ = factory.make_client(key, bind)
    set_variables(monkeypatch, VARIABLES_OF_LATER)
    client, _ = factory.make_client(key, bind, destination=destination)
    destination.check(client)
    assert client.meta.endpoint_url == expected.meta.endpoint_url
    assert verify_option(client) == verify_option(expected)
    assert client.meta.config.retries == expected.meta.config.retries
    assert captured_url(client) == captured_url(expected)


def captured_url(client: t.Any) -> str:
    with contextlib.suppress(ValueError):
        client.meta.events.unregister("before-send", client.meta.dynaflask_transport._send)
    return str(captured(client, "GetItem").url)


def test_a_client_that_differs_sends_nothing(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """If botocore would go elsewhere, or with other keys, the call fails, and names no key."""
    sink.get()
    options = factory.client_options
    other = {"region_name": "us-west-2", "aws_access_key_id": "OTHER", "endpoint_url": "http://127.0.0.1:9"}
    monkeypatch.setattr(factory, "client_options", lambda *args: {**options(*args), **other})
    sink.recorder.answer = lambda _: (500, {})
    sent = len(sink.recorder.requests) + 1
    with pytest.raises(RuntimeError, match="another endpoint and region and credentials than") as caught:
        sink.get()
    assert len(sink.recorder.requests) == sent
    assert "OTHER" not in str(caught.value)
    assert sink.made is None
