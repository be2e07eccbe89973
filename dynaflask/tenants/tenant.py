"""A tenant: its name, which knows its app, and its settings; and who a scope acts for."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
import weakref

from dynaflask.config.fields import TENANT_GROUPS
from dynaflask.config.validators import Values
from dynaflask.exceptions import TenantMismatch

# Largest number of tenants in a cache of an app. An evicted tenant is looked up again.
MAX_CACHED_TENANTS = 20_000

# The registries of this process by a random id, which a pickle carries: apps may have the same name. A forked child has
# the same registries.
registries_by_id: t.Final[weakref.WeakValueDictionary[str, t.Any]] = weakref.WeakValueDictionary()


class TenantName(str):
    """A tenant's name, which knows its app: two apps may each have a tenant of that name.

    Attributes:
        app_name: Name of the app.
        registry: Returns the app's registry, or ``None`` if the app is gone; ``None`` for a name of another process.
    """

    __slots__ = ("app_name", "registry")

    app_name: str
    registry: cabc.Callable[[], t.Any] | None

    def __new__(cls, name: str, app_name: str, registry: cabc.Callable[[], t.Any] | None = None) -> TenantName:
        """The name of an app's tenant."""
        tenant_name = super().__new__(cls, name)
        tenant_name.app_name = app_name
        tenant_name.registry = registry
        return tenant_name

    # A pickle may be read in another process, where the app has another registry.
    def __reduce__(self) -> tuple[t.Any, ...]:
        registry = None if self.registry is None else self.registry()
        return _unpickled_name, (str(self), self.app_name, getattr(registry, "id", None))

    def __deepcopy__(self, memo: dict[int, t.Any]) -> TenantName:
        return self


def _unpickled_name(name: str, app_name: str, registry_id: str | None) -> TenantName:
    registry = None if registry_id is None else registries_by_id.get(registry_id)
    return TenantName(name, app_name, None if registry is None else weakref.ref(registry))


class Tenant:
    """A tenant and its settings. Tenants compare by identity, so that caches keyed by a tenant end with it.

    Args:
        name: Name of the tenant.
        changes: Settings that override those of a bind, including the settings of the bind that the tenant names.
        limits: ``tenant_capacity``, if the tenant's settings have it. It is no setting of a bind.
        mark: The name with its app, which marks what belongs to the tenant. Not the name itself: a program may write
            that to an item, where only a plain string can stand.
    """

    __slots__ = ("changes", "limits", "mark", "name")

    def __init__(self, name: str, changes: Values, *, mark: TenantName, limits: Values | None = None) -> None:
        self.name: t.Final = name
        self.mark: t.Final = mark
        self.changes: t.Final = changes
        self.limits: t.Final[Values] = limits or {}

    def __repr__(self) -> str:
        return f"<Tenant {self.name!r}>"

    def check_conflicts(self, layers: cabc.Iterable[Values]) -> None:
        """Raise an error if a context contradicts the tenant's settings.

        Args:
            layers: Settings that the context set and entered.

        Raises:
            TenantMismatch: A layer sets what the tenant decides. The message does not show the value.
        """
        tenant_settings = frozenset(self.changes).union(
            *(group for group in TENANT_GROUPS if group & self.changes.keys())
        )
        for layer in layers:
            for name, value in layer.items():
                if name in tenant_settings and (name not in self.changes or self.changes[name] != value):
                    raise TenantMismatch(
                        f"This context sets {name!r}, which the tenant {self.name!r} decides. Remove it, or do the work"
                        " without a tenant in `with db.without_tenant(reason=...):`."
                    )


class Principal(t.NamedTuple):
    """Who a scope acts for.

    Attributes:
        tenant: The tenant, or ``None``.
        is_unrestricted: True if there is no tenant on purpose, as in ``db.without_tenant``.
    """

    tenant: Tenant | None = None
    is_unrestricted: bool = False

    @property
    def name(self) -> str | None:
        """Name of the tenant, or ``None``."""
        return None if self.tenant is None else self.tenant.name


NO_TENANT: t.Final = Principal()

UNRESTRICTED: t.Final = Principal(is_unrestricted=True)
