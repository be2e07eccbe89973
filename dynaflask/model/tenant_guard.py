"""Guards of a model with a ``TenantKey``: a tenant reads, writes and deletes only its own items."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import AddAction
from pynamodb.expressions.update import SetAction
from pynamodb.pagination import ResultIterator

from dynaflask.exceptions import TenantMismatch
from dynaflask.model.counts import COUNT_ARGUMENTS
from dynaflask.model.counts import QUERY_ARGUMENTS
from dynaflask.model.item_tenant import require_same_scope
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.pynamodb_internals import indexes
from dynaflask.model.pynamodb_internals import page_request
from dynaflask.model.tenant_key import SEPARATOR
from dynaflask.model.tenant_key import TenantKey
from dynaflask.registry.context import current_scope
from dynaflask.registry.context import require_scope
from dynaflask.registry.tenant_tables import has_own_table

if t.TYPE_CHECKING:
    from dynaflask.client.table_connection import TableConnection


class TenantGuardMixin:
    """Model methods that refuse to read or delete the items of all tenants, if the model has a ``TenantKey``.

    The arguments are PynamoDB's.
    """

    __has_tenant_key__: t.ClassVar[bool] = False

    @classmethod
    def query(cls, *args: t.Any, **options: t.Any) -> t.Any:
        """The items of one hash key; see PynamoDB."""
        query = t.cast("t.Any", super()).query
        if not cls.__has_tenant_key__:
            return query(*args, **options)
        options = {**dict(zip(QUERY_ARGUMENTS, args, strict=False)), **options}
        index_name = options.get("index_name")
        if not _is_of_one_tenant(cls, index_name):
            _refuse(cls, f"A query of {index_name}")
        own = OwnItems.of_index(cls, index_name)
        return query(**options) if own is None else own.checked(query(**own.with_key(own.with_filter(options))))

    @classmethod
    def scan(cls, *args: t.Any, **options: t.Any) -> t.Any:
        """All items; see PynamoDB."""
        if cls.__has_tenant_key__:
            _refuse(cls, "A scan")
        return t.cast("t.Any", super()).scan(*args, **options)

    @classmethod
    def delete_table(cls, **options: t.Any) -> t.Any:
        """Delete the table; see PynamoDB."""
        scope, table = current_scope(t.cast("t.Any", cls).__dynamo__), t.cast("t.Any", cls)._get_connection()
        require_no_tenant(cls, table)
        # The program's functions that list the tenants may have entered a block, and PynamoDB looks up the table again.
        require_same_scope(cls, scope)
        return t.cast("t.Any", super()).delete_table(**options)

    @classmethod
    def exists(cls) -> bool:
        """True if the table exists; see PynamoDB.

        Raises:
            RuntimeError: A receiver of a signal has entered a block: ``create_table`` would create its table.
        """
        scope = current_scope(t.cast("t.Any", cls).__dynamo__)
        exists = t.cast("bool", t.cast("t.Any", super()).exists())
        require_same_scope(cls, scope)
        return exists

    @classmethod
    def count(cls, *args: t.Any, **options: t.Any) -> int:  # noqa: D417 - PynamoDB has the signature
        """Number of the items of one hash key. DynamoDB reads them all, and charges for it.

        Without a hash key, it is the ``ItemCount`` of the table, which DynamoDB updates every six hours.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html

        Args:
            hash_key: The hash key of the table, or of the index.
            range_key_condition: A condition on the range key.
            filter_condition: A condition on other attributes, applied after an item is read.
            consistent_read: True to count what the last write left, for twice the capacity units.
            index_name: Name of an index; by default the table.
            limit: The number to stop at.
            rate_limit: The most capacity units per second.

        Raises:
            ValueError: There is a condition, an index or a limit, but no hash key.
            QueryError: DynamoDB refused.
            TenantMismatch: The model has a ``TenantKey``, and the items of all tenants would be counted.
        """
        count = t.cast("t.Any", super()).count
        if not cls.__has_tenant_key__:
            return t.cast("int", count(*args, **options))
        options = {**dict(zip(COUNT_ARGUMENTS, args, strict=False)), **options}
        hash_key, index_name = options.get("hash_key"), options.get("index_name")
        if hash_key is None or not _is_of_one_tenant(cls, index_name):
            _refuse(cls, "A count without a hash key" if hash_key is None else f"A count of {index_name}")
        own = OwnItems.of_index(cls, index_name)
        if own is not None and own.is_key_of_index:
            # DynamoDB would count other tenants' items, too.
            return sum(1 for _ in cls.query(**options, attributes_to_get=[own.key_name]))
        return t.cast("int", count(**(options if own is None else own.with_filter(options))))

    def update(self, actions: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
        """Change an item; see PynamoDB.

        Raises:
            TenantMismatch: An action sets a ``TenantKey`` to something else than a key of the current tenant.
        """
        if self.__has_tenant_key__:
            check_actions(self, actions)
        return t.cast("t.Any", super()).update(actions, *args, **options)

    def get_update_kwargs_from_instance(self, actions: t.Any, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Parameters of an update in a transaction; see PynamoDB.

        Raises:
            TenantMismatch: As of `update`.
        """
        if self.__has_tenant_key__:
            check_actions(self, actions)
        return t.cast(
            "dict[str, t.Any]", t.cast("t.Any", super()).get_update_kwargs_from_instance(actions, *args, **options)
        )


class OwnItems:
    """The part of an index that belongs to the current tenant by the hash keys of the table.

    The keys of an index are attributes that an update can change. An item of one tenant may have another's name in
    them, for example because a script wrote it. Its hash key in the table cannot change: it decides whose item it is.

    Args:
        key_name: The table's hash key, a ``TenantKey``.
        tenant: The current tenant.
        is_key_of_index: True if the hash key is a key of the index as well. DynamoDB then accepts no filter on it.
    """

    def __init__(self, key_name: str, tenant: str, *, is_key_of_index: bool) -> None:
        self.key_name = key_name
        self.is_key_of_index = is_key_of_index
        self._prefix = f"{tenant}{SEPARATOR}"

    @classmethod
    def of_index(cls, model: t.Any, index_name: str | None) -> OwnItems | None:
        """The tenant's part of an index; None if a query can read only the tenant's items, or needs no filter."""
        if index_name is None or not model.__has_tenant_key__:
            return None
        key_name, index = hash_key_attribute(model).attr_name, indexes(model)[index_name]
        tenant = require_scope(model.__name__, model.__dynamo__).principal.name
        # An index with the table's own hash key, such as a local one, has the tenant's items under the tenant's key.
        if tenant is None or hash_key_attribute(index).attr_name == key_name:
            return None
        key_names = {attribute.attr_name for attribute in index.Meta.attributes.values()}
        return cls(key_name, tenant, is_key_of_index=key_name in key_names)

    def with_filter(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """The options of a query or a count, with the tenant's filter in addition, if DynamoDB accepts that."""
        if self.is_key_of_index:
            return options
        own, condition = Path([self.key_name]).startswith(self._prefix), options.get("filter_condition")
        return {**options, "filter_condition": own if condition is None else condition & own}

    def with_key(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """The options of a query, which returns the table's hash key if the client must check it."""
        attributes = options.get("attributes_to_get")
        if not self.is_key_of_index or not attributes:
            return options
        attributes = attributes if isinstance(attributes, list) else [attributes]
        # DynamoDB refuses a projection that names an attribute twice.
        names = {str(getattr(attribute, "attr_name", attribute)) for attribute in attributes}
        return options if self.key_name in names else {**options, "attributes_to_get": [*attributes, self.key_name]}

    def checked(self, results: t.Any) -> t.Any:
        """The results of a query, without the items of other tenants."""
        if not self.is_key_of_index or type(results) is not ResultIterator:
            return results
        request = page_request(results)
        return OwnResults(
            OwnPages(request.operation, self.is_own),
            request.args,
            request.kwargs,
            map_fn=request.map_fn,
            limit=request.limit,
            rate_limit=request.rate_limit,
        )

    def is_own(self, item: cabc.Mapping[str, t.Any]) -> bool:
        """True if an item is the tenant's."""
        return str(item[self.key_name]["S"]).startswith(self._prefix)


class OwnResults(ResultIterator[t.Any]):
    """The results of a query whose pages have the tenant's items alone. A type of its own: no page decoder takes it."""


class OwnPages:
    """Fetches one page of a query, and drops the items of other tenants.

    Args:
        operation: The bound method that fetches a page: ``query`` of a ``TableConnection``.
        is_own: True for an item of the tenant.
    """

    def __init__(self, operation: t.Any, is_own: cabc.Callable[[t.Any], bool]) -> None:
        # PynamoDB's PageIterator finds the table's keys by this attribute of a bound method; so does db.paginate.
        self.__self__ = operation.__self__
        self.__name__ = operation.__name__
        self._operation = operation
        self._is_own = is_own

    def __call__(self, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """One page; see PynamoDB's ``TableConnection.query``."""
        page = self._operation(*args, **options)
        items = [item for item in page["Items"] if self._is_own(item)]
        return {**page, "Items": items, "Count": len(items)}


def check_actions(model: t.Any, actions: t.Any) -> None:
    """Refuse an update that writes another tenant's name to a ``TenantKey``.

    Args:
        model: The model, or an object of it.
        actions: The actions of the update. PynamoDB takes a list.

    Raises:
        TypeError: It is not a list.
        TenantMismatch: As of ``TenantKey.check_written``.
    """
    if not isinstance(actions, list):
        raise TypeError("the value of `actions` is expected to be a non-empty list")
    keys = {key.attr_name: key for key in model.get_attributes().values() if isinstance(key, TenantKey)}
    for action in actions:
        if isinstance(action, (SetAction, AddAction)):
            # A path may be a plain string, and its first part may have the index of a list: `author[0]`.
            name = t.cast("Path", action.values[0]).path[0]
            key = keys.get(name) or keys.get(name.partition("[")[0])
            if key is not None:
                key.check_written(action)


def require_no_tenant(model: t.Any, table: TableConnection) -> None:
    """Refuse to delete a table that tenants share on behalf of one tenant.

    Args:
        model: A model of the table.
        table: The connection to the table, which acts for the tenant.

    Raises:
        TenantMismatch: There is a tenant, and the model has a ``TenantKey`` or belongs to no tenant, or another tenant
            has the same table.
    """
    scope = require_scope(model.__name__, model.__dynamo__)
    # The connection of a model that belongs to no tenant is for none.
    tenant = scope.tenant if model.__declaration__.is_shared else table.connection.tenant
    if tenant is None:
        return
    if model.__has_tenant_key__ or model.__declaration__.is_shared:
        raise TenantMismatch(
            f"Deleting the table of {model.__name__} for {tenant!r} would delete the items of all tenants. Put the call"
            " into a `with db.without_tenant(reason=...):` block, and name the bind or the table there if the table is"
            " this tenant's alone."
        )
    if not has_own_table(scope, model, table):
        raise TenantMismatch(
            f"The table {table.table_name!r} of {model.__name__} is not that of {tenant!r} alone: deleting it would"
            " delete the items of others, too. Give each tenant a table_prefix of its own. To delete the table for"
            " all, put the call into a `with db.without_tenant(reason=...):` block; a command has --without-tenant for"
            " it."
        )


def _is_of_one_tenant(model: t.Any, index_name: str | None) -> bool:
    return index_name is None or isinstance(hash_key_attribute(indexes(model)[index_name]), TenantKey)


def _refuse(model: t.Any, operation: str) -> None:
    if not require_scope(model.__name__, model.__dynamo__).principal.is_unrestricted:
        raise TenantMismatch(
            f"{operation} of {model.__name__} would read the items of all tenants. Query with a TenantKey as the hash"
            " key, or put the call into a `with db.without_tenant(reason=...):` block."
        )
