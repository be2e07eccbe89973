"""What ``db`` offers of tenants: who it is, blocks for one and for none, and the way into other threads."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import logging
import typing as t

import flask

from dynaflask.registry.blocks import ScopedBlock
from dynaflask.registry.context import EXTENSION
from dynaflask.registry.scope import Scope
from dynaflask.tenants import UNRESTRICTED
from dynaflask.tenants import Lister
from dynaflask.tenants import Loader
from dynaflask.tenants import Principal
from dynaflask.tenants import SettingsOf
from dynaflask.tenants import TenantCallbacks

F = t.TypeVar("F", bound=t.Callable[..., t.Any])

logger = logging.getLogger(__name__)


class Tenancy:
    """The part of ``Dynamo`` that is about tenants. It holds the program's functions, and no tenant."""

    def __init__(self) -> None:
        self._tenant_callbacks = TenantCallbacks()

    def tenant_loader(self, function: Loader) -> Loader:
        """Have a function say who the current tenant is, as a decorator.

        It is called once in each app context, on the first use of DynamoDB, with no arguments. It returns the
        tenant's name, or ``None`` for no tenant. What it raises ends the use, and is asked anew by the next one.
        """
        self._tenant_callbacks.loader = function
        return function

    def tenant_settings(self, function: SettingsOf) -> SettingsOf:
        """Have a function say what a tenant changes, as a decorator.

        It is called with a name that ``DYNAMODB_TENANTS`` has not, and returns a dict of settings as
        ``DYNAMODB_TENANTS`` has them, or ``None`` for a tenant that is unknown. The answer is kept for
        ``DYNAMODB_TENANT_TTL_SECONDS``.
        """
        self._tenant_callbacks.settings = function
        return function

    def tenant_lister(self, function: Lister) -> Lister:
        """Have a function say which tenants there are, as a decorator. It returns their names."""
        self._tenant_callbacks.lister = function
        return function

    @property
    def current_tenant(self) -> str | None:
        """Whom the current context acts for; ``None`` for nobody.

        Raises:
            UnknownTenant: The app has no such tenant. A view answers 404.
        """
        return self._scope("db.current_tenant").tenant

    @property
    def tenant_names(self) -> list[str]:
        """The tenants of the current app, from ``tenant_lister`` or ``DYNAMODB_TENANTS``.

        Raises:
            ConfigurationError: Neither of them says.
        """
        scope = self._scope("db.tenant_names")
        return scope.registry.tenants.names(scope.lookup_scope)

    def tenant(self, name: str) -> ScopedBlock:
        """Run a block for a tenant. It is a decorator of functions and coroutines, too.

        The block begins anew: what was set on a model's ``Meta``, or entered with ``db.using``, outside of it does not
        reach into it.

        Args:
            name: The tenant's name.

        Raises:
            UnknownTenant: The app has no such tenant.
            ConfigurationError: What the tenant changes is wrong.
        """
        if not isinstance(name, str):
            raise TypeError(f"db.tenant takes the name of a tenant as a string, not {type(name).__name__}.")
        return ScopedBlock(lambda: self._enter_tenant(name))

    def without_tenant(self, *, reason: str) -> ScopedBlock:
        """Run a block for no tenant, on purpose. Each time is logged. It is a decorator, too, as :meth:`tenant`.

        Args:
            reason: Why; for the log.
        """
        if not isinstance(reason, str) or not reason.strip():
            raise TypeError("db.without_tenant(reason=...) takes the reason, for the log.")
        return ScopedBlock(lambda: self._leave_tenants(reason))

    def copy_current_tenant(self, function: F) -> F:
        """Let a function run later, in another thread, in the app and for the tenant that are current now.

        Each call has an app context of its own. There is no request in it.

        Args:
            function: The function, or the coroutine function.

        Raises:
            UnknownTenant: The app has no such tenant.
        """
        scope = self._scope("db.copy_current_tenant")
        app, principal = flask.current_app._get_current_object(), scope.principal  # type: ignore[attr-defined]  # of the proxy
        return ScopedBlock(lambda: in_context(app, principal))(function)

    def _enter_tenant(self, name: str) -> contextlib.AbstractContextManager[Scope]:
        return self._scope("db.tenant").for_tenant(name)

    def _leave_tenants(self, reason: str) -> contextlib.AbstractContextManager[Scope]:
        scope = self._scope("db.without_tenant")
        logger.warning("The app %r uses DynamoDB without a tenant: %r.", scope.registry.app_name, reason)
        return scope.using({}, principal=UNRESTRICTED)

    if t.TYPE_CHECKING:

        def _scope(self, what: str) -> Scope: ...


@contextlib.contextmanager
def in_context(app: flask.Flask, principal: Principal) -> cabc.Iterator[None]:
    """A context of an app, for whom is given.

    Args:
        app: The app.
        principal: The tenant to act for, or none.
    """
    with app.app_context(), app.extensions[EXTENSION].scope.using({}, principal=principal):
        yield
