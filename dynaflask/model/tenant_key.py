"""``TenantKey``: a key that begins with the tenant's name, in a table that all tenants share.

The table has ``<tenant>#<value>``, and the program sees ``<value>``. A tenant's name cannot contain ``#``, so the first
one ends the name.
"""

from __future__ import annotations

import itertools
import typing as t

from pynamodb.attributes import Attribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.constants import STRING
from pynamodb.expressions.operand import Value
from pynamodb.expressions.update import Action
from pynamodb.expressions.update import SetAction

from dynaflask.exceptions import TenantMismatch
from dynaflask.exceptions import TenantRequired
from dynaflask.model.pynamodb_internals import hash_key_name
from dynaflask.model.pynamodb_internals import indexes
from dynaflask.registry.context import current_scope
from dynaflask.registry.context import require_scope
from dynaflask.tenants.tenant import Principal

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
    returns one anyway, it raises ``TenantMismatch``. In a ``db.without_tenant`` block, the program reads and
    writes the stored key.
    """

    def serialize(self, value: t.Any) -> str:
        """The stored key.

        Args:
            value: The key without the tenant; in a ``db.without_tenant`` block, the stored key.

        Raises:
            TypeError: The value is no string.
            TenantRequired: There is no tenant.
            TenantMismatch: The value comes from another tenant's item.
        """
        if not isinstance(value, str):
            raise TypeError(f"{self.attr_name} is a TenantKey, and takes a string, not {type(value).__name__}.")
        # A subclass of str may format itself in another way: an Enum as "Color.RED".
        text = str.__str__(value)
        principal = self._principal()
        tenant = value.tenant if isinstance(value, TenantKeyValue) else principal.name
        if principal.is_unrestricted:
            return self._checked_stored_key(text) if tenant is None else f"{tenant}{SEPARATOR}{text}"
        if tenant != principal.name:
            raise TenantMismatch(
                f"{self.attr_name} belongs to another tenant, not to {principal.name!r}. To copy the item, pass"
                " str(value)."
            )
        return f"{tenant}{SEPARATOR}{text}"

    def deserialize(self, value: t.Any) -> TenantKeyValue:
        """The key without the tenant.

        Args:
            value: The stored key.

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

    def check_written(self, action: Action) -> None:
        """Refuse an update action that would write a key of another tenant.

        Args:
            action: An action that writes to this attribute. Its value is serialized already, perhaps in another
                tenant's block.

        Raises:
            TenantRequired: There is no tenant.
            TenantMismatch: The action does not set a key of the current tenant.
        """
        principal, stored_key = self._principal(), None
        operand = action.values[-1]
        if isinstance(action, SetAction) and isinstance(operand, Value):
            stored_key = operand.value.get(STRING)
        if isinstance(stored_key, str):
            tenant, separator, _ = stored_key.partition(SEPARATOR)
            if separator and tenant and (tenant == principal.name or principal.is_unrestricted):
                return
        # Without the key: the message may be shown to the tenant.
        raise TenantMismatch(
            f"{self.attr_name} is a TenantKey, and an update action would write something else to it than a key of"
            f" {'a tenant' if principal.is_unrestricted else repr(principal.name)}. Use a plain string, in the"
            " block that sends the update."
        )

    def contains(self, item: t.Any) -> t.NoReturn:
        """Not supported: the search would cover the tenant's name as well.

        Args:
            item: Has no effect.

        Raises:
            TypeError: Always.
        """
        raise TypeError(
            f"{self.attr_name} is a TenantKey, which supports comparisons and startswith, but not contains."
        )

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
        return value


def has_tenant_key(model: t.Any) -> bool:
    """True if a model has a ``TenantKey``.

    Raises:
        TypeError: An item could be reached without the TenantKey: the table's hash key is another attribute, or an
            index and the model declare the same key as different types. Or a TenantKey is inside of a map or a list:
            it is no key there, and updates of it are not checked.
    """
    attributes = model.get_attributes()
    for name, attribute in attributes.items():
        if _has_inner_tenant_key(attribute):
            raise TypeError(
                f"{model.__name__}.{name} has a TenantKey inside, which only a key of the table or of an index can be."
                " Use a UnicodeAttribute there."
            )
    names = {attribute.attr_name for attribute in attributes.values() if isinstance(attribute, TenantKey)}
    for key in itertools.chain.from_iterable(index.Meta.attributes.values() for index in indexes(model).values()):
        if isinstance(key, TenantKey) != (key.attr_name in names):
            raise TypeError(f"{model.__name__}.{key.attr_name} must be a TenantKey in the model and in its indexes.")
    # A base class may declare no hash key; its subclasses are checked in turn.
    hash_key = attributes.get(hash_key_name(model))
    if names and hash_key is not None and not isinstance(hash_key, TenantKey):
        raise TypeError(f"{model.__name__} has a TenantKey, so its hash key must be one, too.")
    return bool(names)


def _has_inner_tenant_key(attribute: Attribute[t.Any]) -> bool:
    """True if an attribute is a map or a list with a ``TenantKey`` inside, at any depth."""
    # Attributes of maps are objects, and elements of lists are classes. A map may contain its own class.
    pending: list[t.Any] = [attribute]
    maps: set[type] = set()
    while pending:
        current = pending.pop()
        cls = current if isinstance(current, type) else type(current)
        if issubclass(cls, TenantKey) and current is not attribute:
            return True
        if issubclass(cls, MapAttribute) and cls not in maps:
            maps.add(cls)
            pending.extend(cls.get_attributes().values())
        element_type = getattr(current, "element_type", None)
        if element_type is not None:
            pending.append(element_type)
    return False


def _with_current_tenant(value: str) -> str:
    scope = current_scope()
    tenant = None if scope is None else scope.known_tenant
    return value if tenant is None else TenantKeyValue(value, tenant)
