"""Calls to AWS's own endpoints: a region, and no ``DYNAMODB_HOST``.

A local server answers instead of AWS: AWS's host names resolve to it, and it has certificates for them.
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

TRANSPORTS = ["stock", "botocore", "direct"]
NAMES = [
    *("*.eu-west-1.amazonaws.com", "*.us-west-2.amazonaws.com", "*.cn-north-1.amazonaws.com.cn"),
    *("*.ddb.eu-west-1.amazonaws.com", "*.eu-west-1.api.aws", "*.dynamodb.eu-west-1.vpce.amazonaws.com"),
]

every_transport = pytest.mark.parametrize("mode", TRANSPORTS)


@pytest.fixture
def aws(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[recorders.Recorder]:
    """The server that answers instead of AWS."""
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


def transport(app: flask.Flask) -> tuple[str, str | None]:
    """Mode and reason of the app's transport."""
    transport = app.extensions["dynamo"].get_client().meta.dynaflask_transport
    return transport.mode, transport.reason


def is_signed(request: recorders.Request, region: str) -> bool:
    """True if the signature is the one that botocore computes."""
    auth = SigV4Auth(Credentials("AKIA", "hush"), "dynamodb", region)
    headers = {name: value for name, value in request.headers.items() if name.startswith(("x-amz-", "content-type"))}
    same = AWSRequest(method="POST", url=f"https://{request.host}/", headers=headers, data=request.raw_body)
    same.context["timestamp"] = request.headers["x-amz-date"]
    text = auth.string_to_sign(same, auth.canonical_request(same))
    return request.headers["authorization"].endswith(f"Signature={auth.signature(text, same)}")


@every_transport
def test_a_region_is_enough(make_app: MakeApp, thread_model: t.Any, aws: recorders.Recorder, mode: str) -> None:
    """Each call goes to the region's endpoint on the requested transport."""
    app = make_app(region="eu-west-1", transport=mode, **KEYS)
    with app.app_context():
        for _ in range(3):
            thread_model.get("forum", "subject")
            assert not [*thread_model.query("forum")]
    assert {request.host for request in aws.requests} == {"dynamodb.eu-west-1.amazonaws.com"}
    assert [request.operation for request in aws.requests] == ["GetItem", "Query"] * 3
    assert all(is_signed(request, "eu-west-1") for request in aws.requests)
    assert transport(app) == (mode, None)


def test_direct_bypasses_botocore(
    make_app: MakeApp, thread_model: t.Any, aws: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore makes no call of a destination that needs no client."""
    operations: list[str] = []
    with make_app(region="eu-west-1", transport="direct", **KEYS).app_context():
        thread_model.get("forum", "subject")
        fall_back = DirectTransport._fall_back_to_botocore

        def record(self: DirectTransport, pending: t.Any) -> t.Any:
            operations.append(pending.operation.name)
            return fall_back(self, pending)

        monkeypatch.setattr(DirectTransport, "_fall_back_to_botocore", record)
        thread_model.get("forum", "subject")
        thread_model("forum", "subject").save()
        thread_model("forum", "subject").save()
    assert operations == []
    assert len(aws.requests) == 4


@every_transport
def test_two_apps_have_their_regions(
    make_app: MakeApp, thread_model: t.Any, aws: recorders.Recorder, mode: str
) -> None:
    """An app has its own region, also within the context of another app."""
    eu = make_app("eu", region="eu-west-1", transport=mode, **KEYS)
    cn = make_app("cn", region="cn-north-1", transport=mode, **KEYS)
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
def test_a_variant_of_the_endpoint_is_used(
    make_app: MakeApp, thread_model: t.Any, aws: recorders.Recorder, mode: str, option: str
) -> None:
    """FIPS and dual-stack endpoints follow botocore's options."""
    app = make_app(region="eu-west-1", transport=mode, client_config=Config(**{option: True}), **KEYS)
    with app.app_context():
        for _ in range(2):
            thread_model.get("forum", "subject")
    assert {request.host for request in aws.requests} == {VARIANTS[option]}
    assert transport(app) == (mode, None)


@every_transport
def test_an_account_endpoint_is_used(
    make_app: MakeApp, thread_model: t.Any, aws: recorders.Recorder, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an account id in the credentials, the account's endpoint is called, if this botocore has them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_ACCOUNT_ID", "123456789012")
    with make_app(region="eu-west-1", transport=mode).app_context():
        for _ in range(2):
            thread_model.get("forum", "subject")
    has_account_endpoints = hasattr(Config(), "account_id_endpoint_mode")
    host = "123456789012.ddb.eu-west-1.amazonaws.com" if has_account_endpoints else "dynamodb.eu-west-1.amazonaws.com"
    assert {request.host for request in aws.requests} == {host}
    assert all(is_signed(request, "eu-west-1") for request in aws.requests)


@every_transport
def test_a_vpc_endpoint_is_a_host(make_app: MakeApp, thread_model: t.Any, aws: recorders.Recorder, mode: str) -> None:
    """``DYNAMODB_HOST`` may be a VPC endpoint, on every transport."""
    host = "vpce-1a2b.dynamodb.eu-west-1.vpce.amazonaws.com"
    app = make_app(host=f"https://{host}", region="eu-west-1", transport=mode, **KEYS)
    with app.app_context():
        for _ in range(2):
            thread_model.get("forum", "subject")
    assert {request.host for request in aws.requests} == {host}
    assert transport(app) == (mode, None)


def test_endpoint_discovery_needs_botocore(make_app: MakeApp) -> None:
    """With endpoint discovery, ``direct`` is not used, because botocore may change the endpoint of a call."""
    config = Config(endpoint_discovery_enabled=True)
    mode, reason = transport(make_app(region="eu-west-1", transport="direct", client_config=config, **KEYS))
    assert mode == "botocore"
    assert reason is not None
    assert "EndpointDiscoveryHandler" in reason


def test_a_context_may_choose_another_region(
    make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, aws: recorders.Recorder
) -> None:
    """``db.using(region=...)`` changes the region of its block alone."""
    with make_app(region="eu-west-1", transport="direct", **KEYS).app_context():
        for _ in range(2):
            thread_model.get("forum", "eu")
            with db.using(region="us-west-2"):
                thread_model.get("forum", "us")
    assert {(request.host, request.body["Key"]["subject"]["S"]) for request in aws.requests} == {
        ("dynamodb.eu-west-1.amazonaws.com", "eu"),
        ("dynamodb.us-west-2.amazonaws.com", "us"),
    }
