"""``TableOwners``: the tenant and the model that a record of a stream belongs to.

A stream names its table by ARN. The models of the app name theirs by region, account and name, which may be others for
each tenant. A record that fits no tenant, or more than one, is refused: nothing is guessed.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import time
import typing as t

import flask

from dynaflask.config.bind import Bind
from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import StreamError
from dynaflask.exceptions import UnknownTenant
from dynaflask.model.pynamodb_internals import has_discriminator
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.tenant_key import SEPARATOR
from dynaflask.model.typed import Model
from dynaflask.registry.blocks import app_context_for
from dynaflask.registry.context import registry_of
from dynaflask.registry.declaration import full_name
from dynaflask.tables.schema import Json
from dynaflask.tables.streams.accounts import Accounts
from dynaflask.tables.streams.accounts import StreamedTable
from dynaflask.tenants.lookup import TTL_SECONDS
from dynaflask.tenants.tenant import NO_TENANT
from dynaflask.tenants.tenant import UNRESTRICTED
from dynaflask.tenants.tenant import Principal

# In app.extensions: the tenants by the names of their tables, and the end of its time. An app may have thousands of
# tenants, and a Lambda function is called for each batch.
INDEX: t.Final = "dynamo.streams"

# The region of all tables of DynamoDB Local, whatever the region of the client. AWS has none of this name.
DYNAMODB_LOCAL: t.Final = "ddblocal"


class TableOwners:
    """Finds tenant and model of a record.

    Args:
        app: The app.
        models: The models that records are read as; ``None`` for all models of the app.
        principal: The tenant, or none on purpose, that all records must be for; ``None`` to find the tenant of each.
    """

    def __init__(self, app: flask.Flask, *, models: cabc.Sequence[type[Model]] | None, principal: Principal | None):
        self._app = app
        self._registry = registry_of(app)
        self._models = models
        # A context that has no tenant so far acts for none in particular.
        self._principal = None if principal == NO_TENANT else principal
        self._owners: dict[StreamedTable, list[str | None]] = {}
        self._accounts = Accounts(app)

    def context(self, tenant: str | None) -> contextlib.AbstractContextManager[None]:
        """An app context for a tenant that `tenant_of` returned. The tenant loader is not called."""
        is_unrestricted = self._principal is not None and self._principal.is_unrestricted
        return app_context_for(self._app, UNRESTRICTED if is_unrestricted else NO_TENANT, tenant=tenant)

    def tenant_of(self, table: StreamedTable, keys: Json) -> str | None:
        """Name of the tenant that a record is for; ``None`` if the table belongs to no tenant.

        Args:
            table: The table of the record.
            keys: The key of the item, in DynamoDB's JSON.

        Raises:
            StreamError: No tenant or more than one tenant has the table.
        """
        owners = self._owners_by_key(table, keys) or self._owners_by_table(table)
        if len(owners) == 1:
            return owners[0]
        if not owners:
            raise StreamError(
                f"The {table} is none of the tables of {self._app.name!r}, for any tenant that the app has. Read the"
                " record in the app that has the table."
            )
        # Without the names: there may be thousands.
        raise StreamError(
            f"The {table} may belong to {len(owners)} tenants of {self._app.name!r}, or to no tenant. Name the tenant"
            " of the stream: `with db.tenant(...):`; or use `with db.without_tenant(reason=...):`."
        )

    def model_of(self, table: StreamedTable) -> type[Model]:
        """The model to read a record as, in the context of its tenant. A discriminator may select a subclass of it.

        Args:
            table: The table of the record.

        Raises:
            StreamError: No model or more than one model has the table.
            TenantMismatch: The table has the items of all tenants, and the model has no ``TenantKey``.
        """
        models = self._models_on(table)
        if self._models is not None:
            models = [model for model in models if model in self._models]
        bases = [model for model in models if has_discriminator(model)]
        models = [model for model in models if not any(base in model.__mro__[1:] for base in bases)]
        if len(models) != 1:
            found = ", ".join(map(full_name, models)) or "no model"
            raise StreamError(
                f"The {table} has {found}, and a record needs one model. Name it with models=[...], or give the models"
                " a common base with a DiscriminatorAttribute."
            )
        # It refuses a model that this tenant may not use.
        self._registry.scope.model_table(models[0])
        return models[0]

    def _owners_by_key(self, table: StreamedTable, keys: Json) -> list[str]:
        """The tenant that a ``TenantKey`` names, if that tenant has a model with a ``TenantKey`` on the table."""
        if self._principal is not None:
            return []
        names = {hash_key_attribute(model).attr_name for model in self._registry.models.with_tenant_key()}
        stored_keys = (keys.get(name, {}).get("S", "").partition(SEPARATOR) for name in names)
        return [
            tenant
            for tenant in {tenant for tenant, separator, _ in stored_keys if separator}
            if any(model.__has_tenant_key__ for model in self._models_for(tenant, table))
        ]

    def _owners_by_table(self, table: StreamedTable) -> list[str | None]:
        """The tenants that have the table. ``None`` among them is no tenant."""
        owners = self._owners.get(table)
        if owners is None:
            tenants = self._tenants_with(table.name) if self._principal is None else [self._principal.name]
            owners = self._owners[table] = [tenant for tenant in tenants if self._is_own_table(tenant, table)]
        return owners

    def _tenants_with(self, table_name: str) -> list[str | None]:
        """The tenants that have a table of this name anywhere."""
        index, expires_at = self._app.extensions.get(INDEX, ({}, 0.0))
        # A name that the index lacks may be that of a new tenant.
        if table_name not in index or time.monotonic() > expires_at:
            index, ttl_seconds = self._make_index(), self._registry.settings.plain.get("tenant_ttl_seconds")
            expires_at = time.monotonic() + (TTL_SECONDS if ttl_seconds is None else ttl_seconds)
            self._app.extensions[INDEX] = index, expires_at
        return t.cast("list[str | None]", index.get(table_name, []))

    def _make_index(self) -> dict[str, list[str | None]]:
        index: dict[str, list[str | None]] = {}
        for tenant in self._tenants():
            with contextlib.suppress(UnknownTenant), self.context(tenant):
                for name in {self._settings_of(model)[0] for model in self._registry.models.classes()}:
                    index.setdefault(name, []).append(tenant)
        return index

    def _tenants(self) -> list[str | None]:
        if not self._registry.tenants.have_settings:
            # All tenants have the tables of the app: without a TenantKey, a table belongs to none of them.
            return [None]
        with self.context(None):
            return [None, *self._registry.tenants.names(self._registry.scope.lookup_scope)]

    def _is_own_table(self, tenant: str | None, table: StreamedTable) -> bool:
        models = self._models_for(tenant, table)
        if self._principal is not None:
            return bool(models)
        # A TenantKey names the tenant of each record; a record without one belongs to no model of the table. A model
        # with Meta.tenant = False belongs to no tenant.
        has_tenant_key = any(model.__has_tenant_key__ for model in models)
        return not has_tenant_key and any(not (tenant and _is_shared(model)) for model in models)

    def _models_for(self, tenant: str | None, table: StreamedTable) -> list[type[Model]]:
        # What looks like the tenant of a TenantKey may be a part of another key.
        with contextlib.suppress(UnknownTenant), self.context(tenant):
            return self._models_on(table)
        return []

    def _models_on(self, table: StreamedTable) -> list[type[Model]]:
        return [model for model in self._registry.models.classes() if self._is_on(table, model)]

    def _is_on(self, table: StreamedTable, model: type[Model]) -> bool:
        name, bind = self._settings_of(model)
        return bind is not None and name == table.name and self._reaches(bind, table)

    def _settings_of(self, model: type[Model]) -> tuple[str, Bind | None]:
        # A model that this app cannot resolve, for example because it lacks the bind, is on none of its tables.
        with contextlib.suppress(DynaflaskError, RuntimeError):
            settings = self._registry.scope.resolve(self._registry.models.declaration_of(model))
            return settings.table_name or "", settings.bind
        return "", None

    def _reaches(self, bind: Bind, table: StreamedTable) -> bool:
        if table.region == DYNAMODB_LOCAL:
            return bind.host is not None
        return self._is_in_region(bind, table.region) and self._accounts.has_table(bind, table)

    def _is_in_region(self, bind: Bind, region: str) -> bool:
        if bind.region is not None:
            return bind.region == region
        with self._registry.leases.get(bind).call() as client:
            return bool(client.meta.region_name == region)


def _is_shared(model: type[Model]) -> bool:
    return bool(model.__declaration__ and model.__declaration__.is_shared)
