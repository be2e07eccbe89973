"""Tenants whose settings give them the same tables. If nothing else separates their items, the log says so."""

from __future__ import annotations

import contextlib
import logging
import typing as t
import weakref

from dynaflask.config.fields import TENANT_GROUPS
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import TenantMismatch
from dynaflask.exceptions import TenantRequired
from dynaflask.exceptions import UnknownBind
from dynaflask.exceptions import UnknownTenant
from dynaflask.operations.block_value import BlockValue
from dynaflask.operations.block_value import BlockVariable
from dynaflask.registry.places import possible_place
from dynaflask.tenants.tenant import MAX_CACHED_TENANTS
from dynaflask.tenants.tenant import UNRESTRICTED
from dynaflask.tenants.tenant import Principal
from dynaflask.tenants.tenant import Tenant

if t.TYPE_CHECKING:
    from dynaflask.client.table_connection import TableConnection
    from dynaflask.registry.declaration import DeclaredMeta
    from dynaflask.registry.registry import Registry
    from dynaflask.registry.scope import Scope

# What a tenant may set to have tables of its own.
SEPARATING_SETTINGS: t.Final = frozenset[str]().union(*TENANT_GROUPS)
# Errors that say that a tenant has no table. With any other one, it may have one.
NO_TABLE: t.Final = (ConfigurationError, TenantMismatch, TenantRequired, UnknownBind, UnknownTenant)

logger = logging.getLogger("dynaflask.tenants")

ListedTenants = dict[t.Any, dict[t.Any, set[str]]]
# By registry and declaration, while a command runs for all tenants.
_listed_tenants: t.Final[BlockVariable[ListedTenants | None]] = BlockVariable("dynaflask_listed_tenants", None)


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
        if len(self._first_tenants) >= MAX_CACHED_TENANTS:
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
            return None if callable(bind.table_prefix) else (key, possible_place(bind, bind.table_prefix or ""))
        return None


def tenants_listed_once() -> BlockValue[ListedTenants | None]:
    """A block for a command that runs for all tenants: :func:`has_own_table` looks them up for the first of them."""
    return _listed_tenants.block({})


def has_own_table(scope: Scope, model: t.Any, table: TableConnection) -> bool:
    """True if the table of a connection is that of its tenant alone: of no other tenant, and of no context without one.

    It looks up all tenants that the app can list, and those that this process has seen.

    Args:
        scope: The current scope. Each tenant's table is compared with and without its changes.
        model: A model of the table.
        table: The connection to the table, for a tenant.

    Raises:
        TenantMismatch: A function that computes names has failed, so that it is not known.
    """
    declaration = scope.registry.models.declaration_of(model)
    place = possible_place(table.connection.bind, table.table_name)
    if place in _places(scope, declaration, UNRESTRICTED):
        return False
    return _tenants_by_place(scope, declaration).get(place, set()) <= {table.connection.tenant}


def _tenants_by_place(scope: Scope, declaration: DeclaredMeta) -> dict[t.Any, set[str]]:
    """The names of the tenants by the places where they may have a model's table."""
    registry, listed = scope.registry, _listed_tenants.get()
    key = registry, declaration
    if listed is not None and key in listed and not scope.has_changes:
        return listed[key]
    tenants: dict[t.Any, set[str]] = {}
    for name in registry.tenants.all_names(scope.lookup_scope):
        try:
            principal = Principal(registry.tenants.get(name, scope.lookup_scope))
        except NO_TABLE:
            continue
        for place in _places(scope, declaration, principal):
            tenants.setdefault(place, set()).add(name)
    if listed is not None and not scope.has_changes:
        listed[key] = tenants
    return tenants


def _places(scope: Scope, declaration: DeclaredMeta, principal: Principal) -> set[t.Any]:
    """Where a model's table may be for a tenant: with the changes of the context, and without them."""
    places = set()
    for with_changes in (False, True) if scope.has_changes else (False,):
        try:
            settings = scope.resolve_for(declaration, principal, with_changes=with_changes)
            places.add(settings.possible_place)
        except NO_TABLE:
            pass
        except Exception as error:
            # Without the error's text: it may name the tenant, and the message may be shown to another one.
            raise TenantMismatch(
                f"It is not known if a table of {declaration.model_name} is one tenant's alone: its name for another"
                f" tenant, or for none, cannot be computed ({type(error).__name__}). Let the function that computes it"
                " raise dynaflask.TenantRequired or dynaflask.UnknownTenant if there is no such table."
            ) from error
    return places


def _plain_models(registry: Registry) -> list[str]:
    """The models whose items are separated by the settings of the tenants alone."""
    names = []
    for model in registry.models.classes():
        declaration = t.cast("t.Any", model.__declaration__)
        if not (model.__has_tenant_key__ or declaration.is_shared or declaration.is_dynamic) and declaration.table_name:
            names.append(model.__name__)
    return names
