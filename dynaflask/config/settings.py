"""``app.config`` becomes settings: every key is read and checked once.

Nothing here touches the network or keeps what the caller passed: values are checked, copied and frozen.
"""

from __future__ import annotations

import collections.abc as cabc
import difflib
import typing as t
import warnings

from werkzeug.datastructures import ImmutableDict

from dynaflask.config.bind import CREDENTIAL_SETTINGS
from dynaflask.config.bind import DEFAULT_BIND
from dynaflask.config.bind import ROLE_SETTINGS
from dynaflask.config.bind import merge_settings
from dynaflask.config.validators import APP_VALIDATORS
from dynaflask.config.validators import BIND_VALIDATORS
from dynaflask.config.validators import MODEL_VALIDATORS
from dynaflask.config.validators import TENANT_VALIDATORS
from dynaflask.config.validators import Validator
from dynaflask.config.validators import Values
from dynaflask.config.validators import is_tenant_name
from dynaflask.config.validators import text
from dynaflask.config.validators import wrong_type
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import UnknownBind

PREFIX = "DYNAMODB_"


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

    def own_values(self, bind_key: str) -> Values:
        """What the bind itself names, without the plain keys.

        Raises:
            UnknownBind: The app has no such bind.
        """
        if bind_key not in self.bind_keys:
            raise UnknownBind(bind_key, known=self.bind_keys, app_name=self.app_name)
        return self.binds.get(bind_key, {})

    def effective_values(self, bind_key: str) -> dict[str, t.Any]:
        """What the bind names, over the plain keys."""
        return merge_settings(self.plain, self.own_values(bind_key))

    def check_bind_key(self, label: str, values: Values) -> None:
        """Refuse values that name a bind which is not there.

        Raises:
            ConfigurationError: The message names the setting.
        """
        bind_key = values.get("bind_key")
        if bind_key is not None and bind_key not in self.bind_keys:
            raise ConfigurationError(f"{label}['bind_key'] is {bind_key!r}, which is not in DYNAMODB_BINDS.")


def check_identity(label: str, values: Values, *, has_role: bool = False) -> None:
    """Refuse half a key pair, and two identities at once.

    Args:
        label: Whose values they are, for messages.
        values: The values.
        has_role: Whether the role may be named elsewhere.

    Raises:
        ConfigurationError: The message names the settings, and no value.
    """
    given = {name for name in CREDENTIAL_SETTINGS if values.get(name) is not None}
    keys = given & {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
    missing = {"aws_access_key_id", "aws_secret_access_key"} - keys
    if keys and missing:
        have, lack = (", ".join(_setting_name(label, name) for name in sorted(names)) for names in (keys, missing))
        raise ConfigurationError(f"{have} is set without {lack}. Set both, or neither.")
    stray = {name for name in ROLE_SETTINGS if values.get(name) is not None}
    if stray and "role_arn" not in stray and not has_role:
        raise ConfigurationError(
            f"{_setting_name(label, min(stray))} is set without {_setting_name(label, 'role_arn')}."
        )
    if len(given - keys) + bool(keys) > 1:
        both = ", ".join(_setting_name(label, name) for name in sorted(given))
        raise ConfigurationError(f"{both} name more than one identity. Keep the one to use.")


def check_values(
    label: str, values: Values, checks: cabc.Mapping[str, Validator], *, has_role: bool = False
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
        raise wrong_type(label, "a dict of settings", values)
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
        for name, check in {**BIND_VALIDATORS, **APP_VALIDATORS}.items()
        if config.get(PREFIX + name.upper()) is not None
    }
    check_identity(PREFIX, plain)
    binds = _read_named("DYNAMODB_BINDS", config, BIND_VALIDATORS)
    models = _read_named("DYNAMODB_MODELS", config, MODEL_VALIDATORS)
    tenants = _read_tenants(config)
    settings = Settings(app_name, ImmutableDict(plain), ImmutableDict(binds), ImmutableDict(models), tenants)
    for label, named in (("DYNAMODB_MODELS", models), ("DYNAMODB_TENANTS", tenants or {})):
        for name, values in named.items():
            settings.check_bind_key(f"{label}[{name!r}]", values)
    return settings


def _read_tenants(config: Values) -> cabc.Mapping[str, Values] | None:
    if config.get("DYNAMODB_TENANTS") is None:
        return None
    tenants = _read_named("DYNAMODB_TENANTS", config, TENANT_VALIDATORS, has_role=True)
    for name in tenants:
        if not is_tenant_name(name):
            raise ConfigurationError(
                f"DYNAMODB_TENANTS[{name!r}] must be called by 256 letters, digits, spaces and _.:/=+-@ at most."
            )
    return ImmutableDict(tenants)


def _read_named(
    label: str, config: Values, checks: cabc.Mapping[str, Validator], *, has_role: bool = False
) -> dict[str, Values]:
    named = config.get(label) or {}
    if not isinstance(named, cabc.Mapping):
        raise wrong_type(label, "a dict of dicts", named)
    return {
        text(f"A key of {label}", key): ImmutableDict(
            check_values(f"{label}[{key!r}]", values, checks, has_role=has_role)
        )
        for key, values in named.items()
    }


def _warn_of_unknown_keys(config: Values) -> None:
    known = {name.upper() for name in (*BIND_VALIDATORS, *APP_VALIDATORS, "binds", "models", "tenants")}
    ours = [key for key in config if isinstance(key, str) and key.startswith(PREFIX)]
    for key in ours:
        name = key.removeprefix(PREFIX)
        if name not in known:
            warnings.warn(f"{key} is not a setting of dynaflask.{did_you_mean(name, known, PREFIX)}", stacklevel=4)


def did_you_mean(name: str, known: cabc.Iterable[str], prefix: str = "") -> str:
    """A sentence that offers the nearest known name, if one is near."""
    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {prefix + nearest[0]!r}?" if nearest else ""


def _setting_name(label: str, name: str) -> str:
    return f"{PREFIX}{name.upper()}" if label == PREFIX else f"{label}[{name!r}]"
