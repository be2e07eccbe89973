"""The heads of requests: captured from botocore's, and signed anew."""

from __future__ import annotations

import typing as t

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from dynaflask.client.direct import request_template
from dynaflask.client.direct.request_template import RequestTemplate
from dynaflask.client.direct.request_template import ascii_headers

URL = "https://dynamodb.eu-west-1.amazonaws.com/"
HEADERS = {
    "X-Amz-Target": "DynamoDB_20120810.GetItem",
    "Content-Type": "application/x-amz-json-1.0",
    "User-Agent": "tests",
}
PERMANENT = ReadOnlyCredentials("AKIA", "hush", None)
TEMPORARY = ReadOnlyCredentials("ASIA", "hush", "token")

with_credentials = pytest.mark.parametrize("credentials", [PERMANENT, TEMPORARY], ids=["permanent", "temporary"])


def request_of(credentials: t.Any = PERMANENT, *, body: bytes = b"{}", **headers: str) -> AWSPreparedRequest:
    """A request as botocore signs it, and is about to send it."""
    request = AWSRequest("POST", URL, headers={**HEADERS, **headers}, data=body)
    SigV4Auth(credentials, "dynamodb", "eu-west-1").add_auth(request)
    request.headers["amz-sdk-request"] = "attempt=1"
    request.headers["amz-sdk-invocation-id"] = "I0"
    return t.cast("AWSPreparedRequest", request.prepare())


def captured(request: t.Any, credentials: t.Any = PERMANENT, **others: str) -> RequestTemplate | None:
    """What is captured of a request, some of whose headers are others."""
    headers = ascii_headers(request)
    assert headers is not None
    return RequestTemplate.capture(request, {**headers, **others}, credentials=credentials, invocation_id="I0")


def headers_of(request: bytes) -> dict[str, str]:
    """The headers of a written request."""
    _, *lines = request.decode().partition("\r\n\r\n")[0].split("\r\n")
    return {name.lower(): text for name, text in (line.split(": ", 1) for line in lines)}


class TestLetterhead:
    """It writes what botocore would."""

    @with_credentials
    def test_it_writes_botocores_request(self, credentials: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of another body, at another time."""
        first = captured(request_of(credentials), credentials)
        theirs = ascii_headers(request_of(credentials, body=b'{"a":1}'))
        assert first is not None
        assert theirs is not None
        monkeypatch.setattr(request_template, "timestamp", lambda second: theirs["x-amz-date"])
        written = first.render(b'{"a":1}', credentials=credentials, invocation_id="I1")
        added = {
            "accept-encoding": "identity",
            "amz-sdk-invocation-id": "I1",
            "host": "dynamodb.eu-west-1.amazonaws.com",
        }
        assert headers_of(written) == {**theirs, **added}
        assert written.endswith(b'\r\n\r\n{"a":1}')

    @with_credentials
    def test_whoever_signs_is_asked_anew(self, credentials: t.Any) -> None:
        """Credentials that were renewed, or are somebody else's, leave nothing of the first ones'."""
        first = captured(request_of())
        assert first is not None
        found = headers_of(first.render(b"{}", credentials=credentials, invocation_id="I1"))
        assert f"Credential={credentials.access_key}/" in found["authorization"]
        assert found.get("x-amz-security-token") == credentials.token

    def test_a_lambda_functions_trace_is_the_invocations(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not the one of the request that it was captured from."""
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
        monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1")
        first = captured(request_of(**{"X-Amzn-Trace-Id": "Root=1"}))
        assert first is not None
        monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=2")
        assert headers_of(first.render(b"{}", credentials=PERMANENT, invocation_id="I1"))["x-amzn-trace-id"] == "Root=2"


class TestLearn:
    """Nothing is captured of what cannot be written again."""

    @pytest.mark.parametrize(
        "others",
        [
            {"authorization": "Basic YTpi"},
            {"authorization": "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/dynamodb/aws4_request"},
            {"x-amz-target": "DynamoDB_20120810.PutItem"},
            {"x-amz-date": "20260101T000000Z"},
            {request_template.TRACE: "Root=1"},
        ],
        ids=["another scheme", "another signature", "another operation", "another time", "somebody's trace"],
    )
    def test_another_signature(self, others: dict[str, str]) -> None:
        """botocore signed something that a letterhead would not."""
        assert captured(request_of(), **others) is None

    def test_other_credentials(self) -> None:
        """A handler may have signed with its own."""
        assert captured(request_of(), TEMPORARY) is None

    def test_a_header_that_is_signed_beside_the_usual(self) -> None:
        """Its signature is another one."""
        assert captured(request_of(**{"X-Amz-Mine": "1"})) is None


class TestPlainHeaders:
    """``ascii_headers``: what HTTP/1.1 can say in the plainest way."""

    def test_of_botocores_request(self) -> None:
        """By lower-case name, as text."""
        headers = ascii_headers(request_of())
        assert headers is not None
        assert headers.items() >= {name.lower(): text for name, text in HEADERS.items()}.items()

    @pytest.mark.parametrize(
        "change",
        [
            {"method": "GET"},
            {"body": "{}"},
            {"url": f"{URL}path"},
            {"headers": {"X-Name": "ä"}},
            {"headers": {"X-Name": "a\r\nX-Other: b"}},
            {"headers": {"X-Name": b"a\nb"}},
        ],
        ids=["method", "stream", "path", "umlaut", "two lines", "two lines, in bytes"],
    )
    def test_of_another(self, change: dict[str, t.Any]) -> None:
        """botocore sends it, or says what is wrong with it."""
        request = request_of()
        vars(request).update(change)
        assert ascii_headers(request) is None
