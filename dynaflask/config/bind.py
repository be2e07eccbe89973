"""A bind: one named destination, and which of two layers of settings says what of it."""

from __future__ import annotations

import typing as t

import botocore.config
from werkzeug.datastructures import ImmutableDict

from dynaflask.config.validators import BIND_VALIDATORS
from dynaflask.config.validators import TablePrefix
from dynaflask.config.validators import Values

DEFAULT_BIND = "default"

# Whoever names one of these names an identity: what a lower layer says of the others is not mixed in.
CREDENTIAL_SETTINGS = frozenset(
    {"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "profile", "session"}
)
ROLE_SETTINGS = frozenset(
    {"role_arn", "role_session_name", "external_id", "role_duration_seconds", "session_tags", "session_policy"}
)

# What decides where a request goes, and as whom.
DESTINATION_SETTINGS = (
    CREDENTIAL_SETTINGS | ROLE_SETTINGS | {"region", "host", "extra_headers", "client_factory", "client_config"}
)

BIND_FIELDS: t.Final = (*BIND_VALIDATORS, "local_path")


# Not a dataclass: to generate the methods of one with so many fields takes as long as to import three modules.
class Bind:
    """One named destination with its client options, as one app has it.

    A value of ``None`` is left to PynamoDB's settings file and botocore's own chain.

    Attributes:
        key: The key in ``DYNAMODB_BINDS``, or ``"default"``.
        region: The AWS region.
        host: The endpoint's URL, or ``"local"`` for the local server.
        connect_timeout_seconds: How long a connection may take to open.
        read_timeout_seconds: How long an answer may take.
        max_retry_attempts: How often a failed call is repeated.
        retry_configuration: botocore's ``retries``, ``"LEGACY"`` or ``"UNSET"``.
        max_pool_connections: How many connections one client keeps.
        extra_headers: Headers that every request carries, unsigned.
        aws_access_key_id: The identity, where it is given as keys.
        aws_secret_access_key: Its secret.
        aws_session_token: Its session token, where it is temporary.
        profile: The profile of the AWS configuration files to use.
        session: A botocore or boto3 session to make the client with.
        role_arn: The role to assume with that identity.
        role_session_name: The name of the role's session.
        external_id: The external id that the role asks for.
        role_duration_seconds: How long the role's credentials hold; 900 at least.
        session_tags: The tags of the role's session, which IAM policies can ask for.
        session_policy: An IAM policy, as JSON, that the role's session is held to besides the role's own.
        client_factory: A callable that gets this bind and returns the client.
        client_config: A botocore ``Config`` under the settings above.
        share_client: ``False`` for a client that serves this app alone.
        transport: How calls are made: ``"tuned"``, ``"direct"`` or ``"stock"``; ``None`` is tuned.
        table_prefix: What goes in front of a declared table name, or a callable.
        read_capacity_units: Read units per second of a table that is created.
        write_capacity_units: Write units per second of a table that is created.
        billing_mode: ``"PROVISIONED"`` or ``"PAY_PER_REQUEST"``.
        local_path: Where the local server keeps its data.
    """

    __slots__ = ("_hash", "_values", "key", *BIND_FIELDS)

    _hash: int | None
    _values: tuple[t.Any, ...]

    key: str
    region: str | None
    host: str | None
    connect_timeout_seconds: float | None
    read_timeout_seconds: float | None
    max_retry_attempts: int | None
    retry_configuration: str | ImmutableDict[str, t.Any] | None
    max_pool_connections: int | None
    extra_headers: ImmutableDict[str, str] | None
    aws_access_key_id: str | None
    aws_secret_access_key: str | None
    aws_session_token: str | None
    profile: str | None
    session: t.Any
    role_arn: str | None
    role_session_name: str | None
    external_id: str | None
    role_duration_seconds: int | None
    session_tags: ImmutableDict[str, str] | None
    session_policy: str | None
    client_factory: t.Callable[[Bind], t.Any] | None
    client_config: botocore.config.Config | None
    share_client: bool | None
    transport: str | None
    table_prefix: TablePrefix | None
    read_capacity_units: int | None
    write_capacity_units: int | None
    billing_mode: str | None
    local_path: str | None

    def __init__(self, key: str = DEFAULT_BIND, **values: t.Any) -> None:
        given = (key, *(values.pop(name, None) for name in BIND_FIELDS))
        if values:
            raise TypeError(f"A bind has no {', '.join(map(repr, values))}.")
        put = object.__setattr__
        for name, value in zip(("key", *BIND_FIELDS), given, strict=True):
            put(self, name, value)
        put(self, "_values", given)
        put(self, "_hash", None)

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, Bind) else NotImplemented

    def __hash__(self) -> int:
        # A bind is looked up in every context, and its hash takes long to make.
        if self._hash is None:
            object.__setattr__(self, "_hash", hash(self._values))
        return t.cast("int", self._hash)

    def __reduce__(self) -> tuple[t.Any, ...]:
        return make_bind, (self.key, {name: getattr(self, name) for name in BIND_FIELDS})

    def __setattr__(self, name: str, value: t.Any) -> t.NoReturn:
        raise AttributeError(f"{self!r} is frozen. Enter other values with `with db.using({name}=...):`.")

    def __delattr__(self, name: str) -> t.NoReturn:
        raise AttributeError(f"{self!r} is frozen.")

    @property
    def destination(self) -> tuple[t.Any, ...]:
        """What decides where a request goes, and as whom."""
        return tuple(getattr(self, name) for name in sorted(DESTINATION_SETTINGS))

    def __repr__(self) -> str:
        return f"<Bind {self.key!r} region={self.region!r} host={self.host!r}>"


def make_bind(bind_key: str, values: Values) -> Bind:
    """The frozen destination that these values describe."""
    return Bind(key=bind_key, **{name: values.get(name) for name in BIND_FIELDS})


def merge_settings(base: Values, layer: Values) -> dict[str, t.Any]:
    """The values of ``layer`` over those of ``base``. An identity is taken whole, never mixed of two layers."""
    hidden: frozenset[str] = frozenset()
    if CREDENTIAL_SETTINGS & layer.keys():
        hidden = CREDENTIAL_SETTINGS | ROLE_SETTINGS
    elif "role_arn" in layer:
        hidden = ROLE_SETTINGS
    return {**{name: value for name, value in base.items() if name not in hidden}, **layer}
