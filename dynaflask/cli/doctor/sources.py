"""Where a setting of a destination comes from: each layer of the settings has a name that the user typed."""

from __future__ import annotations

import collections.abc as cabc
import os
import typing as t

from pynamodb import settings as pynamodb_settings

from dynaflask.cli.doctor.report import Value
from dynaflask.cli.doctor.report import masked
from dynaflask.client.environment import ENDPOINT_VARIABLES
from dynaflask.client.environment import REGION_VARIABLES
from dynaflask.client.key import LOCAL
from dynaflask.client.key import client_key
from dynaflask.client.key import without_password
from dynaflask.config.bind import Bind
from dynaflask.config.settings import PREFIX
from dynaflask.config.validators import Values
from dynaflask.registry.registry import Registry

# The settings that name an identity, the ones that win first.
IDENTITY: t.Final = ("client_factory", "role_arn", "aws_access_key_id", "profile", "session")
REGION_VARIABLE: t.Final = REGION_VARIABLES[0]
# botocore's names of its credential providers.
METHODS: t.Final = {
    "env": "environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "shared-credentials-file": "shared credentials file",
    "config-file": "AWS configuration file",
    "assume-role": "role in the AWS configuration file",
    "assume-role-with-web-identity": "web identity token",
    "container-role": "container's role",
    "iam-role": "EC2 instance's role",
    "sso": "SSO session of the profile",
    "custom-process": "credential_process of the profile",
}

Label = t.Callable[[str], str]


class Layer(t.NamedTuple):
    """One place that settings come from.

    Attributes:
        label: Makes the name of a setting in this place, as the user typed it.
        values: The settings.
    """

    label: Label
    values: Values


class Client(t.NamedTuple):
    """What a client knows of its destination.

    Attributes:
        region: The region.
        endpoint_url: The endpoint.
        method: How botocore found the credentials; ``None`` if it found none, or if the settings have them.
        access_key_id: Id of the key that botocore found.
        scoped_config: The settings of the profile.
        transport: The transport in use; ``None`` if it is not known.
        transport_reason: Why the requested transport is not in use; ``None`` if it is.
    """

    region: str | None = None
    endpoint_url: str | None = None
    method: str | None = None
    access_key_id: str | None = None
    scoped_config: cabc.Mapping[str, t.Any] = {}
    transport: str | None = None
    transport_reason: str | None = None


def layers_of(registry: Registry, bind: Bind, model: t.Any = None) -> list[Layer]:
    """The places that a bind's settings come from, in the order in which they win.

    Args:
        registry: The app's registry, in a context of the app.
        bind: The bind.
        model: A model on the bind, whose ``Meta`` may have settings of its own.
    """
    settings, tenant = registry.settings, registry.scope.principal.tenant
    layers: list[Layer] = []
    if tenant is not None:
        name = tenant.name
        layers = [
            Layer(lambda key: f"DYNAMODB_TENANTS[{name!r}][{key!r}]", (settings.tenants or {}).get(name, {})),
            Layer(lambda key: f"DYNAMODB_BINDS[{bind.key!r}][{key!r}]", settings.binds.get(bind.key, {})),
            Layer(lambda key: f"db.tenant_settings({name!r})[{key!r}]", tenant.changes),
        ]
    if model is not None:
        declaration = registry.models.declaration_of(model)
        layers += [
            Layer(
                lambda key: f"DYNAMODB_MODELS[{declaration.model_name!r}][{key!r}]",
                registry.models.configured(declaration),
            ),
            Layer(lambda key: f"{declaration.model_name}.Meta.{key}", declaration.values()),
        ]
    return [
        *layers,
        Layer(lambda key: f"DYNAMODB_BINDS[{bind.key!r}][{key!r}]", settings.binds.get(bind.key, {})),
        Layer(lambda key: f"{PREFIX}{key.upper()}", settings.plain),
    ]


def values_of(bind: Bind, layers: cabc.Sequence[Layer], client: Client) -> tuple[Value, ...]:
    """The settings that decide a destination, each with its source.

    Args:
        bind: The bind of the destination.
        layers: The places that its settings come from.
        client: What its client knows.
    """
    return (
        _region(bind, layers, client),
        _endpoint(bind, layers, client),
        _identity(bind, layers, client),
        _table_prefix(bind, layers),
        Value("transport", client.transport or bind.transport, _source("transport", bind, layers) or "default"),
    )


def _source(setting: str, bind: Bind, layers: cabc.Sequence[Layer]) -> str | None:
    """The place that a bind's value comes from; None if the bind has none."""
    value = getattr(bind, setting)
    if value is None:
        return None
    # The value is what precedence decided: the highest layer with this value is its source.
    for layer in layers:
        if layer.values.get(setting) == value:
            return layer.label(setting)
    return "the current context: db.using, or a change of Meta"


def _pynamodbs_file(setting: str) -> str | None:
    if pynamodb_settings.get_settings_value(setting) is None:
        return None
    return f"PynamoDB's settings file {pynamodb_settings.OVERRIDE_SETTINGS_PATH}"


def _region(bind: Bind, layers: cabc.Sequence[Layer], client: Client) -> Value:
    source = _source("region", bind, layers) or _pynamodbs_file("region")
    region = client.region or client_key(bind).region
    if source is None and region is None:
        source = f"nowhere: set DYNAMODB_REGION or {REGION_VARIABLE}"
    elif source is None and bind.session is not None:
        source = "DYNAMODB_SESSION"
    elif source is None and os.environ.get(REGION_VARIABLE) == region:
        source = f"environment variable {REGION_VARIABLE}"
    elif source is None and client.scoped_config.get("region") == region:
        source = "profile"
    return Value("region", region, source or "default")


def _endpoint(bind: Bind, layers: cabc.Sequence[Layer], client: Client) -> Value:
    source = _source("host", bind, layers) or _pynamodbs_file("host")
    endpoint = client.endpoint_url or client_key(bind).endpoint_url
    if source is None:
        variables = (name for name in ENDPOINT_VARIABLES if os.environ.get(name) == endpoint)
        variable = next(variables, None) if endpoint else None
        source = f"environment variable {variable}" if variable else "default of AWS for the region"
    if bind.host == LOCAL and client.endpoint_url:
        return Value("endpoint", f"{LOCAL}: {client.endpoint_url}", source)
    return Value("endpoint", without_password(endpoint), source)


def _identity(bind: Bind, layers: cabc.Sequence[Layer], client: Client) -> Value:
    for setting in IDENTITY:
        source = _source(setting, bind, layers)
        if source is not None:
            return Value("identity", _shown_identity(setting, getattr(bind, setting)), source)
    if bind.host == LOCAL:
        return Value("identity", LOCAL, "default of the local server")
    if client.method is None:
        return Value("identity", None, "nowhere: botocore found no credentials")
    value = masked(client.access_key_id) if client.access_key_id else None
    return Value("identity", value, METHODS.get(client.method, client.method))


def _shown_identity(setting: str, value: t.Any) -> str:
    if setting == "aws_access_key_id":
        return f"key {masked(value)}"
    return {"role_arn": f"role {value}", "profile": f"profile {value}"}.get(setting, setting)


def _table_prefix(bind: Bind, layers: cabc.Sequence[Layer]) -> Value:
    prefix = bind.table_prefix
    text = f"function {getattr(prefix, '__name__', 'of the program')}" if callable(prefix) else prefix
    return Value("table prefix", text or None, _source("table_prefix", bind, layers) or "default")
