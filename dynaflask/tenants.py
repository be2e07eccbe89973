"""Tenants of an app, and the settings that each of them overrides.

Tenants           looks up the tenants of one app, and caches them
  TenantCallbacks   the functions that the program registered to find tenants
  Tenant            a name and its settings
Principal         who a scope acts for: a tenant, no tenant yet, or no tenant on purpose
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import logging
import os
import threading
import time
import typing as t
import weakref

import flask
from werkzeug.datastructures import ImmutableDict

from dynaflask.config.fields import TENANT_GROUPS
from dynaflask.config.fields import TENANT_LIMITS
from dynaflask.config.fields import TENANT_VALIDATORS
from dynaflask.config.settings import Settings
from dynaflask.config.settings import check_values
from dynaflask.config.settings import did_you_mean
from dynaflask.config.settings import merge_settings
from dynaflask.config.validators import Values
from dynaflask.config.validators import is_tenant_name
from dynaflask.config.validators import plain_text
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import TenantMismatch
from dynaflask.exceptions import UnknownTenant

logger: t.Final = logging.getLogger("dynaflask.tenants")

TTL_SECONDS = 300
# Largest number of tenants in the cache of an app. An evicted tenant is looked up again.
MAX_TENANTS = 20_000

V = t.TypeVar("V")

Loader = t.Callable[[], "str | None"]
SettingsOf = t.Callable[[str], "Values | None"]
Lister = t.Callable[[], cabc.Iterable[str]]
LookupGuard = t.Callable[[], contextlib.AbstractContextManager[t.Any]]


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


class TenantCallbacks:
    """Functions that the program registered. They run in a context of the app that needs the tenant.

    Attributes:
        loader: Returns the name of the current tenant: ``db.tenant_loader``.
        settings: Returns the settings of a tenant: ``db.tenant_settings``.
        lister: Returns the names of all tenants: ``db.tenant_lister``.
    """

    def __init__(self) -> None:
        self.loader: Loader | None = None
        self.settings: SettingsOf | None = None
        self.lister: Lister | None = None


class Tenants:
    """The tenants of one app. A tenant is looked up by one thread, while others that need it wait, and cached.

    That a name is unknown is cached for the same time: clients that try names do not reach the program's function.

    Args:
        settings: Settings of the app, with ``DYNAMODB_TENANTS``.
        callbacks: Functions that the program registered.
        registry: Returns the app's registry, for the names.
        on_look_up: Called with each tenant that was looked up.

    Attributes:
        is_required: True if any use without a tenant is an error: ``DYNAMODB_REQUIRE_TENANT``.
    """

    def __init__(
        self,
        settings: Settings,
        callbacks: TenantCallbacks,
        *,
        registry: cabc.Callable[[], t.Any] | None = None,
        on_look_up: cabc.Callable[[Tenant], object] = lambda tenant: None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._on_look_up = on_look_up
        self._callbacks = callbacks
        self.is_required = bool(settings.plain.get("require_tenant"))
        self._ttl_seconds: float = settings.plain.get("tenant_ttl_seconds", TTL_SECONDS)
        # By name, with the time of expiry on the monotonic clock; the oldest look-up comes first.
        self._cache: dict[str, tuple[Tenant, float]] = {}
        # Names that db.tenant_settings does not know, with the time of expiry.
        self._unknown: dict[str, float] = {}
        # By process id and name, for the time of a look-up.
        self._locks: dict[tuple[int, str], threading.RLock] = {}

    @property
    def has_loader(self) -> bool:
        """True if the program registered a ``db.tenant_loader``."""
        return self._callbacks.loader is not None

    @property
    def has_callbacks(self) -> bool:
        """True if the program registered a function for tenants. It may read a table that a command is to create."""
        callbacks = self._callbacks
        return (callbacks.loader or callbacks.settings or callbacks.lister) is not None

    @property
    def have_settings(self) -> bool:
        """True if tenants may have settings of their own. Otherwise, all have the tables of the app."""
        return self._settings.tenants is not None or self._callbacks.settings is not None

    @property
    def may_concern_all(self) -> bool:
        """True if a context that names no tenant may have one, or may need one."""
        return self.is_required or self._callbacks.loader is not None

    def load(self, guard: LookupGuard) -> Principal:
        """The current tenant, as the program's loader names it.

        Args:
            guard: Context manager around calls of the program's functions.

        Raises:
            UnknownTenant: The app has no such tenant.
            TypeError: The loader returned neither a string nor ``None``.
        """
        with guard():
            name = t.cast("Loader", self._callbacks.loader)()
        logger.debug("The loader of app %r returned the tenant %r", self._settings.app_name, name)
        if name is None:
            return NO_TENANT
        if not isinstance(name, str):
            raise TypeError(
                f"db.tenant_loader must return the name of a tenant as a string, or None, not {type(name).__name__}."
            )
        return Principal(self.get(name, guard))

    def get(self, name: str, guard: LookupGuard) -> Tenant:
        """The tenant of this name, from the cache or looked up.

        Args:
            name: Name of the tenant.
            guard: See `load`.

        Raises:
            UnknownTenant: The app has no such tenant.
            ConfigurationError: A setting of the tenant is wrong.
        """
        # It becomes a part of keys, and of the names of tables.
        name = plain_text(name)
        return self._cached(name) or self._look_up(name, guard)

    def forget(self, name: str) -> None:
        """Look up a tenant at its next use in this process, instead of waiting for the end of its time in the cache.

        Args:
            name: Name of a tenant that was added or changed. One that was unknown so far is cached, too.
        """
        self._unknown.pop(name, None)
        self._cache.pop(name, None)

    def last_known(self, name: str) -> Tenant | None:
        """The tenant as it was looked up last in this process; ``None`` if it was not. Nothing is looked up.

        Args:
            name: Name of the tenant.
        """
        tenant, _ = self._cache.get(name, (None, 0.0))
        return tenant

    def names(self, guard: LookupGuard) -> list[str]:
        """The names of all tenants.

        Args:
            guard: See `load`.

        Raises:
            ConfigurationError: Neither ``DYNAMODB_TENANTS`` nor a ``db.tenant_lister`` is set.
        """
        if self._callbacks.lister is not None:
            with guard():
                return list(self._callbacks.lister())
        if self._settings.tenants is None:
            raise ConfigurationError(
                f"The app {self._settings.app_name!r} has no list of its tenants. Set DYNAMODB_TENANTS, or decorate"
                " a function that returns their names with @db.tenant_lister."
            )
        return list(self._settings.tenants)

    def all_names(self, guard: LookupGuard) -> set[str]:
        """The names of all tenants that the app can list, and of those that this process has looked up.

        Args:
            guard: See `load`.
        """
        listed = [] if self._callbacks.lister is None else self.names(guard)
        return {*listed, *(self._settings.tenants or ()), *self._cache.copy()}

    def configured(self) -> cabc.Iterator[Tenant]:
        """The tenants of ``DYNAMODB_TENANTS``. They are not cached, and no function of the program is called."""
        for name, values in (self._settings.tenants or {}).items():
            yield self._make(name, values)

    def _cached(self, name: str) -> Tenant | None:
        tenant, expires_at = self._cache.get(name, (None, 0.0))
        return tenant if time.monotonic() < expires_at else None

    def _look_up(self, name: str, guard: LookupGuard) -> Tenant:
        # A forked child has a copy of a held lock, but not the thread that would release it. The process id gives the
        # child locks of its own. They are reentrant, since the program's function may use the tenant that it looks up.
        key = (os.getpid(), name)
        try:
            with self._locks.setdefault(key, threading.RLock()):
                return self._cached(name) or self._store(self._look_up_now(name, guard))
        finally:
            self._locks.pop(key, None)

    def _look_up_now(self, name: str, guard: LookupGuard) -> Tenant:
        values = self._load_settings(name, guard) if is_tenant_name(name) else None
        if values is None:
            # A client that tries names may see the error of a view: it tells nothing about other tenants.
            raise UnknownTenant(name, None if flask.has_request_context() else self._unknown_message(name))
        tenant = self._make(name, values)
        expired, _ = self._cache.get(name, (None, 0.0))
        if expired is None:
            return tenant
        logger.debug("The tenant %r has expired in app %r", name, self._settings.app_name)
        # Caches of the registry are keyed by the object: unchanged settings keep them.
        return expired if (expired.changes, expired.limits) == (tenant.changes, tenant.limits) else tenant

    def _make(self, name: str, values: Values) -> Tenant:
        bind_values = self._settings.binds.get(t.cast("str", values.get("bind_key")), {})
        changes = merge_settings(bind_values, values)
        limits = {setting: changes.pop(setting) for setting in TENANT_LIMITS if setting in changes}
        mark = TenantName(name, self._settings.app_name, self._registry)
        return Tenant(name, ImmutableDict(changes), limits=ImmutableDict(limits), mark=mark)

    def _unknown_message(self, name: str) -> str:
        if not is_tenant_name(name):
            return f"The name of a tenant has at most 256 letters, digits, spaces and _.:/=+-@, not {name!r:.80}."
        nearest = did_you_mean(name, self._settings.tenants or ())
        return (
            f"The app {self._settings.app_name!r} has no tenant {name!r}.{nearest} Add it to DYNAMODB_TENANTS, or"
            " return its settings from @db.tenant_settings."
        )

    def _load_settings(self, name: str, guard: LookupGuard) -> Values | None:
        configured = self._settings.tenants
        if configured is not None and name in configured:
            return configured[name]
        if self._callbacks.settings is None:
            return {} if configured is None else None
        if time.monotonic() < self._unknown.get(name, 0.0):
            return None
        with guard():
            values = self._callbacks.settings(name)
        if values is None:
            self._unknown.pop(name, None)
            self._unknown[name] = time.monotonic() + self._ttl_seconds
            self._unknown = _without_oldest(self._unknown)
            return None
        label = f"db.tenant_settings({name!r})"
        checked = check_values(label, values, TENANT_VALIDATORS, has_role=True)
        self._settings.check_bind_key(label, checked)
        return checked

    def _store(self, tenant: Tenant) -> Tenant:
        logger.debug("App %r looked up the tenant %r", self._settings.app_name, tenant.name)
        # Removed first, so that it goes to the end of the dict and the oldest look-ups stay in front.
        self._cache.pop(tenant.name, None)
        self._cache[tenant.name] = (tenant, time.monotonic() + self._ttl_seconds)
        self._cache = _without_oldest(self._cache)
        self._on_look_up(tenant)
        return tenant


def _without_oldest(entries: dict[str, V]) -> dict[str, V]:
    if len(entries) <= MAX_TENANTS:
        return entries
    # A copy, which the interpreter makes in one step: another thread may add an entry meanwhile.
    return dict(list(entries.copy().items())[MAX_TENANTS // 10 :])
