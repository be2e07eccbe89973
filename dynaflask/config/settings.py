"""Reads ``app.config`` once: every setting is checked, copied and frozen. No function here uses the network."""

from __future__ import annotations

import collections.abc as cabc
import difflib
import typing as t
import warnings

from werkzeug.datastructures import ImmutableDict

from dynaflask.config.fields import APP_VALIDATORS
from dynaflask.config.fields import BIND_VALIDATORS
from dynaflask.config.fields import CREDENTIAL_SETTINGS
from dynaflask.config.fields import IDENTITY_SETTINGS
from dynaflask.config.fields import MODEL_VALIDATORS
from dynaflask.config.fields import NESTED_SETTINGS
from dynaflask.config.fields import ROLE_SETTINGS
from dynaflask.config.fields import TENANT_VALIDATORS
from dynaflask.config.validators import Validator
from dynaflask.config.validators import Values
from dynaflask.config.validators import dict_of_dicts
from dynaflask.config.validators import is_tenant_name
from dynaflask.config.validators import string
from dynaflask.config.validators import wrong_type
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import UnknownBind

PREFIX = "DYNAMODB_"
# The keys of ``app.config``: by setting, and all of them without their prefix.
_KEYS: t.Final = {name: PREFIX + name.upper() for name in APP_VALIDATORS}
_VALID_NAMES: t.Final = frozenset(name.upper() for name in (*APP_VALIDATORS, *NESTED_SETTINGS))
DEFAULT_BIND = "default"
# What other libraries, and AWS's environment variables, call a setting.
ALIASES: t.Final = {
    "bind": "bind_key",
    "endpoint": "host",
    "endpoint_url": "host",
    "url": "host",
    "default_region": "region",
    "region_name": "region",
    "secret_key": "aws_secret_access_key",
    "tablename_prefix": "table_prefix",
}


class Settings(t.NamedTuple):
    """The checked settings of one app.

    Attributes:
        app_name: Name of the app, for messages.
        plain: Values of the plain ``DYNAMODB_*`` keys.
        binds: Values of ``DYNAMODB_BINDS``, by bind key.
        models: Values of ``DYNAMODB_MODELS``, by model name.
        tenants: Values of ``DYNAMODB_TENANTS``, by tenant; ``None`` if it is unset.
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
        """The values of the bind alone, without those of the plain keys.

        Raises:
            UnknownBind: The app has no such bind.
        """
        if bind_key not in self.bind_keys:
            raise UnknownBind(bind_key, known=self.bind_keys, app_name=self.app_name)
        return self.binds.get(bind_key, {})

    def effective_values(self, bind_key: str) -> dict[str, t.Any]:
        """The values of the bind over those of the plain keys.

        Raises:
            UnknownBind: The app has no such bind.
        """
        return merge_settings(self.plain, self.own_values(bind_key))

    def check_bind_key(self, label: str, values: Values) -> None:
        """Raise an error if the values name an unknown bind.

        Args:
            label: Name of the dict of values, for messages.
            values: The values.

        Raises:
            ConfigurationError: The app has no such bind.
        """
        bind_key = values.get("bind_key")
        if bind_key is not None and bind_key not in self.bind_keys:
            raise ConfigurationError(
                f"{label}['bind_key'] is {bind_key!r}, which is not in DYNAMODB_BINDS. The binds are"
                f" {', '.join(map(repr, self.bind_keys))}."
            )


def check_identity(label: str, values: Values, *, has_role: bool = False) -> None:
    """Raise an error for half a key pair, for a role setting without a role, and for two identities.

    Args:
        label: Name of the dict of values, for messages.
        values: The values.
        has_role: True if ``role_arn`` may be set elsewhere.

    Raises:
        ConfigurationError: The message names the settings and shows no value.
    """
    credentials = {name for name in CREDENTIAL_SETTINGS if values.get(name) is not None}
    keys = credentials & {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
    missing = {"aws_access_key_id", "aws_secret_access_key"} - keys
    if keys and missing:
        raise ConfigurationError(
            f"{_setting_names(label, keys)} is set without {_setting_names(label, missing)}. Set both, or neither."
        )
    role = {name for name in ROLE_SETTINGS if values.get(name) is not None}
    if role and "role_arn" not in role and not has_role:
        raise ConfigurationError(
            f"{_setting_names(label, [min(role)])} is set without {_setting_names(label, ['role_arn'])}. Set both, or"
            " neither."
        )
    if len(credentials - keys) + bool(keys) > 1:
        raise ConfigurationError(f"{_setting_names(label, credentials)} name more than one identity. Keep one of them.")


def check_values(
    label: str, values: Values, validators: cabc.Mapping[str, Validator], *, has_role: bool = False
) -> dict[str, t.Any]:
    """A dict of settings, checked. Its names may be in upper or lower case. ``None`` unsets a setting.

    Args:
        label: Name of the dict, for messages.
        values: The dict.
        validators: The validators of the settings that it may contain.
        has_role: See :func:`check_identity`.

    Raises:
        ConfigurationError: A name is unknown, or a value is wrong.
    """
    if not isinstance(values, cabc.Mapping):
        raise wrong_type(label, "a dict of settings", values)
    checked = {}
    for typed, value in values.items():
        name = typed.lower() if isinstance(typed, str) else typed
        if name not in validators:
            raise ConfigurationError(
                f"{label} has no setting {typed!r}.{did_you_mean(str(name).removeprefix(PREFIX.lower()), validators)}"
            )
        if name in checked:
            raise ConfigurationError(f"{label} has {name!r} twice, in upper and lower case. Keep one.")
        checked[name] = None if value is None else validators[name](f"{label}[{typed!r}]", value)
    check_identity(label, checked, has_role=has_role)
    return checked


def read_settings(app_name: str, config: Values) -> Settings:
    """Read and check the ``DYNAMODB_*`` keys of an app.

    Args:
        app_name: Name of the app, for messages.
        config: ``app.config``. It is not changed.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    _warn_of_unknown_keys(config)
    plain = {name: APP_VALIDATORS[name](key, config[key]) for name, key in _KEYS.items() if config.get(key) is not None}
    check_identity(PREFIX, plain)
    binds = _read_nested("DYNAMODB_BINDS", config, BIND_VALIDATORS)
    models = _read_nested("DYNAMODB_MODELS", config, MODEL_VALIDATORS)
    tenants = _read_tenants(config)
    settings = Settings(app_name, ImmutableDict(plain), ImmutableDict(binds), ImmutableDict(models), tenants)
    for label, nested in (("DYNAMODB_MODELS", models), ("DYNAMODB_TENANTS", tenants or {})):
        for name, values in nested.items():
            settings.check_bind_key(f"{label}[{name!r}]", values)
    return settings


def _read_tenants(config: Values) -> cabc.Mapping[str, Values] | None:
    if config.get("DYNAMODB_TENANTS") is None:
        return None
    tenants = _read_nested("DYNAMODB_TENANTS", config, TENANT_VALIDATORS, has_role=True)
    for name in tenants:
        if not is_tenant_name(name):
            raise ConfigurationError(
                f"DYNAMODB_TENANTS[{name!r}] must have a name of at most 256 letters, digits, spaces and _.:/=+-@."
            )
    return ImmutableDict(tenants)


def _read_nested(
    label: str, config: Values, validators: cabc.Mapping[str, Validator], *, has_role: bool = False
) -> dict[str, Values]:
    nested = config.get(label)
    return {
        string(f"A key of {label}", key): ImmutableDict(
            check_values(f"{label}[{key!r}]", values, validators, has_role=has_role)
        )
        for key, values in dict_of_dicts(label, {} if nested is None else nested).items()
    }


def _warn_of_unknown_keys(config: Values) -> None:
    for key in config:
        if isinstance(key, str) and key.startswith(PREFIX) and key.removeprefix(PREFIX) not in _VALID_NAMES:
            hint = did_you_mean(key.removeprefix(PREFIX), _VALID_NAMES, PREFIX)
            advice = hint or " Remove it, or look up its name in the reference of the settings."
            warnings.warn(f"{key} is not a setting of dynaflask.{advice}", stacklevel=5)


def did_you_mean(name: str, valid_names: cabc.Iterable[str], prefix: str = "", *, similarity: float = 0.6) -> str:
    """A sentence that suggests the most similar valid name; empty if no name is similar.

    Args:
        name: The name that is not valid.
        valid_names: The names to choose from.
        prefix: Stands before each of them in the sentence.
        similarity: How similar a name must be, as for `difflib.get_close_matches`.
    """
    by_lower_case = {valid.lower(): valid for valid in valid_names}
    nearest = [ALIASES.get(name.lower(), "")]
    if nearest[0] not in by_lower_case:
        nearest = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=similarity)
    return f" Did you mean {prefix + by_lower_case[nearest[0]]!r}?" if nearest else ""


def _setting_names(label: str, names: cabc.Iterable[str]) -> str:
    return ", ".join(f"{PREFIX}{name.upper()}" if label == PREFIX else f"{label}[{name!r}]" for name in sorted(names))


def merge_settings(base: Values, layer: Values) -> dict[str, t.Any]:
    """The values of ``layer`` over those of ``base``. An identity comes from one of them, never from both.

    A layer with credentials hides the credentials and the role of ``base``. A layer with a role hides its role.
    """
    hidden: frozenset[str] = frozenset()
    if CREDENTIAL_SETTINGS & layer.keys():
        hidden = IDENTITY_SETTINGS
    elif "role_arn" in layer:
        hidden = ROLE_SETTINGS
    return {**{name: value for name, value in base.items() if name not in hidden}, **layer}
