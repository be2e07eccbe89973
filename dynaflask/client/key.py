"""The key of a client: everything that makes two clients different, botocore's options among it."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from botocore.config import Config
from pynamodb.settings import get_settings_value
from werkzeug.datastructures import ImmutableDict

from dynaflask.client.environment import environment_digest
from dynaflask.config.bind import Bind
from dynaflask.config.client_validators import TRANSPORTS
from dynaflask.config.client_validators import extra_headers
from dynaflask.config.fields import BIND_FIELDS

LOCAL = "local"
DIRECT, BOTOCORE, STOCK = TRANSPORTS
DEFAULT_TRANSPORT = DIRECT

MAX_OPTIONS = 1000
# Options by the settings that they derive from. Two threads may compute the same options: the values are equal.
_options_cache: dict[t.Any, t.Any] = {}


class Identity(t.NamedTuple):
    """The credentials of a client, or where they come from. The repr shows no secret."""

    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    aws_session_token: str | None = None
    profile: str | None = None
    session: t.Any = None
    role_arn: str | None = None
    role_session_name: str | None = None
    external_id: str | None = None
    role_duration_seconds: int | None = None
    session_tags: ImmutableDict[str, str] | None = None
    session_policy: str | None = None

    def __repr__(self) -> str:
        return f"<Identity {self.role_arn or self.profile or self.aws_access_key_id or 'from the environment'}>"


class ClientKey(t.NamedTuple):
    """Everything that makes two clients different.

    Attributes:
        region: The region; ``None`` for the region of the environment.
        endpoint_url: The endpoint; ``None`` for AWS's own, ``"local"`` for the local server.
        local_path: Directory of the local server's data.
        identity: The credentials.
        extra_headers: Headers that are sent unsigned.
        options: All options of botocore's ``Config``: timeouts, retries, pool size, proxies.
        transport: The value of ``DYNAMODB_TRANSPORT``.
        factory: The values of the bind that a ``DYNAMODB_CLIENT_FACTORY`` gets; ``None`` without a factory.
        environment: Digest of the variables and files that botocore reads, at the time the key was made.
        owner: An object that stands for the app, if the client serves this app alone; else ``None``.
    """

    region: str | None
    endpoint_url: str | None
    local_path: str | None
    identity: Identity
    extra_headers: tuple[tuple[str, str], ...]
    options: t.Any
    transport: str
    factory: t.Any
    environment: str
    owner: object = None

    def __repr__(self) -> str:
        return (
            f"<ClientKey region={self.region!r} endpoint_url={without_password(self.endpoint_url)!r} {self.identity!r}>"
        )


def client_key(bind: Bind) -> ClientKey:
    """The key of a bind's client. Two binds have equal keys if, and only if, one client can serve both."""
    headers = bind.extra_headers or extra_headers("PynamoDB's extra_headers", get_settings_value("extra_headers") or {})
    return ClientKey(
        region=bind.region or get_settings_value("region"),
        endpoint_url=bind.host or get_settings_value("host"),
        local_path=bind.local_path,
        identity=Identity(*(getattr(bind, name) for name in Identity._fields)),
        extra_headers=tuple(sorted(headers.items())),
        options=_options(bind),
        transport=transport_of(bind),
        factory=_factory_key(bind) if bind.client_factory else None,
        environment=environment_digest(),
    )


def transport_of(bind: Bind) -> str:
    """How the calls of a bind are sent: ``DYNAMODB_TRANSPORT``, or its default."""
    return bind.transport or DEFAULT_TRANSPORT


def client_config(bind: Bind) -> Config:
    """The botocore options of a bind: PynamoDB's defaults, then ``DYNAMODB_CLIENT_CONFIG``, then the other settings."""
    config = Config(**_defaults())
    if bind.client_config is not None:
        config = config.merge(bind.client_config)
    config = config.merge(Config(**_bind_options(bind)))
    # A copy, because botocore changes this dict when it makes a client, and the program may use it for other clients.
    retries = t.cast("t.Any", vars(config).get("retries"))
    return config.merge(Config(retries=retries.copy())) if retries else config


def freeze(value: t.Any) -> t.Any:
    """A hashable form of a value. Equal values have equal forms."""
    if isinstance(value, cabc.Mapping):
        return frozenset((name, freeze(content)) for name, content in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(freeze, value))
    return value


def without_password(url: str | None) -> str | None:
    """A URL without its user name and password."""
    return url and re.sub("//[^/]*@", "//", url)


def _factory_key(bind: Bind) -> t.Any:
    # A factory gets the whole bind. Callables count by their id alone, because the pool must not keep alive the objects
    # that they refer to, such as an app. The registry that owns the client keeps the callables alive.
    values = (getattr(bind, name) for name in ("key", *BIND_FIELDS))
    return tuple(id(value) if callable(value) else freeze(value) for value in values)


def _options(bind: Bind) -> t.Any:
    if bind.client_config is not None:
        return freeze(vars(client_config(bind)))
    # Most apps have the same few options, and botocore's Config is most of the cost of a key.
    settings = freeze(_defaults()), freeze(_bind_options(bind))
    options = _options_cache.get(settings)
    if options is None:
        if len(_options_cache) >= MAX_OPTIONS:
            _options_cache.clear()
        options = _options_cache[settings] = freeze(vars(client_config(bind)))
    return options


def _defaults() -> dict[str, t.Any]:
    return {
        "parameter_validation": False,  # as PynamoDB does, for speed
        "connect_timeout": get_settings_value("connect_timeout_seconds"),
        "read_timeout": get_settings_value("read_timeout_seconds"),
        "max_pool_connections": get_settings_value("max_pool_connections"),
        "retries": _retries(get_settings_value("retry_configuration"), get_settings_value("max_retry_attempts")),
    }


def _bind_options(bind: Bind) -> dict[str, t.Any]:
    values = {
        "connect_timeout": bind.connect_timeout_seconds,
        "read_timeout": bind.read_timeout_seconds,
        "max_pool_connections": bind.max_pool_connections,
    }
    options: dict[str, t.Any] = {name: value for name, value in values.items() if value is not None}
    if bind.retry_configuration is not None or bind.max_retry_attempts is not None:
        attempts = bind.max_retry_attempts
        attempts = get_settings_value("max_retry_attempts") if attempts is None else attempts
        options["retries"] = _retries(bind.retry_configuration or "LEGACY", attempts)
    if bind.host == LOCAL:
        options["proxies"] = {}  # the local server is on loopback: HTTP_PROXY must not apply to it
    return options


def _retries(configuration: t.Any, max_attempts: int) -> t.Any:
    if configuration == "LEGACY":
        return {"total_max_attempts": 1 + max_attempts, "mode": "standard"}
    return None if configuration in (None, "UNSET") else dict(configuration)
