"""AWS's Signature Version 4, with the day's key kept. botocore derives it for each call, and is ready for any URL."""

from __future__ import annotations

import functools
import hashlib
import hmac
import typing as t
import urllib.parse

from botocore.auth import AUTH_TYPE_MAPS
from botocore.auth import SIGNED_HEADERS_BLACKLIST
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

STOCK = "v4"
NAME = "dynaflask-v4"
# As many as there may be clients. A key is of one day, and so falls out some time after it.
MAX_KEYS = 1000


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

    def headers_to_sign(self, request: t.Any) -> t.Any:
        """What is signed of a request's headers, by lower-case name."""
        given = request.headers.items()
        headers = {name.lower(): value for name, value in given}
        if len(headers) < len(given):
            return super().headers_to_sign(request)
        for name in SIGNED_HEADERS_BLACKLIST:
            headers.pop(name, None)
        if "host" not in headers:
            headers["host"] = host_of(request.url)
        return headers

    def canonical_headers(self, headers_to_sign: t.Any) -> str:
        """A line for each header."""
        if type(headers_to_sign) is not dict:
            return super().canonical_headers(headers_to_sign)
        return "\n".join([f"{name}:{' '.join(value.split())}" for name, value in sorted(headers_to_sign.items())])

    def payload(self, request: t.Any) -> str:
        """The hash of the body."""
        # `request.body` prepares the whole request for sending, each time.
        is_signed = request.context.get("payload_signing_enabled", True) and not request.context.get("checksum")
        if is_signed and type(request.data) is bytes:
            return hashlib.sha256(request.data).hexdigest()
        return super().payload(request)

    def canonical_request(self, request: t.Any) -> str:
        """What the signature is of."""
        is_plain = request.method == "POST" and not request.params and is_root(request.url)
        if not is_plain or "X-Amz-Content-SHA256" in request.headers:
            return super().canonical_request(request)
        headers = self.headers_to_sign(request)
        lines = (self.canonical_headers(headers), "", self.signed_headers(headers), self.payload(request))
        return "\n".join(("POST", "/", "", *lines))

    def signature(self, string_to_sign: str, request: t.Any) -> str:
        """The signature, in hexadecimal digits."""
        key = signing_key(self.credentials.secret_key, request.context["timestamp"][:8], *self._destination)
        return hmac.digest(key, string_to_sign.encode(), "sha256").hex()


@functools.lru_cache(maxsize=MAX_KEYS)
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
    parts = urllib.parse.urlsplit(url)
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


AUTH_TYPE_MAPS[NAME] = Signer
