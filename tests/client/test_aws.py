"""AWS's own endpoints, which most programs use: a region and no host.

A server of the test replaces them: AWS's host names resolve to it, and it has certificates for them.

"""

from __future__ import annotations

import pathlib
import socket
import ssl
import typing as t

import flask
import pytest
import trustme
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

import dynaflask
from dynaflask.client.direct.transport import DirectTransport
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

TRANSPORTS = ["stock", "tuned", "direct"]
NAMES = [
    *("*.eu-west-1.amazonaws.com", "*.us-west-2.amazonaws.com", "*.cn-north-1.amazonaws.com.cn"),
    *("*.ddb.eu-west-1.amazonaws.com", "*.eu-west-1.api.aws", "*.dynamodb.eu-west-1.vpce.amazonaws.com"),
]

every_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture
def aws(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[recorders.Recorder]:
    """The server that replaces AWS."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES).configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "bundle.pem"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
    look_up = socket.getaddrinfo
    with recorders.Recorder(tls=context) as recorder:

        def resolve(host: t.Any, port: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
            is_aws = str(host).endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))
            return look_up(*(("127.0.0.1", recorder.port) if is_aws else (host, port)), *args, **options)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        yield recorder


def transport_of(app: flask.Flask) -> tuple[str, str | None]:
    """The transport of the app's next call, and the reason if it is not the configured one."""
    found = app.extensions["dynamo"].get_client().meta.dynaflask_transport
    return found.mode, found.reason


def is_signed(request: recorders.Request, region: str) -> bool:
    """True if the signature equals that of botocore."""
    auth = SigV4Auth(Credentials("AKIA", "hush"), "dynamodb", region)
    headers = {name: value for name, value in request.headers.items() if name.startswith(("x-amz-", "content-type"))}
    same = AWSRequest(method="POST", url=f"https://{request.host}/", headers=headers, data=request.raw_body)
    same.context["timestamp"] = request.headers["x-amz-date"]
    text = auth.string_to_sign(same, auth.canonical_request(same))
    return request.headers["authorization"].endswith(f"Signature={auth.signature(text, same)}")


@every_transport
def test_a_region_is_enough(make_app: MakeApp, thread_model: t.Any, aws: recorders.Recorder, transport: str) -> None:
    """With nothing but a region, the configured transport makes all calls, and signs them for the region."""
    app = make_app(region="eu-west-1", transport=transport, **KEYS)
    with app.app_context():
        for _ in range(3):
            thread_model.get("forum", "subject")
            assert not [*thread_model.query("forum")]
    assert {request.host for request in aws.requests} == {"dynamodb.eu-west-1.amazonaws.com"}
    assert [request.operation for request in aws.requests] == ["GetItem", "Query"] * 3
    assert all(is_signed(request, "eu-west-1") for request in aws.requests)
    assert transport_of(app) == (transport, None)


def test_direct_goes_round_botocore(
    make_app: MakeApp, thread_model: t.Any, aws: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore makes only the first call of each operation."""
    made: list[str] = []
    with make_app(region="eu-west-1", transport="direct", **KEYS).app_context():
        thread_model.get("forum", "subject")
        hand_over = DirectTransport._fall_back_to_botocore

        def note(self: DirectTransport, pending: t.Any) -> t.Any:
            made.append(pending.operation.name)
            return hand_over(self, pending)

        monkeypatch.setattr(DirectTransport, "_fall_back_to_botocore", note)
        thread_model.get("forum", "subject")
        thread_model("forum", "subject").save()
        thread_model("forum", "subject").save()
    assert made == ["PutItem"]
    assert len(aws.requests) == 4


@every_transport
def test_two_apps_have_their_regions(
    make_app: MakeApp, thread_model: t.Any, aws: recorders.Recorder, transport: str
) -> None:
    """Two apps call their own regions, also in nested contexts."""
    eu = make_app("eu", region="eu-west-1", transport=transport, **KEYS)
    cn = make_app("cn", region="cn-north-1", transport=transport, **KEYS)
    for _ in range(2):
        with eu.app_context():
            thread_model.get("eu", "1")
            with cn.app_context():
                thread_model.get("cn", "1")
            thread_model.get("eu", "2")
    assert {(request.host, request.body["Key"]["forum_name"]["S"]) for request in aws.requests} == {
        ("dynamodb.eu-west-1.amazonaws.com", "eu"),
        ("dynamodb.cn-north-1.amazonaws.com.cn", "cn"),
    }


VARIANTS = {
    "use_fips_endpoint": "dynamodb-fips.eu-west-1.amazonaws.com",
    "use_dualstack_endpoint": "dynamodb.eu-west-1.api.aws",
}


@every_transport
@pytest.mark.parametrize("option", VARIANTS)
def test_a_variant_of_the_endpoint(
    make_app: MakeApp, thread_model: t.Any, aws: recorders.Recorder, transport: str, option: str
) -> None:
    """botocore's options for FIPS and dual-stack endpoints work."""
    app = make_app(region="eu-west-1", transport=transport, client_config=Config(**{option: True}), **KEYS)
    with app.app_context():
        for _ in range(2):
            thread_model.get("forum", "subject")
    assert {request.host for request in aws.requests} == {VARIANTS[option]}
    assert transport_of(app) == (transport, None)


@every_transport
def test_an_accounts_own_endpoint(
    make_app: MakeApp, thread_model: t.Any, aws: recorders.Recorder, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the credentials name their account, the call goes to the account's endpoint, if botocore has one."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_ACCOUNT_ID", "123456789012")
    with make_app(region="eu-west-1", transport=transport).app_context():
        for _ in range(2):
            thread_model.get("forum", "subject")
    is_known = hasattr(Config(), "account_id_endpoint_mode")
    host = "123456789012.ddb.eu-west-1.amazonaws.com" if is_known else "dynamodb.eu-west-1.amazonaws.com"
    assert {request.host for request in aws.requests} == {host}
    assert all(is_signed(request, "eu-west-1") for request in aws.requests)


@every_transport
def test_a_vpc_endpoint(make_app: MakeApp, thread_model: t.Any, aws: recorders.Recorder, transport: str) -> None:
    """A VPC endpoint is set as the host."""
    host = "vpce-1a2b.dynamodb.eu-west-1.vpce.amazonaws.com"
    app = make_app(host=f"https://{host}", region="eu-west-1", transport=transport, **KEYS)
    with app.app_context():
        for _ in range(2):
            thread_model.get("forum", "subject")
    assert {request.host for request in aws.requests} == {host}
    assert transport_of(app) == (transport, None)


def test_endpoint_discovery_is_botocores(make_app: MakeApp) -> None:
    """With endpoint discovery, botocore makes the calls: it may send them elsewhere."""
    config = Config(endpoint_discovery_enabled=True)
    transport, reason = transport_of(make_app(region="eu-west-1", transport="direct", client_config=config, **KEYS))
    assert transport == "tuned"
    assert reason is not None
    assert "EndpointDiscoveryHandler" in reason


def test_a_context_may_choose_another_region(
    make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, aws: recorders.Recorder
) -> None:
    """``db.using(region=...)`` changes the region of one block."""
    with make_app(region="eu-west-1", transport="direct", **KEYS).app_context():
        for _ in range(2):
            thread_model.get("forum", "eu")
            with db.using(region="us-west-2"):
                thread_model.get("forum", "us")
    assert {(request.host, request.body["Key"]["subject"]["S"]) for request in aws.requests} == {
        ("dynamodb.eu-west-1.amazonaws.com", "eu"),
        ("dynamodb.us-west-2.amazonaws.com", "us"),
    }
