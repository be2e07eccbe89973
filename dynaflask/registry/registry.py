"""What one app owns: its binds, its models by name, and access to its connections and clients."""

from __future__ import annotations

import collections
import collections.abc as cabc
import typing as t
import uuid
import weakref

from dynaflask.client.connection import Connection
from dynaflask.client.connection_template import ConnectionTemplate
from dynaflask.client.pool import ClientPool
from dynaflask.client.pool import pool
from dynaflask.client.table_connection import TableConnection
from dynaflask.config.bind import Bind
from dynaflask.config.bind import make_bind
from dynaflask.config.settings import DEFAULT_BIND
from dynaflask.config.settings import Settings
from dynaflask.config.validators import Values
from dynaflask.exceptions import TenantRequired
from dynaflask.operations.recorder import OperationRecorder
from dynaflask.registry.context import EXTENSION
from dynaflask.registry.context import current_scope
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.effective_settings import EffectiveSettings
from dynaflask.registry.health_methods import HealthMethodsMixin
from dynaflask.registry.lazy_mapping import LazyMapping
from dynaflask.registry.leases import MAX_BINDS
from dynaflask.registry.leases import Leases
from dynaflask.registry.meta import AppMetaBackend
from dynaflask.registry.meta import Meta
from dynaflask.registry.models import AppModels
from dynaflask.registry.precedence import resolve
from dynaflask.registry.precedence import resolve_bind
from dynaflask.registry.scope import Scope
from dynaflask.registry.tenant_tables import TenantTables
from dynaflask.registry.usage_methods import UsageMethodsMixin
from dynaflask.tenants.lookup import Tenants
from dynaflask.tenants.tenant import Tenant
from dynaflask.tenants.tenant import registries_by_id

if t.TYPE_CHECKING:
    import flask

    from dynaflask.extension import Dynamo
    from dynaflask.model.typed import Model


class Registry(HealthMethodsMixin, UsageMethodsMixin):
    """One app's binds, models and connections: ``app.extensions["dynamo"]``.

    Connections and tables belong to an app context. Binds, models and clients can be used anywhere.

    Args:
        dynamo: The extension object, which knows the models.
        settings: The app's configuration.
        recorder: The app's recorder of operations.
        allowed_models: The models that the app is limited to; ``None`` for all.

    Attributes:
        binds: The app's destinations by bind key.
        models: The app's models by class name, or by ``module.ClassName`` where two share a name.
        connections: This context's connections by bind key.
        tables: This context's connections to tables that no model describes, by table name.
        tenants: The app's tenants.
        leases: The app's claims on clients.
        pool: The clients of this process.
        own_settings: What `resolve` has returned for contexts without changes and without settings of a tenant, as far
            as it is no computed name.
        connection_templates: The first template of a connection to each of the binds, by bind key.
        id: Tells it from the registry of another app with the same name, in a pickle.
    """

    pool: t.ClassVar[ClientPool] = pool

    def __init__(
        self,
        dynamo: Dynamo,
        settings: Settings,
        *,
        recorder: OperationRecorder,
        allowed_models: cabc.Iterable[type[Model]] | None = None,
    ) -> None:
        self.id: t.Final = uuid.uuid4().hex
        registries_by_id[self.id] = self
        self.dynamo = dynamo
        self.settings = settings
        self.recorder = recorder
        self.binds: cabc.Mapping[str, Bind] = {
            key: make_bind(key, settings.effective_values(key)) for key in settings.bind_keys
        }
        self.models = AppModels(dynamo, settings, allowed_models=allowed_models)
        self.connection_templates: dict[str, ConnectionTemplate] = {}
        self.connections: cabc.Mapping[str, Connection] = LazyMapping(lambda: self.binds, self.get_connection)
        self.tables: cabc.Mapping[str, TableConnection] = LazyMapping(
            lambda: self.scope.table_names,
            lambda name: self.scope.table(name),  # noqa: PLW0108 - the scope of the moment of the call
        )
        tenant_tables = TenantTables(self)
        self.tenants = Tenants(
            settings, dynamo._tenant_callbacks, registry=weakref.ref(self), on_look_up=tenant_tables.compare
        )
        # A weak key lets Python collect a model of a function.
        self.own_settings: weakref.WeakKeyDictionary[DeclaredMeta, EffectiveSettings] = weakref.WeakKeyDictionary()
        self._tenant_settings: weakref.WeakKeyDictionary[DeclaredMeta, dict[Tenant, EffectiveSettings]] = (
            weakref.WeakKeyDictionary()
        )
        self._static_binds = set(self.binds.values())
        self.leases = Leases(self._static_binds)
        pool.set_limits(
            self,
            max_clients=settings.plain.get("max_clients"),
            idle_seconds=settings.plain.get("client_idle_seconds"),
        )
        for tenant in self.tenants.configured():
            tenant_tables.compare(tenant)

    def __repr__(self) -> str:
        binds = ", ".join(f"{key} ({bind.region}, {bind.host or 'AWS'})" for key, bind in self.binds.items())
        return f"<Registry of {self.app_name!r}: {binds}>"

    @property
    def app_name(self) -> str:
        """The app's name."""
        return self.settings.app_name

    @property
    def connection(self) -> Connection:
        """This context's connection to the default bind, or to that of the enclosing ``db.using`` block."""
        return self.get_connection()

    def get_connection(self, bind_key: str | None = None) -> Connection:
        """This context's connection to one bind.

        Args:
            bind_key: A key of ``DYNAMODB_BINDS``, or ``"default"``. By default the bind of the enclosing ``db.using``
                block, or else the default bind.

        Raises:
            UnknownBind: The app has no such bind.
            RuntimeError: It was called outside of a context of this app.
        """
        return self.scope.connection(bind_key)

    @property
    def client(self) -> t.Any:
        """The botocore client of the default bind, for what PynamoDB does not cover."""
        return self.get_client()

    def get_client(self, bind_key: str | None = None) -> t.Any:
        """A botocore client for one bind, for what PynamoDB does not cover.

        The client is the app's own: other apps do not call a handler that is registered on its events. From now on it
        also serves the app's models on this bind.

        Args:
            bind_key: As of `get_connection`.

        Raises:
            UnknownBind: The app has no such bind.
            TenantRequired: ``DYNAMODB_REQUIRE_TENANT`` is set, and there is no tenant.
        """
        return self.leases.dedicated_client(self._current_bind(bind_key))

    def meta(self, model: type[Model]) -> Meta:
        """A model's ``Meta`` in this app; in a context of the app, with the changes of the context.

        Args:
            model: One of the app's models.
        """
        scope = self._scope()
        declaration = self.models.declaration_of(model)
        return scope.meta(declaration) if scope else Meta(declaration, AppMetaBackend(self))

    @property
    def scope(self) -> Scope:
        """This app's scope in the current context.

        Raises:
            RuntimeError: The current context is not one of this app.
        """
        scope = self._scope()
        if scope is None:
            raise RuntimeError(
                f"This is the registry of the app {self.app_name!r}, used outside of its application context. Its"
                " connections belong to a context: use `with app.app_context():`, or db.connection for the current app."
            )
        return scope

    def is_of(self, app: flask.Flask) -> bool:
        """True if this is the registry of an app.

        Args:
            app: The app.
        """
        return app.extensions.get(EXTENSION) is self

    def open_scope(self) -> Scope:
        """A new scope for an app context."""
        return Scope(self)

    def bind(self, bind_key: str | None, context: cabc.Sequence[Values] = (), tenant: Tenant | None = None) -> Bind:
        """A bind, with the changes of a context and a tenant.

        Args:
            bind_key: A key of ``DYNAMODB_BINDS``; ``None`` for the default bind.
            context: What the context set and entered, the innermost last.
            tenant: The tenant of the context.

        Raises:
            UnknownBind: The app has no such bind.
            TenantMismatch: The context contradicts the tenant.
        """
        tenant = tenant if tenant and tenant.changes else None
        if context or tenant or (bind_key or DEFAULT_BIND) not in self.binds:
            return resolve_bind(bind_key, settings=self.settings, context=context, tenant=tenant)
        return self.binds[bind_key or DEFAULT_BIND]

    def resolve(
        self, declaration: DeclaredMeta, context: cabc.Sequence[Values] = (), tenant: Tenant | None = None
    ) -> EffectiveSettings:
        """A model's settings in this app, with the changes of a context and a tenant.

        Args:
            declaration: What the model declares.
            context: As of `bind`.
            tenant: As of `bind`.

        Raises:
            UnknownBind: The app does not have the bind that wins.
            TenantMismatch: The context contradicts the tenant.
            ConfigurationError: The values that win do not fit together.
        """
        tenant = tenant if tenant and tenant.changes else None
        settings = None if context else self._kept_settings(declaration, tenant)
        if settings is None:
            settings = resolve(
                declaration,
                settings=self.settings,
                binds=self.binds,
                configured=self.models.configured(declaration),
                context=context,
                tenant=tenant,
            )
            if settings.is_static and not context:
                self._keep_settings(declaration, tenant, settings)
        return settings

    def shell_context(self) -> dict[str, t.Any]:
        """The names in ``flask shell``: ``db``, and the models whose class name is unique."""
        models = self.models.classes()
        names = collections.Counter(["app", "g", "db", *(model.__name__ for model in models)])
        return {**{model.__name__: model for model in models if names[model.__name__] == 1}, "db": self.dynamo}

    def close(self) -> None:
        """Release the app's clients. Those that no other app uses are closed. The next use makes new ones.

        Calls in flight end as usual.
        """
        self.leases.close()

    def _registry(self, what: str) -> Registry:
        return self

    def _kept_settings(self, declaration: DeclaredMeta, tenant: Tenant | None) -> EffectiveSettings | None:
        if tenant is None:
            return self.own_settings.get(declaration)
        return self._tenant_settings.get(declaration, {}).get(tenant)

    def _keep_settings(self, declaration: DeclaredMeta, tenant: Tenant | None, settings: EffectiveSettings) -> None:
        if tenant is None:
            self.own_settings[declaration] = settings
            self._static_binds.add(settings.bind)
            return
        by_tenant = self._tenant_settings.setdefault(declaration, {})
        if len(by_tenant) >= MAX_BINDS:
            by_tenant.clear()
        by_tenant[tenant] = settings

    def _scope(self) -> Scope | None:
        scope = current_scope(self.dynamo)
        return scope if scope is not None and scope.registry is self else None

    def _current_bind(self, bind_key: str | None = None) -> Bind:
        scope = self._scope()
        if scope is None and self.tenants.is_required:
            raise TenantRequired(
                f"The app {self.app_name!r} needs a tenant, and a client was requested outside of a context of the app,"
                " which has none. Use `with app.app_context(), db.tenant(...):`."
            )
        return scope.bind(bind_key) if scope else self.bind(bind_key or DEFAULT_BIND)
