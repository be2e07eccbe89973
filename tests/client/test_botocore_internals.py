"""If botocore renames a private name, calls go on without it."""

from __future__ import annotations

import ssl
import types
import typing as t

import botocore.httpsession
import botocore.retries.standard
import botocore.session
import botocore.useragent
import pytest
from botocore.awsrequest import HeadersDict
from botocore.config import Config

from dynaflask.client import botocore_internals
from dynaflask.client import tls
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

AWS_KEYS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
SAFE_RESULTS = {
    botocore_internals.has_credentials: True,
    botocore_internals.http_session: None,
    botocore_internals.count_idle_sockets: 0,
    botocore_internals.events_version: None,
    botocore_internals.frozen_credentials: None,
    botocore_internals.has_proxy: True,
    botocore_internals.verify_option: None,
    botocore_internals.socket_options: (),
    botocore_internals.signing_destination: None,
}


@pytest.mark.parametrize("ask", SAFE_RESULTS, ids=lambda ask: ask.__name__)
def test_each_function_has_a_safe_result_without_its_name(ask: t.Callable[[t.Any], object]) -> None:
    """For a client without the private names, the result is the one that leaves the work to botocore."""
    client = types.SimpleNamespace(meta=types.SimpleNamespace(events=object()))
    assert ask(client) == SAFE_RESULTS[ask]
    assert botocore_internals.event_handlers(client, "before-send") == ()
    botocore_internals.use_tls_context(client, ssl.create_default_context)


def test_a_user_agent_without_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore 1.35 has no names of features. The user agent then has no such part."""
    expected = botocore.useragent.UserAgentString.from_environment().with_client_config(Config()).to_string()
    has_features = hasattr(botocore.useragent, "register_feature_id")
    assert (" m/N" in botocore_internals.user_agent(Config(), ["ENDPOINT_OVERRIDE"])) == has_features
    monkeypatch.delattr(botocore.useragent, "register_feature_id", raising=False)
    assert botocore_internals.user_agent(Config(), ["ENDPOINT_OVERRIDE"]) == expected


@pytest.mark.parametrize("has_name", [True, False])
def test_the_limit_of_attempts(monkeypatch: pytest.MonkeyPatch, has_name: bool) -> None:
    """Without the name, an older botocore names the limit only when it tries again."""
    if has_name:
        monkeypatch.setattr(botocore.retries.standard, "MaxAttemptsSeeder", object, raising=False)
    else:
        monkeypatch.delattr(botocore.retries.standard, "MaxAttemptsSeeder", raising=False)
    assert botocore_internals.first_attempt_names_limit() is has_name


@pytest.mark.parametrize("path", botocore_internals._READ_BY_DIRECT)
def test_a_name_that_is_gone_is_named(path: str) -> None:
    """The message has the object and the name; ``None`` in the place of an object is no difference."""
    client: t.Any = types.SimpleNamespace()
    for other in botocore_internals._READ_BY_DIRECT:
        owner = client
        for name in other.split("."):
            vars(owner).setdefault(name, types.SimpleNamespace())
            owner = vars(owner)[name]
    assert botocore_internals.missing_name(client) is None
    *owners, name = path.split(".")
    owner = client
    for part in owners:
        owner = getattr(owner, part)
    delattr(owner, name)
    assert botocore_internals.missing_name(client) == f"{owners[-1]} has no {name!r}"
    vars(client)[owners[0]] = None
    assert botocore_internals.missing_name(client) is None


@pytest.mark.parametrize("name", ["get_cert_path", "create_urllib3_context"])
def test_a_function_that_is_gone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A client has botocore's TLS context, and ``missing_name`` names the function."""
    client = botocore.session.Session().create_client("dynamodb", "eu-west-1", **AWS_KEYS)
    monkeypatch.setattr(tls, "_contexts", {})
    monkeypatch.delattr(botocore.httpsession, name)
    assert botocore_internals.missing_name(client) == f"botocore.httpsession has no {name!r}"
    assert (botocore_internals.ca_bundle_path(True) is None) == (name == "get_cert_path")
    assert (botocore_internals.new_tls_context() is None) == (name == "create_urllib3_context")
    assert tls._context("/a/bundle") is None
    client.close()


GONE = {
    "botocore_internals.http_session": "the client uses a proxy",
    "botocore_internals._emitter": "this botocore version does not expose its event handlers",
    "direct.transport.frozen_credentials": None,
}


@pytest.mark.parametrize(
    "name",
    [
        "botocore_internals.http_session",
        "botocore_internals._emitter",
        "direct.transport.frozen_credentials",
    ],
)
def test_calls_go_on_without_a_name(
    make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """botocore makes them, and ``reason`` says why."""
    monkeypatch.setattr(f"dynaflask.client.{name}", lambda client: None)
    app = make_app(host=recorder.url, region="us-east-1", transport="direct", **KEYS)
    with app.app_context():
        assert [thread_model.get("forum", subject).subject for subject in ("1", "2")] == ["1", "2"]
    assert app.extensions["dynamo"].get_client().meta.dynaflask_transport.reason == GONE[name]
    assert [request.access_key_id for request in recorder.requests] == ["AKIA", "AKIA"]


class OtherHeaders(HeadersDict):
    """Headers with another internal structure than botocore's."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._items = headers

    def __iter__(self) -> t.Iterator[str]:
        return iter(self._items)

    def __getitem__(self, name: str) -> str:
        return self._items[name]


@pytest.mark.parametrize("headers_type", [HeadersDict, dict, OtherHeaders])
@pytest.mark.parametrize("stock", [HeadersDict, OtherHeaders])
def test_headers_are_read_without_the_name(headers_type: t.Any, stock: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is the same for botocore's headers and for others."""
    monkeypatch.setattr(botocore_internals, "HeadersDict", stock)
    headers = headers_type({"X-Amzn-RequestId": "R", "Date": "D"})
    assert list(botocore_internals.lower_headers(headers).items()) == [("x-amzn-requestid", "R"), ("date", "D")]
