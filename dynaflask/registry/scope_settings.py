"""The settings of the models in a scope, and what the scope changes of them: the backend of each model's ``Meta``."""

from __future__ import annotations

import typing as t
import weakref

from dynaflask.config.bind import Bind
from dynaflask.config.validators import Values
from dynaflask.exceptions import ConfigurationError
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.effective_settings import EffectiveSettings
from dynaflask.registry.meta import Meta
from dynaflask.registry.meta import own_copy
from dynaflask.registry.precedence import select_bind_key
from dynaflask.registry.scope_cache import ScopeCache
from dynaflask.registry.scope_calls import ScopeCalls

if t.TYPE_CHECKING:
    from dynaflask.registry.scope import Scope


class ScopeSettings(ScopeCalls):
    """The part of a scope that knows settings: those of ``db.using``, and the changes of each model's ``Meta``."""

    # What db.using was called with.
    _entered: Values
    _changes: dict[DeclaredMeta, dict[str, t.Any]]
    # Weak: a Meta refers to its scope, which would otherwise wait for the garbage collector.
    _metas: dict[DeclaredMeta, weakref.ref[Meta]]
    _cache: ScopeCache
    _inner_blocks: list[Scope]

    # The settings, and the layers that they are resolved from.

    def resolve(self, declaration: DeclaredMeta) -> EffectiveSettings:
        """A model's settings in this scope.

        Raises:
            RuntimeError: The context has ended.
            TenantRequired: ``DYNAMODB_REQUIRE_TENANT`` is set, and there is no tenant.
        """
        self.require_open()
        cache = self._cache
        settings = cache.effective_settings.get(declaration)
        if settings is None:
            tenant = None if declaration.is_shared else self._required_tenant()
            settings = self.registry.resolve(declaration, self._layers(declaration), tenant)
            if settings.is_static:
                cache.effective_settings[declaration] = settings
        return settings

    def resolve_unchanged(self, declaration: DeclaredMeta) -> EffectiveSettings:
        """The settings that a model has for the tenant of this scope without the changes of the context."""
        return self.registry.resolve(declaration, (), self.principal.tenant)

    def bind(self, bind_key: str | None = None) -> Bind:
        """A bind, with the changes of the enclosing ``db.using`` blocks."""
        return self.registry.bind(bind_key, self._layers(), self._required_tenant())

    def _layers(self, declaration: DeclaredMeta | None = None) -> list[Values]:
        """What the context set and entered, the innermost last, back to the block that changed the tenant."""
        layers = [] if self._outer is None or self._principal is not None else self._outer._layers(declaration)
        if self._entered:
            layers.append(self._entered)
        if declaration in self._changes:
            # A copy: a thread that shares the context may set another value while the layers are merged.
            layers.append(self._changes[declaration].copy())
        return layers

    @property
    def has_changes(self) -> bool:
        """True if this context entered or set something, back to the block that changed the tenant."""
        outer = self._outer if self._principal is None else None
        return bool(self._entered or self._changes) or (outer is not None and outer.has_changes)

    def log_fields(self) -> tuple[str | None, str]:
        """The tenant's name and the bind's key, as far as they have been looked up. The loader is not called."""
        principal = self.known_principal
        return principal and principal.name, select_bind_key(self._known_layers())

    def _known_layers(self) -> list[Values]:
        if self._principal is None and self._outer is not None:
            return [*self._outer._known_layers(), self._entered]
        tenant = None if self._principal is None else self._principal.tenant
        return [*([tenant.changes] if tenant else []), self._entered]

    # A model's Meta: meta.MetaBackend.

    def meta(self, declaration: DeclaredMeta) -> Meta:
        """This context's copy of a model's ``Meta``: the same object as long as the program holds it."""
        reference = self._metas.get(declaration)
        meta = None if reference is None else reference()
        if meta is None:
            meta = Meta(declaration, self)
            self._metas[declaration] = weakref.ref(meta)
        return meta

    def set(self, declaration: DeclaredMeta, name: str, value: t.Any) -> None:
        """Set a value of a model's ``Meta`` for this scope.

        Raises:
            UnknownBind: The value is a bind key, and the app has no such bind.
            ConfigurationError: ``tenant`` and ``hide_expired`` are declared in the class alone.
        """
        self.require_open()
        if name == "tenant":
            raise ConfigurationError(
                f"{declaration.model_name}.Meta.tenant is declared in the class, and cannot be set in a context. Use"
                " `with db.tenant(...):`."
            )
        if name == "hide_expired":
            raise ConfigurationError(
                f"{declaration.model_name}.Meta.hide_expired is declared in the class, and cannot be set in a context."
                " To read expired items, declare a second model of the table."
            )
        if name == "bind_key" and value is not None:
            self.registry.settings.own_values(value)
        self._changes.setdefault(declaration, {})[name] = value
        self._invalidate_caches()

    def unset(self, declaration: DeclaredMeta, name: str) -> bool:
        """Take a change back. True if there was one."""
        changes = self._changes.get(declaration, {})
        was_changed = name in changes
        changes.pop(name, None)
        self._invalidate_caches()
        return was_changed

    def copy_on_write(self, declaration: DeclaredMeta, name: str, value: t.Any) -> t.Any:
        """This scope's own copy of a mutable value, such as the ``tags`` of a model."""
        changes = self._changes.setdefault(declaration, {})
        if name not in changes:
            changes[name] = own_copy(value)
            self._invalidate_caches()
        return changes[name]

    def _invalidate_caches(self) -> None:
        self._cache = ScopeCache()
        # A copy of the list: another thread may enter or leave a block meanwhile.
        for block in tuple(self._inner_blocks):
            block._invalidate_caches()
