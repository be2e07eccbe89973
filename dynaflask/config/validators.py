"""What each setting takes, and what is said of a value that it does not take.

A check gets the setting's name, as the program spelt it, and the value. It returns the value, copied and frozen.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import json
import os
import re
import typing as t
import urllib.parse

import botocore.config
import botocore.exceptions
import botocore.utils
from pynamodb.constants import AVAILABLE_BILLING_MODES
from werkzeug.datastructures import ImmutableDict

from dynaflask.exceptions import ConfigurationError

TRANSPORTS = ("tuned", "direct", "stock")
# What STS takes.
MAX_SESSION_TAGS = 50
MAX_POLICY_CHARACTERS = 2048

Values = cabc.Mapping[str, t.Any]
Validator = t.Callable[[str, t.Any], t.Any]
TablePrefix: t.TypeAlias = "str | t.Callable[[str], str]"


def wrong_type(label: str, wanted: str, value: object) -> ConfigurationError:
    """The error of a value of a type that a setting does not take."""
    return ConfigurationError(f"{label} must be {wanted}, not {type(value).__name__}.")


def text(label: str, value: t.Any) -> str:
    """A string that is not empty. A number is taken as its digits: an environment variable may look like one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise wrong_type(label, "a string", value)
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
    """An endpoint's URL, or ``"local"`` for the local server."""
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
        raise wrong_type(label, "a number of seconds", value)
    if not 0 < value < float("inf"):
        raise ConfigurationError(f"{label} must be more than 0 seconds, not {value!r}.")
    return value


def _whole_number(least: int) -> Validator:
    def check(label: str, value: t.Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(label, "a whole number", value)
        if value < least:
            raise ConfigurationError(f"{label} must be at least {least}, not {value}.")
        return value

    return check


def headers(label: str, value: t.Any) -> ImmutableDict[str, str]:
    """A mapping of header names to values."""
    if not isinstance(value, cabc.Mapping):
        raise wrong_type(label, "a dict of strings", value)
    for name, content in value.items():
        if not isinstance(name, str) or not isinstance(content, str):
            raise wrong_type(f"{label}[{name!r}]", "a string", content)
        if set(name + content) & set("\r\n"):
            raise ConfigurationError(f"{label}[{name!r}] must not contain a line break.")
    return ImmutableDict(value)


def retries(label: str, value: t.Any) -> str | ImmutableDict[str, t.Any]:
    """``"LEGACY"``, ``"UNSET"``, or what botocore takes as ``Config(retries=...)``."""
    if value in ("LEGACY", "UNSET"):
        return t.cast(str, value)
    if not isinstance(value, cabc.Mapping):
        raise wrong_type(label, "'LEGACY', 'UNSET' or a dict", value)
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
        raise wrong_type(label, "True or False", value)
    return value


def session(label: str, value: t.Any) -> t.Any:
    """A botocore or boto3 session."""
    if not callable(getattr(value, "create_client", getattr(value, "client", None))):
        raise wrong_type(label, "a botocore or boto3 session", value)
    if not isinstance(value, cabc.Hashable):
        raise ConfigurationError(f"{label} must be hashable, as botocore's and boto3's sessions are.")
    return value


def function(label: str, value: t.Any) -> t.Callable[..., t.Any]:
    """Something that can be called."""
    if not callable(value):
        raise wrong_type(label, "a callable", value)
    # Binds are hashed, and a callable object of the user's may not be.
    return t.cast("t.Callable[..., t.Any]", value if isinstance(value, cabc.Hashable) else functools.partial(value))


def client_config(label: str, value: t.Any) -> botocore.config.Config:
    """A botocore ``Config``."""
    if not isinstance(value, botocore.config.Config):
        raise wrong_type(label, "a botocore.config.Config", value)
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
        raise wrong_type(label, "a path", value)
    return text(label, os.fspath(value))


def units(label: str, value: t.Any) -> float:
    """Capacity units per second, above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong_type(label, "a number of capacity units, or a dict of such numbers by tenant", value)
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


def is_tenant_name(name: str) -> bool:
    """Whether a tenant may be called so: as the value of a tag in STS, which has neither ``#`` nor a wildcard."""
    return _is_tag_text(name)


def _is_tag_text(value: str, *, most: int = 256) -> bool:
    return 0 < len(value) <= most and re.fullmatch(r"[\w .:/=+@-]*", value) is not None


BIND_VALIDATORS: t.Final[cabc.Mapping[str, Validator]] = {
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

MODEL_VALIDATORS: t.Final[cabc.Mapping[str, Validator]] = {
    **BIND_VALIDATORS,
    "table_name": text,
    "bind_key": text,
    "stream_view_type": text,
    "tags": tags,
    "deletion_protection": flag,
}

TENANT_VALIDATORS: t.Final[cabc.Mapping[str, Validator]] = {**BIND_VALIDATORS, "bind_key": text}

APP_VALIDATORS: t.Final[cabc.Mapping[str, Validator]] = {
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
