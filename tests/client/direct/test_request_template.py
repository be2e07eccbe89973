"""Request templates: captured from botocore's requests, and signed for each call."""

from __future__ import annotations

import types
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
    """A request that botocore has signed and is about to send."""
    request = AWSRequest("POST", URL, headers={**HEADERS, **headers}, data=body)
    SigV4Auth(credentials, "dynamodb", "eu-west-1").add_auth(request)
    request.headers["amz-sdk-request"] = "attempt=1"
    request.headers["amz-sdk-invocation-id"] = "I0"
    return t.cast("AWSPreparedRequest", request.prepare())


def captured(request: t.Any, credentials: t.Any = PERMANENT, **others: str) -> RequestTemplate | None:
    """The template of a request, after some of its headers are replaced."""
    headers = ascii_headers(request)
    assert headers is not None
    return RequestTemplate.capture(request, {**headers, **others}, credentials=credentials, invocation_id="I0")


def headers_of(request: bytes) -> dict[str, str]:
    """The headers of a rendered request."""
    _, *lines = request.decode().partition("\r\n\r\n")[0].split("\r\n")
    return {name.lower(): text for name, text in (line.split(": ", 1) for line in lines)}


def rendered(template: RequestTemplate, credentials: t.Any, *, body: bytes = b"{}") -> bytes:
    """A request that the template can write."""
    request = template.render(body, credentials=credentials, invocation_id="I1")
    assert request is not None
    return request


class TestRender:
    """``render`` writes the request that botocore would write."""

    @with_credentials
    def test_it_writes_botocores_request(self, credentials: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A request with another body at another time equals botocore's."""
        first = captured(request_of(credentials), credentials)
        theirs = ascii_headers(request_of(credentials, body=b'{"a":1}'))
        assert first is not None
        assert theirs is not None
        monkeypatch.setattr(request_template, "timestamp", lambda second: theirs["x-amz-date"])
        written = rendered(first, credentials, body=b'{"a":1}')
        added = {
            "accept-encoding": "identity",
            "amz-sdk-invocation-id": "I1",
            "host": "dynamodb.eu-west-1.amazonaws.com",
        }
        assert headers_of(written) == {**theirs, **added}
        assert written.endswith(b'\r\n\r\n{"a":1}')

    @with_credentials
    def test_it_signs_with_the_given_credentials(self, credentials: t.Any) -> None:
        """``render`` signs with the given credentials, and keeps nothing of those of the captured request."""
        first = captured(request_of())
        assert first is not None
        headers = headers_of(rendered(first, credentials))
        assert f"Credential={credentials.access_key}/" in headers["authorization"]
        assert headers.get("x-amz-security-token") == credentials.token

    def test_each_request_has_the_credentials_of_its_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each request is signed with the key of its call, also in one second, and if credentials change in place."""
        template, own = captured(request_of()), types.SimpleNamespace(access_key="AKIA", secret_key="x", token=None)
        assert template is not None
        monkeypatch.setattr(request_template.time, "time", lambda: 1e9)
        for name in ("AKIA", "BKIA", "AKIA"):
            own.access_key = name
            keys = (PERMANENT._replace(access_key=name), PERMANENT._replace(secret_key=name), own)
            for credentials in (*keys, *keys[::-1]):
                head = headers_of(rendered(template, credentials))["authorization"]
                signed = headers_of(rendered(t.cast("t.Any", captured(request_of())), credentials))["authorization"]
                assert f"Credential={credentials.access_key}/" in head
                assert head.partition("Signature=")[2] == signed.partition("Signature=")[2]

    def test_a_lambda_functions_trace_is_the_invocations(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In a Lambda function, the trace id is that of the current invocation."""
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
        monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1")
        first = captured(request_of(**{"X-Amzn-Trace-Id": "Root=1"}))
        assert first is not None
        monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=2")
        assert headers_of(rendered(first, PERMANENT))["x-amzn-trace-id"] == "Root=2"

    @pytest.mark.parametrize("end", ["\n", "\r", "\r\nX-Evil: 1", "\0", "\x7f", "\u2028", "\xe4", "\ud800"])
    @pytest.mark.parametrize("name", ["access_key", "token"])
    def test_a_credential_that_would_leave_its_header_is_not_written(self, name: str, end: str) -> None:
        """A credential that is not printable ASCII is left to botocore: it could start another header."""
        first = captured(request_of(TEMPORARY), TEMPORARY)
        credentials = TEMPORARY._replace(**{name: getattr(TEMPORARY, name) + end})
        assert first is not None
        assert first.render(b"{}", credentials=credentials, invocation_id="I1") is None


class TestCapture:
    """A request that a template cannot repeat is not captured."""

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
        """Nothing is captured if the template's signature differs from botocore's."""
        assert captured(request_of(), **others) is None

    def test_other_credentials(self) -> None:
        """Nothing is captured if a handler signed with other credentials."""
        assert captured(request_of(), TEMPORARY) is None

    def test_a_header_that_is_signed_beside_the_usual(self) -> None:
        """Nothing is captured if botocore signed another header, too."""
        assert captured(request_of(**{"X-Amz-Mine": "1"})) is None


class TestAsciiHeaders:
    """``ascii_headers``: the headers of a request that the direct transport can send."""

    def test_of_botocores_request(self) -> None:
        """The headers of botocore's request are strings by lower-case name."""
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
        """Any other request is left to botocore, which sends or refuses it."""
        request = request_of()
        vars(request).update(change)
        assert ascii_headers(request) is None
