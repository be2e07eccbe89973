"""Tenants: whom an app acts for, and what that changes in its binds.

Functions    the program's own: who is it, what does that change, who is there
Tenants        one app's tenants, looked up once and kept for a time
  Tenant         a name, and what it decides
  Who            the answer that a scope keeps: a tenant, nobody, or nobody on purpose
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import os
import threading
import time
import typing as t

import flask
from werkzeug.datastructures import ImmutableDict

from dynaflask.config.bind import CREDENTIAL_SETTINGS
from dynaflask.config.bind import ROLE_SETTINGS
from dynaflask.config.bind import merge_settings
from dynaflask.config.settings import Settings
from dynaflask.config.settings import check_values
from dynaflask.config.settings import did_you_mean
from dynaflask.config.validators import TENANT_VALIDATORS
from dynaflask.config.validators import Values
from dynaflask.config.validators import is_tenant_name
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import TenantMismatch
from dynaflask.exceptions import UnknownTenant

TTL_SECONDS = 300
# How many tenants an app remembers. Those that it forgets are looked up again.
MAX_TENANTS = 20_000

Loader = t.Callable[[], "str | None"]
SettingsOf = t.Callable[[str], "Values | None"]
Lister = t.Callable[[], cabc.Iterable[str]]
LookupGuard = t.Callable[[], contextlib.AbstractContextManager[t.Any]]

# Settings that are decided together: who decides one of a group decides the group.
PLACE = frozenset({"bind_key", "region", "host"})
TABLE = frozenset({"table_prefix", "table_name"})
GROUPS = (PLACE, TABLE, CREDENTIAL_SETTINGS | ROLE_SETTINGS)


class Tenant:
    """Whom a context acts for, and what that decides. Each is equal to itself alone: what is kept for it is its own.

    Args:
        name: The tenant's name.
        changes: What it changes in a bind, with what the bind that it names brings along.
    """

    __slots__ = ("changes", "name")

    def __init__(self, name: str, changes: Values) -> None:
        self.name: t.Final = name
        self.changes: t.Final = changes

    def __repr__(self) -> str:
        return f"<Tenant {self.name!r}>"

    def check_conflicts(self, layers: cabc.Iterable[Values]) -> None:
        """Refuse what a context says otherwise of what the tenant decides.

        Args:
            layers: What the context set and entered.

        Raises:
            TenantMismatch: A layer names what the tenant decides. Its value is not in the message.
        """
        decided = frozenset(self.changes).union(*(group for group in GROUPS if group & self.changes.keys()))
        for layer in layers:
            for name, value in layer.items():
                if name in decided and (name not in self.changes or self.changes[name] != value):
                    raise TenantMismatch(
                        f"This context sets {name!r}, which the tenant {self.name!r} decides. Leave it out, or write"
                        " `with db.without_tenant(reason=...):` round what is to be done for no tenant."
                    )


class Principal(t.NamedTuple):
    """Whom a scope acts for.

    Attributes:
        tenant: The tenant, if there is one.
        is_unrestricted: Whether there is none on purpose: ``db.without_tenant``.
    """

    tenant: Tenant | None = None
    is_unrestricted: bool = False

    @property
    def name(self) -> str | None:
        """The tenant's name."""
        return None if self.tenant is None else self.tenant.name


NO_TENANT: t.Final = Principal()
UNRESTRICTED: t.Final = Principal(is_unrestricted=True)


class TenantCallbacks:
    """What the program itself says of tenants. The functions are code, and are called with the current app's context.

    Attributes:
        loader: Who the current tenant is: ``db.tenant_loader``.
        settings: What a tenant changes: ``db.tenant_settings``.
        lister: Which tenants there are: ``db.tenant_lister``.
    """

    def __init__(self) -> None:
        self.loader: Loader | None = None
        self.settings: SettingsOf | None = None
        self.lister: Lister | None = None


class Tenants:
    """One app's tenants. Each is looked up once, by one thread while others of the same tenant wait, and kept.

    Args:
        settings: The app's settings, ``DYNAMODB_TENANTS`` among them.
        functions: What the program says.
    """

    def __init__(self, settings: Settings, callbacks: TenantCallbacks) -> None:
        self._settings = settings
        self._callbacks = callbacks
        self._ttl_seconds: float = settings.plain.get("tenant_ttl_seconds", TTL_SECONDS)
        self._kept: dict[str, tuple[Tenant, float]] = {}
        self._locks: dict[t.Any, t.Any] = {}

    @property
    def has_loader(self) -> bool:
        """Whether the program says who the current tenant is."""
        return self._callbacks.loader is not None

    @property
    def is_required(self) -> bool:
        """Whether nothing may be used without a tenant."""
        return bool(self._settings.plain.get("require_tenant"))

    def load(self, guard: LookupGuard) -> Principal:
        """Ask the program's loader who it is.

        Args:
            guard: What is put round calls of the program's functions.

        Raises:
            UnknownTenant: The app has no such tenant.
            TypeError: The loader returned something else than a name.
        """
        with guard():
            name = t.cast("Loader", self._callbacks.loader)()
        if name is None:
            return NO_TENANT
        if not isinstance(name, str):
            raise TypeError(
                f"db.tenant_loader must return the name of a tenant as a string, or None, not {type(name).__name__}."
            )
        return Principal(self.get(name, guard))

    def get(self, name: str, guard: LookupGuard) -> Tenant:
        """One tenant, by its name.

        Args:
            name: The name.
            guard: As of :meth:`load`.

        Raises:
            UnknownTenant: The app has no such tenant.
            ConfigurationError: What it changes is wrong.
        """
        return self._find(name) or self._look_up(name, guard)

    def names(self, guard: LookupGuard) -> list[str]:
        """The names of all tenants.

        Args:
            guard: As of :meth:`load`.

        Raises:
            ConfigurationError: Nobody says which tenants there are.
        """
        if self._callbacks.lister is not None:
            with guard():
                return list(self._callbacks.lister())
        if self._settings.tenants is None:
            raise ConfigurationError(
                f"Nobody says which tenants the app {self._settings.app_name!r} has. Set DYNAMODB_TENANTS, or decorate"
                " a function that returns their names with @db.tenant_lister."
            )
        return list(self._settings.tenants)

    def _find(self, name: str) -> Tenant | None:
        tenant, until = self._kept.get(name, (None, 0.0))
        return tenant if time.monotonic() < until else None

    def _look_up(self, name: str, guard: LookupGuard) -> Tenant:
        # Of this process: a forked child has not the thread that holds a lock.
        key = (os.getpid(), name)
        try:
            with self._locks.setdefault(key, threading.RLock()):
                return self._find(name) or self._keep(self._make(name, guard))
        finally:
            self._locks.pop(key, None)

    def _make(self, name: str, guard: LookupGuard) -> Tenant:
        values = self._values_of(name, guard) if is_tenant_name(name) else None
        if values is None:
            # What a view's error says may be shown to whoever sent the name, and is asked for by whoever tries names.
            raise UnknownTenant(name, None if flask.has_request_context() else self._unknown(name))
        named = self._settings.binds.get(t.cast("str", values.get("bind_key")), {})
        changes = ImmutableDict(merge_settings(named, values))
        former, _ = self._kept.get(name, (None, 0.0))
        return former if former is not None and former.changes == changes else Tenant(name, changes)

    def _unknown(self, name: str) -> str:
        if not is_tenant_name(name):
            return f"A tenant is called by 256 letters, digits, spaces and _.:/=+-@ at most, not {name!r:.80}."
        nearest = did_you_mean(name, self._settings.tenants or ())
        return (
            f"The app {self._settings.app_name!r} has no tenant {name!r}.{nearest} Add it to DYNAMODB_TENANTS, or have"
            " @db.tenant_settings know it."
        )

    def _values_of(self, name: str, guard: LookupGuard) -> Values | None:
        configured = self._settings.tenants
        if configured is not None and name in configured:
            return configured[name]
        if self._callbacks.settings is None:
            return {} if configured is None else None
        with guard():
            values = self._callbacks.settings(name)
        return None if values is None else self._checked(name, values)

    def _checked(self, name: str, values: Values) -> Values:
        label = f"db.tenant_settings({name!r})"
        checked = check_values(label, values, TENANT_VALIDATORS, has_role=True)
        self._settings.check_bind_key(label, checked)
        return checked

    def _keep(self, tenant: Tenant) -> Tenant:
        # Written anew at the end, so that the first ones are those that were looked up the longest ago.
        self._kept.pop(tenant.name, None)
        self._kept[tenant.name] = (tenant, time.monotonic() + self._ttl_seconds)
        if len(self._kept) > MAX_TENANTS:
            self._kept = dict(list(self._kept.items())[MAX_TENANTS // 10 :])
        return tenant
