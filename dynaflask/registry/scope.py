"""What one app context holds."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import copy
import threading
import typing as t

from dynaflask.client.connection import Connection
from dynaflask.client.connection import TableConnection
from dynaflask.client.connection import TableKeys
from dynaflask.client.key import STOCK
from dynaflask.client.pool import Lease
from dynaflask.config.bind import Bind
from dynaflask.config.validators import Values
from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import TenantRequired
from dynaflask.operations.recorder import OperationRecorder
from dynaflask.registry.context import ScopeToken
from dynaflask.registry.context import current_scope
from dynaflask.registry.context import reset
from dynaflask.registry.context import scope_stack
from dynaflask.registry.precedence import DeclaredMeta
from dynaflask.registry.precedence import EffectiveSettings
from dynaflask.registry.precedence import Meta
from dynaflask.registry.precedence import apply_prefix
from dynaflask.registry.precedence import select_bind_key
from dynaflask.tenants import NO_TENANT
from dynaflask.tenants import Principal
from dynaflask.tenants import Tenant

if t.TYPE_CHECKING:
    from dynaflask.registry.registry import Registry

# For how many tenants a context keeps what it made.
MAX_SPARE = 100


class ScopeCache:
    """What a scope has made of its settings. A change replaces all of it, also under a thread that is still making."""

    __slots__ = ("codecs", "connections", "model_tables", "plain_tables", "resolved", "tables")

    def __init__(self) -> None:
        self.resolved: dict[DeclaredMeta, EffectiveSettings] = {}
        self.model_tables: dict[t.Any, TableConnection] = {}
        self.tables: dict[t.Any, TableConnection] = {}
        self.plain_tables: dict[str, TableConnection] = {}
        self.connections: dict[str, Connection] = {}
        self.codecs: dict[t.Any, t.Any] = {}


class Scope:
    """One app context's connection objects and its copies of each model's ``Meta``.

    A ``db.using`` block is a scope inside the context's own: it sees what the outer ones set, and what is set in it
    ends with it.

    Args:
        registry: The registry of the context's app.
        outer: The scope that this block stands in.
        entered: What the block changes.
        who: Whom the block acts for, if it changes that. It begins anew: what the outer ones set stays with them.
        made: What was made for them before.

    Attributes:
        owner_request: The request that the context was made for, or that there was none; ``None`` where
            the program has no tenant loader.
        nested_scopes: The scopes of requests that ran in the context, and that it was not made for.
    """

    owner_request: t.Any = None
    nested_scopes: t.Any = ()

    def __init__(
        self,
        registry: Registry,
        *,
        outer: Scope | None = None,
        entered: Values | None = None,
        principal: Principal | None = None,
        made: ScopeCache | None = None,
    ) -> None:
        self.registry = registry
        self.is_open = True
        self._outer = outer
        self._entered: Values = entered or {}
        self._principal = principal
        self._inner: list[Scope] = []
        self._changes: dict[DeclaredMeta, dict[str, t.Any]] = {}
        self._metas: dict[DeclaredMeta, Meta] = {}
        self._made = made or ScopeCache()
        self._spare: dict[Principal, ScopeCache] = {}

    @property
    def tenant(self) -> str | None:
        """Whom this context acts for. It is found out once, on the first use, and stays so.

        Raises:
            UnknownTenant: The app has no such tenant.
        """
        return self.principal.name

    @property
    def known_tenant(self) -> str | None:
        """Whom this context acts for, as far as that was found out already."""
        principal = self._principal
        if principal is None and self._outer is not None:
            return self._outer.known_tenant
        return None if principal is None else principal.name

    @property
    def principal(self) -> Principal:
        """Whom this scope acts for, or that it is nobody."""
        if self._principal is not None:
            return self._principal
        return self._resolve_tenant() if self._outer is None else self._outer.principal

    @property
    def root(self) -> Scope:
        """The scope of the app context."""
        # Not an attribute: a root that held itself would be left to the garbage collector after every request.
        return self if self._outer is None else self._outer.root

    def model_table(self, model: t.Any) -> TableConnection:
        """This context's connection to a model's table.

        Raises:
            RuntimeError: The model was declared with another ``Dynamo`` than the app's.
            UnknownModel: The app was not given the model.
        """
        table = self._made.model_tables.get(model)
        return self._open_model_table(model) if table is None else table

    def table(self, table_name: str) -> TableConnection:
        """This context's connection to a table that no model describes, in the default bind.

        Args:
            table_name: The name, to which the bind's table prefix is added.
        """
        self.require_open()
        made, bind = self._made, self.bind()
        real_name = apply_prefix(table_name, prefix=bind.table_prefix)
        table = made.plain_tables.get(table_name)
        if table is None or table.table_name != real_name:
            table = TableConnection(real_name, connection=self._connect(bind))
            made.plain_tables[table_name] = table
        return table

    @property
    def table_names(self) -> list[str]:
        """The names that :meth:`table` was asked for."""
        return list(self._made.plain_tables)

    def connection(self, bind_key: str | None = None) -> Connection:
        """This context's connection to a bind.

        Args:
            bind_key: The bind; by default that of the enclosing ``db.using`` block, or ``"default"``.

        Raises:
            UnknownBind: The app has no such bind.
        """
        self.require_open()
        made, bind = self._made, self.bind(bind_key)
        connection = made.connections.get(bind.key)
        if connection is None:
            connection = made.connections.setdefault(bind.key, self._connect(bind))
        return connection

    def bind(self, bind_key: str | None = None) -> Bind:
        """A bind, with what the enclosing ``db.using`` blocks change in it."""
        return self.registry.bind(bind_key, self._context(), self._required_tenant())

    def meta(self, declaration: DeclaredMeta) -> Meta:
        """This context's copy of a model's ``Meta``."""
        meta = self._metas.get(declaration)
        return self._metas.setdefault(declaration, Meta(declaration, self)) if meta is None else meta

    def resolve(self, declaration: DeclaredMeta) -> EffectiveSettings:
        """What a model's settings come to in this scope."""
        self.require_open()
        made = self._made
        resolved = made.resolved.get(declaration)
        if resolved is None:
            resolved = self.registry.resolve(declaration, self._context(declaration), self._required_tenant())
            if resolved.is_static:
                made.resolved[declaration] = resolved
        return resolved

    def wants_stock(self, declaration: DeclaredMeta) -> bool:
        """Whether a model's calls are made as PynamoDB and botocore make them."""
        # An object of a model that this context cannot reach may be written to an item all the same.
        try:
            return self.resolve(declaration).bind.transport == STOCK
        except (DynaflaskError, AttributeError, RuntimeError):
            return False

    def codec_for(self, model: t.Any, find: t.Callable[[t.Any, Scope], t.Any]) -> t.Any:
        """The codec that converts a model's items in this scope, or None if PynamoDB does. It is found once per scope.

        Args:
            model: The model's class.
            find: Finds the codec.
        """
        codecs = self._made.codecs
        if model in codecs:
            return codecs[model]
        return codecs.setdefault(model, find(model, self))

    def set(self, declaration: DeclaredMeta, name: str, value: t.Any) -> None:
        """Set a value of a model's ``Meta`` for this scope.

        Raises:
            UnknownBind: The value is to be a bind key, and the app has no such bind.
        """
        self.require_open()
        if name == "bind_key" and value is not None:
            self.registry.settings.own_values(value)
        self._changes.setdefault(declaration, {})[name] = value
        self._forget()

    def unset(self, declaration: DeclaredMeta, name: str) -> bool:
        """Take a change back; whether there was one."""
        changes = self._changes.get(declaration, {})
        was_changed = name in changes
        changes.pop(name, None)
        self._forget()
        return was_changed

    def copy_on_write(self, declaration: DeclaredMeta, name: str, value: t.Any) -> t.Any:
        """This scope's own copy of a value that can be changed in place."""
        changes = self._changes.setdefault(declaration, {})
        if name not in changes:
            changes[name] = copy.deepcopy(value)
            self._forget()
        return changes[name]

    def lease(self, bind: Bind) -> Lease:
        """The app's claim on the client of a destination."""
        return self.registry.lease(bind)

    def connection_template(self, bind: Bind) -> dict[str, t.Any]:
        """What a connection to a bind begins with."""
        return self.registry.connection_template(bind)

    def dedicated_client(self, bind: Bind) -> t.Any:
        """The app's own client for a destination."""
        return self.registry.dedicated_client(bind)

    def log_fields(self) -> tuple[str | None, str]:
        """The tenant's name and the bind's key, as far as they are known: nobody is asked."""
        return self.known_tenant, select_bind_key(self._known_layers())

    @property
    def recorder(self) -> OperationRecorder:
        """What the app does with its operations."""
        return self.registry.recorder

    def require_open(self) -> None:
        """Refuse what is used after its context.

        Raises:
            RuntimeError: The context has ended.
        """
        if not self.root.is_open and not self._is_in_current_context():
            raise RuntimeError(
                f"This belongs to an application context of {self.registry.app_name!r} that has ended. Get it anew"
                " inside the context that uses it; in a streamed response, wrap the generator in"
                " flask.stream_with_context."
            )

    def using(self, entered: Values, *, principal: Principal | None = None) -> Scope:
        """A block inside this scope that runs on other values, or for somebody else, while it is entered."""
        # What was made in an earlier block for the same tenant, and holds nothing of another.
        made = None if principal is None else self.root._spare.pop(principal, None)
        return Scope(self.registry, outer=self, entered=entered, principal=principal, made=made)

    def pinned_to(self, model: t.Any) -> Scope:
        """A block for work that goes on later: a model's table and settings stay what they are in this scope now.

        Args:
            model: The model's class.
        """
        block = self.using({})
        block.model_table(model)
        return block

    def for_tenant(self, name: str) -> Scope:
        """A block inside this scope for a tenant.

        Raises:
            UnknownTenant: The app has no such tenant.
            ConfigurationError: What the tenant changes is wrong.
        """
        return self.using({}, principal=Principal(self.registry.tenants.get(name, self.lookup_scope)))

    def lookup_scope(self) -> Scope:
        """A block round the program's function that finds a tenant."""
        return TenantLookupScope(self.registry, outer=self)

    # Not a generator: whoever serves many tenants goes in and out of blocks all the time.
    def __enter__(self) -> Scope:
        outer = t.cast("Scope", self._outer)
        outer._inner.append(self)
        others = scope_stack.get()
        scope_stack.set((*(other for other in others if other.root.is_open), self) if others else (self,))
        return self

    def __exit__(self, *exception: object) -> None:
        # Not what was there before: generators may end out of their order, or in another thread.
        entered = scope_stack.get()
        is_last = bool(entered) and entered[-1] is self
        scope_stack.set(entered[:-1] if is_last else tuple(other for other in entered if other is not self))
        t.cast("Scope", self._outer)._inner.remove(self)
        self._metas.clear()
        if self._principal is not None and not self._changes:
            self.root._put_by(self._principal, self._made)

    @contextlib.contextmanager
    def reentered(self) -> cabc.Iterator[None]:
        """Work on, in this scope, at what was begun in it.

        Raises:
            RuntimeError: Its context is not the current one.
        """
        token = self.reenter()
        try:
            yield
        finally:
            reset(token)

    def reenter(self) -> ScopeToken:
        """Begin to work on: :meth:`resumed`, without what a ``with`` block costs each item of a page.

        Returns:
            What :func:`leave` takes.
        """
        if not self._is_in_current_context():
            raise RuntimeError(
                f"This was begun in an application context of {self.registry.app_name!r}, and can go on in that context"
                " alone."
            )
        return scope_stack.set((*scope_stack.get(), self))

    def close(self) -> None:
        """End the scope. Its connection objects refuse further use; the shared clients stay open.

        What the context changed is kept: ``flask.stream_with_context`` pushes a context again after its teardown, and
        the response goes on as the view had set it up. A block of the view's has ended by then.
        """
        self.is_open = False
        self._metas.clear()
        self._forget()

    def _open_model_table(self, model: t.Any) -> TableConnection:
        made, declaration = self._made, self.registry.declaration_of(model)
        resolved = self.resolve(declaration)
        if resolved.table_name is None:
            raise AttributeError(f"{declaration.full_name}.Meta needs a table_name.")
        meta_table = TableKeys(declaration.schema.table_data(resolved.table_name))
        key = declaration if resolved.is_static else (declaration, resolved.bind, resolved.table_name)
        table = made.tables.get(key)
        if table is None:
            # A connection of its own: PynamoDB's refuses a second model on one table.
            connection = self._connect(resolved.bind, model=declaration.model_name)
            opened = TableConnection(resolved.table_name, connection=connection, meta_table=meta_table)
            table = made.tables.setdefault(key, opened)
        if resolved.is_static:
            made.model_tables[model] = table
        return table

    def _connect(self, bind: Bind, *, model: str | None = None) -> Connection:
        return Connection(bind, owner=self.root, tenant=self.tenant, model=model)

    def _known_layers(self) -> list[Values]:
        if self._principal is None and self._outer is not None:
            return [*self._outer._known_layers(), self._entered]
        tenant = None if self._principal is None else self._principal.tenant
        return [*([tenant.changes] if tenant else []), self._entered]

    def _context(self, declaration: DeclaredMeta | None = None) -> list[Values]:
        layers = [] if self._outer is None or self._principal is not None else self._outer._context(declaration)
        if self._entered:
            layers.append(self._entered)
        if declaration in self._changes:
            layers.append(self._changes[declaration])
        return layers

    def _required_tenant(self) -> Tenant | None:
        principal = self.principal
        if principal.tenant is None and not principal.is_unrestricted and self.registry.tenants.is_required:
            raise TenantRequired(
                f"The app {self.registry.app_name!r} needs a tenant, and this context has none. Enter one with"
                " `with db.tenant(...):`, have @db.tenant_loader return it, or write"
                " `with db.without_tenant(reason=...):` round what is to be done for no tenant."
            )
        return principal.tenant

    def _resolve_tenant(self) -> Principal:
        tenants = self.registry.tenants
        if not tenants.has_loader:
            self._principal = NO_TENANT
            return NO_TENANT
        # Threads may share a context, and the program is asked once.
        with vars(self).setdefault("_resolving", threading.RLock()):
            if self._principal is None:
                self._principal = tenants.load(self.lookup_scope)
        return self._principal

    def _is_in_current_context(self) -> bool:
        current = current_scope(self.registry.dynamo)
        return current is not None and current.root is self.root

    def _put_by(self, principal: Principal, made: ScopeCache) -> None:
        if len(self._spare) >= MAX_SPARE:
            self._spare = {}
        self._spare[principal] = made

    def _forget(self) -> None:
        self._made = ScopeCache()
        self._spare = {}
        # A copy: another thread may leave a block meanwhile.
        for block in tuple(self._inner):
            block._forget()


class TenantLookupScope(Scope):
    """The scope of a function that finds a tenant, and can use nothing that depends on it."""

    @property
    def principal(self) -> Principal:
        """Nobody can tell yet.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError(
            "A function of @db.tenant_loader, @db.tenant_settings or @db.tenant_lister uses DynamoDB to find the"
            " tenant, which is to decide how DynamoDB is used. Write `with db.without_tenant(reason=...):` round that."
        )
