"""Signatures, compared with botocore's and with AWS's published test vectors."""

from __future__ import annotations

import hashlib
import typing as t

import hypothesis
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import strategies as st

from dynaflask.client.direct import signature

EXAMPLE = ReadOnlyCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
NOON = "20150830T123600Z"
TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7"
    "mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d"
    "+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
FORM = "application/x-www-form-urlencoded"
# Name, headers, body and signature: from aws-sig-v4-test-suite, those of a POST to /.
VECTORS = [
    ("post-vanilla", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    (
        "post-header-key-sort",
        {"My-Header1": "value1"},
        b"",
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    (
        "post-header-value-case",
        {"My-Header1": "VALUE1"},
        b"",
        "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ),
    (
        "post-sts-header-before",
        {"X-Amz-Security-Token": TOKEN},
        b"",
        "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
    ),
    (
        "post-x-www-form-urlencoded",
        {"Content-Type": FORM},
        b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    (
        "post-x-www-form-urlencoded-parameters",
        {"Content-Type": FORM + "; charset=utf8"},
        b"Param1=value1",
        "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
    ),
]

words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=10)
credentials = st.builds(ReadOnlyCredentials, words, words, st.none())


def sign(keys: t.Any, headers: dict[str, str], body: bytes, *, now: str, destination: tuple[str, str]) -> str:
    """The ``Authorization`` header of a ``POST`` to ``/``."""
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    names = ";".join(sorted(headers))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    return signature.authorization(canonical, names=names, credentials=keys, now=now, destination=destination)


@pytest.mark.parametrize(("headers", "body", "signature"), [pytest.param(*rest, id=name) for name, *rest in VECTORS])
def test_a_published_vector(headers: dict[str, str], body: bytes, signature: str) -> None:
    """AWS's test vectors of a ``POST`` to ``/`` have the published signature."""
    fields = {name.lower(): value for name, value in headers.items()}
    fields |= {"host": "example.amazonaws.com", "x-amz-date": NOON}
    value = sign(EXAMPLE, fields, body, now=NOON, destination=("us-east-1", "service"))
    assert value.endswith(f", Signature={signature}")


@hypothesis.given(
    credentials, words, st.binary(max_size=50), st.sampled_from(["us-east-1", "eu-west-1"]), st.sampled_from(["x", "y"])
)
@hypothesis.settings(max_examples=200, deadline=None)
def test_a_request_is_signed_as_botocore_does(keys: t.Any, target: str, body: bytes, region: str, service: str) -> None:
    """The ``Authorization`` header equals that of botocore's signature."""
    request = AWSRequest(method="POST", url="https://host/", headers={"X-Amz-Target": target}, data=body)
    SigV4Auth(keys, service, region).add_auth(request)
    now = request.context["timestamp"]
    headers = {"host": "host", "x-amz-date": now, "x-amz-target": target}
    value = sign(keys, headers, body, now=now, destination=(region, service))
    assert value == request.headers["Authorization"]


def test_a_timestamp_is_in_utc() -> None:
    """The header has the second of the call, in UTC."""
    assert signature.timestamp(1440938160) == NOON


HOSTS = {
    "https://dynamodb.eu-west-1.amazonaws.com/": "dynamodb.eu-west-1.amazonaws.com",
    "http://localhost:8000": "localhost:8000",
    "http://LOCALHOST:80/": "localhost",
    "https://host:443/": "host",
    "https://me:secret@host/": "host",
    "http://[::1]:8000/": "[::1]:8000",
}


@pytest.mark.parametrize(("url", "host"), HOSTS.items())
def test_the_host_is_botocores(url: str, host: str) -> None:
    """``Host`` has the port only if it is not the usual one, and no password."""
    assert signature.host_of(url) == host


@pytest.mark.parametrize(
    ("url", "is_root"),
    [
        ("https://host", True),
        ("https://host/", True),
        ("https://host/#part", True),
        ("https://host/path", False),
        ("https://host/?a=1", False),
        ("http://[", False),
    ],
)
def test_only_a_url_without_path_and_query_is_a_root(url: str, is_root: bool) -> None:
    """The fast path signs requests to ``/`` alone."""
    assert signature.is_root_url(url) == is_root


def test_a_signing_key_is_made_under_the_interpreter_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """``hmac.digest`` releases it: a process that another thread forks meanwhile could not sign."""
    monkeypatch.delattr("hmac.digest")
    assert len(signature.signing_key("secret", "20150830", "us-east-1", "iam")) == 32


def test_a_signing_key_is_of_one_day_region_service_and_secret() -> None:
    """The key changes with each of secret, day, region and service. AWS's documentation has the first one."""
    scope = ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam")
    keys = {signature.signing_key(*scope[:place], "other", *scope[place + 1 :]) for place in range(len(scope))}
    assert signature.signing_key(*scope).hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
    assert len(keys | {signature.signing_key(*scope)}) == 5


def test_a_key_is_derived_once_a_day() -> None:
    """The key is derived once per day, in UTC."""
    keys = EXAMPLE._replace(secret_key="of this test")
    before = signature.keyed_mac.cache_info().misses
    for now in (NOON, "20150830T235959Z", "20150831T000000Z"):
        sign(keys, {"host": "host"}, b"{}", now=now, destination=("us-east-1", "service"))
    assert signature.keyed_mac.cache_info().misses - before == 2


def test_the_kept_keys_are_bounded() -> None:
    """At most ``MAX_KEYS`` keys are cached: the session of a role has a new secret every hour."""
    for number in range(signature.MAX_KEYS + 10):
        signature.keyed_mac(f"secret{number}", "20150830", "us-east-1", "dynamodb")
    assert signature.keyed_mac.cache_info().currsize == signature.MAX_KEYS


def test_no_repr_shows_a_secret() -> None:
    """No repr of the cache shows a secret."""
    sign(EXAMPLE, {"host": "host"}, b"{}", now=NOON, destination=("us-east-1", "service"))
    assert EXAMPLE.secret_key not in repr([signature.keyed_mac, signature.keyed_mac.cache_info()])
