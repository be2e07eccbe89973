"""The tenants of an app: looked up by name, and cached for some time."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import logging
import os
import threading
import time
import typing as t

import flask
from werkzeug.datastructures import ImmutableDict

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
from dynaflask.exceptions import UnknownTenant
from dynaflask.tenants.callbacks import Loader
from dynaflask.tenants.callbacks import TenantCallbacks
from dynaflask.tenants.tenant import MAX_CACHED_TENANTS
from dynaflask.tenants.tenant import NO_TENANT
from dynaflask.tenants.tenant import Principal
from dynaflask.tenants.tenant import Tenant
from dynaflask.tenants.tenant import TenantName

logger: t.Final = logging.getLogger("dynaflask.tenants")

TTL_SECONDS = 300

V = t.TypeVar("V")

LookupGuard = t.Callable[[], contextlib.AbstractContextManager[t.Any]]


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
        # Another object after each `forget`: a look-up that began before it may have read what was changed since.
        self._forgotten = object()
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
        # First: a look-up in another thread compares this after it has cached its result.
        self._forgotten = object()
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
                forgotten = self._forgotten
                return self._cached(name) or self._store(self._look_up_now(name, guard), forgotten)
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
        forgotten = self._forgotten
        with guard():
            values = self._callbacks.settings(name)
        if values is None:
            self._keep(self._unknown, name, time.monotonic() + self._ttl_seconds, forgotten)
            return None
        label = f"db.tenant_settings({name!r})"
        checked = check_values(label, values, TENANT_VALIDATORS, has_role=True)
        self._settings.check_bind_key(label, checked)
        return checked

    def _store(self, tenant: Tenant, forgotten: object) -> Tenant:
        logger.debug("App %r looked up the tenant %r", self._settings.app_name, tenant.name)
        self._keep(self._cache, tenant.name, (tenant, time.monotonic() + self._ttl_seconds), forgotten)
        self._on_look_up(tenant)
        return tenant

    def _keep(self, entries: dict[str, V], name: str, entry: V, forgotten: object) -> None:
        """Cache the result of a look-up, unless `forget` was called since.

        Args:
            entries: The cache.
            name: The name.
            entry: The result.
            forgotten: What ``_forgotten`` was before the look-up.
        """
        # Removed first, so that it goes to the end of the dict and the oldest look-ups stay in front.
        entries.pop(name, None)
        entries[name] = entry
        if self._forgotten is not forgotten:
            entries.pop(name, None)
        if len(entries) > MAX_CACHED_TENANTS:
            # A copy, which the interpreter makes in one step: another thread may add or remove an entry meanwhile.
            for oldest in list(entries.copy())[: MAX_CACHED_TENANTS // 10]:
                entries.pop(oldest, None)
