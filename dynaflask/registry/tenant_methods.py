"""The tenants as methods of ``db``: the functions that find them, the current one, and blocks for one or for none."""

from __future__ import annotations

import logging
import typing as t

from dynaflask.registry.blocks import ScopedBlock
from dynaflask.registry.blocks import app_context_for
from dynaflask.registry.context import UnclearBlockError
from dynaflask.registry.context import current_app
from dynaflask.tenants.callbacks import Lister
from dynaflask.tenants.callbacks import Loader
from dynaflask.tenants.callbacks import SettingsOf
from dynaflask.tenants.callbacks import TenantCallbacks
from dynaflask.tenants.tenant import UNRESTRICTED

if t.TYPE_CHECKING:
    import contextlib

    from dynaflask.registry.scope import Scope

F = t.TypeVar("F", bound=t.Callable[..., t.Any])

logger = logging.getLogger("dynaflask.tenants")


class TenantMethodsMixin:
    """Methods of the extension object for tenants."""

    def __init__(self) -> None:
        self._tenant_callbacks = TenantCallbacks()

    if t.TYPE_CHECKING:

        def _scope(self, what: str) -> Scope: ...  # of the extension object

        def _checked(self, what: str, scope: Scope) -> Scope: ...  # of the extension object

    def tenant_loader(self, function: Loader) -> Loader:
        """Register the function that returns the current tenant. A decorator.

        The function is called once in each app context, at the first use of DynamoDB, without arguments. It returns
        the tenant's name, or ``None`` for no tenant. If it raises, the use fails, and the next use calls it again.

        Args:
            function: The function.
        """
        self._tenant_callbacks.loader = function
        return function

    def tenant_settings(self, function: SettingsOf) -> SettingsOf:
        """Register the function that returns a tenant's settings. A decorator.

        The function is called with a name that is not in ``DYNAMODB_TENANTS``. It returns a dict of settings as in
        ``DYNAMODB_TENANTS``, or ``None`` for an unknown tenant. Either result is cached for
        ``DYNAMODB_TENANT_TTL_SECONDS``; see ``db.registry.tenants.forget``.

        Args:
            function: The function.
        """
        self._tenant_callbacks.settings = function
        return function

    def tenant_lister(self, function: Lister) -> Lister:
        """Register the function that returns the names of all tenants, for ``--all-tenants``. A decorator.

        Args:
            function: The function. It takes no arguments, and returns strings.
        """
        self._tenant_callbacks.lister = function
        return function

    @property
    def current_tenant(self) -> str | None:
        """Name of the tenant that the current context acts for, or None.

        Raises:
            UnknownTenant: The app has no such tenant. A view answers 404.
        """
        return self._scope("db.current_tenant").tenant

    @property
    def tenant_names(self) -> list[str]:
        """The names of the current app's tenants, from ``tenant_lister`` or ``DYNAMODB_TENANTS``.

        Raises:
            ConfigurationError: The app has neither.
        """
        scope = self._scope("db.tenant_names")
        return scope.registry.tenants.names(scope.lookup_scope)

    def tenant(self, name: str) -> ScopedBlock:
        """Run a block for a tenant. Also a decorator of functions and coroutine functions.

        The block starts from the tenant's settings: outer changes of a model's ``Meta`` and outer ``db.using`` blocks
        have no effect in it.

        Args:
            name: The tenant's name.

        Raises:
            TypeError: The name is no string.
            UnknownTenant: The app has no such tenant.
            ConfigurationError: The tenant's settings are wrong.
        """
        if not isinstance(name, str):
            raise TypeError(f"db.tenant takes the name of a tenant as a string, not {type(name).__name__}.")
        return ScopedBlock(lambda: self._scope_around_tenant("db.tenant").for_tenant(name))

    def without_tenant(self, *, reason: str) -> ScopedBlock:
        """Run a block for no tenant, on purpose. Each entry is logged. Also a decorator, as `tenant`.

        Args:
            reason: Why, for the log.

        Raises:
            TypeError: The reason is no string, or empty.
        """
        if not isinstance(reason, str) or not reason.strip():
            raise TypeError("db.without_tenant(reason=...) takes the reason, for the log.")
        return ScopedBlock(lambda: self._without_tenant(reason))

    def copy_current_tenant(self, function: F) -> F:
        """Wrap a function so that it runs in the current app and for the current tenant, later or in another thread.

        Each call runs in an app context of its own, without a request. It looks up the tenant by its name: changed
        settings have effect, and a call for a tenant that no longer exists raises ``UnknownTenant``.

        Args:
            function: The function, or the coroutine function.

        Raises:
            UnknownTenant: The app has no such tenant.
        """
        principal, app = self._scope("db.copy_current_tenant").principal, current_app()
        # Not the tenant itself, which has the settings of this moment.
        name, principal = principal.name, principal._replace(tenant=None)
        return ScopedBlock(lambda: app_context_for(app, principal, tenant=name))(function)

    def _without_tenant(self, reason: str) -> contextlib.AbstractContextManager[Scope]:
        scope = self._scope_around_tenant("db.without_tenant")
        # A function that looks up tenants needs the block, and runs once for each of them.
        level = logging.INFO if scope.looks_up_tenant else logging.WARNING
        logger.log(level, "The app %r uses DynamoDB without a tenant: %r.", scope.registry.app_name, reason)
        return scope.using({}, principal=UNRESTRICTED)

    def _scope_around_tenant(self, what: str) -> Scope:
        try:
            return self._scope(what)
        except UnclearBlockError as error:
            # The unclear block does not matter: a tenant's block does not see what it set.
            return self._checked(what, error.root)
