"""What one app context holds: its tenant, its connections, and its changes of each model's ``Meta``.

Scope               the scope of a context, and the blocks inside of it: how they begin, end and are continued
  ScopeConnections    the connections to the tables of models and to binds
    ScopeSettings       the settings of the models, and the changes of them
      ScopeCalls          what a call needs of the scope that its connection belongs to
        ScopeTenant         the tenant

Each class is the base of the one above it, in a module of its name.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import types
import typing as t
import weakref

from dynaflask.config.validators import Values
from dynaflask.registry.block_stack import ScopeToken
from dynaflask.registry.block_stack import block_stack
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.effective_settings import EffectiveSettings
from dynaflask.registry.meta import Meta
from dynaflask.registry.pushes import SCOPE
from dynaflask.registry.scope_cache import ScopeCache
from dynaflask.registry.scope_connections import ScopeConnections
from dynaflask.tenants.tenant import Principal

if t.TYPE_CHECKING:
    from flask.ctx import AppContext

    from dynaflask.registry.registry import Registry


class Scope(ScopeConnections):
    """One app context's connection objects and its copies of each model's ``Meta``.

    A ``db.using`` block is a scope inside the context's own. It sees what the outer scopes set; what is set in the
    block ends with it. Threads that copy a context share its scope.

    Args:
        registry: The registry of the context's app.
        outer: The scope around a block; ``None`` for the scope of the context itself.
        entered: The settings that the block changes.
        principal: The tenant that the block acts for, or none, if the block changes that. Such a block does not see
            what the outer scopes set.

    Attributes:
        pushes: Of the context's own scope: true as long as its context is pushed.
        owner_request: The request that the context was pushed for, or ``NO_REQUEST``; ``None`` if the program has no
            tenant loader.
        nested_scopes: The scopes of other requests that ran in the context.
        around: Of the scope of such a request: the scope of the context.
        generator_blocks: Of the context's own scope: the blocks that a generator or a coroutine has entered.
        generators: Of an entered block: the frames of those that entered it.
        suspended: Of an entered block: the generators that were suspended in blocks at its entry, by the id of the
            frame, and the instruction that each was suspended at.
        is_interleaved: True if a generator that was suspended at the entry of the block has run inside of it.
        is_left: True after the ``with`` statement that entered the block. Work that was begun in it may go on in it.
        is_left_elsewhere: True if the block was left by another thread or task than the one that entered it, or by code
            that the garbage collector ran.
        collecting_thread: The thread that the garbage collector ran in when it left the block.
        token: Of an entered block: tells the thread or task that entered it from a copy of its context.
    """

    pushes: t.Any = True
    owner_request: t.Any = None
    nested_scopes: t.Any = ()
    around: Scope | None = None
    generator_blocks: t.Any = ()
    generators: tuple[types.FrameType, ...] = ()
    suspended: cabc.Mapping[int, int] = types.MappingProxyType({})
    is_interleaved: bool = False
    is_left: bool = False
    is_left_elsewhere: bool = False
    collecting_thread: int | None = None
    token: ScopeToken | None = None

    def __init__(
        self,
        registry: Registry,
        *,
        outer: Scope | None = None,
        entered: Values | None = None,
        principal: Principal | None = None,
    ) -> None:
        self.registry = registry
        self._outer = outer
        self._entered: Values = entered or {}
        self._principal = principal
        self._inner_blocks: list[Scope] = []
        self._changes: dict[DeclaredMeta, dict[str, t.Any]] = {}
        self._metas: dict[DeclaredMeta, weakref.ref[Meta]] = {}
        self._cache = ScopeCache()

    @property
    def root(self) -> Scope:
        """The scope of the app context."""
        # Not an attribute: a root that refers to itself would wait for the garbage collector after every request.
        return self if self._outer is None else self._outer.root

    @property
    def outer(self) -> Scope | None:
        """The scope around a block."""
        return self._outer

    @property
    def has_state(self) -> bool:
        """True if a call of the context depends on what was done in it: its tenant is known, or a ``Meta`` changed."""
        return bool(self._changes or self.known_tenant or self.is_pushed_again)

    # What a generator's block tells of itself: generators.EnteredContext.

    @property
    def app_name(self) -> str:
        """Name of the app."""
        return self.registry.app_name

    def is_of(self, context: AppContext) -> bool:
        """True if the block belongs to an app context."""
        return (self.root.around or self.root) is vars(context).get(SCOPE)

    def is_of_request(self, root: t.Any, request: object) -> bool:
        """True if the block was entered in a scope of a request."""
        return self.root is root

    @property
    def is_current(self) -> bool:
        """True: a block is forgotten when it is left."""
        return True

    # Blocks inside this scope.

    def using(self, entered: Values, *, principal: Principal | None = None) -> Scope:
        """A block inside this scope, with other settings or for another tenant. Enter it with ``with``."""
        return Scope(self.registry, outer=self, entered=entered, principal=principal)

    def for_tenant(self, name: str) -> Scope:
        """A block inside this scope for a tenant.

        Raises:
            UnknownTenant: The app has no such tenant.
            ConfigurationError: The tenant's settings are wrong.
        """
        return self.using({}, principal=Principal(self.registry.tenants.get(name, self.lookup_scope)))

    def lookup_scope(self) -> Scope:
        """A block for a call of the program's function that looks up a tenant."""
        return TenantLookupScope(self.registry, outer=self)

    def resolve_for(
        self, declaration: DeclaredMeta, principal: Principal, *, with_changes: bool = True
    ) -> EffectiveSettings:
        """The settings that a model would have if this context, with or without its changes, were another tenant's."""
        layers = self._layers(declaration) if with_changes else ()
        # In a block: what computes a name may ask for the tenant.
        with self.using({}, principal=principal):
            return self.registry.resolve(declaration, layers, principal.tenant)

    # Not a generator with contextlib: programs that serve many tenants enter and leave blocks all the time.
    def __enter__(self) -> Scope:
        try:
            t.cast("Scope", self._outer)._inner_blocks.append(self)
            block_stack.push(self)
        except BaseException:
            self.discard()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            block_stack.remove(self)
            t.cast("Scope", self._outer)._inner_blocks.remove(self)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Leave the block after an exception in its ``__enter__`` or ``__exit__``.

        A signal raises anywhere: a time limit of Celery or RQ, or Ctrl-C. No ``with`` statement would leave the block
        then, and the code that handles the exception would act for its tenant.
        """
        block_stack.discard(self)
        with contextlib.suppress(ValueError):
            t.cast("Scope", self._outer)._inner_blocks.remove(self)

    # Work that is begun in this scope, and goes on later.

    def pinned_to(self, model: t.Any) -> Scope:
        """A block for work that goes on later: it keeps the table and settings that a model has in this scope now.

        Args:
            model: The model's class.
        """
        block, declaration = self.using({}), self.registry.models.declaration_of(model)
        settings = self.resolve(declaration)
        cache = block._cache
        if settings.is_static:
            cache.effective_settings[declaration] = settings
            table = self.model_table(model)
            # A thread that shares the scope may have changed it meanwhile.
            if table.connection.bind is settings.bind and table.table_name == settings.table_name:
                cache.tables[declaration] = cache.model_tables[model] = table
        else:
            # Computed names are not cached, and another request may compute another one before the work ends.
            cache.effective_settings[declaration] = EffectiveSettings(
                settings.bind, settings.table_name, is_static=True, values=settings.values
            )
        block.model_table(model)
        return block

    @contextlib.contextmanager
    def reentered(self) -> cabc.Iterator[None]:
        """Continue work that was begun in this scope, for the length of a ``with`` block.

        Raises:
            RuntimeError: The scope's context is not the current one.
        """
        token = self.reenter()
        try:
            yield
        finally:
            block_stack.reset(token)

    def reenter(self) -> ScopeToken:
        """Continue work that was begun in this scope: :meth:`reentered` without the cost of a ``with`` block per item.

        Returns:
            The token for :func:`dynaflask.registry.context.reset`.

        Raises:
            RuntimeError: The scope's context is not the current one.
        """
        if not self._is_in_current_context():
            raise RuntimeError(
                f"This was begun in an application context of {self.registry.app_name!r}. It can only continue in that"
                " context."
            )
        # A block that was left ends on the stack, too.
        return block_stack.push_again(self.using({}) if self.is_left else self)

    def close(self) -> None:
        """Drop the scope's connection objects, which refuse use after the end of the context. Shared clients stay open.

        The changes of the context stay: ``flask.stream_with_context`` pushes a context again after its teardown, and
        the response continues with the view's changes. The view's blocks have ended by then.
        """
        self._invalidate_caches()


class TenantLookupScope(Scope):
    """The scope of the functions that look up a tenant. It refuses all that depends on the tenant."""

    looks_up_tenant: t.ClassVar[bool] = True

    @property
    def principal(self) -> Principal:
        """Not known yet.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError(
            "A function of @db.tenant_loader, @db.tenant_settings or @db.tenant_lister uses DynamoDB to look up the"
            " tenant, which decides how DynamoDB is used. Put `with db.without_tenant(reason=...):` around that use."
        )
