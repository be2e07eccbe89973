"""Tables that all tenants share by a ``TenantKey``. Models without one must not reach them."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import logging
import typing as t

from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import TenantMismatch
from dynaflask.registry.declaration import full_name
from dynaflask.registry.tenant_tables import SEPARATING_SETTINGS

if t.TYPE_CHECKING:
    from dynaflask.registry.declaration import DeclaredMeta
    from dynaflask.registry.effective_settings import EffectiveSettings
    from dynaflask.registry.scope_connections import ScopeConnections

Resolver = t.Callable[["DeclaredMeta"], "EffectiveSettings"]

logger = logging.getLogger("dynaflask.tenants")


class TenantKeyTables(t.NamedTuple):
    """The tables of the models with a ``TenantKey``, as a scope resolves them.

    Attributes:
        models: The name of a model by the destination and name of its table.
        is_static: True if no table name is computed.
    """

    models: dict[tuple[t.Any, str | None], str]
    is_static: bool


def find_shared_tables(scope: ScopeConnections) -> TenantKeyTables:
    """The tables that all tenants share in a scope."""
    tables, is_static = {}, True
    for name, settings in _settings_with_tenant_key(scope, _resolvers(scope)):
        tables[settings.possible_place] = name
        is_static = is_static and settings.is_static
    return TenantKeyTables(tables, is_static)


def require_table_without_tenants(scope: ScopeConnections, model: t.Any, settings: EffectiveSettings) -> None:
    """Refuse a model of no tenant that has a ``TenantKey``, or the table of a model that has one.

    Raises:
        ConfigurationError: The model has a ``TenantKey``.
        TenantMismatch: Another model's ``TenantKey`` divides the table between all tenants.
    """
    if model.__has_tenant_key__:
        raise ConfigurationError(
            f"{full_name(model)} has a TenantKey, and Meta.tenant = False, which gives its table to no tenant."
            " Remove one of the two."
        )
    # The tenant may not be known yet, and need not be: a shared model is used to look it up.
    principal = scope.known_principal
    if principal is not None and principal.is_unrestricted:
        return
    is_known = principal is not None and not scope.looks_up_tenant
    of_scope = _resolvers(scope) if is_known else []
    for other, theirs in _settings_with_tenant_key(scope, [scope.registry.resolve, *of_scope]):
        if theirs.may_share_table(settings):
            raise TenantMismatch(
                f"{model.__name__} belongs to no tenant, and {other}, which has a TenantKey, has the same table"
                f" {settings.table_name!r}: {model.__name__} would reach the items of all tenants. Give it another"
                " table, or put the call into a `with db.without_tenant(reason=...):` block."
            )


def require_table_of_tenant(scope: ScopeConnections, model: t.Any, settings: EffectiveSettings) -> None:
    """Refuse a model without a ``TenantKey`` whose table has the items of all tenants, by another model's keys.

    Raises:
        TenantMismatch: It has such a table.
    """
    # The result is kept with the settings of the app, which outlive the scope. A context that has changes checks again:
    # a change may give another model the same table.
    declared, has_changes = scope.registry.models.declared_count, scope.has_changes
    if settings.unshared_among == declared and not has_changes:
        return
    tables, is_static = scope.shared_tables
    owner = tables.get(settings.possible_place)
    if owner is None and is_static and not has_changes:
        settings.unshared_among = declared
        _warn_of_missing_separation(scope, model, settings)
    if owner is not None:
        owner = f"another class {owner}" if owner == model.__name__ else owner
        raise TenantMismatch(
            f"{model.__name__} and {owner} have one table, {settings.table_name!r}. {owner} has a TenantKey and"
            f" {model.__name__} has none, so that it would reach the items of all tenants for {scope.tenant!r}. Give"
            f" it the TenantKey, or put the call into a `with db.without_tenant(reason=...):` block."
        )


def _resolvers(scope: ScopeConnections) -> list[Resolver]:
    # The items of the tenants stay in a table that the context takes a model away from.
    return [scope.resolve, scope.resolve_unchanged] if scope.has_changes else [scope.resolve]


def _settings_with_tenant_key(
    scope: ScopeConnections, resolvers: cabc.Sequence[Resolver]
) -> cabc.Iterator[tuple[str, EffectiveSettings]]:
    """The name and the settings of each model with a ``TenantKey``, by each of the functions that resolve a model."""
    models = scope.registry.models
    for model in models.with_tenant_key():
        for resolve in resolvers:
            # A model that this app cannot resolve, for example because it lacks the bind, is on none of its tables.
            # An error of a function that computes the name does not tell that, and propagates.
            with contextlib.suppress(DynaflaskError):
                yield model.__name__, resolve(models.declaration_of(model))


def _warn_of_missing_separation(scope: ScopeConnections, model: t.Any, settings: EffectiveSettings) -> None:
    """Log a model whose table nothing separates. It may be right: a program may write the tenant into its own keys."""
    tenant = scope.principal.tenant
    if tenant is not None and settings.is_static and SEPARATING_SETTINGS.isdisjoint(tenant.changes):
        logger.warning(
            "The tenants of the app %r that have no settings of their own share the table %r of %s, which has no"
            " TenantKey: each of them reads the items of the others. Give each tenant a table_prefix, or make the hash"
            " key a TenantKey. If the table belongs to no tenant, set Meta.tenant = False.",
            scope.registry.app_name,
            settings.table_name,
            model.__name__,
        )
