"""AWS's Signature Version 4, with the day's key kept. botocore derives it for each call, and is ready for anything."""

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

STOCK = "v4"
NAME = "dynaflask-v4"
# As many as there may be clients. A key is of one day, and so falls out some time after it.
MAX_KEYS = 1000
ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = frozenset(SIGNED_HEADERS_BLACKLIST)
# A request that has one was signed before, or is dated or hashed by someone else.
UNUSUAL = frozenset({"authorization", "date", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"})

# botocore logs what it signs, if it is asked to.
_log = logging.getLogger(SigV4Auth.__module__)


class Signer(SigV4Auth):
    """botocore's signer, which is quick with a ``POST`` to ``/``. Whatever is unusual it leaves to botocore.

    botocore makes one for each request.

    Args:
        credentials: Frozen credentials.
        service_name: The service.
        region_name: The region.
    """

    def __init__(self, credentials: t.Any, service_name: str, region_name: str) -> None:
        super().__init__(credentials, service_name, region_name)
        self._destination = (region_name, service_name)

    def add_auth(self, request: t.Any) -> None:
        """Sign a request.

        Args:
            request: A request that is about to be sent.
        """
        headers = usual_headers(request)
        if headers is None or not self._may_be_quick():
            super().add_auth(request)
            return
        now = request.context["timestamp"] = timestamp(int(time.time()))
        new = {"X-Amz-Date": now}
        if self.credentials.token:
            new["X-Amz-Security-Token"] = self.credentials.token
        for name, value in new.items():
            request.headers[name] = headers[name.lower()] = value
        if "host" not in headers:
            headers["host"] = host_of(request.url)
        request.headers["Authorization"] = self._authorization(headers, request.data, now=now)

    def _may_be_quick(self) -> bool:
        has_usual_keys = self.credentials is not None and _is_ascii(self.credentials.token or "")
        return has_usual_keys and not _log.isEnabledFor(logging.DEBUG)

    def _authorization(self, headers: dict[str, str], body: bytes, *, now: str) -> str:
        listed = "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers)])
        names = self.signed_headers(headers)
        canonical = f"POST\n/\n\n{listed}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        return authorization(
            canonical, names=names, credentials=self.credentials, now=now, destination=self._destination
        )


def usual_headers(request: t.Any) -> dict[str, str] | None:
    """The headers of a request that are signed, by lower-case name; ``None`` if there is anything unusual about it.

    Args:
        request: A request.
    """
    if not _is_usual(request):
        return None
    # `items()` looks into each value for what it would have to encode.
    given = [*request.headers.raw_items()]
    headers = {name.lower(): value for name, value in given}
    if len(headers) != len(given) or not UNUSUAL.isdisjoint(headers) or not all(map(_is_ascii, headers.values())):
        return None
    return {name: value for name, value in headers.items() if name not in UNSIGNED}


def authorization(canonical: str, *, names: str, credentials: t.Any, now: str, destination: tuple[str, str]) -> str:
    """The header ``Authorization`` of a request.

    Args:
        canonical: What is signed of the request.
        names: The signed headers.
        credentials: Who signs.
        now: The ``X-Amz-Date``.
        destination: The region and the service.
    """
    mac, scope = day_of(credentials.secret_key, now[:8], *destination)
    # One that is under way already: to begin takes longer than all the rest.
    mac = mac.copy()
    mac.update(f"{ALGORITHM}\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode())
    begin = f"{ALGORITHM} Credential={credentials.access_key}/{scope}"
    return f"{begin}, SignedHeaders={names}, Signature={mac.hexdigest()}"


@functools.lru_cache(maxsize=1)
def timestamp(second: int) -> str:
    """The ``X-Amz-Date`` of a second."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))


@functools.lru_cache(maxsize=MAX_KEYS)
def day_of(secret: str, date: str, region_name: str, service_name: str) -> tuple[hmac.HMAC, str]:
    """The beginning of all signatures of a day, and what they are good for.

    Args:
        secret: The secret access key.
        date: The day, as ``20150830``.
        region_name: The region.
        service_name: The service.
    """
    key = signing_key(secret, date, region_name, service_name)
    return hmac.new(key, digestmod="sha256"), f"{date}/{region_name}/{service_name}/aws4_request"


def signing_key(secret: str, date: str, region_name: str, service_name: str) -> bytes:
    """What signs all requests of a day.

    Args:
        secret: The secret access key.
        date: The day, as ``20150830``.
        region_name: The region.
        service_name: The service.
    """
    key = f"AWS4{secret}".encode()
    for part in (date, region_name, service_name, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@functools.lru_cache(maxsize=MAX_KEYS)
def host_of(url: str) -> str:
    """What goes into the header ``Host``."""
    nobody = ReadOnlyCredentials("", "", None)
    return t.cast("str", SigV4Auth(nobody, "", "").headers_to_sign(AWSRequest(url=url))["host"])


@functools.lru_cache(maxsize=MAX_KEYS)
def is_root(url: str) -> bool:
    """Whether a URL has no path and no query."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return False
    return parts.path in ("", "/") and not parts.query


def choose(signature_version: t.Any, **_: t.Any) -> str | None:
    """A handler of botocore's event ``choose-signer``: takes the stock signer's place, and no other's."""
    is_stock = signature_version == STOCK and AUTH_TYPE_MAPS.get(STOCK) is SigV4Auth
    return NAME if is_stock else None


def install(client: t.Any) -> None:
    """Let a client sign with it. A handler that the user registers is asked first.

    Args:
        client: A client of DynamoDB.
    """
    client.meta.events.register_last("choose-signer.dynamodb", choose)


def _is_usual(request: t.Any) -> bool:
    context = request.context
    is_signed = context.get("payload_signing_enabled", True) and not context.get("checksum")
    is_plain = type(request.data) is bytes and type(request.headers) is HTTPHeaders and not request.params
    return is_signed and is_plain and request.method == "POST" and is_root(request.url)


def _is_ascii(value: t.Any) -> bool:
    return type(value) is str and value.isascii()


AUTH_TYPE_MAPS[NAME] = Signer
