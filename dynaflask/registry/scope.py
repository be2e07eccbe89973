"""What one app context holds: its connections, and its changes of each model's ``Meta``."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import os
import threading
import types
import typing as t
import weakref

import flask

from dynaflask.client.connection import Connection
from dynaflask.client.connection_template import ConnectionTemplate
from dynaflask.client.connection_template import can_be_kept
from dynaflask.client.connection_template import is_init_patched
from dynaflask.client.expiry import ExpiryConnection
from dynaflask.client.key import STOCK
from dynaflask.client.key import transport_of
from dynaflask.client.lease import Lease
from dynaflask.client.table_connection import TableConnection
from dynaflask.client.table_keys import KeyTable
from dynaflask.config.bind import Bind
from dynaflask.config.validators import Values
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import TenantMismatch
from dynaflask.exceptions import TenantRequired
from dynaflask.operations.rate_limits import UNSET
from dynaflask.operations.rate_limits import OwnCapacity
from dynaflask.operations.recorder import OperationRecorder
from dynaflask.registry.block_stack import ScopeToken
from dynaflask.registry.block_stack import block_stack
from dynaflask.registry.context import SCOPE
from dynaflask.registry.context import block_error
from dynaflask.registry.context import current_scope
from dynaflask.registry.context import request_ctx
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.meta import Meta
from dynaflask.registry.meta import own_copy
from dynaflask.registry.precedence import EffectiveSettings
from dynaflask.registry.precedence import apply_prefix
from dynaflask.registry.precedence import select_bind_key
from dynaflask.registry.scope_cache import ScopeCache
from dynaflask.registry.shared_tables import TenantKeyTables
from dynaflask.registry.shared_tables import find_shared_tables
from dynaflask.registry.shared_tables import require_table_of_tenant
from dynaflask.registry.shared_tables import require_table_without_tenants
from dynaflask.tenants import NO_TENANT
from dynaflask.tenants import Principal
from dynaflask.tenants import Tenant
from dynaflask.tenants import TenantName

if t.TYPE_CHECKING:
    from flask.ctx import AppContext

    from dynaflask.registry.registry import Registry


class Scope:
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
        is_left: True after the ``with`` statement that entered the block. What was begun in the block may go on in it.
        is_left_elsewhere: True if another thread or task than that which entered the block has left it.
        token: Of an entered block: tells the thread or task that entered it from a copy of its context.
        looks_up_tenant: True for the scope of a function of the program that looks up a tenant.
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
    token: ScopeToken | None = None
    looks_up_tenant: t.ClassVar[bool] = False

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
        # Weak: a Meta refers to its scope, which would otherwise wait for the garbage collector.
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

    # What a generator's block tells of itself: generators.Home.

    @property
    def app_name(self) -> str:
        """Name of the app."""
        return self.registry.app_name

    def is_of(self, context: AppContext) -> bool:
        """True if the block belongs to an app context."""
        return (self.root.around or self.root) is vars(context).get(SCOPE)

    def is_in(self, root: t.Any, request: object) -> bool:
        """True if the block was entered in a scope of a request."""
        return self.root is root

    @property
    def is_current(self) -> bool:
        """True: a block is forgotten when it is left."""
        return True

    # From a model to its connection, in the order of a call.

    def model_table(self, model: t.Any) -> TableConnection:
        """This context's connection to a model's table.

        Raises:
            RuntimeError: The model was declared with another ``Dynamo`` than the app's.
            UnknownModel: The app was not given the model.
            TenantMismatch: All tenants share the table by another model's ``TenantKey``, and this model has none.
            ConfigurationError: The model has a ``TenantKey``, and is declared to belong to no tenant.
        """
        table = self._cache.model_tables.get(model)
        return self._open_model_table(model) if table is None else table

    def _open_model_table(self, model: t.Any) -> TableConnection:
        cache, declaration = self._cache, self.registry.models.declaration_of(model)
        settings = self.resolve(declaration)
        if settings.table_name is None:
            raise AttributeError(f"{declaration.full_name}.Meta needs a table_name.")
        if declaration.is_shared:
            require_table_without_tenants(self, model, settings)
        elif not model.__has_tenant_key__ and self.principal.tenant is not None:
            require_table_of_tenant(self, model, settings)
        declaration.schema.read_models()
        key = declaration if settings.is_static else (declaration, settings.bind, settings.table_name)
        table = cache.tables.get(key)
        if table is None:
            table = cache.tables.setdefault(key, self._make_table(declaration, settings))
        if settings.is_static:
            cache.model_tables[model] = table
        return table

    def _make_table(self, declaration: DeclaredMeta, settings: EffectiveSettings) -> TableConnection:
        tenant = None if declaration.is_shared else self.tenant
        template = settings.template
        if template is None or is_init_patched():
            template = self._make_template(declaration, settings)
        connection = template.connect(self.root, tenant=tenant, own_capacity=self._own_capacity(tenant))
        return TableConnection(t.cast("str", settings.table_name), connection=connection)

    def _make_template(self, declaration: DeclaredMeta, settings: EffectiveSettings) -> ConnectionTemplate:
        """A template of the connections to a table, which the settings keep. Those of an app outlive the scope."""
        bind, templates = settings.bind, self.registry.connection_templates
        table = KeyTable(declaration.schema.table_data(t.cast("str", settings.table_name)))
        is_kept = settings.is_static and not is_init_patched()
        is_usual = is_kept and declaration.expiry is None and self.registry.binds.get(bind.key) is bind
        if is_usual and bind.key in templates:
            settings.template = templates[bind.key].for_table(table, model=declaration.model_name)
            return settings.template
        # A connection for each table: PynamoDB's connection refuses a second model on one table.
        connection = Connection(bind, owner=self.root, model=declaration.model_name)
        if declaration.expiry is not None:
            connection = ExpiryConnection.of(connection, declaration.expiry)
        template = ConnectionTemplate.of(connection, table)
        if is_kept and can_be_kept(bind):
            settings.template = template
            if is_usual:
                templates.setdefault(bind.key, template)
        return template

    @property
    def shared_tables(self) -> TenantKeyTables:
        """The tables that all tenants share in this scope."""
        cache = self._cache
        found = cache.shared_tables or find_shared_tables(self)
        cache.shared_tables = found if found.is_static else None
        return found

    @property
    def has_changes(self) -> bool:
        """True if this context entered or set something, back to the block that changed the tenant."""
        outer = self._outer if self._principal is None else None
        return bool(self._entered or self._changes) or (outer is not None and outer.has_changes)

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

    def resolve_for(
        self, declaration: DeclaredMeta, principal: Principal, *, with_changes: bool = True
    ) -> EffectiveSettings:
        """The settings that a model would have if this context, with or without its changes, were another tenant's."""
        layers = self._layers(declaration) if with_changes else ()
        # In a block: what computes a name may ask for the tenant.
        with self.using({}, principal=principal):
            return self.registry.resolve(declaration, layers, principal.tenant)

    def _layers(self, declaration: DeclaredMeta | None = None) -> list[Values]:
        """What the context set and entered, the innermost last, back to the block that changed the tenant."""
        layers = [] if self._outer is None or self._principal is not None else self._outer._layers(declaration)
        if self._entered:
            layers.append(self._entered)
        if declaration in self._changes:
            # A copy: a thread that shares the context may set another value while the layers are merged.
            layers.append(self._changes[declaration].copy())
        return layers

    def _connect(self, bind: Bind) -> Connection:
        tenant = self.tenant
        return Connection(bind, owner=self.root, tenant=tenant, own_capacity=self._own_capacity(tenant))

    def _own_capacity(self, tenant: str | None) -> OwnCapacity:
        # A model that belongs to no tenant has no limit, although the context may have a tenant.
        if tenant is None or self.principal.tenant is None:
            return UNSET
        return t.cast("OwnCapacity", self.principal.tenant.limits.get("tenant_capacity", UNSET))

    # The other connections.

    def connection(self, bind_key: str | None = None) -> Connection:
        """This context's connection to a bind.

        Args:
            bind_key: The bind; by default that of the enclosing ``db.using`` block, or ``"default"``.

        Raises:
            UnknownBind: The app has no such bind.
        """
        self.require_open()
        cache, bind = self._cache, self.bind(bind_key)
        connection = cache.connections.get(bind.key)
        if connection is None:
            connection = cache.connections.setdefault(bind.key, self._connect(bind))
        return connection

    def bind(self, bind_key: str | None = None) -> Bind:
        """A bind, with the changes of the enclosing ``db.using`` blocks."""
        return self.registry.bind(bind_key, self._layers(), self._required_tenant())

    def table(self, table_name: str) -> TableConnection:
        """This context's connection to a table that no model describes, in the default bind.

        Args:
            table_name: The name without the bind's table prefix.
        """
        self.require_open()
        cache, bind = self._cache, self.bind()
        real_name = apply_prefix(table_name, prefix=bind.table_prefix)
        table = cache.plain_tables.get(table_name)
        if table is None or table.table_name != real_name:
            table = TableConnection(real_name, connection=self._connect(bind))
            cache.plain_tables[table_name] = table
        return table

    @property
    def table_names(self) -> list[str]:
        """The names that :meth:`table` was called with."""
        return list(self._cache.plain_tables.copy())

    # What a connection needs of its scope: client.leased_calls.ConnectionContext.

    def require_open(self) -> None:
        """Refuse further use of an object whose context has ended.

        Raises:
            RuntimeError: The context has ended.
        """
        if not self.root.pushes:
            raise RuntimeError(
                f"This belongs to an application context of {self.registry.app_name!r} that has ended. Get it again"
                " inside the context that uses it; in a streamed response, wrap the generator in"
                " flask.stream_with_context."
            )

    @property
    def running_scope(self) -> Scope | None:
        """The scope that the running code is in: this one, or a block."""
        return current_scope(self.registry.dynamo)

    def require_running_scope(self, scope: object, model: str) -> None:
        """Refuse to go on if code of the program has entered or left a block in the middle of a call.

        Args:
            scope: What :attr:`running_scope` was at the start.
            model: Name of the model of the call.

        Raises:
            RuntimeError: The running code is in another scope.
        """
        if self.running_scope is not scope:
            raise block_error(model)

    def lease(self, bind: Bind) -> Lease:
        """The app's claim on the client of a destination."""
        return self.registry.lease(bind)

    def dedicated_client(self, bind: Bind) -> t.Any:
        """The app's own client for a destination."""
        return self.registry.dedicated_client(bind)

    @property
    def recorder(self) -> OperationRecorder:
        """The app's recorder of operations."""
        return self.registry.recorder

    @property
    def needs_tenant(self) -> bool:
        """True if a command of the app needs one of the options for tenants."""
        return self.registry.tenants.has_callbacks or self.registry.tenants.is_required

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

    # Codecs.

    def codec_for(self, model: t.Any, find: t.Callable[[t.Any, Scope], t.Any]) -> t.Any:
        """The codec that converts a model's items in this scope, or None if PynamoDB does. It is found once per scope.

        Args:
            model: The model's class.
            find: Finds the codec.
        """
        codecs = self._cache.codecs
        if model in codecs:
            return codecs[model]
        return codecs.setdefault(model, find(model, self))

    def wants_stock(self, declaration: DeclaredMeta) -> bool:
        """True if a model's calls are made by PynamoDB and botocore alone: ``DYNAMODB_TRANSPORT = "stock"``."""
        # A model that this context cannot reach may still be converted to an item.
        try:
            return transport_of(self.resolve(declaration).bind) == STOCK
        except (DynaflaskError, AttributeError, RuntimeError):
            return False

    # The tenant.

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

    def log_fields(self) -> tuple[str | None, str]:
        """The tenant's name and the bind's key, as far as they have been looked up. The loader is not called."""
        principal = self.known_principal
        return principal and principal.name, select_bind_key(self._known_layers())

    def _known_layers(self) -> list[Values]:
        if self._principal is None and self._outer is not None:
            return [*self._outer._known_layers(), self._entered]
        tenant = None if self._principal is None else self._principal.tenant
        return [*([tenant.changes] if tenant else []), self._entered]

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

    def require_current(self, model: str) -> None:
        """Refuse a transaction that is sent in another context or for another tenant than this scope's.

        Args:
            model: Name of the model that was added to it in this scope.

        Raises:
            RuntimeError: The current context is another one.
            TenantMismatch: The current tenant is another one.
        """
        if not self._is_in_current_context():
            raise RuntimeError(
                f"A transaction belongs to one application context: {model} was added in a context of"
                f" {self.registry.app_name!r}, which is not the current one. Send the transaction in that context."
            )
        scope = t.cast("Scope", current_scope(self.registry.dynamo))
        if scope.known_tenant != self.known_tenant:
            added_for, sent_for = (
                repr(str(name)) if name else "no tenant" for name in (self.known_tenant, scope.known_tenant)
            )
            raise TenantMismatch(
                f"A transaction is for one tenant: {model} was added for {added_for}, and the transaction is sent for"
                f" {sent_for}. Send it in the block that its models were added in, or make it with"
                " db.transact_write() or db.transact_get()."
            )

    def _is_in_current_context(self) -> bool:
        current = current_scope(self.registry.dynamo)
        return current is not None and current.root is self.root

    def close(self) -> None:
        """Drop the scope's connection objects, which refuse use after the end of the context. Shared clients stay open.

        The changes of the context stay: ``flask.stream_with_context`` pushes a context again after its teardown, and
        the response continues with the view's changes. The view's blocks have ended by then.
        """
        self._invalidate_caches()

    def _invalidate_caches(self) -> None:
        self._cache = ScopeCache()
        # A copy of the list: another thread may enter or leave a block meanwhile.
        for block in tuple(self._inner_blocks):
            block._invalidate_caches()


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
