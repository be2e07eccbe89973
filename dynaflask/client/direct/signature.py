"""AWS Signature Version 4 of a request, with a cached signing key. botocore derives the key again for each call.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import time
import typing as t
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

# More than the clients of a process. A key is valid for one day, and leaves the LRU cache some time after it.
MAX_KEYS = 1000
ALGORITHM = "AWS4-HMAC-SHA256"
# Looked up at the import, which fails in a botocore without the name: then botocore signs each request.
headers_to_sign: t.Any = SigV4Auth.headers_to_sign


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
    signer = SigV4Auth(ReadOnlyCredentials("", "", None), "", "")
    return t.cast("str", headers_to_sign(signer, AWSRequest(url=url))["host"])


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
