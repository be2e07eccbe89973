"""One real table, with all models of an app that are on it, and how it is found."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import itertools
import typing as t

from pynamodb.connection.base import BOTOCORE_EXCEPTIONS
from pynamodb.exceptions import TableError

from dynaflask.client.connection import TableConnection
from dynaflask.config.bind import Bind
from dynaflask.exceptions import DynaflaskError
from dynaflask.model.base import Model
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.tenant_key import require_no_tenant
from dynaflask.registry.precedence import full_name
from dynaflask.tables.schema import Json
from dynaflask.tables.schema import Schema
from dynaflask.tables.schema import from_models
from dynaflask.tables.schema_diff import NO_TABLE

if t.TYPE_CHECKING:
    from dynaflask.registry.registry import Registry

Models = cabc.Sequence[type[Model]]


@dataclasses.dataclass(frozen=True, slots=True, eq=False, repr=False)
class Table:
    """One real table, with all of the app's models that are on it. It stays where it was found, and in its context.

    Attributes:
        name: The real name.
        bind: The destination.
        models: The models, the one that was asked for first.
        schema: What they declare.
    """

    name: str
    bind: Bind
    models: tuple[type[Model], ...]
    schema: Schema
    _connection: TableConnection

    def __repr__(self) -> str:
        return f"<Table {self.name!r} on {self.bind!r}>"

    @property
    def model_names(self) -> list[str]:
        """The class names of its models."""
        return [model.__name__ for model in self.models]

    def call(self, operation: str, **request: t.Any) -> Json:
        """Make one call.

        Raises:
            TableError: It was refused, or no answer came.
        """
        try:
            # Not dispatch(), which asks each operation that it does not know for the capacity that it consumes.
            answer = self._connection.connection._make_api_call(operation, request)
        except BOTOCORE_EXCEPTIONS as error:
            raise TableError(f"{operation} failed for {self!r}: {error}", error) from error
        return answer

    def check_tenant_items(self, items: cabc.Iterable[Json]) -> None:
        """Refuse items of other tenants, where the table was found for one and its models have a ``TenantKey``.

        Args:
            items: Items of the table.

        Raises:
            TenantMismatch: One is another tenant's.
        """
        if self._connection.connection.tenant is not None:
            keys = [hash_key_attribute(model) for model in self.models if model.__has_tenant_key__]
            for item, key in itertools.product(items, keys):
                key.deserialize(item[key.attr_name]["S"])

    def check_not_shared(self) -> None:
        """Refuse to end a table whose models have a ``TenantKey``, where it was found for one of the tenants.

        Raises:
            TenantMismatch: It is such a table.
        """
        for model in self.models:
            require_no_tenant(model, self._connection.connection.tenant)

    def describe(self) -> Json | None:
        """The answer of ``DescribeTable``; ``None`` where there is no such table."""
        try:
            found = self.call("DescribeTable", TableName=self.name)["Table"]
        except TableError as error:
            if error.cause_response_code == "ResourceNotFoundException":
                return None
            raise
        return t.cast("Json", found)

    def require(self) -> Json:
        """The answer of ``DescribeTable``.

        Raises:
            TableError: There is no such table.
        """
        found = self.describe()
        if found is None:
            raise TableError(f"There is no {self!r}. {NO_TABLE}")
        return found


def find_tables(registry: Registry, *, bind_key: str | None = None, models: Models | None = None) -> list[Table]:
    """The tables of an app's models. Models on one table are one table together.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Only the tables of models on this bind; by default all.
        models: Only the tables of these models; by default all.

    Raises:
        UnknownBind: The app has no such bind.
        UnknownModel: The app was not given the model.
    """
    if bind_key is not None:
        registry.settings.own_values(bind_key)
    asked = registry._models() if models is None else models
    groups: dict[t.Any, dict[type[Model], Bind]] = {}
    for model in asked:
        _join(groups, registry, model)
    # The others as well, because what another model declares of a table is no stray.
    for model in registry._models():
        # One that has no place in this app is on no table of it.
        with contextlib.suppress(DynaflaskError, RuntimeError):
            _join(groups, registry, model)
    return [
        _table(registry, group)
        for group in groups.values()
        if any(model in asked and bind_key in (None, bind.key) for model, bind in group.items())
    ]


def find_one(registry: Registry, model: type[Model]) -> Table:
    """The table of one model.

    Raises:
        ValueError: The model has no table.
    """
    for table in find_tables(registry, models=[model]):
        return table
    raise ValueError(f"{full_name(model)} has no table: its Meta names none.")


def destination(registry: Registry, table: Table) -> tuple[str | None, str]:
    """The region and the endpoint that a table's calls go to, also where botocore's own chain names them."""
    with registry.lease(table.bind).call() as client:
        return client.meta.region_name, client.meta.endpoint_url


def _join(groups: dict[t.Any, dict[type[Model], Bind]], registry: Registry, model: type[Model]) -> None:
    resolved = registry.scope.resolve(registry.declaration_of(model))
    if resolved.table_name is not None:
        groups.setdefault((resolved.bind.destination, resolved.table_name), {})[model] = resolved.bind


def _table(registry: Registry, group: cabc.Mapping[type[Model], Bind]) -> Table:
    models = tuple(group)
    connection = registry.scope.model_table(models[0])
    return Table(connection.table_name, connection.connection.bind, models, from_models(models), connection)
