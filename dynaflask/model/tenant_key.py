"""``TenantKey``: a key that begins with the tenant, in a table that all tenants share.

It stores ``<tenant>#<value>`` and gives back ``<value>``. No tenant's name has a ``#``, so that the first one ends it.
"""

from __future__ import annotations

import itertools
import typing as t

from pynamodb.attributes import UnicodeAttribute

from dynaflask.exceptions import TenantMismatch
from dynaflask.exceptions import TenantRequired
from dynaflask.registry.context import current_scope
from dynaflask.registry.context import require_scope
from dynaflask.tenants import Principal

SEPARATOR = "#"


class TenantKeyValue(str):
    """A key's value that remembers whose it is: an item that was read for one tenant is not written for another.

    Attributes:
        tenant: The tenant's name; ``None`` for a whole key, which names its tenant itself.
    """

    __slots__ = ("tenant",)

    tenant: str | None

    def __new__(cls, value: str, tenant: str | None) -> TenantKeyValue:
        """A value of a tenant."""
        owned = super().__new__(cls, value)
        owned.tenant = tenant
        return owned

    def __getnewargs__(self) -> tuple[t.Any, ...]:
        return (str(self), self.tenant)


class TenantKey(UnicodeAttribute):
    """A key attribute of the current tenant's: it stores ``<tenant>#<value>``, and gives back ``<value>``.

    It is the hash key of its table, and may be any key of its indexes. An item of another tenant is not found, and
    where it is read all the same the read is refused. In a ``db.without_tenant`` block a key is whole: it is read and
    written as it is stored.
    """

    def serialize(self, value: t.Any) -> str:
        """The key as it is stored.

        Raises:
            TenantRequired: There is no tenant.
            TenantMismatch: The value is of another tenant's item.
        """
        if not isinstance(value, str):
            raise TypeError(f"{self.attr_name} is a TenantKey, and takes a string, not {type(value).__name__}.")
        principal = self._principal()
        owner = value.tenant if isinstance(value, TenantKeyValue) else principal.name
        if principal.is_unrestricted:
            return self._whole(value) if owner is None else f"{owner}{SEPARATOR}{value}"
        if owner != principal.name:
            raise TenantMismatch(
                f"{self.attr_name} is of another tenant than {principal.name!r}, for whom it is used. To copy it, pass"
                " str(value)."
            )
        return f"{owner}{SEPARATOR}{value}"

    def deserialize(self, value: t.Any) -> TenantKeyValue:
        """The key without the tenant.

        Raises:
            TenantRequired: There is no tenant.
            TenantMismatch: It is another tenant's.
        """
        principal = self._principal()
        if principal.is_unrestricted:
            return TenantKeyValue(value, None)
        owner, separator, rest = value.partition(SEPARATOR)
        if owner != principal.name or not separator:
            raise TenantMismatch(
                f"An item was read for {principal.name!r} whose {self.attr_name} is not that tenant's."
            )
        return TenantKeyValue(rest, owner)

    def contains(self, item: t.Any) -> t.NoReturn:
        """Refuse: the tenant's name would be looked through as well.

        Raises:
            TypeError: Always.
        """
        raise TypeError(f"{self.attr_name} is a TenantKey, which can be compared and has startswith, but not contains.")

    def __set__(self, instance: t.Any, value: t.Any) -> None:
        super().__set__(instance, _owned(value) if type(value) is str else value)

    def _principal(self) -> Principal:
        principal = require_scope(f"{self.attr_name}, a TenantKey,").principal
        if principal.tenant is None and not principal.is_unrestricted:
            raise TenantRequired(
                f"{self.attr_name} is a TenantKey, and there is no tenant. Enter one with `with db.tenant(...):`, or"
                " have @db.tenant_loader return it."
            )
        return principal

    def _whole(self, value: str) -> str:
        tenant, separator, _ = value.partition(SEPARATOR)
        if not (tenant and separator):
            raise ValueError(
                f"{self.attr_name} is a TenantKey. Without a tenant it is whole: '<tenant>{SEPARATOR}<value>'."
            )
        return str(value)


class TenantGuardMixin:
    """What a model with a ``TenantKey`` refuses: to read, or to delete, what all tenants have."""

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
        """Items of one hash key; see PynamoDB."""
        if cls.__has_tenant_key__ and not _is_of_one_tenant(cls, index_name):
            _refuse(cls, f"A query of {index_name}")
        found: t.Any = super()
        return found.query(
            hash_key, range_key_condition, filter_condition, consistent_read, index_name, *args, **options
        )

    @classmethod
    def scan(cls, *args: t.Any, **options: t.Any) -> t.Any:
        """All items; see PynamoDB."""
        if cls.__has_tenant_key__:
            _refuse(cls, "A scan")
        found: t.Any = super()
        return found.scan(*args, **options)

    @classmethod
    def delete_table(cls, **options: t.Any) -> t.Any:
        """Delete the table; see PynamoDB."""
        if cls.__has_tenant_key__:
            require_no_tenant(cls, t.cast("t.Any", cls)._get_connection().connection.tenant)
        found: t.Any = super()
        return found.delete_table(**options)

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
        """How many items there are; see PynamoDB."""
        if cls.__has_tenant_key__ and (hash_key is None or not _is_of_one_tenant(cls, index_name)):
            _refuse(cls, "A count without a hash key" if hash_key is None else f"A count of {index_name}")
        found: t.Any = super()
        return t.cast(
            "int",
            found.count(hash_key, range_key_condition, filter_condition, consistent_read, index_name, *args, **options),
        )


def has_tenant_key(model: t.Any) -> bool:
    """Whether a model has a ``TenantKey``.

    Raises:
        TypeError: It has one, and an item could be reached without: the table's hash key is another attribute, or an
            index declares a key otherwise than the model.
    """
    attributes = model.get_attributes()
    names = {attribute.attr_name for attribute in attributes.values() if isinstance(attribute, TenantKey)}
    indexes = [index.Meta.attributes.values() for index in model._indexes.values()]
    for key in itertools.chain.from_iterable(indexes):
        if isinstance(key, TenantKey) != (key.attr_name in names):
            raise TypeError(f"{model.__name__}.{key.attr_name} must be a TenantKey in the model and in its indexes.")
    hash_key = attributes.get(model._hash_keyname)
    if names and hash_key is not None and not isinstance(hash_key, TenantKey):
        raise TypeError(f"{model.__name__} has a TenantKey, so that its hash key must be one, too.")
    return bool(names)


def require_no_tenant(model: t.Any, tenant: str | None) -> None:
    """Refuse what would end the items of all tenants.

    Args:
        model: A model of the table.
        tenant: Whom it is to be done for.

    Raises:
        TenantMismatch: The model has a ``TenantKey``, and there is a tenant.
    """
    if model.__has_tenant_key__ and tenant is not None:
        raise TenantMismatch(
            f"The table of {model.__name__} would be deleted with the items of all tenants, for {tenant!r}. Write `with"
            " db.without_tenant(reason=...):` round it, and name the place there if the table is this tenant's alone."
        )


def _is_of_one_tenant(model: t.Any, index_name: str | None) -> bool:
    return index_name is None or isinstance(model._indexes[index_name]._hash_key_attribute(), TenantKey)


def _refuse(model: t.Any, what: str) -> None:
    if not require_scope(model.__name__, model.__dynamo__).principal.is_unrestricted:
        raise TenantMismatch(
            f"{what} of {model.__name__} would read the items of all tenants. Query with a TenantKey as the hash key,"
            " or write `with db.without_tenant(reason=...):` round it."
        )


def _owned(value: str) -> str:
    scope = current_scope()
    tenant = None if scope is None else scope.known_tenant
    return value if tenant is None else TenantKeyValue(value, tenant)
