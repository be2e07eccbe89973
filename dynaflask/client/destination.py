"""Where the requests of a client go and how they look, known without the client.

find_destination(key, bind)    the destination of a client that can be made later, or None
  Destination                    URL, region, keys, constant headers and timeouts

A botocore client costs milliseconds and hundreds of kilobytes, and most destinations need it only after a failed call.
Only known settings in a known environment have a destination. Any other client is made at once. If a client is made
later, it is compared with its destination before it sends anything.
"""

from __future__ import annotations

import re
import typing as t

from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import EndpointProviderError
from botocore.utils import get_environ_proxies
from urllib3.connection import HTTPConnection

from dynaflask.client import tls
from dynaflask.client.botocore_internals import first_attempt_names_limit
from dynaflask.client.botocore_internals import frozen_credentials
from dynaflask.client.botocore_internals import mock_is_active
from dynaflask.client.botocore_internals import signing_destination
from dynaflask.client.botocore_internals import user_agent
from dynaflask.client.codec import parts
from dynaflask.client.direct.request_template import PER_REQUEST_HEADERS
from dynaflask.client.direct.request_template import RequestTemplate
from dynaflask.client.direct.request_template import are_sendable
from dynaflask.client.environment import environment_digest
from dynaflask.client.environment import environment_keys
from dynaflask.client.environment import environment_region
from dynaflask.client.environment import environment_verify
from dynaflask.client.environment import has_known_environment
from dynaflask.client.key import DIRECT
from dynaflask.client.key import ClientKey
from dynaflask.client.key import client_config
from dynaflask.client.service_data import SERVICE
from dynaflask.client.service_data import regional_url
from dynaflask.config.bind import Bind

if t.TYPE_CHECKING:
    import ssl

    from dynaflask.client.direct.operation_codec import OperationCodec

# Regions like eu-west-1. botocore gives a meaning of its own to others, such as fips-us-east-1, local and aws-global.
REGION = r"[a-z]{2}-[a-z]+-[0-9]+"
# Endpoints that botocore uses as they are.
HOST = r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?/?"
# Options that a destination knows. All others must have botocore's default.
KNOWN_OPTIONS = frozenset(
    {
        "connect_timeout",
        "read_timeout",
        "max_pool_connections",
        "retries",
        "parameter_validation",
        "user_agent_extra",
        "user_agent_appid",
    }
)
# `adaptive` counts the calls of each client, also the successful ones.
KNOWN_RETRIES = {"total_max_attempts", "mode"}
KNOWN_RETRY_MODES = frozenset({"standard", "legacy"})
# The headers of a request that are signed, or that differ in each request.
RESERVED_HEADERS = frozenset({"host", "content-type", "x-amz-target", "accept-encoding"}) | PER_REQUEST_HEADERS
# botocore's record of the options that its caller named. It only matters where two Configs are merged.
USER_OPTIONS = "_user_provided_options"


class Destination(t.NamedTuple):
    """Everything that the requests of one client share. The repr shows no secret.

    Attributes:
        url: URL of the requests.
        host: Endpoint of the settings; ``None`` for AWS's own.
        region: Region of the signatures.
        credentials: Keys of the signatures.
        headers: Constant headers of all operations, by lower-case name.
        environment: Digest of the environment that the destination was found in.
        verify: Path of the CA bundle, or True for botocore's own.
        connect_timeout: Seconds that a connection attempt may take.
        read_timeout: Seconds that may pass without a byte.
        max_pool_connections: Number of idle connections that are kept.
    """

    url: str
    host: str | None
    region: str
    credentials: ReadOnlyCredentials
    headers: dict[str, str]
    environment: str
    verify: str | bool
    connect_timeout: float | None
    read_timeout: float | None
    max_pool_connections: int

    def __repr__(self) -> str:
        return f"<Destination {self.url!r} region={self.region!r}>"

    @property
    def socket_options(self) -> tuple[t.Any, ...]:
        """Options of the sockets: botocore's are those of urllib3."""
        return tuple(HTTPConnection.default_socket_options)

    @property
    def tls_context(self) -> ssl.SSLContext | None:
        """The TLS context of the connections; ``None`` for plain HTTP, and if the CA bundle cannot be read."""
        return tls.bundle_context(self.verify) if self.url.startswith("https:") else None

    @property
    def client_options(self) -> dict[str, t.Any]:
        """Arguments of ``create_client`` that leave nothing to the environment."""
        access_key_id, secret_access_key, session_token, *_ = self.credentials
        return {
            "region_name": self.region,
            "endpoint_url": self.host,
            "aws_access_key_id": access_key_id,
            "aws_secret_access_key": secret_access_key,
            "aws_session_token": session_token,
            "verify": self.verify,
        }

    @property
    def is_environment_unchanged(self) -> bool:
        """True if a client that is made now finds the environment that the destination was found in."""
        return self.environment == environment_digest()

    def template(self, operation: OperationCodec) -> RequestTemplate:
        """The constant part of the requests of one operation.

        Args:
            operation: The operation.
        """
        headers = {**operation.constant_headers(), **self.headers}
        return RequestTemplate(self.url, headers, destination=(self.region, SERVICE))

    def check(self, client: t.Any) -> None:
        """Compare with the client that takes over.

        Args:
            client: The client, which has not sent anything yet.

        Raises:
            RuntimeError: Its requests would go to another server, or with other credentials.
        """
        keys = frozen_credentials(client)
        checks = {
            "endpoint": client.meta.endpoint_url.rstrip("/") == self.url.rstrip("/"),
            # None: this version of botocore does not tell.
            "region": signing_destination(client) in {None, (self.region, SERVICE)},
            "credentials": keys is None or tuple(keys)[:3] == tuple(self.credentials)[:3],
        }
        self._require_all(checks)

    def check_template(self, template: RequestTemplate) -> None:
        """Compare with a request that botocore is about to send; see :meth:`check`.

        Args:
            template: The template of the request.
        """
        is_same_region = template.destination == (self.region, SERVICE)
        self._require_all({"endpoint": template.url == self.url, "region": is_same_region})

    def _require_all(self, checks: dict[str, bool]) -> None:
        # The message names no key.
        differences = " and ".join(name for name, is_equal in checks.items() if not is_equal)
        if differences:
            raise RuntimeError(
                f"botocore made a client with another {differences} than the earlier calls to {self.url} had. It has"
                ' sent nothing. Set DYNAMODB_TRANSPORT = "botocore", and report this, please.'
            )


def find_destination(key: ClientKey, bind: Bind) -> Destination | None:
    """The destination of a client that can be made later; ``None`` if the client must be made now.

    Args:
        key: The key of the client.
        bind: A bind of that key.
    """
    if key.transport != DIRECT or key.factory is not None or parts.unsupported_reason() is not None:
        return None
    credentials, region = _credentials(key), key.region or environment_region()
    config = client_config(bind)
    if credentials is None or not region or re.fullmatch(REGION, region) is None or not _is_known_config(config):
        return None
    if mock_is_active() or not has_known_environment():
        return None
    url = _url(key.endpoint_url, region)
    headers = None if url is None else _headers(key, config)
    if url is None or headers is None or get_environ_proxies(url):
        return None
    destination = Destination(
        url=url,
        host=key.endpoint_url,
        region=region,
        credentials=credentials,
        headers=headers,
        environment=key.environment,
        verify=environment_verify(),
        connect_timeout=t.cast("t.Any", config).connect_timeout,
        read_timeout=t.cast("t.Any", config).read_timeout,
        max_pool_connections=t.cast("t.Any", config).max_pool_connections,
    )
    return None if url.startswith("https:") and destination.tls_context is None else destination


def _credentials(key: ClientKey) -> ReadOnlyCredentials | None:
    identity = key.identity
    keys: tuple[str | None, str | None, str | None] | None = identity[:3]
    if not any(identity):
        keys = environment_keys()
    elif any(identity[3:]):
        return None
    return ReadOnlyCredentials(*keys) if keys and keys[0] and keys[1] else None


def _is_known_config(config: Config) -> bool:
    options, defaults = vars(config), vars(Config())
    names = options.keys() - KNOWN_OPTIONS - {USER_OPTIONS}
    retries = options["retries"] or {}
    return (
        all(options[name] == defaults[name] for name in names)
        and options["parameter_validation"] is False
        and retries.keys() == KNOWN_RETRIES
        and retries["mode"] in KNOWN_RETRY_MODES
    )


def _url(host: str | None, region: str) -> str | None:
    if host is not None:
        return f"{host.rstrip('/')}/" if re.fullmatch(HOST, host) else None
    try:
        return f"{regional_url(region)}/"
    except EndpointProviderError:
        return None


def _headers(key: ClientKey, config: Config) -> dict[str, str] | None:
    retries = t.cast("t.Any", config).retries
    features = [
        "CREDENTIALS_CODE" if key.identity.aws_access_key_id else "CREDENTIALS_ENV_VARS",
        f"RETRY_MODE_{retries['mode'].upper()}",
        "FLEXIBLE_CHECKSUMS_REQ_WHEN_SUPPORTED",
        "FLEXIBLE_CHECKSUMS_RES_WHEN_SUPPORTED",
        "ACCOUNT_ID_MODE_PREFERRED",
        *(["ENDPOINT_OVERRIDE"] if key.endpoint_url else []),
    ]
    # The legacy mode tells the number of attempts only when it tries again.
    has_limit = retries["mode"] == "standard" and first_attempt_names_limit()
    limit = f"; max={retries['total_max_attempts']}" if has_limit else ""
    headers = {"user-agent": user_agent(config, features), "amz-sdk-request": f"attempt=1{limit}"}
    extra = {name.lower(): value for name, value in key.extra_headers}
    # A header of the settings replaces botocore's own. Such a request is botocore's to make.
    if len(extra) != len(key.extra_headers) or extra.keys() & (headers.keys() | RESERVED_HEADERS):
        return None
    headers.update(extra)
    return headers if are_sendable(headers) else None
