"""What one app owns: its binds, its models by name, and access to its connections and clients."""

from __future__ import annotations

import collections
import collections.abc as cabc
import typing as t
import uuid
import weakref

from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError

from dynaflask.client.connection import Connection
from dynaflask.client.connection_template import ConnectionTemplate
from dynaflask.client.key import ClientKey
from dynaflask.client.lease import Lease
from dynaflask.client.pool import ClientPool
from dynaflask.client.pool import pool
from dynaflask.client.table_connection import TableConnection
from dynaflask.config.bind import Bind
from dynaflask.config.bind import make_bind
from dynaflask.config.settings import DEFAULT_BIND
from dynaflask.config.settings import Settings
from dynaflask.config.validators import Values
from dynaflask.exceptions import TenantRequired
from dynaflask.operations.operation import Operation
from dynaflask.operations.recorder import OperationRecorder
from dynaflask.registry.context import EXTENSION
from dynaflask.registry.context import current_scope
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.lazy_mapping import LazyMapping
from dynaflask.registry.meta import DeclaredMetaBackend
from dynaflask.registry.meta import Meta
from dynaflask.registry.models import AppModels
from dynaflask.registry.precedence import EffectiveSettings
from dynaflask.registry.precedence import resolve
from dynaflask.registry.precedence import resolve_bind
from dynaflask.registry.scope import Scope
from dynaflask.registry.tenant_tables import TenantTables
from dynaflask.tenants import Tenant
from dynaflask.tenants import Tenants
from dynaflask.tenants import registries_by_id

if t.TYPE_CHECKING:
    import flask

    from dynaflask.extension import Dynamo
    from dynaflask.model.typed import Model
    from dynaflask.operations.usage import Usage
    from dynaflask.operations.usage import UsageKey
    from dynaflask.registry.health import Health

# How many binds a registry caches, including those that db.using makes.
MAX_BINDS = 2000


class Registry:
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
        self._leases: dict[Bind, Lease] = {}
        self._leases_by_key: dict[ClientKey, Lease] = {}
        # Represents this registry in the pool: a reference to the registry itself would keep the app alive.
        self._owner = object()
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
        return self.dedicated_client(self._current_bind(bind_key))

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
        """True if this is the app's registry."""
        return app.extensions.get(EXTENSION) is self

    def open_scope(self) -> Scope:
        """A new scope for an app context."""
        return Scope(self)

    def bind(self, bind_key: str | None, context: cabc.Sequence[Values] = (), tenant: Tenant | None = None) -> Bind:
        """A bind, with the changes of a context and a tenant.

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

        Raises:
            UnknownBind: The app does not have the bind that wins.
            TenantMismatch: The context contradicts the tenant.
            ConfigurationError: The values that win do not fit together.
        """
        tenant = tenant if tenant and tenant.changes else None
        if tenant is None:
            kept = self.own_settings.get(declaration)
        else:
            kept = self._tenant_settings.get(declaration, {}).get(tenant)
        settings = None if context else kept
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

    def lease(self, bind: Bind) -> Lease:
        """The app's claim on the pooled client of a destination."""
        lease = self._leases.get(bind)
        if lease is None:
            is_own = bind.share_client is False or bind.client_factory is not None
            lease = Lease(bind, owner=self._owner if is_own else None)
            # Binds that differ only in settings that no client has, such as a table prefix, share a lease. Two threads
            # may come here at once: setdefault gives both the lease of the first.
            lease = self._leases_by_key.setdefault(lease.key, lease)
            self._cache_lease(bind, lease)
        return lease

    def leases(self) -> list[Lease]:
        """The app's claims on clients so far, also those of blocks, tenants and models."""
        # Lists are made in one step: another thread may add a lease meanwhile.
        return list(self._leases_by_key.values())

    def dedicated_client(self, bind: Bind) -> t.Any:
        """A client of a destination that serves this app alone."""
        # The pool may evict the client of a block, because one request may be its only user.
        return self.lease(bind).dedicated(self._owner, is_pinned=bind in self._static_binds)

    def ping(self, bind_key: str = "default") -> float:
        """Make one cheap signed call, ListTables with a limit of one, as a readiness check.

        The call uses the app's own settings, not those of the current block or tenant.

        Args:
            bind_key: A key of ``DYNAMODB_BINDS``, or ``"default"``.

        Returns:
            The duration of the call in seconds.

        Raises:
            UnknownBind: The app has no such bind.
            BotoCoreError: There was no response, or not one of DynamoDB: check the endpoint, the credentials and the
                network.
            ClientError: DynamoDB or STS refused the request.
        """
        from dynaflask.registry import health  # noqa: PLC0415 - few programs need it

        return health.ping(self, self.bind(bind_key))

    def check(self, *bind_keys: str, tables: bool = False) -> list[Health]:
        """Check if DynamoDB answers on the binds, or if the tables of the models can be used, as a readiness check.

        Args:
            *bind_keys: Keys of the binds to check; by default all.
            tables: Check each table with DescribeTable instead of its bind with ListTables. The tables are those of the
                current context and its tenant. A bind without a table is checked by itself.

        Returns:
            One result per table or bind. Failed calls are in the results, and raise nothing.

        Raises:
            UnknownBind: The app has no such bind.
            RuntimeError: ``tables`` is true, and the current context is not one of this app.
            TenantRequired: ``tables`` is true, ``DYNAMODB_REQUIRE_TENANT`` is set, and there is no tenant.
        """
        from dynaflask.registry import health  # noqa: PLC0415 - few programs need it

        return health.check(self, *bind_keys, tables=tables)

    def warm(self, *bind_keys: str) -> None:
        """Make the clients, and open a connection of each, before the first request.

        Args:
            *bind_keys: The binds; by default all. If some fail, the others are warmed first.

        Raises:
            BotoCoreError: As of `ping`, for the first bind that failed.
            ClientError: As of `ping`, for the first bind that failed.
        """
        errors = []
        for bind_key in bind_keys or self.binds:
            try:
                self.ping(bind_key)
            except (BotoCoreError, ClientError) as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def shell_context(self) -> dict[str, t.Any]:
        """The names in ``flask shell``: ``db``, and the models whose class name is unique."""
        models = self.models.classes()
        names = collections.Counter(["app", "g", "db", *(model.__name__ for model in models)])
        return {**{model.__name__: model for model in models if names[model.__name__] == 1}, "db": self.dynamo}

    @t.overload
    def usage(
        self, *, by: None = None, reset: bool = False, string_keys: t.Literal[False] = False
    ) -> dict[UsageKey, Usage]: ...

    @t.overload
    def usage(
        self, *, by: str, reset: bool = False, string_keys: t.Literal[False] = False
    ) -> dict[str | None, Usage]: ...

    @t.overload
    def usage(
        self, *, by: str | None = None, reset: bool = False, string_keys: t.Literal[True]
    ) -> dict[str, Usage]: ...

    def usage(
        self, *, by: str | None = None, reset: bool = False, string_keys: bool = False
    ) -> cabc.Mapping[t.Any, Usage]:
        """What the app's calls consumed in this process since its start, or since the last reset.

        Args:
            by: Sum up by ``"tenant"``, ``"model"`` or ``"operation"``.
            reset: Start again from zero. Each call is counted exactly once, before or after the reset.
            string_keys: Return strings as keys, as ``jsonify`` needs them: ``"tenant/model/operation"``, or with ``by``
                the name. No tenant and no model are the empty string.

        Returns:
            The counts by tenant, model and operation; with ``by``, by that one alone.

        Raises:
            RuntimeError: The app counts no usage.
        """
        meter = self.recorder.meter
        if meter is None:
            raise RuntimeError(f"The app {self.app_name!r} counts no usage. Set DYNAMODB_METER = True.")
        counts: cabc.Mapping[t.Any, Usage] = meter.read(reset=reset)
        if by is not None:
            from dynaflask.operations.usage import summed  # noqa: PLC0415 - an app without a meter does not need it

            counts = summed(counts, by)
        return {"" if key is None else str(key): usage for key, usage in counts.items()} if string_keys else counts

    def recorded_operations(self) -> list[Operation]:
        """The operations of the current request, or of the current context without a request, the oldest first.

        At most the last 1,000 are kept.

        Raises:
            RuntimeError: The app keeps no operations.
        """
        if not self.recorder.keeps_operations:
            raise RuntimeError(f"The app {self.app_name!r} keeps no operations. Set DYNAMODB_RECORD_OPERATIONS = True.")
        return self.recorder.recorded_operations()

    def close(self) -> None:
        """Release the app's clients. Those that no other app uses are closed. The next use makes new ones.

        Calls in flight end as usual.
        """
        # The leases stay: the connections of an open context use them, and another `close` must reach their clients.
        for lease in self._leases_by_key.copy().values():
            lease.close()

    def _forget_leases(self) -> None:
        self._leases = {}
        self._leases_by_key = {}

    def _keep_settings(self, declaration: DeclaredMeta, tenant: Tenant | None, settings: EffectiveSettings) -> None:
        if tenant is None:
            self.own_settings[declaration] = settings
            self._static_binds.add(settings.bind)
            return
        by_tenant = self._tenant_settings.setdefault(declaration, {})
        if len(by_tenant) >= MAX_BINDS:
            by_tenant.clear()
        by_tenant[tenant] = settings

    def _cache_lease(self, bind: Bind, lease: Lease) -> None:
        if len(self._leases) >= MAX_BINDS:
            # Blocks with settings of one request, such as a session token, make a bind for each request.
            self._leases = {}
            # A copy, which the interpreter makes in one step: another thread may add a lease meanwhile.
            for key, unused in self._leases_by_key.copy().items():
                if not unused.has_client:
                    self._leases_by_key.pop(key, None)
        self._leases[bind] = lease

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


class AppMetaBackend(DeclaredMetaBackend):
    """The backend of ``registry.meta(Model)`` outside of the app's contexts: it reads, and refuses changes.

    Args:
        registry: The app's registry.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def resolve(self, declaration: DeclaredMeta) -> EffectiveSettings:
        """The model's settings in the app."""
        return self._registry.resolve(declaration)
