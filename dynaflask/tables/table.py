"""``Table``: one table of DynamoDB with all models of an app that are on it."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import itertools
import typing as t

from pynamodb.connection.base import BOTOCORE_EXCEPTIONS
from pynamodb.exceptions import TableError

from dynaflask.client.table_connection import TableConnection
from dynaflask.client.table_keys import require_hash_key
from dynaflask.config.bind import Bind
from dynaflask.exceptions import DynaflaskError
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.tenant_guard import require_no_tenant
from dynaflask.model.tenant_key import TenantKey
from dynaflask.model.typed import Model
from dynaflask.operations.error_codes import TABLE_NOT_FOUND
from dynaflask.operations.error_codes import code_of
from dynaflask.registry.declaration import full_name
from dynaflask.tables.schema import Json
from dynaflask.tables.schema import Schema
from dynaflask.tables.schema import from_models
from dynaflask.tables.schema_diff import NO_TABLE

if t.TYPE_CHECKING:
    from dynaflask.registry.declaration import DeclaredMeta
    from dynaflask.registry.registry import Registry

Models = cabc.Sequence[type[Model]]


@dataclasses.dataclass(frozen=True, slots=True, eq=False, repr=False)
class Table:
    """One table of DynamoDB with all of the app's models that are on it.

    It keeps the destination that it had when it was looked up, and can be used until the app context ends.

    Attributes:
        name: The name in DynamoDB, with its prefix.
        bind: The destination.
        models: The models, the requested ones first.
        schema: The schema that they declare.
    """

    name: str
    bind: Bind
    models: tuple[type[Model], ...]
    schema: Schema
    _connection: TableConnection
    _tenant: str | None

    def __repr__(self) -> str:
        return f"<Table {self.name!r} on {self.bind!r}>"

    def __str__(self) -> str:
        destination = (f"bind {self.bind.key}", self.bind.region, self.bind.host)
        return f"table {self.name} ({', '.join(filter(None, destination))})"

    @property
    def model_names(self) -> list[str]:
        """The class names of its models."""
        return [model.__name__ for model in self.models]

    def call(self, operation: str, **request: t.Any) -> Json:
        """Make one call.

        Args:
            operation: Name of the operation.
            **request: The members of its request.

        Returns:
            The response.

        Raises:
            TableError: DynamoDB refused the call, or did not answer.
        """
        try:
            # Not dispatch(), which adds ReturnConsumedCapacity to each operation that it does not know.
            response: Json = self._connection.connection._make_api_call(operation, request)
        except BOTOCORE_EXCEPTIONS as error:
            raise TableError(f"{operation} failed for {self}: {error}", error) from error
        return response

    def create_request(self) -> Json:
        """The request of ``CreateTable``.

        Raises:
            ConfigurationError: No model of the table declares a hash key.
        """
        require_hash_key({key.role for key in self.schema.keys}, model=" and ".join(self.model_names))
        return {"TableName": self.name, **self.schema.create_request()}

    def check_tenant_items(self, items: cabc.Iterable[Json]) -> None:
        """Refuse items of other tenants.

        The items are checked if the table was looked up for one tenant and its models have a ``TenantKey``.

        Args:
            items: Items of the table.

        Raises:
            TenantMismatch: An item is another tenant's.
        """
        if self._tenant is not None:
            keys = [hash_key_attribute(model) for model in self.models if model.__has_tenant_key__]
            for item, key in itertools.product(items, keys):
                key.deserialize(item[key.attr_name]["S"])

    def check_tenant_keys(self, item: Json) -> None:
        """Refuse an item that names another tenant in any key, of the table or of an index.

        Args:
            item: An item that is to be written.

        Raises:
            TenantMismatch: A ``TenantKey`` of a model is another tenant's, and the table was looked up for one tenant.
        """
        if self._tenant is not None:
            for attribute in itertools.chain.from_iterable(model.get_attributes().values() for model in self.models):
                stored_key = item.get(attribute.attr_name, {}).get("S")
                if isinstance(attribute, TenantKey) and stored_key is not None:
                    attribute.deserialize(stored_key)

    def check_not_shared(self) -> None:
        """Refuse a table that its tenant shares with others. ``drop`` would delete the others' items, too.

        Raises:
            TenantMismatch: The table was looked up for one tenant, and its models have a ``TenantKey`` or belong to no
                tenant, or another tenant has the same table.
        """
        for model in self.models:
            require_no_tenant(model, self._connection)

    def describe(self) -> Json | None:
        """``Table`` of the response of ``DescribeTable``; ``None`` if the table does not exist."""
        try:
            return t.cast("Json", self.call("DescribeTable", TableName=self.name)["Table"])
        except TableError as error:
            if code_of(error) == TABLE_NOT_FOUND:
                return None
            raise

    def require(self) -> Json:
        """``Table`` of the response of ``DescribeTable``.

        Raises:
            TableError: The table does not exist.
        """
        description = self.describe()
        if description is None:
            raise TableError(f"The {self} does not exist. {NO_TABLE}")
        return description


def find_tables(registry: Registry, *, bind_key: str | None = None, models: Models | None = None) -> list[Table]:
    """The tables of an app's models. Models with the same destination and table name share one table.

    For a tenant, tables of models with ``Meta.tenant = False`` are left out unless ``models`` names them.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Limits the result to the tables of models on this bind.
        models: Limits the result to the tables of these models.

    Raises:
        UnknownBind: The app has no such bind.
        UnknownModel: The app does not have the model.
    """
    if bind_key is not None:
        registry.settings.own_values(bind_key)  # raises UnknownBind
    requested = _own_models(registry) if models is None else models
    groups: dict[t.Any, dict[type[Model], Bind]] = {}
    for model in requested:
        _add(groups, registry, model)
    # The app's other models on these tables belong to their schemas: an index that one of them declares is no stray.
    for model in registry.models.classes():
        # A model that this app cannot resolve, for example because it lacks the bind, is on none of its tables.
        with contextlib.suppress(DynaflaskError, RuntimeError):
            _add(groups, registry, model)
    return [
        _table(registry, group)
        for group in groups.values()
        if any(model in requested and bind_key in (None, bind.key) for model, bind in group.items())
    ]


def find_one(registry: Registry, model: type[Model]) -> Table:
    """The table of one model.

    Raises:
        ValueError: The model has no table.
    """
    for table in find_tables(registry, models=[model]):
        return table
    raise ValueError(f"{full_name(model)} has no table: its Meta has no table_name.")


def account_of(description: Json) -> str:
    """Number of the AWS account that a table belongs to, from its description."""
    return t.cast("str", description["TableArn"].split(":")[4])


def destination(registry: Registry, table: Table) -> tuple[str | None, str]:
    """Region and endpoint of a table's calls, as the client has them: also if they come from botocore's own chain."""
    with registry.leases.get(table.bind).call() as client:
        return client.meta.region_name, client.meta.endpoint_url


def _own_models(registry: Registry) -> Models:
    """The app's models. For a tenant, only those whose tables it may create and drop."""
    classes = registry.models.classes()
    if any(map(_is_shared, classes)) and registry.scope.tenant is not None:
        return [model for model in classes if not _is_shared(model)]
    return classes


def _is_shared(model: type[Model]) -> bool:
    return t.cast("DeclaredMeta", model.__declaration__).is_shared


def _add(groups: dict[t.Any, dict[type[Model], Bind]], registry: Registry, model: type[Model]) -> None:
    resolved = registry.scope.resolve(registry.models.declaration_of(model))
    if resolved.table_name is not None:
        groups.setdefault(resolved.place, {})[model] = resolved.bind


def _table(registry: Registry, group: cabc.Mapping[type[Model], Bind]) -> Table:
    models = tuple(group)
    # A model without a TenantKey cannot open a table that tenants share, and the connection of a model that belongs to
    # no tenant guards no tenant's items.
    opener = min(models, key=lambda model: (not model.__has_tenant_key__, _is_shared(model)))
    connection = registry.scope.model_table(opener)
    return Table(
        connection.table_name,
        connection.connection.bind,
        models,
        from_models(models),
        connection,
        # The connection has no tenant if the models belong to none, so the scope's tenant is used.
        registry.scope.tenant,
    )
