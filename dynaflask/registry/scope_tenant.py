"""Which tenant a scope acts for."""

from __future__ import annotations

import os
import threading
import typing as t

import flask

from dynaflask.exceptions import TenantRequired
from dynaflask.registry.context import request_ctx
from dynaflask.tenants.tenant import NO_TENANT
from dynaflask.tenants.tenant import Principal
from dynaflask.tenants.tenant import Tenant
from dynaflask.tenants.tenant import TenantName

if t.TYPE_CHECKING:
    from dynaflask.registry.registry import Registry
    from dynaflask.registry.scope import Scope


class ScopeTenant:
    """The part of a scope that knows the tenant: that of its block, or the one that the app's loader returns.

    Attributes:
        looks_up_tenant: True for the scope of a function of the program that looks up a tenant.
    """

    looks_up_tenant: t.ClassVar[bool] = False
    registry: Registry
    _outer: Scope | None
    # The tenant that a block was entered for, or that the loader has returned. None: the outer scope has it.
    _principal: Principal | None

    if t.TYPE_CHECKING:

        def lookup_scope(self) -> Scope:
            """Of Scope."""

        def require_open(self) -> None:
            """Of ScopeCalls."""

    @property
    def tenant(self) -> str | None:
        """Name of the tenant that this context acts for, or None. It is looked up once, at the first use.

        Raises:
            UnknownTenant: The app has no such tenant.
        """
        return self.principal.name

    @property
    def known_tenant(self) -> TenantName | None:
        """Name of the tenant, if it has been looked up, as it marks an object. The loader is not called."""
        principal = self._principal
        if principal is None and self._outer is not None:
            principal = self._outer.known_principal
        return None if principal is None or principal.tenant is None else principal.tenant.mark

    @property
    def known_principal(self) -> Principal | None:
        """The tenant that this scope acts for, or none, if it has been looked up. The loader is not called."""
        if self._principal is None and self._outer is not None:
            return self._outer.known_principal
        return self._principal

    @property
    def principal(self) -> Principal:
        """The tenant that this scope acts for, or none."""
        if self._principal is not None:
            return self._principal
        return self._resolve_tenant() if self._outer is None else self._outer.principal

    def _resolve_tenant(self) -> Principal:
        tenants = self.registry.tenants
        if not tenants.has_loader:
            self._principal = NO_TENANT
            return NO_TENANT
        # A thread that goes on after the context's end has no tenant: the program may push it again for another.
        self.require_open()
        self._require_own_request()
        # Threads may share a scope: one calls the loader, and the others wait for its result. The lock is reentrant,
        # because a loader that uses DynamoDB must get the error of TenantLookupScope. It is a lock of this process: in
        # a forked child, the thread that holds the parent's lock does not exist.
        locks: dict[int, t.Any] = vars(self).setdefault("_tenant_locks", {})
        with locks.setdefault(os.getpid(), threading.RLock()):
            if self._principal is None:
                self._principal = tenants.load(self.lookup_scope)
        return self._principal

    def _require_own_request(self) -> None:
        """Refuse to call the loader where it would see the request or the context of another app."""
        app_name = self.registry.app_name
        if flask.has_request_context() and not self.registry.is_of(request_ctx.app):
            raise TenantRequired(
                f"A context of the app {app_name!r} is used inside a request of the app {request_ctx.app.name!r}, which"
                f" the tenant loader would take for one of {app_name!r}. Name the tenant: `with db.tenant(...):`; or"
                " use `with db.without_tenant(reason=...):`."
            )
        if flask.has_app_context() and not self.registry.is_of(flask.current_app):
            raise TenantRequired(
                f"An object of a context of the app {app_name!r} is used in a context of the app"
                f" {flask.current_app.name!r}, which the tenant loader would take for one of {app_name!r}. Use it in"
                " its own context."
            )

    def _required_tenant(self) -> Tenant | None:
        principal = self.principal
        if principal.tenant is None and not principal.is_unrestricted and self.registry.tenants.is_required:
            raise TenantRequired(
                f"The app {self.registry.app_name!r} needs a tenant, and this context has none. Enter one with"
                " `with db.tenant(...):`, return it from the function of @db.tenant_loader, or put"
                " `with db.without_tenant(reason=...):` around work that is for no tenant."
            )
        return principal.tenant
