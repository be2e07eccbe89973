"""The head of a request, as botocore wrote it the first time: user agent, target, extra headers and all.

A letterhead is learnt from a request of botocore's own. It is taken only if signing that request anew gives the very
signature that botocore gave: whatever botocore would do otherwise leaves the calls to botocore.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
import typing as t
from urllib.parse import quote

from dynaflask.client.tuned.signer import authorization
from dynaflask.client.tuned.signer import host_of
from dynaflask.client.tuned.signer import is_root
from dynaflask.client.tuned.signer import timestamp

TRACE = "x-amzn-trace-id"
TOKEN = "x-amz-security-token"  # noqa: S105 - a name
# What is new in each request.
PER_REQUEST_HEADERS = frozenset(
    {
        "authorization",
        "x-amz-date",
        TOKEN,
        "content-length",
        "amz-sdk-invocation-id",
        TRACE,
    }
)


class RequestTemplate:
    """What stands above every request of an operation.

    Args:
        url: Where the request went.
        headers: Its headers, by lower-case name.

    Attributes:
        url: Where requests go.

    Raises:
        LookupError: The request is not signed in the way of DynamoDB.
    """

    def __init__(self, url: str, headers: t.Mapping[str, str]) -> None:
        self.url = url
        self._is_traced = _is_traced()
        host = host_of(url)
        self._top = request_line(url, {name: text for name, text in headers.items() if name not in PER_REQUEST_HEADERS})
        # AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=...
        *_, region, service, _ = headers["authorization"].partition(",")[0].split("/")
        self._destination = (region, service)
        self._before_date = f"POST\n/\n\ncontent-type:{headers['content-type']}\nhost:{host}\nx-amz-date:"
        self._after_date = f"x-amz-target:{headers['x-amz-target']}\n\ncontent-type;host;x-amz-date;"

    def write(self, body: bytes, *, credentials: t.Any, invocation_id: str) -> bytes:
        """A signed request.

        Args:
            body: The body.
            credentials: Who signs.
            invocation_id: What all attempts of a call have in common.
        """
        now = timestamp(int(time.time()))
        trace = _trace() if self._is_traced else ""
        head = (
            f"{self._top}amz-sdk-invocation-id: {invocation_id}\r\ncontent-length: {len(body)}\r\n{trace}"
            f"x-amz-date: {now}\r\nauthorization: {self.sign(body, credentials=credentials, now=now)}\r\n"
        )
        token = f"{TOKEN}: {credentials.token}\r\n" if credentials.token else ""
        return f"{head}{token}\r\n".encode() + body

    def sign(self, body: bytes, *, credentials: t.Any, now: str) -> str:
        """The ``Authorization`` of a request.

        Args:
            body: The body.
            credentials: Who signs.
            now: The ``X-Amz-Date``.
        """
        token = f"{TOKEN}:{credentials.token}\n" if credentials.token else ""
        token_name = f"{TOKEN};" if credentials.token else ""
        digest = hashlib.sha256(body).hexdigest()
        canonical = f"{self._before_date}{now}\n{token}{self._after_date}{token_name}x-amz-target\n{digest}"
        names = f"content-type;host;x-amz-date;{token_name}x-amz-target"
        return authorization(canonical, names=names, credentials=credentials, now=now, destination=self._destination)


def capture(
    request: t.Any, headers: dict[str, str], *, credentials: t.Any, invocation_id: str
) -> RequestTemplate | None:
    """The letterhead of one of botocore's requests; ``None`` if there is more to it than a letterhead can say.

    Args:
        request: A request that is about to be sent.
        headers: Its plain headers.
        credentials: Who signed it.
        invocation_id: That of its call.
    """
    # What is new in each request may have been replaced by somebody's own.
    fresh = {"content-length": str(len(request.body)), "amz-sdk-invocation-id": invocation_id}
    if any(headers.get(name) != text for name, text in {**fresh, TOKEN: credentials.token}.items()):
        return None
    # Someone's own header would look like the one that botocore adds in a Lambda function.
    if TRACE in headers and f"{TRACE}: {headers[TRACE]}\r\n" != _trace():
        return None
    try:
        template = RequestTemplate(request.url, headers)
        signature = template.sign(request.body, credentials=credentials, now=headers["x-amz-date"])
    except (LookupError, ValueError):
        return None
    return template if signature == headers["authorization"] else None


def ascii_headers(request: t.Any) -> dict[str, str] | None:
    """The headers of a request that HTTP/1.1 can say in the plainest way, by lower-case name; ``None`` for any other.

    Args:
        request: One of botocore's requests.
    """
    if request.method != "POST" or type(request.body) is not bytes or not is_root(request.url):
        return None
    headers = {
        name.lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    are_plain = all(text.isascii() and text.isprintable() for text in headers.values())
    return headers if are_plain and all(map(_NAME.fullmatch, headers)) else None


def request_line(url: str, headers: t.Mapping[str, str]) -> str:
    """The beginning of a request to ``/``, with its headers, and what ``http.client`` adds to them.

    Args:
        url: Where it goes.
        headers: By lower-case name.
    """
    added = {"Host": host_of(url), "Accept-Encoding": "identity"}
    missing = {name: text for name, text in added.items() if name.lower() not in headers}
    return "POST / HTTP/1.1\r\n" + "".join(f"{name}: {text}\r\n" for name, text in {**missing, **headers}.items())


def _trace() -> str:
    # As botocore's handler of it does, for each invocation of a Lambda function.
    trace = os.environ.get("_X_AMZN_TRACE_ID") if _is_traced() else None
    return f"{TRACE}: {quote(trace, safe=_TRACE_SAFE)}\r\n" if trace else ""


def _is_traced() -> bool:
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


# As HTTP has them.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_TRACE_SAFE = "-=;:+&[]{}\"',"
