"""Use outside of app contexts, as the peers allow it: an extension object with one app falls back to that app."""

from __future__ import annotations

import collections.abc as cabc
import gc
import typing as t
import weakref

import flask

from dynaflask.extension import Dynamo
from dynaflask.model.typed import Model
from dynaflask.registry.context import EXTENSION
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.meta import DECLARED
from dynaflask.registry.registry import Registry
from dynaflask.registry.scope import Scope
from dynaflask.tenants.tenant import NO_TENANT
from dynaflask.tenants.tenant import Principal


class DefaultAppScope(Scope):
    """An app's scope outside of its contexts. It never ends, so it refuses changes."""

    def _resolve_tenant(self) -> Principal:
        # This scope outlives every request, and must not store the tenant of one.
        if self.registry.tenants.has_loader:
            raise RuntimeError(
                f"The tenant of the app {self.registry.app_name!r} is known only in an application context: use"
                " `with app.app_context():`."
            )
        return NO_TENANT

    def set(self, declaration: DeclaredMeta, name: str, value: t.Any) -> t.NoReturn:
        """Refuse the change, which the requests would not see.

        Raises:
            RuntimeError: Always.
        """
        DECLARED.set(declaration, name, value)

    def copy_on_write(self, declaration: DeclaredMeta, name: str, value: t.Any) -> t.Any:
        """A copy. Changing it changes nothing else."""
        return DECLARED.copy_on_write(declaration, name, value)


class DefaultAppRegistry(Registry):
    """A registry that can also be used outside of its app's contexts.

    Attributes:
        default_scope: The scope to use there.
    """

    def __init__(self, *args: t.Any, **options: t.Any) -> None:
        super().__init__(*args, **options)
        self.default_scope = DefaultAppScope(self)

    def _scope(self) -> Scope | None:
        scope = super()._scope()
        return self.default_scope if scope is None and not flask.has_app_context() else scope


class OneAppDynamo(Dynamo):
    """A ``Dynamo`` that falls back to its app, as long as it has only one.

    Args:
        app: Call `init_app` on this app.

    Attributes:
        app: The app that the constructor was given.
    """

    def __init__(self, app: flask.Flask | None = None) -> None:
        # Weak references: an app that init_app was given is collected when the program drops it.
        self._registries: weakref.WeakSet[DefaultAppRegistry] = weakref.WeakSet()
        self.app = app
        super().__init__(app)

    def init_app(self, app: flask.Flask, *, models: cabc.Iterable[type[Model]] | None = None) -> None:
        """Give an app its registry. A second call replaces it, from the settings at that time.

        Args:
            app: The app.
            models: Limit the app to these models; by default it has all of the program.
        """
        registry = app.extensions.get(EXTENSION)
        if isinstance(registry, DefaultAppRegistry) and registry in self._registries:
            del app.extensions[EXTENSION]
            self._registries.remove(registry)
        super().init_app(app, models=models)
        self._registries.add(app.extensions[EXTENSION])

    def _make_registry(self, app: flask.Flask, *args: t.Any, **options: t.Any) -> DefaultAppRegistry:
        return DefaultAppRegistry(self, *args, **options)

    def _fallback_scope(self, what: str | None = None) -> Scope | None:
        registries = list(self._registries)
        if len(registries) > 1:
            del registries
            gc.collect()  # an app that the program has dropped does not count, and may be part of a reference cycle
            registries = list(self._registries)
        if len(registries) == 1:
            return registries[0].default_scope
        if registries and what:
            names = ", ".join(sorted(repr(registry.app_name) for registry in registries))
            raise RuntimeError(
                f"Working outside of application context.\n\n{what} could mean any of the apps {names}. Use"
                " `with app.app_context():` to select one; only a single app is selected by default."
            )
        return None
