"""Tenants whose settings give them the same tables. If nothing else separates their items, the log says so."""

from __future__ import annotations

import contextlib
import logging
import typing as t
import weakref

from dynaflask.config.fields import TENANT_GROUPS
from dynaflask.exceptions import DynaflaskError
from dynaflask.tenants import MAX_TENANTS
from dynaflask.tenants import UNRESTRICTED
from dynaflask.tenants import Principal
from dynaflask.tenants import Tenant

if t.TYPE_CHECKING:
    from dynaflask.client.table_connection import TableConnection
    from dynaflask.registry.registry import Registry
    from dynaflask.registry.scope import Scope

# What a tenant may set to have tables of its own.
SEPARATING_SETTINGS: t.Final = frozenset[str]().union(*TENANT_GROUPS)

logger = logging.getLogger("dynaflask.tenants")


class TenantTables:
    """Logs tenants of one app whose own settings give them the same tables.

    Args:
        registry: The app's registry.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = weakref.ref(registry)
        # By the place of the tables: the first tenant that has them.
        self._first_tenants: dict[t.Any, str] = {}
        self._logged: set[t.Any] = set()

    def compare(self, tenant: Tenant) -> None:
        """Compare a tenant with those that were compared before. Calls no function of the program.

        Args:
            tenant: A tenant that was looked up.
        """
        place = self._place_of(tenant)
        if place is None or place in self._logged:
            return
        if len(self._first_tenants) >= MAX_TENANTS:
            self._first_tenants = {}
        other = self._first_tenants.setdefault(place, tenant.name)
        registry = t.cast("Registry", self._registry())
        known = None if other == tenant.name else registry.tenants.last_known(other)
        if known is not None and self._place_of(known) != place:
            # Its settings have changed since.
            self._first_tenants[place] = tenant.name
        elif other != tenant.name and (models := _plain_models(registry)):
            self._logged.add(place)
            logger.warning(
                "The tenants %r and %r of the app %r have the same tables by their settings, and no TenantKey separates"
                " their items in those of %s: each of them reads the items of the other. Give each tenant a"
                " table_prefix of its own, or make the hash keys a TenantKey. If a table belongs to no tenant, set"
                " Meta.tenant = False.",
                other,
                tenant.name,
                registry.app_name,
                ", ".join(models),
            )

    def _place_of(self, tenant: Tenant) -> t.Any:
        """Where the tables of a tenant are; ``None`` if its settings do not say, or are wrong."""
        if SEPARATING_SETTINGS.isdisjoint(tenant.changes):
            return None  # shared_tables logs it.
        with contextlib.suppress(DynaflaskError):
            bind = t.cast("Registry", self._registry()).bind(None, (), tenant)
            # A factory gets the bind, and may choose another place by its key.
            key = bind.key if bind.client_factory else None
            return None if callable(bind.table_prefix) else (key, bind.possible_place(bind.table_prefix or ""))
        return None


def has_own_table(scope: Scope, model: t.Any, table: TableConnection) -> bool:
    """True if the table of a connection is that of its tenant alone: of no other tenant, and of no context without one.

    It looks up all tenants that the app can list, and those that this process has seen.

    Args:
        scope: The current scope. Its changes count for each tenant.
        model: A model of the table.
        table: The connection to the table, for a tenant.
    """
    registry, place = scope.registry, table.connection.bind.possible_place(table.table_name)
    declaration = registry.models.declaration_of(model)
    # A name that is computed for a tenant may not exist without one.
    with contextlib.suppress(Exception):
        settings = scope.resolve_for(declaration, UNRESTRICTED)
        if settings.possible_place == place:
            return False
    for name in registry.tenants.all_names(scope.lookup_scope) - {table.connection.tenant}:
        # A tenant whose settings are wrong has no table.
        with contextlib.suppress(DynaflaskError):
            other = Principal(registry.tenants.get(name, scope.lookup_scope))
            settings = scope.resolve_for(declaration, other)
            if settings.possible_place == place:
                return False
    return True


def _plain_models(registry: Registry) -> list[str]:
    """The models whose items are separated by the settings of the tenants alone."""
    names = []
    for model in registry.models.classes():
        declaration = t.cast("t.Any", model.__declaration__)
        if not (model.__has_tenant_key__ or declaration.is_shared or declaration.is_dynamic) and declaration.table_name:
            names.append(model.__name__)
    return names
