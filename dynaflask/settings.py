"""``app.config`` becomes binds: every setting, its check and its message.

Nothing here touches the network or keeps what the caller passed: values are checked, copied and frozen.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import json
import os
import re
import typing as t
import urllib.parse
import warnings

import botocore.config
import botocore.exceptions
import botocore.session
import botocore.utils
from pynamodb.constants import AVAILABLE_BILLING_MODES
from werkzeug.datastructures import ImmutableDict

from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import UnknownBind
from dynaflask.late import imports

PREFIX = "DYNAMODB_"
DEFAULT_BIND = "default"
TRANSPORTS = ("tuned", "direct", "stock")
# What STS takes.
MAX_SESSION_TAGS = 50
MAX_POLICY_CHARACTERS = 2048

Values = cabc.Mapping[str, t.Any]
Check = t.Callable[[str, t.Any], t.Any]
TablePrefix: t.TypeAlias = "str | t.Callable[[str], str]"

# Whoever names one of these names an identity: what a lower layer says of the others is not mixed in.
SOURCE_SETTINGS = frozenset({"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "profile", "session"})
ROLE_SETTINGS = frozenset(
    {"role_arn", "role_session_name", "external_id", "role_duration_seconds", "session_tags", "session_policy"}
)

# What decides where a request goes, and as whom.
WHERE_AND_WHO = SOURCE_SETTINGS | ROLE_SETTINGS | {"region", "host", "extra_headers", "client_factory", "client_config"}


def _wrong(label: str, wanted: str, value: object) -> ConfigurationError:
    return ConfigurationError(f"{label} must be {wanted}, not {type(value).__name__}.")


def text(label: str, value: t.Any) -> str:
    """A string that is not empty. A number is taken as its digits: an environment variable may look like one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _wrong(label, "a string", value)
    if not value:
        raise ConfigurationError(f"{label} is empty. Remove it to leave it unset.")
    return value


def region(label: str, value: t.Any) -> str:
    """A region's name."""
    name = text(label, value)
    try:
        # It takes the end of a line at the end of the name.
        botocore.utils.validate_region_name(repr(name)[1:-1])
    except botocore.exceptions.InvalidRegionError:
        raise ConfigurationError(f"{label} must be a region such as 'eu-west-1', not {name!r}.") from None
    return name


def host(label: str, value: t.Any) -> str:
    """An endpoint's URL, or ``"local"`` for the embedded engine."""
    url = text(label, value)
    try:
        parts = urllib.parse.urlsplit(url)
        has_place = parts.port != 0 and url.isprintable() and " " not in url
    except ValueError as error:
        raise ConfigurationError(f"{label}: {error}") from error
    if parts.username or parts.password:
        raise ConfigurationError(f"{label} must not carry a user and a password.")
    if url == "local" or (parts.scheme in {"http", "https"} and parts.hostname and has_place):
        return url
    raise ConfigurationError(f"{label} must be a URL such as 'http://localhost:8000', or 'local', not {url!r}.")


def role_arn(label: str, value: t.Any) -> str:
    """The name by which AWS knows a role."""
    name = text(label, value)
    if not name.startswith("arn:"):
        raise ConfigurationError(f"{label} must be like 'arn:aws:iam::123456789012:role/forum', not {name!r}.")
    return name


def seconds(label: str, value: t.Any) -> float:
    """A duration above zero, in seconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(label, "a number of seconds", value)
    if not 0 < value < float("inf"):
        raise ConfigurationError(f"{label} must be more than 0 seconds, not {value!r}.")
    return value


def _whole_number(least: int) -> Check:
    def check(label: str, value: t.Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(label, "a whole number", value)
        if value < least:
            raise ConfigurationError(f"{label} must be at least {least}, not {value}.")
        return value

    return check


def headers(label: str, value: t.Any) -> ImmutableDict[str, str]:
    """A mapping of header names to values."""
    if not isinstance(value, cabc.Mapping):
        raise _wrong(label, "a dict of strings", value)
    for name, content in value.items():
        if not isinstance(name, str) or not isinstance(content, str):
            raise _wrong(f"{label}[{name!r}]", "a string", content)
        if set(name + content) & set("\r\n"):
            raise ConfigurationError(f"{label}[{name!r}] must not contain a line break.")
    return ImmutableDict(value)


def retries(label: str, value: t.Any) -> str | ImmutableDict[str, t.Any]:
    """``"LEGACY"``, ``"UNSET"``, or what botocore takes as ``Config(retries=...)``."""
    if value in ("LEGACY", "UNSET"):
        return t.cast(str, value)
    if not isinstance(value, cabc.Mapping):
        raise _wrong(label, "'LEGACY', 'UNSET' or a dict", value)
    try:
        botocore.config.Config(retries=t.cast("t.Any", dict(value)))
    except (botocore.exceptions.BotoCoreError, TypeError) as error:
        raise ConfigurationError(f"{label} must be what botocore takes as Config(retries=...): {error}") from error
    return ImmutableDict(value)


def billing_mode(label: str, value: t.Any) -> str:
    """One of DynamoDB's billing modes."""
    if value not in AVAILABLE_BILLING_MODES:
        raise ConfigurationError(f"{label} must be one of {', '.join(map(repr, AVAILABLE_BILLING_MODES))}.")
    return t.cast(str, value)


def transport(label: str, value: t.Any) -> str:
    """How calls are made."""
    if value not in TRANSPORTS:
        raise ConfigurationError(f"{label} must be one of {', '.join(map(repr, TRANSPORTS))}.")
    return t.cast(str, value)


def flag(label: str, value: t.Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise _wrong(label, "True or False", value)
    return value


def session(label: str, value: t.Any) -> t.Any:
    """A botocore or boto3 session."""
    if not callable(getattr(value, "create_client", getattr(value, "client", None))):
        raise _wrong(label, "a botocore or boto3 session", value)
    if not isinstance(value, cabc.Hashable):
        raise ConfigurationError(f"{label} must be hashable, as botocore's and boto3's sessions are.")
    return value


def function(label: str, value: t.Any) -> t.Callable[..., t.Any]:
    """Something that can be called."""
    if not callable(value):
        raise _wrong(label, "a callable", value)
    # Binds are hashed, and a callable object of the user's may not be.
    return t.cast("t.Callable[..., t.Any]", value if isinstance(value, cabc.Hashable) else functools.partial(value))


def client_config(label: str, value: t.Any) -> botocore.config.Config:
    """A botocore ``Config``."""
    if not isinstance(value, botocore.config.Config):
        raise _wrong(label, "a botocore.config.Config", value)
    return value


def table_prefix(label: str, value: t.Any) -> TablePrefix:
    """A string, or a callable from the declared table name to the real one."""
    if callable(value):
        return function(label, value)
    return value if value == "" else text(label, value)


def tags(label: str, value: t.Any) -> dict[str, str]:
    """The tags of a table that is created."""
    return dict(headers(label, value))


def session_tags(label: str, value: t.Any) -> ImmutableDict[str, str]:
    """The tags of a role's session, as STS takes them."""
    checked = headers(label, value)
    if len(checked) > MAX_SESSION_TAGS:
        raise ConfigurationError(f"{label} must be at most {MAX_SESSION_TAGS} tags, not {len(checked)}.")
    for name, content in checked.items():
        if not (_is_tag_text(name, most=128) and _is_tag_text(content or " ")):
            raise ConfigurationError(
                f"{label}[{name!r}] must be a name of 128 and a value of 256 letters, digits, spaces and _.:/=+-@ at"
                " most."
            )
    return checked


def session_policy(label: str, value: t.Any) -> str:
    """An IAM policy, as a dict or as JSON; it is kept as the shortest JSON of its kind."""
    try:
        document = json.loads(value) if isinstance(value, str) else value
        policy = json.dumps(document, separators=(",", ":"))
    except (TypeError, ValueError):
        document = policy = None
    if not isinstance(document, dict) or policy is None:
        raise ConfigurationError(f"{label} must be an IAM policy, as a dict or as JSON.")
    if len(policy) > MAX_POLICY_CHARACTERS:
        raise ConfigurationError(f"{label} has {len(policy)} characters. STS takes {MAX_POLICY_CHARACTERS} at most.")
    return policy


def path(label: str, value: t.Any) -> str:
    """A path of the file system."""
    if not isinstance(value, (str, os.PathLike)):
        raise _wrong(label, "a path", value)
    return text(label, os.fspath(value))


def units(label: str, value: t.Any) -> float:
    """Capacity units per second, above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(label, "a number of capacity units, or a dict of such numbers by tenant", value)
    if not 0 < value < float("inf"):
        raise ConfigurationError(f"{label} must be more than 0 capacity units, not {value!r}.")
    return value


def capacity(label: str, value: t.Any) -> float | ImmutableDict[str, float | None]:
    """Capacity units per second, or these by tenant, with ``None`` for one without a limit."""
    if not isinstance(value, cabc.Mapping):
        return units(label, value)
    return ImmutableDict(
        {
            text(f"A key of {label}", tenant): None if share is None else units(f"{label}[{tenant!r}]", share)
            for tenant, share in value.items()
        }
    )


BIND_CHECKS: t.Final[cabc.Mapping[str, Check]] = {
    "region": region,
    "host": host,
    "connect_timeout_seconds": seconds,
    "read_timeout_seconds": seconds,
    "max_retry_attempts": _whole_number(0),
    "retry_configuration": retries,
    "max_pool_connections": _whole_number(1),
    "extra_headers": headers,
    "aws_access_key_id": text,
    "aws_secret_access_key": text,
    "aws_session_token": text,
    "profile": text,
    "session": session,
    "role_arn": role_arn,
    "role_session_name": text,
    "external_id": text,
    "role_duration_seconds": _whole_number(900),  # the least that STS takes
    "session_tags": session_tags,
    "session_policy": session_policy,
    "client_factory": function,
    "client_config": client_config,
    "share_client": flag,
    "transport": transport,
    "table_prefix": table_prefix,
    "read_capacity_units": _whole_number(1),
    "write_capacity_units": _whole_number(1),
    "billing_mode": billing_mode,
}

MODEL_CHECKS: t.Final[cabc.Mapping[str, Check]] = {
    **BIND_CHECKS,
    "table_name": text,
    "bind_key": text,
    "stream_view_type": text,
    "tags": tags,
    "deletion_protection": flag,
}

TENANT_CHECKS: t.Final[cabc.Mapping[str, Check]] = {**BIND_CHECKS, "bind_key": text}

APP_CHECKS: t.Final[cabc.Mapping[str, Check]] = {
    "local_path": path,
    "max_clients": _whole_number(1),
    "client_idle_seconds": seconds,
    "meter": flag,
    "meter_max_tenants": _whole_number(1),
    "tenant_capacity": capacity,
    "error_handlers": flag,
    "require_tenant": flag,
    "tenant_ttl_seconds": seconds,
}


BIND_FIELDS: t.Final = (*BIND_CHECKS, "local_path")


# Not a dataclass: to generate the methods of one with so many fields takes as long as to import three modules.
class Bind:
    """One named destination with its client options, as one app has it.

    A value of ``None`` is left to PynamoDB's settings file and botocore's own chain.

    Attributes:
        key: The key in ``DYNAMODB_BINDS``, or ``"default"``.
        region: The AWS region.
        host: The endpoint's URL, or ``"local"`` for the embedded engine.
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
        local_path: Where the embedded engine keeps its data.
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
        return tuple(getattr(self, name) for name in sorted(WHERE_AND_WHO))

    def __repr__(self) -> str:
        return f"<Bind {self.key!r} region={self.region!r} host={self.host!r}>"


class Settings(t.NamedTuple):
    """What one app's configuration says, checked.

    Attributes:
        app_name: The app's name, for messages.
        plain: The plain ``DYNAMODB_*`` keys.
        binds: What ``DYNAMODB_BINDS`` names, by bind key.
        models: What ``DYNAMODB_MODELS`` names, by model name.
        tenants: What ``DYNAMODB_TENANTS`` names, by tenant; ``None`` if it is not set.
    """

    app_name: str
    plain: Values
    binds: cabc.Mapping[str, Values]
    models: cabc.Mapping[str, Values]
    tenants: cabc.Mapping[str, Values] | None = None

    def __repr__(self) -> str:
        return f"<Settings of {self.app_name!r}>"

    @property
    def bind_keys(self) -> tuple[str, ...]:
        """The keys of all binds, ``"default"`` first."""
        return (DEFAULT_BIND, *(key for key in self.binds if key != DEFAULT_BIND))

    def named_by(self, bind_key: str) -> Values:
        """What the bind itself names, without the plain keys.

        Raises:
            UnknownBind: The app has no such bind.
        """
        if bind_key not in self.bind_keys:
            raise UnknownBind(bind_key, known=self.bind_keys, app_name=self.app_name)
        return self.binds.get(bind_key, {})

    def values_of(self, bind_key: str) -> dict[str, t.Any]:
        """What the bind names, over the plain keys."""
        return overlay(self.plain, self.named_by(bind_key))

    def check_bind_key(self, label: str, values: Values) -> None:
        """Refuse values that name a bind which is not there.

        Raises:
            ConfigurationError: The message names the setting.
        """
        bind_key = values.get("bind_key")
        if bind_key is not None and bind_key not in self.bind_keys:
            raise ConfigurationError(f"{label}['bind_key'] is {bind_key!r}, which is not in DYNAMODB_BINDS.")


def overlay(base: Values, layer: Values) -> dict[str, t.Any]:
    """The values of ``layer`` over those of ``base``. An identity is taken whole, never mixed of two layers."""
    hidden: frozenset[str] = frozenset()
    if SOURCE_SETTINGS & layer.keys():
        hidden = SOURCE_SETTINGS | ROLE_SETTINGS
    elif "role_arn" in layer:
        hidden = ROLE_SETTINGS
    return {**{name: value for name, value in base.items() if name not in hidden}, **layer}


def make_bind(bind_key: str, values: Values) -> Bind:
    """The frozen destination that these values describe."""
    return Bind(key=bind_key, **{name: values.get(name) for name in BIND_FIELDS})


def check_identity(label: str, values: Values, *, has_role: bool = False) -> None:
    """Refuse half a key pair, and two identities at once.

    Args:
        label: Whose values they are, for messages.
        values: The values.
        has_role: Whether the role may be named elsewhere.

    Raises:
        ConfigurationError: The message names the settings, and no value.
    """
    given = {name for name in SOURCE_SETTINGS if values.get(name) is not None}
    keys = given & {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
    missing = {"aws_access_key_id", "aws_secret_access_key"} - keys
    if keys and missing:
        have, lack = (", ".join(_typed(label, name) for name in sorted(names)) for names in (keys, missing))
        raise ConfigurationError(f"{have} is set without {lack}. Set both, or neither.")
    stray = {name for name in ROLE_SETTINGS if values.get(name) is not None}
    if stray and "role_arn" not in stray and not has_role:
        raise ConfigurationError(f"{_typed(label, min(stray))} is set without {_typed(label, 'role_arn')}.")
    if len(given - keys) + bool(keys) > 1:
        both = ", ".join(_typed(label, name) for name in sorted(given))
        raise ConfigurationError(f"{both} name more than one identity. Keep the one to use.")


def check_values(
    label: str, values: Values, checks: cabc.Mapping[str, Check], *, has_role: bool = False
) -> dict[str, t.Any]:
    """Check a dict of settings, whose names may come in any case. ``None`` means botocore's own.

    Args:
        label: What the dict is called, for messages.
        values: The dict.
        checks: The settings that may be in it.
        has_role: As of :func:`check_identity`.

    Raises:
        ConfigurationError: A name is unknown, or a value is wrong.
    """
    if not isinstance(values, cabc.Mapping):
        raise _wrong(label, "a dict of settings", values)
    checked = {}
    for typed, value in values.items():
        name = typed.lower() if isinstance(typed, str) else typed
        if name not in checks:
            raise ConfigurationError(
                f"{label} has no setting {typed!r}.{did_you_mean(str(name).removeprefix(PREFIX.lower()), checks)}"
            )
        if name in checked:
            raise ConfigurationError(f"{label} has {name!r} twice, in other letters. Keep one.")
        checked[name] = None if value is None else checks[name](f"{label}[{typed!r}]", value)
    check_identity(label, checked, has_role=has_role)
    return checked


def read_settings(app_name: str, config: Values) -> Settings:
    """Read and check what an app's configuration says of DynamoDB.

    Args:
        app_name: The app's name, for messages.
        config: ``app.config``. It is left as it is.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    _warn_of_unknown_keys(config)
    plain = {
        name: check(PREFIX + name.upper(), config[PREFIX + name.upper()])
        for name, check in {**BIND_CHECKS, **APP_CHECKS}.items()
        if config.get(PREFIX + name.upper()) is not None
    }
    check_identity(PREFIX, plain)
    binds = _read_named("DYNAMODB_BINDS", config, BIND_CHECKS)
    models = _read_named("DYNAMODB_MODELS", config, MODEL_CHECKS)
    tenants = _read_tenants(config)
    settings = Settings(app_name, ImmutableDict(plain), ImmutableDict(binds), ImmutableDict(models), tenants)
    for label, named in (("DYNAMODB_MODELS", models), ("DYNAMODB_TENANTS", tenants or {})):
        for name, values in named.items():
            settings.check_bind_key(f"{label}[{name!r}]", values)
    return settings


def is_tenant_name(name: str) -> bool:
    """Whether a tenant may be called so: as the value of a tag in STS, which has neither ``#`` nor a wildcard."""
    return _is_tag_text(name)


def _is_tag_text(value: str, *, most: int = 256) -> bool:
    return 0 < len(value) <= most and re.fullmatch(r"[\w .:/=+@-]*", value) is not None


def _read_tenants(config: Values) -> cabc.Mapping[str, Values] | None:
    if config.get("DYNAMODB_TENANTS") is None:
        return None
    tenants = _read_named("DYNAMODB_TENANTS", config, TENANT_CHECKS, has_role=True)
    for name in tenants:
        if not is_tenant_name(name):
            raise ConfigurationError(
                f"DYNAMODB_TENANTS[{name!r}] must be called by 256 letters, digits, spaces and _.:/=+-@ at most."
            )
    return ImmutableDict(tenants)


def _read_named(
    label: str, config: Values, checks: cabc.Mapping[str, Check], *, has_role: bool = False
) -> dict[str, Values]:
    named = config.get(label) or {}
    if not isinstance(named, cabc.Mapping):
        raise _wrong(label, "a dict of dicts", named)
    return {
        text(f"A key of {label}", key): ImmutableDict(
            check_values(f"{label}[{key!r}]", values, checks, has_role=has_role)
        )
        for key, values in named.items()
    }


def _warn_of_unknown_keys(config: Values) -> None:
    known = {name.upper() for name in (*BIND_CHECKS, *APP_CHECKS, "binds", "models", "tenants")}
    ours = [key for key in config if isinstance(key, str) and key.startswith(PREFIX)]
    for key in ours:
        name = key.removeprefix(PREFIX)
        if name not in known:
            warnings.warn(f"{key} is not a setting of dynaflask.{did_you_mean(name, known, PREFIX)}", stacklevel=4)


def did_you_mean(name: str, known: cabc.Iterable[str], prefix: str = "") -> str:
    """A sentence that offers the nearest known name, if one is near."""
    with imports:
        import difflib  # noqa: PLC0415 - few names are misspelt

    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {prefix + nearest[0]!r}?" if nearest else ""


def _typed(label: str, name: str) -> str:
    return f"{PREFIX}{name.upper()}" if label == PREFIX else f"{label}[{name!r}]"
