"""What the peers do outside of an application context: they fall back to the one app that they were given."""

from __future__ import annotations

import gc
import typing as t
import weakref

import flask

from dynaflask.extension import Dynamo
from dynaflask.registry.context import EXTENSION
from dynaflask.registry.precedence import DECLARED
from dynaflask.registry.precedence import DeclaredMeta
from dynaflask.registry.registry import Registry
from dynaflask.registry.scope import Scope
from dynaflask.tenants import NO_TENANT
from dynaflask.tenants import Principal


class DefaultAppScope(Scope):
    """An app's scope outside of its contexts. It has no end, so that nothing can be changed in it."""

    def _resolve_tenant(self) -> Principal:
        # It outlives every request, and must not keep the tenant of one.
        if self.registry.tenants.has_loader:
            raise RuntimeError("Whom the app acts for is known in an application context: `with app.app_context():`.")
        return NO_TENANT

    def set(self, declaration: DeclaredMeta, name: str, value: t.Any) -> t.NoReturn:
        """Refuse: the requests would not see the change.

        Raises:
            RuntimeError: Always.
        """
        DECLARED.set(declaration, name, value)

    def copy_on_write(self, declaration: DeclaredMeta, name: str, value: t.Any) -> t.Any:
        """A copy: what is done to it changes nothing."""
        return DECLARED.copy_on_write(declaration, name, value)


class DefaultAppRegistry(Registry):
    """A registry that can be used outside of its app's contexts, too."""

    def __init__(self, *args: t.Any, **options: t.Any) -> None:
        super().__init__(*args, **options)
        self.standing = DefaultAppScope(self)

    def _scope(self) -> Scope | None:
        scope = super()._scope()
        return self.standing if scope is None and not flask.has_app_context() else scope


class OneAppDynamo(Dynamo):
    """A ``Dynamo`` that falls back to its app, as long as it has only one.

    Args:
        app: Call :meth:`init_app` on this app.

    Attributes:
        app: The app that the constructor was given.
    """

    def __init__(self, app: flask.Flask | None = None) -> None:
        # Weak, so that an app which init_app was given ends when its maker lets it go.
        self._registries: weakref.WeakSet[DefaultAppRegistry] = weakref.WeakSet()
        self.app = app
        super().__init__(app)

    def init_app(self, app: flask.Flask, **options: t.Any) -> None:
        """Give an app its registry; a second time, one of its settings as they are now.

        Args:
            app: The app.
            **options: As of :meth:`dynaflask.Dynamo.init_app`.
        """
        before = app.extensions.get(EXTENSION)
        if isinstance(before, DefaultAppRegistry) and before in self._registries:
            del app.extensions[EXTENSION]
            self._registries.remove(before)
        super().init_app(app, **options)
        self._registries.add(app.extensions[EXTENSION])

    def _make_registry(self, app: flask.Flask, *args: t.Any, **options: t.Any) -> DefaultAppRegistry:
        return DefaultAppRegistry(self, *args, **options)

    def _outside(self, what: str | None = None) -> Scope | None:
        registries = list(self._registries)
        if len(registries) > 1:
            del registries
            gc.collect()  # an app that nobody holds any more is no second one
            registries = list(self._registries)
        if len(registries) == 1:
            return registries[0].standing
        if registries and what:
            names = ", ".join(sorted(repr(registry.app_name) for registry in registries))
            raise RuntimeError(
                f"Working outside of application context.\n\n{what} could mean any of the apps {names}. With one app"
                " that is the one to use; with several, use `with app.app_context():`."
            )
        return None
