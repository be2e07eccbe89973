"""What makes two clients different: the key of a client, and the botocore options in it."""

from __future__ import annotations

import collections.abc as cabc
import hashlib
import os
import typing as t

from botocore.config import Config
from pynamodb.settings import get_settings_value
from werkzeug.datastructures import ImmutableDict

from dynaflask.config.bind import Bind
from dynaflask.config.fields import BIND_FIELDS

LOCAL = "local"
TUNED = "tuned"
STOCK = "stock"

MAX_OPTIONS = 1000
_known_options: dict[t.Any, t.Any] = {}


class Identity(t.NamedTuple):
    """Who signs the requests. The repr shows no secret."""

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
        return f"<Identity {self.role_arn or self.profile or self.aws_access_key_id or 'of the environment'}>"


class ClientKey(t.NamedTuple):
    """Everything that makes two clients different.

    Attributes:
        region: The region; ``None`` is the one of the environment.
        endpoint_url: The endpoint; ``None`` is AWS's own, ``"local"`` the local server.
        local_path: Where the local server keeps its data.
        identity: Who signs.
        extra_headers: What is sent along, unsigned.
        options: All options of botocore's ``Config``: timeouts, retries, pool size, proxies.
        transport: How its calls are made.
        factory: Which callable makes the client, of which bind.
        environment: What the ``AWS_*`` variables said when it was made, as a digest.
        owner: Whose alone the client is; ``None`` for a shared one.
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
        return f"<ClientKey region={self.region!r} endpoint_url={self.endpoint_url!r} {self.identity!r}>"


def client_key(bind: Bind) -> ClientKey:
    """The key of a bind's client: equal for two binds if, and only if, one client can serve both."""
    headers = bind.extra_headers or get_settings_value("extra_headers") or {}
    return ClientKey(
        region=bind.region or get_settings_value("region"),
        endpoint_url=bind.host or get_settings_value("host"),
        local_path=bind.local_path,
        identity=Identity(*(getattr(bind, name) for name in Identity._fields)),
        extra_headers=tuple(sorted(headers.items())),
        options=_options(bind),
        transport=bind.transport or TUNED,
        factory=_factory_key(bind) if bind.client_factory else None,
        environment=_environment(),
    )


def client_config(bind: Bind) -> Config:
    """botocore's options: PynamoDB's defaults, under ``DYNAMODB_CLIENT_CONFIG``, under the other settings."""
    config = Config(**_defaults())
    if bind.client_config is not None:
        config = config.merge(bind.client_config)
    config = config.merge(Config(**_given(bind)))
    # botocore rewrites this dict when it makes a client, and the program may use its own for other clients.
    retries = t.cast("t.Any", vars(config).get("retries"))
    return config.merge(Config(retries=retries.copy())) if retries else config


def freeze(value: t.Any) -> t.Any:
    """A hashable stand-in for a value: equal for equal values."""
    if isinstance(value, cabc.Mapping):
        return frozenset((name, freeze(content)) for name, content in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(freeze, value))
    return value


def _environment() -> str:
    variables = sorted(item for item in os.environ.items() if item[0].startswith("AWS_"))
    return hashlib.sha256(repr(variables).encode()).hexdigest()


def _factory_key(bind: Bind) -> t.Any:
    # The factory sees the whole bind. Callables count by their identity alone: the pool must not keep alive what they
    # close over, such as an app. A client of a factory belongs to one registry, which keeps the callables.
    values = (getattr(bind, name) for name in ("key", *BIND_FIELDS))
    return tuple(id(value) if callable(value) else freeze(value) for value in values)


def _options(bind: Bind) -> t.Any:
    if bind.client_config is not None:
        return freeze(vars(client_config(bind)))
    # Most apps have the same few, and putting botocore's together is most of what a key costs.
    given = freeze(_defaults()), freeze(_given(bind))
    options = _known_options.get(given)
    if options is None:
        if len(_known_options) >= MAX_OPTIONS:
            _known_options.clear()
        options = _known_options[given] = freeze(vars(client_config(bind)))
    return options


def _defaults() -> dict[str, t.Any]:
    return {
        "parameter_validation": False,  # as PynamoDB does, for speed
        "connect_timeout": get_settings_value("connect_timeout_seconds"),
        "read_timeout": get_settings_value("read_timeout_seconds"),
        "max_pool_connections": get_settings_value("max_pool_connections"),
        "retries": _retries(get_settings_value("retry_configuration"), get_settings_value("max_retry_attempts")),
    }


def _given(bind: Bind) -> dict[str, t.Any]:
    options = {
        "connect_timeout": bind.connect_timeout_seconds,
        "read_timeout": bind.read_timeout_seconds,
        "max_pool_connections": bind.max_pool_connections,
    }
    given: dict[str, t.Any] = {name: value for name, value in options.items() if value is not None}
    if bind.retry_configuration is not None or bind.max_retry_attempts is not None:
        attempts = bind.max_retry_attempts
        attempts = get_settings_value("max_retry_attempts") if attempts is None else attempts
        given["retries"] = _retries(bind.retry_configuration or "LEGACY", attempts)
    if bind.host == LOCAL:
        given["proxies"] = {}  # it is on loopback, whatever HTTP_PROXY says
    return given


def _retries(configuration: t.Any, max_attempts: int) -> t.Any:
    if configuration == "LEGACY":
        return {"total_max_attempts": 1 + max_attempts, "mode": "standard"}
    return None if configuration in (None, "UNSET") else dict(configuration)
