"""One TLS context per CA bundle."""

from __future__ import annotations

import pathlib
import ssl
import typing as t

import botocore.exceptions
import flask
import pytest
import trustme
from botocore.config import Config

from dynaflask.client.botocore_internals import http_session
from dynaflask.client.tls import bundle_context
from dynaflask.client.tls import hostname_checking_context
from dynaflask.client.tls import share_context
from tests.support import recorder as recorders
from tests.support.clients import lease
from tests.support.clients import ping
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def authority() -> trustme.CA:
    """A certificate authority for the test."""
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA) -> t.Iterator[recorders.Recorder]:
    """A recorder with TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with recorders.Recorder(tls=context) as recorder:
        yield recorder


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The file that ``AWS_CA_BUNDLE`` names."""
    path = tmp_path / "bundle.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(path))
    return path


def call(app: flask.Flask) -> t.Any:
    """The TLS context of the client that makes a call."""
    ping(app)
    with lease(app).call() as client:
        (connections,) = http_session(client)._manager.pools._container.values()
        return connections.conn_kw["ssl_context"]


@pytest.mark.usefixtures("bundle")
def test_two_clients_use_one_context(make_app: MakeApp, server: recorders.Recorder) -> None:
    """Two clients with the same bundle read it once."""
    url = f"https://localhost:{server.port}"
    apps = [make_app(region, host=url, region=region, **KEYS) for region in ("us-east-1", "eu-west-1")]
    assert call(apps[0]) is call(apps[1])
    assert [request.region for request in server.requests] == ["us-east-1", "eu-west-1"]


def test_a_server_of_another_authority_is_refused(
    make_app: MakeApp, server: recorders.Recorder, bundle: pathlib.Path
) -> None:
    """A certificate that the bundle does not vouch for is an SSL error that names ``AWS_CA_BUNDLE``."""
    trustme.CA().cert_pem.write_to_path(str(bundle))
    app = make_app(host=f"https://localhost:{server.port}", region="us-east-1", max_retry_attempts=0, **KEYS)
    with pytest.raises(botocore.exceptions.SSLError, match="The bind is 'default'. Check .*AWS_CA_BUNDLE"):
        call(app)


@pytest.mark.usefixtures("bundle")
def test_a_certificate_for_another_host_is_refused(make_app: MakeApp, server: recorders.Recorder) -> None:
    """A certificate for ``localhost`` is not valid for ``127.0.0.1``."""
    app = make_app(host=f"https://127.0.0.1:{server.port}", region="us-east-1", max_retry_attempts=0, **KEYS)
    with pytest.raises(botocore.exceptions.SSLError):
        call(app)


def test_an_invalid_bundle_is_an_error_at_the_call(
    make_app: MakeApp, server: recorders.Recorder, bundle: pathlib.Path
) -> None:
    """The client is made, and botocore raises an error at its call."""
    bundle.write_text("nothing")
    app = make_app(host=f"https://localhost:{server.port}", region="us-east-1", max_retry_attempts=0, **KEYS)
    with pytest.raises(botocore.exceptions.SSLError, match="The bind is 'default'"):
        call(app)


@pytest.mark.usefixtures("bundle")
def test_a_client_certificate_needs_a_context_of_its_own(
    make_app: MakeApp, server: recorders.Recorder, authority: trustme.CA, tmp_path: pathlib.Path
) -> None:
    """A client certificate is not used for other clients."""
    authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    url = f"https://localhost:{server.port}"
    plain = make_app("plain", host=url, region="us-east-1", **KEYS)
    certified = make_app(
        "certified",
        host=url,
        region="us-east-1",
        client_config=Config(client_cert=str(tmp_path / "client.pem")),
        **KEYS,
    )
    assert call(plain) is not call(certified)


def test_a_client_without_the_private_names_is_not_changed() -> None:
    """``share_context`` does nothing if botocore has renamed its internals."""
    share_context(object())
    assert hostname_checking_context(object()) is None
    assert bundle_context("") is None


@pytest.mark.usefixtures("bundle")
def test_a_bundle_is_read_for_https_alone_and_once(
    make_app: MakeApp, server: recorders.Recorder, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two apps with TLS share what is read at the first connection. An app with plain HTTP needs none."""
    reads, stock = [], ssl.SSLContext.load_verify_locations

    def load(context: ssl.SSLContext, *args: t.Any, **options: t.Any) -> None:
        reads.append(args)
        stock(context, *args, **options)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", load)
    plain = make_app("plain", host=recorder.url, region="us-east-1", transport="direct", **KEYS)
    secure = [
        make_app(region, host=f"https://localhost:{server.port}", region=region, transport="direct", **KEYS)
        for region in ("us-east-1", "eu-west-1")
    ]
    for app, expected in ((plain, 0), *((app, 1) for app in secure)):
        with app.app_context():
            app.extensions["dynamo"].connection._make_api_call("GetItem", {"TableName": "Thread", "Key": {}})
        assert len(reads) == expected
