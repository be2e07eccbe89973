"""What one app owns: its binds, its models by name, and the door to its connections."""

from __future__ import annotations

import collections
import collections.abc as cabc
import time
import typing as t
import warnings
import weakref

from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError

from dynaflask.client.connection import Connection
from dynaflask.client.connection import TableConnection
from dynaflask.client.error_context import annotated
from dynaflask.client.key import ClientKey
from dynaflask.client.lease import Lease
from dynaflask.client.pool import ClientPool
from dynaflask.client.pool import pool
from dynaflask.config.bind import DEFAULT_BIND
from dynaflask.config.bind import Bind
from dynaflask.config.bind import make_bind
from dynaflask.config.bind import merge_settings
from dynaflask.config.settings import Settings
from dynaflask.config.settings import did_you_mean
from dynaflask.config.validators import Values
from dynaflask.exceptions import AmbiguousModel
from dynaflask.exceptions import TenantRequired
from dynaflask.exceptions import UnknownModel
from dynaflask.operations.recorder import OperationRecorder
from dynaflask.operations.usage import Usage
from dynaflask.operations.usage import UsageKey
from dynaflask.operations.usage import summed
from dynaflask.registry.context import current_scope
from dynaflask.registry.precedence import DeclaredMeta
from dynaflask.registry.precedence import DeclaredMetaBackend
from dynaflask.registry.precedence import EffectiveSettings
from dynaflask.registry.precedence import Meta
from dynaflask.registry.precedence import full_name
from dynaflask.registry.precedence import has_own_declaration
from dynaflask.registry.precedence import resolve
from dynaflask.registry.precedence import resolve_bind
from dynaflask.registry.scope import Scope
from dynaflask.tenants import Tenant
from dynaflask.tenants import Tenants

if t.TYPE_CHECKING:
    from dynaflask.extension import Dynamo
    from dynaflask.model.base import Model

V = t.TypeVar("V")

# How many binds a registry remembers, those that db.using makes among them.
MAX_BINDS = 2000


class Registry:
    """One app's binds, models and connections: ``app.extensions["dynamo"]``.

    Connections and tables belong to the app context that asks for them. Binds, models and clients can be had anywhere.

    Args:
        dynamo: The extension object, which knows the models.
        settings: What the app's configuration says.
        ledger: What the app does with its operations.
        given: The models that the app is limited to; ``None`` for all.

    Attributes:
        binds: The app's destinations by bind key.
        models: The app's models by class name, or by ``module.ClassName`` where two share a name.
        connections: This context's connections by bind key.
        tables: This context's connections to tables that no model describes, by table name.
        tenants: The app's tenants.
        pool: The clients of this process.
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
        self.dynamo = dynamo
        self.settings = settings
        self.recorder = recorder
        self.binds: cabc.Mapping[str, Bind] = {
            key: make_bind(key, settings.effective_values(key)) for key in settings.bind_keys
        }
        self.models: cabc.Mapping[str, type[Model]] = LazyMapping(self._model_names, self._model)
        self.connections: cabc.Mapping[str, Connection] = LazyMapping(lambda: self.binds, self.get_connection)
        self.tables: cabc.Mapping[str, TableConnection] = LazyMapping(self._table_names, self._table)
        self.tenants = Tenants(settings, dynamo._tenant_callbacks)
        self._allowed_models = None if allowed_models is None else {model.__declaration__ for model in allowed_models}
        # For nobody, and by tenant.
        self._resolved: weakref.WeakKeyDictionary[DeclaredMeta, dict[Tenant | None, EffectiveSettings]] = (
            weakref.WeakKeyDictionary()
        )
        self._static_binds = set(self.binds.values())
        self._leases: dict[Bind, Lease] = {}
        self._leases_by_key: dict[ClientKey, Lease] = {}
        # Stands for this registry in the pool, which must not keep the registry itself alive.
        self._owner = object()
        pool.set_limits(
            self,
            max_clients=settings.plain.get("max_clients"),
            idle_seconds=settings.plain.get("client_idle_seconds"),
        )
        self._names_are_checked = False

    def __repr__(self) -> str:
        return f"<Registry of {self.app_name!r} binds={list(self.binds)}>"

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
            bind_key: A key of ``DYNAMODB_BINDS``, or ``"default"``. Left out, it is the bind of the enclosing
                ``db.using`` block, or the default one.

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

        It is the app's own: a handler registered on its events is not felt by other apps. From now on it serves the
        app's models on this bind as well.

        Args:
            bind_key: As of :meth:`get_connection`.

        Raises:
            UnknownBind: The app has no such bind.
            TenantRequired: ``DYNAMODB_REQUIRE_TENANT`` is set, and there is no tenant.
        """
        return self.dedicated_client(self._current_bind(bind_key))

    def meta(self, model: type[Model]) -> Meta:
        """A model's ``Meta`` as this app has it: in a context of the app with what the context changed.

        Args:
            model: One of the app's models.
        """
        scope = self._scope()
        declaration = self.declaration_of(model)
        return scope.meta(declaration) if scope else Meta(declaration, AppMetaBackend(self))

    @property
    def scope(self) -> Scope:
        """This app's scope in the current context.

        Raises:
            RuntimeError: The current context is none of this app's.
        """
        scope = self._scope()
        if scope is None:
            raise RuntimeError(
                f"This is the registry of the app {self.app_name!r}, used outside of its application context. Its"
                " connections belong to a context: use `with app.app_context():`, or db.connection for the current app."
            )
        return scope

    def open_scope(self) -> Scope:
        """A new scope, for the context that asks."""
        return Scope(self)

    def bind(self, bind_key: str | None, context: cabc.Sequence[Values] = (), tenant: Tenant | None = None) -> Bind:
        """A bind with what a context and a tenant change in it.

        Raises:
            UnknownBind: The app has no such bind.
            TenantMismatch: The context says otherwise what the tenant decides.
        """
        tenant = tenant if tenant and tenant.changes else None
        if context or tenant or (bind_key or DEFAULT_BIND) not in self.binds:
            return resolve_bind(bind_key, settings=self.settings, context=context, tenant=tenant)
        return self.binds[bind_key or DEFAULT_BIND]

    def resolve(
        self, declaration: DeclaredMeta, context: cabc.Sequence[Values] = (), tenant: Tenant | None = None
    ) -> EffectiveSettings:
        """What a model's settings come to in this app, under what a context and a tenant change."""
        tenant = tenant if tenant and tenant.changes else None
        kept = self._resolved.get(declaration)
        if kept is None:
            kept = self._resolved.setdefault(declaration, {})
        resolved = None if context else kept.get(tenant)
        if resolved is None:
            resolved = resolve(
                declaration,
                settings=self.settings,
                binds=self.binds,
                configured=self._configured(declaration),
                context=context,
                tenant=tenant,
            )
            if resolved.is_static and not context:
                if len(kept) >= MAX_BINDS:
                    kept.clear()
                kept[tenant] = resolved
                if tenant is None:
                    self._static_binds.add(resolved.bind)
        return resolved

    def declaration_of(self, model: type[Model]) -> DeclaredMeta:
        """What a model declares, if it is one of this app's.

        Raises:
            RuntimeError: The model was declared with another ``Dynamo``.
            UnknownModel: The app was not given the model.
            AttributeError: The model has no ``Meta``.
        """
        declaration = getattr(model, "__declaration__", None)
        if getattr(model, "__dynamo__", None) is not self.dynamo:
            raise RuntimeError(
                f"{full_name(model)} was declared with another Dynamo than the app {self.app_name!r} was initialised"
                " with. Make one `db = Dynamo()` in the program, and import it everywhere; or pass the model to"
                " db.register."
            )
        if declaration is None:
            raise AttributeError(f"{full_name(model)} needs a Meta class with a table_name.")
        if not has_own_declaration(model):
            raise RuntimeError(
                f"{full_name(model)} has a Meta that db.register has not seen. Register this class as well."
            )
        if not self.has(declaration):
            name = full_name(model)
            raise UnknownModel(
                name,
                f"The app {self.app_name!r} was not given the model {name}. Add it to init_app(app, models=[...]).",
            )
        return t.cast("DeclaredMeta", declaration)

    def has(self, declaration: DeclaredMeta | None) -> bool:
        """Whether the app was given the models of this declaration."""
        return declaration is not None and (self._allowed_models is None or declaration in self._allowed_models)

    def lease(self, bind: Bind) -> Lease:
        """The app's claim on the pooled client of a destination."""
        lease = self._leases.get(bind)
        if lease is None:
            is_own = bind.share_client is False or bind.client_factory is not None
            lease = Lease(bind, owner=self._owner if is_own else None)
            # Binds that differ in what no client knows, such as a table prefix, have one lease.
            lease = self._leases_by_key.setdefault(lease.key, lease)
            self._cache_lease(bind, lease)
        return lease

    def dedicated_client(self, bind: Bind) -> t.Any:
        """A client of a destination that serves this app alone."""
        # One that belongs to a block, whose values may be a request's own, may be evicted.
        return self.lease(bind).dedicated(self._owner, is_pinned=bind in self._static_binds)

    def ping(self, bind_key: str = DEFAULT_BIND) -> float:
        """Make one cheap signed call, ListTables of one table, as a readiness check.

        It is the app's own, whatever block or tenant the context is in.

        Args:
            bind_key: A key of ``DYNAMODB_BINDS``, or ``"default"``.

        Returns:
            How long the answer took, in seconds.

        Raises:
            UnknownBind: The app has no such bind.
            BotoCoreError: No answer came: the endpoint, the identity or the network is at fault.
            ClientError: DynamoDB or STS refused.
        """
        bind = self.bind(bind_key)
        started = time.perf_counter()
        with annotated(bind, "ListTables"), self.lease(bind).call() as client:
            client.list_tables(Limit=1)
        return time.perf_counter() - started

    def warm(self, *bind_keys: str) -> None:
        """Make the clients and open a connection each, ahead of the first request.

        Args:
            *bind_keys: The binds; by default all. If some fail, the others are warmed first.

        Raises:
            BotoCoreError: As of :meth:`ping`, for the first bind that failed.
            ClientError: As of :meth:`ping`, for the first bind that failed.
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
        """What stands in ``flask shell``: ``db``, and the models, save those whose name is another's as well."""
        models = self._models()
        names = collections.Counter(["app", "g", "db", *(model.__name__ for model in models)])
        return {**{model.__name__: model for model in models if names[model.__name__] == 1}, "db": self.dynamo}

    @t.overload
    def usage(self, *, by: None = None, reset: bool = False) -> dict[UsageKey, Usage]: ...

    @t.overload
    def usage(self, *, by: str, reset: bool = False) -> dict[str | None, Usage]: ...

    def usage(self, *, by: str | None = None, reset: bool = False) -> cabc.Mapping[t.Any, Usage]:
        """What the app's calls consumed in this process since it began, or since the counts were reset.

        Args:
            by: Sum up by ``"tenant"``, ``"model"`` or ``"operation"``.
            reset: Begin anew. No call is lost, and none is counted twice.

        Returns:
            The counts, by tenant, model and operation, or by the one that was asked for.

        Raises:
            RuntimeError: The app does not count.
        """
        meter = self.recorder.meter
        if meter is None:
            raise RuntimeError(f"The app {self.app_name!r} counts no usage. Set DYNAMODB_METER = True.")
        return meter.read(reset=reset) if by is None else summed(meter.read(reset=reset), by)

    def close(self) -> None:
        """Let the app's clients go. Those that no other app uses are closed; the next use gets them anew."""
        for lease in list(self._leases_by_key.values()):
            lease.close()
        self._leases.clear()
        self._leases_by_key.clear()

    def _cache_lease(self, bind: Bind, lease: Lease) -> None:
        if len(self._leases) >= MAX_BINDS:
            # A block per request with values of its own, such as a token, makes a bind per request.
            self._leases = {}
            self._leases_by_key = {key: lease for key, lease in self._leases_by_key.items() if lease.has_client}
        self._leases[bind] = lease

    def _scope(self) -> Scope | None:
        scope = current_scope(self.dynamo)
        return scope if scope is not None and scope.registry is self else None

    def _current_bind(self, bind_key: str | None = None) -> Bind:
        scope = self._scope()
        if scope is None and self.tenants.is_required:
            raise TenantRequired("A client was asked for outside of a context, and so for no tenant.")
        return scope.bind(bind_key) if scope else self.bind(bind_key or DEFAULT_BIND)

    def _table_names(self) -> list[str]:
        return self.scope.table_names

    def _table(self, name: str) -> TableConnection:
        return self.scope.table(name)

    def _models(self) -> list[type[Model]]:
        return [model for model in self.dynamo._models() if self.has(model.__declaration__)]

    def _model_names(self) -> list[str]:
        models = self._models()
        short_names = collections.Counter(model.__name__ for model in models)
        return [model.__name__ if short_names[model.__name__] == 1 else full_name(model) for model in models]

    def _model(self, name: str) -> type[Model]:
        models = self._models()
        found = [model for model in models if name in {model.__name__, full_name(model)}]
        if not found:
            known = [model.__name__ for model in models]
            raise UnknownModel(name, f"The app {self.app_name!r} has no model {name!r}.{did_you_mean(name, known)}")
        if len(found) > 1:
            raise AmbiguousModel(name, candidates=map(full_name, found))
        return found[0]

    def _configured(self, declaration: DeclaredMeta) -> Values:
        by_name = self.settings.models
        if not by_name:
            return by_name
        self._warn_of_unknown_names()
        if declaration.model_name in by_name:
            self._model(declaration.model_name)
        short, full = (by_name.get(name, {}) for name in (declaration.model_name, declaration.full_name))
        return merge_settings(short, full)

    def _warn_of_unknown_names(self) -> None:
        # Models may be declared after init_app, so that their names are known at the first use at the earliest.
        if self._names_are_checked:
            return
        self._names_are_checked = True
        known = {
            name
            for model in self._models()
            for name in (model.__name__, full_name(model))
            # A class that shares its parent's Meta has no settings of its own.
            if model.__declaration__ and model.__declaration__.full_name == full_name(model)
        }
        for name in self.settings.models.keys() - known:
            hint = did_you_mean(name, known)
            warnings.warn(
                f"DYNAMODB_MODELS names {name!r}, which is no model of this app with a Meta of its own.{hint}",
                stacklevel=2,
            )


class AppMetaBackend(DeclaredMetaBackend):
    """What a model's ``Meta`` says in an app, seen from outside of its contexts.

    Args:
        registry: The app's registry.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def resolve(self, declaration: DeclaredMeta) -> EffectiveSettings:
        """What the model's settings come to in the app."""
        return self._registry.resolve(declaration)


class LazyMapping(cabc.Mapping[str, V]):
    """A mapping whose values are made when they are asked for.

    Args:
        keys: Gives the keys.
        get: Makes the value of a key.
    """

    def __init__(self, keys: t.Callable[[], cabc.Collection[str]], get: t.Callable[[str], V]) -> None:
        self._keys = keys
        self._get = get

    def __getitem__(self, key: str) -> V:
        return self._get(key)

    def __iter__(self) -> cabc.Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    def __repr__(self) -> str:
        return f"<LazyMapping {list(self)}>"
