"""``TenantKey``: a key that begins with the tenant's name, in a table that all tenants share.

The table has ``<tenant>#<value>``, and the program sees ``<value>``. A tenant's name cannot contain ``#``, so the first
one ends the name.
"""

from __future__ import annotations

import itertools
import typing as t

from pynamodb.attributes import UnicodeAttribute

from dynaflask.exceptions import TenantMismatch
from dynaflask.exceptions import TenantRequired
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.pynamodb_internals import hash_key_name
from dynaflask.model.pynamodb_internals import indexes
from dynaflask.registry.context import current_scope
from dynaflask.registry.context import require_scope
from dynaflask.tenants import Principal

SEPARATOR = "#"


class TenantKeyValue(str):
    """Value of a key, with its tenant: an item that was read for one tenant cannot be written for another.

    Attributes:
        tenant: The tenant's name; None for a stored key, which begins with it.
    """

    __slots__ = ("tenant",)

    tenant: str | None

    def __new__(cls, value: str, tenant: str | None) -> TenantKeyValue:
        """A tenant's value."""
        key_value = super().__new__(cls, value)
        key_value.tenant = tenant
        return key_value

    # copy and pickle call __new__ with these.
    def __getnewargs__(self) -> tuple[t.Any, ...]:
        return (str(self), self.tenant)


class TenantKey(UnicodeAttribute):
    """A key attribute that stores ``<tenant>#<value>`` for the current tenant, and returns ``<value>``.

    It must be the table's hash key, and may be any key of its indexes. Another tenant's item is not found; if a read
    returns one all the same, it raises ``TenantMismatch``. In a ``db.without_tenant`` block, the program reads and
    writes the stored key.
    """

    def serialize(self, value: t.Any) -> str:
        """The stored key.

        Raises:
            TenantRequired: There is no tenant.
            TenantMismatch: The value comes from another tenant's item.
        """
        if not isinstance(value, str):
            raise TypeError(f"{self.attr_name} is a TenantKey, and takes a string, not {type(value).__name__}.")
        principal = self._principal()
        tenant = value.tenant if isinstance(value, TenantKeyValue) else principal.name
        if principal.is_unrestricted:
            return self._checked_stored_key(value) if tenant is None else f"{tenant}{SEPARATOR}{value}"
        if tenant != principal.name:
            raise TenantMismatch(
                f"{self.attr_name} belongs to another tenant, not to {principal.name!r}. To copy the item, pass"
                " str(value)."
            )
        return f"{tenant}{SEPARATOR}{value}"

    def deserialize(self, value: t.Any) -> TenantKeyValue:
        """The key without the tenant.

        Raises:
            TenantRequired: There is no tenant.
            TenantMismatch: The key is another tenant's.
        """
        principal = self._principal()
        if principal.is_unrestricted:
            return TenantKeyValue(value, None)
        tenant, separator, tenant_value = value.partition(SEPARATOR)
        if tenant != principal.name or not separator:
            # Without the key: the message may be shown to the tenant.
            raise TenantMismatch(
                f"An item was read for {principal.name!r} whose {self.attr_name} is not that tenant's."
            )
        return TenantKeyValue(tenant_value, tenant)

    def contains(self, item: t.Any) -> t.NoReturn:
        """Not supported: the search would cover the tenant's name as well.

        Raises:
            TypeError: Always.
        """
        raise TypeError(f"{self.attr_name} is a TenantKey, which can be compared and has startswith, but not contains.")

    def __set__(self, instance: t.Any, value: t.Any) -> None:
        super().__set__(instance, _with_current_tenant(value) if type(value) is str else value)

    def _principal(self) -> Principal:
        principal = require_scope(f"{self.attr_name}, a TenantKey,").principal
        if principal.tenant is None and not principal.is_unrestricted:
            raise TenantRequired(
                f"{self.attr_name} is a TenantKey, and there is no tenant. Enter one with `with db.tenant(...):`, or"
                " have @db.tenant_loader return it."
            )
        return principal

    def _checked_stored_key(self, value: str) -> str:
        tenant, separator, _ = value.partition(SEPARATOR)
        if not (tenant and separator):
            raise ValueError(
                f"{self.attr_name} is a TenantKey. Without a tenant, use the stored key: '<tenant>{SEPARATOR}<value>'."
            )
        return str(value)


class TenantGuardMixin:
    """Model methods that refuse to read or delete the items of all tenants, if the model has a ``TenantKey``.

    The arguments are PynamoDB's.
    """

    __has_tenant_key__: t.ClassVar[bool] = False

    @classmethod
    def query(
        cls,
        hash_key: t.Any,
        range_key_condition: t.Any = None,
        filter_condition: t.Any = None,
        consistent_read: bool = False,
        index_name: str | None = None,
        *args: t.Any,
        **options: t.Any,
    ) -> t.Any:
        """The items of one hash key; see PynamoDB."""
        if cls.__has_tenant_key__ and not _is_of_one_tenant(cls, index_name):
            _refuse(cls, f"A query of {index_name}")
        return t.cast("t.Any", super()).query(
            hash_key, range_key_condition, filter_condition, consistent_read, index_name, *args, **options
        )

    @classmethod
    def scan(cls, *args: t.Any, **options: t.Any) -> t.Any:
        """All items; see PynamoDB."""
        if cls.__has_tenant_key__:
            _refuse(cls, "A scan")
        return t.cast("t.Any", super()).scan(*args, **options)

    @classmethod
    def delete_table(cls, **options: t.Any) -> t.Any:
        """Delete the table; see PynamoDB."""
        require_no_tenant(cls, t.cast("t.Any", cls)._get_connection().connection.tenant)
        return t.cast("t.Any", super()).delete_table(**options)

    @classmethod
    def count(
        cls,
        hash_key: t.Any = None,
        range_key_condition: t.Any = None,
        filter_condition: t.Any = None,
        consistent_read: bool = False,
        index_name: str | None = None,
        *args: t.Any,
        **options: t.Any,
    ) -> int:
        """Number of items; see PynamoDB."""
        if cls.__has_tenant_key__ and (hash_key is None or not _is_of_one_tenant(cls, index_name)):
            _refuse(cls, "A count without a hash key" if hash_key is None else f"A count of {index_name}")
        return t.cast(
            "int",
            t.cast("t.Any", super()).count(
                hash_key, range_key_condition, filter_condition, consistent_read, index_name, *args, **options
            ),
        )


def has_tenant_key(model: t.Any) -> bool:
    """True if a model has a ``TenantKey``.

    Raises:
        TypeError: The model has one, but an item could be reached without it: the table's hash key is another
            attribute, or an index and the model declare the same key as different types.
    """
    attributes = model.get_attributes()
    names = {attribute.attr_name for attribute in attributes.values() if isinstance(attribute, TenantKey)}
    for key in itertools.chain.from_iterable(index.Meta.attributes.values() for index in indexes(model).values()):
        if isinstance(key, TenantKey) != (key.attr_name in names):
            raise TypeError(f"{model.__name__}.{key.attr_name} must be a TenantKey in the model and in its indexes.")
    # A base class may declare no hash key; its subclasses are checked in turn.
    hash_key = attributes.get(hash_key_name(model))
    if names and hash_key is not None and not isinstance(hash_key, TenantKey):
        raise TypeError(f"{model.__name__} has a TenantKey, so that its hash key must be one, too.")
    return bool(names)


def require_no_tenant(model: t.Any, tenant: str | None) -> None:
    """Refuse to delete a table that all tenants share on behalf of one tenant.

    Args:
        model: A model of the table.
        tenant: The current tenant's name, or None.

    Raises:
        TenantMismatch: The model has a ``TenantKey`` or belongs to no tenant, and there is a tenant.
    """
    if model.__declaration__.is_shared:
        # Its connection is for no tenant.
        tenant = require_scope(model.__name__, model.__dynamo__).tenant
    if (model.__has_tenant_key__ or model.__declaration__.is_shared) and tenant is not None:
        raise TenantMismatch(
            f"Deleting the table of {model.__name__} for {tenant!r} would delete the items of all tenants. Put the call"
            " into a `with db.without_tenant(reason=...):` block, and name the bind or the table there if the table is"
            " this tenant's alone."
        )


def _is_of_one_tenant(model: t.Any, index_name: str | None) -> bool:
    return index_name is None or isinstance(hash_key_attribute(indexes(model)[index_name]), TenantKey)


def _refuse(model: t.Any, operation: str) -> None:
    if not require_scope(model.__name__, model.__dynamo__).principal.is_unrestricted:
        raise TenantMismatch(
            f"{operation} of {model.__name__} would read the items of all tenants. Query with a TenantKey as the hash"
            " key, or put the call into a `with db.without_tenant(reason=...):` block."
        )


def _with_current_tenant(value: str) -> str:
    scope = current_scope()
    tenant = None if scope is None else scope.known_tenant
    return value if tenant is None else TenantKeyValue(value, tenant)
