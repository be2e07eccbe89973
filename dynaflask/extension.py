"""``Dynamo``: the extension object.

Its methods for tenants, for usage and for views are those of three mixins, each in a module of its name.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

import flask

from dynaflask.collector import paused_to_import
from dynaflask.config.fields import BIND_VALIDATORS
from dynaflask.config.settings import check_values
from dynaflask.config.validators import Values
from dynaflask.model.metaclass import M
from dynaflask.model.metaclass import scope_existing_model
from dynaflask.model.typed import Model
from dynaflask.model.typed import make_base
from dynaflask.registry.blocks import ScopedBlock
from dynaflask.registry.context import current_app
from dynaflask.registry.context import require_scope
from dynaflask.registry.meta import Meta
from dynaflask.registry.models import STATIC_MODELS
from dynaflask.registry.models import DeclaredModels
from dynaflask.registry.tenant_methods import TenantMethodsMixin
from dynaflask.registry.usage_methods import UsageMethodsMixin
from dynaflask.views.view_methods import ViewMethodsMixin

if t.TYPE_CHECKING:
    from dynaflask.client.connection import Connection
    from dynaflask.client.table_connection import TableConnection
    from dynaflask.config.bind import Bind
    from dynaflask.config.settings import Settings
    from dynaflask.model.transactions import TransactGet
    from dynaflask.model.transactions import TransactWrite
    from dynaflask.registry.registry import Registry
    from dynaflask.registry.scope import Scope
    from dynaflask.tables.streams import StreamRecords

SHOWN_MODELS = 5  # in the repr


class Dynamo(TenantMethodsMixin, UsageMethodsMixin, ViewMethodsMixin):
    """DynamoDB for Flask applications: one object for the program, a registry for each app.

    It holds the model classes and the program's callbacks, and no data of any app.

    Args:
        app: Call `init_app` on this app.

    Attributes:
        Model: The base class of models that belong to this object. Those of ``dynaflask.Model`` need none.
    """

    _base = Model

    def __init__(self, app: flask.Flask | None = None) -> None:
        super().__init__()
        self._declared = DeclaredModels()
        self.Model: type[Model] = make_base(self, self._base)
        if app is not None:
            self.init_app(app)

    def __repr__(self) -> str:
        # Every extension object serves the subclasses of dynaflask.Model.
        names = sorted(model.__name__ for model in (*STATIC_MODELS.classes(), *self._declared.classes()))
        shown = ", ".join([*names[:SHOWN_MODELS], *(["..."] if len(names) > SHOWN_MODELS else [])])
        return f"<{type(self).__name__} with {len(names)} model{'s' * (len(names) != 1)}{': ' * bool(shown)}{shown}>"

    def init_app(self, app: flask.Flask, *, models: cabc.Iterable[type[Model]] | None = None) -> None:
        """Give an app its registry. No client is made, and nothing is sent.

        Args:
            app: The app. Its ``config`` is read and checked now.
            models: Limit the app to these models. By default, it has the subclasses of ``dynaflask.Model`` and of this
                object's ``Model``, and the registered ones.

        Raises:
            ConfigurationError: A setting is wrong, or the table name of a model that is declared by now.
            RuntimeError: The app already has an extension of that name.
        """
        with paused_to_import("dynaflask.installation"):
            from dynaflask.installation import install  # noqa: PLC0415 - a declaration of models does not need it

        install(self, app, models=models)

    def register(self, model: M) -> M:
        """Make an existing PynamoDB model app-scoped in place, as a call or as a decorator.

        The class stays the same object: every import of it and its ``DoesNotExist`` stay valid. Its subclasses become
        app-scoped, too. A subclass of ``dynaflask.Model`` is app-scoped already, and does not change.

        Args:
            model: The model's class.

        Raises:
            TypeError: It is not a PynamoDB model.
            RuntimeError: The model belongs to another ``Dynamo``.
        """
        return scope_existing_model(model, base=self.Model)

    @property
    def registry(self) -> Registry:
        """The current app's registry.

        Raises:
            RuntimeError: There is no application context, or its app was not initialised with this object.
        """
        return self._registry("db.registry")

    @property
    def models(self) -> cabc.Mapping[str, type[Model]]:
        """The current app's models; see `Registry.models`."""
        return self._registry("db.models").models

    @property
    def binds(self) -> cabc.Mapping[str, Bind]:
        """The current app's binds; see `Registry.binds`."""
        return self._registry("db.binds").binds

    @property
    def connections(self) -> cabc.Mapping[str, Connection]:
        """This context's connections; see `Registry.connections`."""
        return self._registry("db.connections").connections

    @property
    def connection(self) -> Connection:
        """This context's connection to the default bind; see `Registry.connection`."""
        return self._registry("db.connection").connection

    def get_connection(self, bind_key: str | None = None) -> Connection:
        """This context's connection to one bind; see `Registry.get_connection`.

        Args:
            bind_key: A key of ``DYNAMODB_BINDS``, or ``"default"``. By default the bind of the enclosing ``db.using``
                block, or else the default bind.

        Raises:
            UnknownBind: The app has no such bind.
        """
        return self._registry("db.get_connection").get_connection(bind_key)

    @property
    def client(self) -> t.Any:
        """The botocore client of the default bind; see `Registry.client`."""
        return self._registry("db.client").client

    def get_client(self, bind_key: str | None = None) -> t.Any:
        """The botocore client of one bind, for what PynamoDB does not cover; see `Registry.get_client`.

        Args:
            bind_key: As of `get_connection`.

        Raises:
            UnknownBind: The app has no such bind.
            TenantRequired: ``DYNAMODB_REQUIRE_TENANT`` is set, and there is no tenant.
        """
        return self._registry("db.get_client").get_client(bind_key)

    @property
    def tables(self) -> cabc.Mapping[str, TableConnection]:
        """This context's tables that no model describes; see `Registry.tables`."""
        return self._registry("db.tables").tables

    def meta(self, model: type[Model]) -> Meta:
        """A model's ``Meta`` in the current app, with the changes of the current context; see `Registry.meta`.

        Args:
            model: One of the app's models.

        Raises:
            UnknownModel: The app has no such model.
        """
        return self._registry("db.meta").meta(model)

    def using(self, bind_key: str | None = None, **settings: t.Any) -> ScopedBlock:
        """Run a block on another bind, or with other settings. Also a decorator of functions and coroutine functions.

        What the block sets on a model's ``Meta`` ends with the block. An iterator that is made in the block stays on
        the block's destination until the context ends. While a generator is suspended in a block, the code that resumed
        it runs in the block, too, as in a ``@contextlib.contextmanager``.

        Args:
            bind_key: A key of ``DYNAMODB_BINDS``, or ``"default"``. Inside the block, region, host and credentials
                come only from that bind, not from outer blocks.
            **settings: Settings of a bind, in lower case: ``region="eu-west-1"``.

        Raises:
            UnknownBind: The app has no such bind.
            ConfigurationError: A setting is unknown or wrong.
        """
        return ScopedBlock(lambda: self._using(bind_key, settings))

    def create_all(
        self, bind_key: str | None = None, *, models: cabc.Sequence[type[Model]] | None = None, wait: bool = False
    ) -> None:
        """Create the tables of the current app's models, where they do not exist.

        Args:
            bind_key: Only the models on this bind; by default all.
            models: Only these models; by default all.
            wait: Return when the tables are active.

        Raises:
            UnknownBind: The app has no such bind.
            TableError: DynamoDB refused the request.
        """
        from dynaflask import tables  # noqa: PLC0415 - a program that serves requests does not need it

        tables.create_all(self._registry("db.create_all"), bind_key=bind_key, models=models, wait=wait)

    def drop_all(
        self, bind_key: str | None = None, *, models: cabc.Sequence[type[Model]] | None = None, wait: bool = False
    ) -> None:
        """Delete the tables of the current app's models, where they exist, with all their items.

        Args:
            bind_key: Only the models on this bind; by default all.
            models: Only these models; by default all.
            wait: Return when the tables no longer exist.

        Raises:
            TenantMismatch: A table is not that of the current tenant alone. No table is deleted.
            UnknownBind: The app has no such bind.
            TableError: DynamoDB refused the request.
        """
        from dynaflask import tables  # noqa: PLC0415 - a program that serves requests does not need it

        tables.drop_all(self._registry("db.drop_all"), bind_key=bind_key, models=models, wait=wait)

    def stream_records(self, event: t.Any, *, models: cabc.Sequence[type[Model]] | None = None) -> StreamRecords:
        """The records of a DynamoDB stream that Lambda passes to a function, each for its tenant.

        The tenant of a record is the one in its ``TenantKey``, or the one that has the table. In a ``db.tenant`` block,
        all records must be that tenant's; in a ``db.without_tenant`` block, all are read for none. ``db.using`` blocks
        and the tenant loader have no effect.

        Args:
            event: The event of the Lambda function.
            models: The models that records are read as; by default all of the app's.

        Returns:
            The records. Return ``db.stream_records(event).handle(function)`` from the Lambda function.

        Raises:
            StreamError: It is no event of a stream.
        """
        from dynaflask.tables import streams  # noqa: PLC0415 - a program that serves requests does not need it

        principal = self._scope("db.stream_records").known_principal
        owners = streams.TableOwners(current_app(), models=models, principal=principal)
        return streams.StreamRecords(event, owners)

    def transact_write(
        self,
        *,
        client_request_token: str | None = None,
        return_consumed_capacity: str | None = None,
        return_item_collection_metrics: str | None = None,
    ) -> TransactWrite:
        """A write transaction in the current app, on the bind of the first model in it.

        It has up to 100 actions. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html

        Args:
            client_request_token: The transaction is applied once for each token within ten minutes: up to 36
                characters. By default, a new token that covers the retries of this call.
            return_consumed_capacity: ``"INDEXES"`` or ``"TOTAL"`` to ask for the consumed capacity.
            return_item_collection_metrics: ``"SIZE"`` to ask for the sizes of item collections.
        """
        from dynaflask.model import transactions  # noqa: PLC0415 - few programs need it

        return transactions.TransactWrite(
            connection=self.get_connection(),
            client_request_token=client_request_token,
            return_consumed_capacity=return_consumed_capacity,
            return_item_collection_metrics=return_item_collection_metrics,
        )

    def transact_get(self, *, return_consumed_capacity: str | None = None) -> TransactGet:
        """A read transaction in the current app, on the bind of the first model in it. It reads up to 100 items.

        Args:
            return_consumed_capacity: ``"INDEXES"`` or ``"TOTAL"`` to ask for the consumed capacity.
        """
        from dynaflask.model import transactions  # noqa: PLC0415 - few programs need it

        return transactions.TransactGet(
            connection=self.get_connection(), return_consumed_capacity=return_consumed_capacity
        )

    # The extension objects in compat override these three.

    def _config(self, app: flask.Flask) -> Values:
        return app.config

    def _make_registry(self, app: flask.Flask, settings: Settings, **options: t.Any) -> Registry:
        from dynaflask.registry.registry import Registry  # noqa: PLC0415 - a program that declares models does not need it

        return Registry(self, settings, **options)

    def _fallback_scope(self, what: str | None = None) -> Scope | None:
        """The scope to use outside of app contexts, if any. With ``what``, it may raise an error that says why not."""
        return None

    def _using(self, bind_key: str | None, settings: Values) -> contextlib.AbstractContextManager[t.Any]:
        scope = self._scope("db.using")
        entered = check_values("db.using()", settings, BIND_VALIDATORS)
        if bind_key is not None:
            scope.registry.settings.own_values(bind_key)
            entered["bind_key"] = bind_key
        return scope.using(entered)

    def _registry(self, what: str) -> Registry:
        return self._scope(what).registry

    def _scope(self, what: str) -> Scope:
        return self._checked(what, require_scope(what, self))

    def _checked(self, what: str, scope: Scope) -> Scope:
        if scope.registry.dynamo is not self:
            raise RuntimeError(
                f"{what} was used on another Dynamo than the one that the app {scope.registry.app_name!r} was"
                " initialised with. Make one `db = Dynamo()` in the program, and import it everywhere."
            )
        return scope
