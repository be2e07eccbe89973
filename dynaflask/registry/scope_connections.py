"""The connections of a scope, to the tables of models and to binds, and the codecs of the models."""

from __future__ import annotations

import typing as t
import weakref

from dynaflask.client.connection import Connection
from dynaflask.client.connection_template import ConnectionTemplate
from dynaflask.client.connection_template import can_be_kept
from dynaflask.client.connection_template import is_init_patched
from dynaflask.client.expiry import ExpiryConnection
from dynaflask.client.key import STOCK
from dynaflask.client.key import transport_of
from dynaflask.client.table_connection import TableConnection
from dynaflask.client.table_keys import KeyTable
from dynaflask.config.bind import Bind
from dynaflask.exceptions import DynaflaskError
from dynaflask.operations.rate_limits import UNSET
from dynaflask.operations.rate_limits import OwnCapacity
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.declaration import has_own_declaration
from dynaflask.registry.effective_settings import EffectiveSettings
from dynaflask.registry.precedence import apply_prefix
from dynaflask.registry.scope_settings import ScopeSettings
from dynaflask.registry.shared_tables import TenantKeyTables
from dynaflask.registry.shared_tables import find_shared_tables
from dynaflask.registry.shared_tables import require_table_of_tenant
from dynaflask.registry.shared_tables import require_table_without_tenants
from dynaflask.tenants.tenant import NO_TENANT


class ScopeConnections(ScopeSettings):
    """The part of a scope that makes its connections, and keeps them as long as its settings stay the same."""

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
            is_usual = settings.template is not None and not declaration.is_shared and self._is_plain()
            if is_usual and transport_of(settings.bind) != STOCK:
                settings.opened_for = weakref.ref(model)
        return table

    def _open_as_before(self, model: t.Any) -> bool:
        """Open a model's table, and return True, if the app has opened it before and this context differs in nothing.

        Most contexts have no tenant, no block and no change, and need not look for each in turn.
        """
        cache, declaration = self._cache, model.__declaration__
        if declaration is None or not self._is_plain():
            return False
        settings: t.Any = self.registry.own_settings.get(declaration)  # mypy cannot know that there is a template
        if settings is None or settings.opened_for is None or settings.opened_for() is not model:
            return False
        # The program or a test may have changed one of these since.
        if not has_own_declaration(model) or is_init_patched() or not self.pushes:
            return False
        declaration.schema.read_models()
        table = TableConnection(settings.table_name, connection=settings.template.connect(self))
        cache.effective_settings[declaration] = settings
        cache.model_tables[model] = cache.tables.setdefault(declaration, table)
        return True

    def _is_plain(self) -> bool:
        """True for the scope of a context that has nothing of its own: no tenant, and no changes."""
        if self._outer is not None or self._changes or self.registry.tenants.may_concern_all:
            return False
        if self._principal is None:
            self._principal = NO_TENANT
        return self._principal is NO_TENANT

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

    def _connect(self, bind: Bind) -> Connection:
        tenant = self.tenant
        return Connection(bind, owner=self.root, tenant=tenant, own_capacity=self._own_capacity(tenant))

    def _own_capacity(self, tenant: str | None) -> OwnCapacity:
        # A model that belongs to no tenant has no limit, although the context may have a tenant.
        if tenant is None or self.principal.tenant is None:
            return UNSET
        return t.cast("OwnCapacity", self.principal.tenant.limits.get("tenant_capacity", UNSET))

    # Codecs.

    def codec_for(self, model: t.Any, find: t.Callable[[t.Any, t.Any], t.Any]) -> t.Any:
        """The codec that converts a model's items in this scope, or None if PynamoDB does. It is found once per scope.

        It opens the model's table if that needs no check: the codec depends on the same settings.

        Args:
            model: The model's class.
            find: Finds the codec.
        """
        codecs = self._cache.codecs
        if model in codecs:
            return codecs[model]
        return codecs.setdefault(model, find(model, None if self._open_as_before(model) else self))

    def wants_stock(self, declaration: DeclaredMeta) -> bool:
        """True if a model's calls are made by PynamoDB and botocore alone: ``DYNAMODB_TRANSPORT = "stock"``."""
        # A model that this context cannot reach may still be converted to an item.
        try:
            return transport_of(self.resolve(declaration).bind) == STOCK
        except (DynaflaskError, AttributeError, RuntimeError):
            return False
