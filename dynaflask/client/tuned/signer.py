"""AWS Signature Version 4 with a cached signing key, which botocore derives again for each call.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import logging
import time
import typing as t
import urllib.parse

from botocore.auth import AUTH_TYPE_MAPS
from botocore.auth import SIGNED_HEADERS_BLACKLIST
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import ReadOnlyCredentials

STOCK_VERSION = "v4"
OWN_VERSION = "dynaflask-v4"
# More than the clients of a process. A key is valid for one day, and leaves the LRU cache some time after it.
MAX_KEYS = 1000
ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = frozenset(SIGNED_HEADERS_BLACKLIST)
# A request with one of these headers was signed before, or a handler set its date or hash. botocore signs it.
STOCK_SIGNER_HEADERS = frozenset(
    {"authorization", "date", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"}
)

# botocore logs the string to sign at DEBUG. At that level its own signer signs, which logs.
_log = logging.getLogger(SigV4Auth.__module__)


class Signer(SigV4Auth):
    """botocore's signer with a fast path for a ``POST`` to ``/``. botocore's own code signs any other request.

    botocore makes a signer for each request.

    Args:
        credentials: Frozen credentials.
        service_name: Signing name of the service.
        region_name: Region.
    """

    def __init__(self, credentials: t.Any, service_name: str, region_name: str) -> None:
        super().__init__(credentials, service_name, region_name)
        self._destination = (region_name, service_name)

    def add_auth(self, request: t.Any) -> None:
        """Sign a request.

        Args:
            request: A request, to which the headers of the signature are added.
        """
        headers = signed_headers(request)
        if headers is None or not self._can_use_fast_path():
            super().add_auth(request)
            return
        now = request.context["timestamp"] = timestamp(int(time.time()))
        added = {"X-Amz-Date": now}
        if self.credentials.token:
            added["X-Amz-Security-Token"] = self.credentials.token
        for name, value in added.items():
            request.headers[name] = headers[name.lower()] = value
        if "host" not in headers:
            headers["host"] = host_of(request.url)
        request.headers["Authorization"] = self._authorization(headers, request.data, now=now)

    def _can_use_fast_path(self) -> bool:
        has_ascii_token = self.credentials is not None and _is_ascii(self.credentials.token or "")
        return has_ascii_token and not _log.isEnabledFor(logging.DEBUG)

    def _authorization(self, headers: dict[str, str], body: bytes, *, now: str) -> str:
        lines = "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers)])
        names = self.signed_headers(headers)
        canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        return authorization(
            canonical, names=names, credentials=self.credentials, now=now, destination=self._destination
        )


def signed_headers(request: t.Any) -> dict[str, str] | None:
    """The headers to sign, by lower-case name, or ``None`` if botocore's own code must sign the request.

    Args:
        request: A request that is not signed yet.
    """
    if not _is_plain_post(request):
        return None
    # `items()` would look in each value for characters to encode.
    pairs = [*request.headers.raw_items()]
    headers = {name.lower(): value for name, value in pairs}
    if (
        len(headers) != len(pairs)
        or not STOCK_SIGNER_HEADERS.isdisjoint(headers)
        or not all(map(_is_ascii, headers.values()))
    ):
        return None
    return {name: value for name, value in headers.items() if name not in UNSIGNED}


def authorization(canonical: str, *, names: str, credentials: t.Any, now: str, destination: tuple[str, str]) -> str:
    """The ``Authorization`` header of a request.

    Args:
        canonical: The canonical request.
        names: Names of the signed headers, joined by semicolons.
        credentials: Frozen credentials that sign it.
        now: The ``X-Amz-Date`` header.
        destination: Region and signing name of the service.
    """
    mac, scope = keyed_mac(credentials.secret_key, now[:8], *destination)
    # A copy of a keyed HMAC: to key one takes longer than the rest of the signature.
    mac = mac.copy()
    mac.update(f"{ALGORITHM}\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode())
    start = f"{ALGORITHM} Credential={credentials.access_key}/{scope}"
    return f"{start}, SignedHeaders={names}, Signature={mac.hexdigest()}"


@functools.lru_cache(maxsize=1)
def timestamp(second: int) -> str:
    """The ``X-Amz-Date`` header.

    Args:
        second: Seconds since the epoch.
    """
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))


@functools.lru_cache(maxsize=MAX_KEYS)
def keyed_mac(secret: str, date: str, region_name: str, service_name: str) -> tuple[hmac.HMAC, str]:
    """An HMAC that has the signing key of one day, and the credential scope.

    Args:
        secret: Secret access key.
        date: Day in UTC, such as ``20150830``.
        region_name: Region.
        service_name: Signing name of the service.
    """
    key = signing_key(secret, date, region_name, service_name)
    return hmac.new(key, digestmod="sha256"), f"{date}/{region_name}/{service_name}/aws4_request"


def signing_key(secret: str, date: str, region_name: str, service_name: str) -> bytes:
    """The signing key of one day.

    Args:
        secret: Secret access key.
        date: Day in UTC, such as ``20150830``.
        region_name: Region.
        service_name: Signing name of the service.
    """
    key = f"AWS4{secret}".encode()
    for part in (date, region_name, service_name, "aws4_request"):
        # Not `hmac.digest`, which releases the interpreter lock within OpenSSL. If another thread forks at that moment,
        # OpenSSL's locks stay locked in the child, and its first signature waits for ever.
        key = hmac.new(key, part.encode(), digestmod="sha256").digest()
    return key


@functools.lru_cache(maxsize=MAX_KEYS)
def host_of(url: str) -> str:
    """Value of the ``Host`` header, as botocore signs it.

    Args:
        url: URL of a request.
    """
    no_credentials = ReadOnlyCredentials("", "", None)
    return t.cast("str", SigV4Auth(no_credentials, "", "").headers_to_sign(AWSRequest(url=url))["host"])


@functools.lru_cache(maxsize=MAX_KEYS)
def is_root_url(url: str) -> bool:
    """True if a URL has no path and no query.

    Args:
        url: URL of a request.
    """
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return False
    return parts.path in ("", "/") and not parts.query


def choose_signer(signature_version: t.Any, **_: t.Any) -> str | None:
    """Handler of botocore's event ``choose-signer``: replaces the stock signer and no other."""
    is_stock = signature_version == STOCK_VERSION and AUTH_TYPE_MAPS.get(STOCK_VERSION) is SigV4Auth
    return OWN_VERSION if is_stock else None


def install(client: t.Any) -> None:
    """Let a client sign with this signer. A handler that the program registers comes first.

    Args:
        client: A client of DynamoDB.
    """
    client.meta.events.register_last("choose-signer.dynamodb", choose_signer)


def _is_plain_post(request: t.Any) -> bool:
    context = request.context
    signs_body = context.get("payload_signing_enabled", True) and not context.get("checksum")
    is_plain = type(request.data) is bytes and type(request.headers) is HTTPHeaders and not request.params
    return signs_body and is_plain and request.method == "POST" and is_root_url(request.url)


def _is_ascii(value: t.Any) -> bool:
    return type(value) is str and value.isascii()


AUTH_TYPE_MAPS[OWN_VERSION] = Signer
