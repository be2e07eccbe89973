"""Which value wins: the settings of a model, and of a bind, in one scope.

Highest first, for each setting:

1. the tenant of the context. The context cannot override it; if it tries, it gets ``TenantMismatch``;
2. what this context set on ``Model.Meta``, or entered with ``db.using``;
3. ``DYNAMODB_MODELS["Thread"]`` in ``app.config``;
4. what the model's own ``Meta`` declares;
5. the bind: ``DYNAMODB_BINDS[bind_key]`` over the plain ``DYNAMODB_*`` keys;
6. PynamoDB's settings file, then botocore's own chain.

A bind that a context selects brings its own settings along to line 2: inside ``db.using("eu")`` a model runs in the
region of ``eu``, even if the model declares another region.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from dynaflask.config.bind import Bind
from dynaflask.config.bind import make_bind
from dynaflask.config.fields import DESTINATION_SETTINGS
from dynaflask.config.fields import MODEL_ONLY_SETTINGS
from dynaflask.config.fields import MODEL_VALIDATORS
from dynaflask.config.fields import UPSTREAM_DEFAULTS
from dynaflask.config.settings import DEFAULT_BIND
from dynaflask.config.settings import Settings
from dynaflask.config.settings import check_identity
from dynaflask.config.settings import merge_settings
from dynaflask.config.validators import Values
from dynaflask.config.validators import is_arn
from dynaflask.exceptions import ConfigurationError
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.effective_settings import EffectiveSettings
from dynaflask.registry.effective_settings import with_defaults
from dynaflask.tenants.tenant import Tenant

EMPTY_BIND: t.Final = Bind()


def resolve(
    declaration: DeclaredMeta,
    *,
    settings: Settings,
    binds: cabc.Mapping[str, Bind],
    configured: Values,
    context: cabc.Sequence[Values] = (),
    tenant: Tenant | None = None,
) -> EffectiveSettings:
    """The settings of a model, by the order at the top of this module.

    Args:
        declaration: What the model declares.
        settings: The app's configuration.
        binds: The app's binds.
        configured: The model's entry in ``DYNAMODB_MODELS``.
        context: What the context set and entered, the innermost last.
        tenant: The context's tenant, if it has settings of its own.

    Raises:
        UnknownBind: The app does not have the bind that wins.
        TenantMismatch: The context contradicts the tenant.
        ConfigurationError: The values that win do not fit together.
    """
    declared = declaration.values()
    overrides = _tenant_overrides(tenant, context)
    bind_key = select_bind_key([declared, configured, *context, overrides])
    uses_plain_bind = not (context or overrides or configured) and MODEL_ONLY_SETTINGS.issuperset(declared)
    if uses_plain_bind and bind_key in binds:
        bind = binds[bind_key]
        table_name = _real_name(declared.get("table_name"), bind)
        is_static = _is_static(declaration, bind)
        return EffectiveSettings(bind, table_name, is_static=is_static, values=declared, settings=settings)
    values = merge_settings(merge_settings(settings.effective_values(bind_key), declared), configured)
    declared_name = values.pop("table_name", None)
    values = merge_settings(
        apply_context_layers(values, settings=settings, bind_key=bind_key, context=context), overrides
    )
    check_identity(f"{declaration.model_name}.Meta", values)
    bind = make_bind(bind_key, values)
    # A name that the context set is the real name, and gets no prefix.
    table_name = values.get("table_name") or _real_name(declared_name, bind)
    is_static = _is_static(declaration, bind)
    return EffectiveSettings(bind, table_name, is_static=is_static, values=with_defaults(values, bind_key, table_name))


def declared_settings(declaration: DeclaredMeta) -> EffectiveSettings:
    """The settings of a model outside of app contexts: what it declares, over PynamoDB's defaults.

    Args:
        declaration: What the model declares.
    """
    meta_class = declaration.meta_class
    declared = {name: getattr(meta_class, name) for name in MODEL_VALIDATORS if hasattr(meta_class, name)}
    values = {**UPSTREAM_DEFAULTS, **declared}
    return EffectiveSettings(EMPTY_BIND, values.get("table_name"), is_static=False, values=values)


def resolve_bind(
    bind_key: str | None, *, settings: Settings, context: cabc.Sequence[Values], tenant: Tenant | None = None
) -> Bind:
    """A bind, with the changes of the blocks that a context entered.

    Args:
        bind_key: The bind; by default the tenant's, or else that of the innermost block which names one.
        settings: The app's configuration.
        context: What the context entered, the innermost last.
        tenant: As of :func:`resolve`.

    Raises:
        UnknownBind: The app has no such bind.
        ConfigurationError: The values that win do not fit together.
        TenantMismatch: The context contradicts the tenant.
    """
    overrides = _tenant_overrides(tenant, [*context, {"bind_key": bind_key}] if bind_key else context)
    bind_key = bind_key or select_bind_key([*context, overrides])
    values = apply_context_layers(
        settings.effective_values(bind_key), settings=settings, bind_key=bind_key, context=context
    )
    values = merge_settings(values, overrides)
    check_identity(f"db.using({bind_key!r})", values)
    return make_bind(bind_key, values)


def select_bind_key(layers: cabc.Sequence[Values]) -> str:
    """The bind key of the innermost layer that names a bind, or ``"default"``."""
    return next((layer["bind_key"] for layer in reversed(layers) if layer.get("bind_key")), DEFAULT_BIND)


def apply_context_layers(
    values: Values, *, settings: Settings, bind_key: str, context: cabc.Sequence[Values]
) -> dict[str, t.Any]:
    """The values of one bind under the layers that a context set and entered.

    A layer that names another bind belongs to that bind, and is skipped. From the innermost layer that names this bind
    on, region, host and credentials come only from the bind and from the layers inside: the outer ones are dropped.
    """
    layers = [layer for layer in context if (layer.get("bind_key") or bind_key) == bind_key]
    named_at = max((position for position, layer in enumerate(layers) if layer.get("bind_key")), default=-1)
    for layer in layers[: max(named_at, 0)]:
        values = merge_settings(
            values, {name: value for name, value in layer.items() if name not in DESTINATION_SETTINGS}
        )
    if named_at >= 0:
        values = merge_settings(values, settings.own_values(bind_key))
    for layer in layers[max(named_at, 0) :]:
        values = merge_settings(values, layer)
    return dict(values)


def apply_prefix(table_name: str, *, prefix: t.Any) -> str:
    """The real name of a declared table. An ARN stays as it is.

    Args:
        table_name: The declared name.
        prefix: The bind's ``table_prefix``: a string, a callable or ``None``.

    Raises:
        ConfigurationError: The callable did not return a name.
    """
    if is_arn(table_name) or not prefix:
        return table_name
    if not callable(prefix):
        return f"{prefix}{table_name}"
    real_name = prefix(table_name)
    if not isinstance(real_name, str) or not real_name:
        raise ConfigurationError(
            f"The callable in DYNAMODB_TABLE_PREFIX must return the real name of the table {table_name!r} as a"
            f" string, not {type(real_name).__name__}."
        )
    return real_name


def _tenant_overrides(tenant: Tenant | None, context: cabc.Sequence[Values]) -> Values:
    if tenant is None:
        return {}
    tenant.check_conflicts(context)
    return tenant.changes


def _real_name(declared_name: str | None, bind: Bind) -> str | None:
    return None if declared_name is None else apply_prefix(declared_name, prefix=bind.table_prefix)


def _is_static(declaration: DeclaredMeta, bind: Bind) -> bool:
    return not declaration.is_dynamic and not callable(bind.table_prefix)
