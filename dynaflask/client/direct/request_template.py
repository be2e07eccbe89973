"""The part of a request that does not change, captured from a request of botocore: URL, target, user agent, headers.

A template is used only if it signs the captured request with the same signature as botocore. If botocore does anything
else, such as sign one more header, the signatures differ and botocore keeps making the calls.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import re
import time
import typing as t
from urllib.parse import quote

from botocore.credentials import ReadOnlyCredentials

from dynaflask.client.direct.signature import ALGORITHM
from dynaflask.client.direct.signature import MAX_KEYS
from dynaflask.client.direct.signature import authorization
from dynaflask.client.direct.signature import host_of
from dynaflask.client.direct.signature import is_root_url
from dynaflask.client.direct.signature import signing_key
from dynaflask.client.direct.signature import timestamp
from dynaflask.client.environment import is_lambda_function

INVOCATION_ID = "amz-sdk-invocation-id"
TRACE = "x-amzn-trace-id"
TOKEN = "x-amz-security-token"  # noqa: S105 - the name of a header
# These headers have another value in each request.
PER_REQUEST_HEADERS = frozenset(
    {
        "authorization",
        "x-amz-date",
        TOKEN,
        "content-length",
        INVOCATION_ID,
        TRACE,
    }
)
# Equals no credentials.
UNKNOWN: t.Final = object()
# A token of HTTP, in lower case (RFC 9110, section 5.6.2).
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
# The characters that botocore leaves unquoted in a trace id.
_TRACE_SAFE = "-=;:+&[]{}\"',"


@dataclasses.dataclass(slots=True, eq=False, repr=False)
class SigningParts:
    """What all requests of one template that are signed in one second have in common. It does not change.

    Attributes:
        second: The second, since the epoch.
        credentials: The credentials, or what equals none: a program's own may change in place.
        canonical: The canonical request without the digest of the body.
        to_sign: The string to sign without the digest of the canonical request.
        inner: SHA-256 over the inner pad of the signing key.
        outer: SHA-256 over the outer pad.
        head: Header lines up to the signature.
        end: Header lines after it.
    """

    second: int
    credentials: t.Any
    canonical: str
    to_sign: str
    inner: t.Any
    outer: t.Any
    head: str
    end: str


NO_PARTS: t.Final = SigningParts(-1, None, "", "", None, None, "", "")


class RequestTemplate:
    """The constant part of all requests of one operation.

    Args:
        url: URL of the requests.
        headers: Their headers by lower-case name. Those that differ in each request are left out.
        destination: Region and signing name of the service.

    Attributes:
        url: URL of the requests.
        destination: Region and signing name of the service.

    Raises:
        LookupError: A header is missing that every signed request to DynamoDB has.
    """

    def __init__(self, url: str, headers: t.Mapping[str, str], *, destination: tuple[str, str]) -> None:
        self.url = url
        self.destination = destination
        self._is_traced = is_lambda_function()
        host = host_of(url)
        constant = {name: value for name, value in headers.items() if name not in PER_REQUEST_HEADERS}
        self._head = request_line(url, constant)
        self._before_date = f"POST\n/\n\ncontent-type:{headers['content-type']}\nhost:{host}\nx-amz-date:"
        self._after_date = f"x-amz-target:{headers['x-amz-target']}\n\ncontent-type;host;x-amz-date;"
        self._parts = NO_PARTS

    @classmethod
    def capture(
        cls, request: t.Any, headers: dict[str, str], *, credentials: t.Any, invocation_id: str
    ) -> RequestTemplate | None:
        """The template of a request that botocore is about to send, or ``None`` if no template can repeat it.

        Args:
            request: The request.
            headers: Its headers, from ``ascii_headers``.
            credentials: Credentials that signed it.
            invocation_id: Invocation id of its call.
        """
        # The program may have replaced a per-request header by its own value, which must not be lost.
        expected = {"content-length": str(len(request.body)), INVOCATION_ID: invocation_id}
        if any(headers.get(name) != value for name, value in {**expected, TOKEN: credentials.token}.items()):
            return None
        # botocore adds a trace id in a Lambda function. Any other trace id is the program's own.
        if TRACE in headers and f"{TRACE}: {headers[TRACE]}\r\n" != _trace_line():
            return None
        try:
            # AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=...
            *_, region, service, _ = headers["authorization"].partition(",")[0].split("/")
            template = cls(request.url, headers, destination=(region, service))
            signature = template.sign(request.body, credentials=credentials, now=headers["x-amz-date"])
        except (LookupError, ValueError):
            return None
        return template if signature == headers["authorization"] else None

    def render(self, body: bytes, credentials: t.Any, invocation_id: str) -> bytes | None:
        """A signed request, or ``None`` if urllib3 must send or refuse it, because a credential is not printable ASCII.

        Args:
            body: The body.
            credentials: Frozen credentials that sign it.
            invocation_id: Invocation id, which all attempts of a call share.
        """
        second, parts = int(time.time()), self._parts
        if parts.second != second or parts.credentials != credentials:
            # Refreshed credentials may differ from those of the captured request.
            if not (_is_clean(credentials.access_key) and _is_clean(credentials.token or "")):
                return None
            # Other threads read the parts of one second as a whole.
            parts = self._parts = self._parts_of(second, credentials)
        canonical = f"{parts.canonical}{hashlib.sha256(body).hexdigest()}"
        inner, outer = parts.inner.copy(), parts.outer.copy()
        inner.update(f"{parts.to_sign}{hashlib.sha256(canonical.encode()).hexdigest()}".encode())
        outer.update(inner.digest())
        trace = _trace_line() if self._is_traced else ""
        head = (
            f"{self._head}amz-sdk-invocation-id: {invocation_id}\r\ncontent-length: {len(body)}\r\n{trace}"
            f"{parts.head}{outer.hexdigest()}{parts.end}"
        )
        return head.encode() + body

    def _parts_of(self, second: int, credentials: t.Any) -> SigningParts:
        now, token = timestamp(second), credentials.token
        inner, outer, scope = keyed_hashes(credentials.secret_key, now[:8], *self.destination)
        start = f"{ALGORITHM} Credential={credentials.access_key}/{scope}"
        return SigningParts(
            second=second,
            credentials=credentials if type(credentials) is ReadOnlyCredentials else UNKNOWN,
            canonical=self._canonical(token, now=now),
            to_sign=f"{ALGORITHM}\n{now}\n{scope}\n",
            inner=inner,
            outer=outer,
            head=f"x-amz-date: {now}\r\nauthorization: {start}, SignedHeaders={_signed_names(token)}, Signature=",
            end=f"\r\n{TOKEN}: {token}\r\n\r\n" if token else "\r\n\r\n",
        )

    def sign(self, body: bytes, *, credentials: t.Any, now: str) -> str:
        """The ``Authorization`` header of a request.

        Args:
            body: The body.
            credentials: Frozen credentials that sign it.
            now: The ``X-Amz-Date`` header.
        """
        canonical = f"{self._canonical(credentials.token, now=now)}{hashlib.sha256(body).hexdigest()}"
        return authorization(
            canonical,
            names=_signed_names(credentials.token),
            credentials=credentials,
            now=now,
            destination=self.destination,
        )

    def _canonical(self, token: str | None, *, now: str) -> str:
        """The canonical request without the digest of the body, which ends it."""
        token_line = f"{TOKEN}:{token}\n" if token else ""
        token_name = f"{TOKEN};" if token else ""
        return f"{self._before_date}{now}\n{token_line}{self._after_date}{token_name}x-amz-target\n"


def _signed_names(token: str | None) -> str:
    return f"content-type;host;x-amz-date;{f'{TOKEN};' if token else ''}x-amz-target"


def ascii_headers(request: t.Any) -> dict[str, str] | None:
    """The headers of a ``POST`` to ``/`` by lower-case name, or ``None`` if urllib3 must send the request.

    urllib3 sends a request with another method or path, a body that is not bytes, or a header that is not printable
    ASCII: it encodes such a value, or refuses it.

    Args:
        request: A request of botocore.
    """
    if request.method != "POST" or type(request.body) is not bytes or not is_root_url(request.url):
        return None
    headers = {
        name.lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    return headers if are_sendable(headers) else None


def are_sendable(headers: t.Mapping[str, str]) -> bool:
    """True if headers can be written as they are: their names are tokens in lower case, and values printable ASCII.

    Args:
        headers: Headers by lower-case name.
    """
    return all(map(_NAME.fullmatch, headers)) and all(map(is_printable_ascii, headers.values()))


def request_line(url: str, headers: t.Mapping[str, str]) -> str:
    """The request line of a ``POST`` to ``/`` and its header lines, with the headers that ``http.client`` adds.

    Args:
        url: URL of the request.
        headers: Headers by lower-case name.
    """
    # RFC 9112, section 3.2: a request without Host is refused.
    defaults = {"Host": host_of(url), "Accept-Encoding": "identity"}
    missing = {name: value for name, value in defaults.items() if name.lower() not in headers}
    return "POST / HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in {**missing, **headers}.items())


def is_printable_ascii(value: str) -> bool:
    """True if a value can stand in a header. A line break would start another header, or another request.

    Args:
        value: Value of a header.
    """
    return value.isascii() and value.isprintable()


# A token has a thousand characters, and stays the same for many calls.
_is_clean = functools.lru_cache(maxsize=MAX_KEYS)(is_printable_ascii)


@functools.lru_cache(maxsize=MAX_KEYS)
def keyed_hashes(secret: str, date: str, region_name: str, service_name: str) -> tuple[t.Any, t.Any, str]:
    """The two halves of an HMAC (RFC 2104) that has the signing key of one day, and the credential scope.

    To copy the HMAC of the standard library takes four calls of Python code.

    Args:
        secret: Secret access key.
        date: Day in UTC, such as ``20150830``.
        region_name: Region.
        service_name: Signing name of the service.
    """
    key = signing_key(secret, date, region_name, service_name).ljust(64, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in key)) for pad in (0x36, 0x5C))
    return inner, outer, f"{date}/{region_name}/{service_name}/aws4_request"


def _trace_line() -> str:
    # Same as botocore's handler. A Lambda function has another trace id in each invocation.
    trace = os.environ.get("_X_AMZN_TRACE_ID") if is_lambda_function() else None
    return f"{TRACE}: {quote(trace, safe=_TRACE_SAFE)}\r\n" if trace else ""
